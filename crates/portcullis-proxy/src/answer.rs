//! Answers we make ourselves: redirects, fixed responses, error pages; and what happens to a request body nobody wants.

use std::future::poll_fn;
use std::task::Poll;

use portcullis_http1::{Body, Known, Method, Piece, Version, write};
use portcullis_plan::plan::{FixedResponse, Maintenance};
use portcullis_plan::{
    Answer, Deadline, EndedBy, Facts, Outcome, Refusal, answer as pages, redirect,
};

use crate::client::Client;
use crate::deadline::Slot;
use crate::desk::{Desk, RequestPart, ResponsePart};
use crate::failure::Failure;
use crate::grpc;
use crate::heads;
use crate::io::poll_fill;
use crate::scene::{Scene, Story};
use crate::wire::HeadKind;
use crate::worker::Worker;

/// The most of an unwanted request body that is read for the sake of the connection.
const DRAIN_BYTES: u64 = 256 * 1024;
/// Seconds after which a client may ask again when no server was available.
const RETRY_AFTER: u32 = 5;

/// What is answered.
pub(crate) enum Reply<'p> {
    /// What `decide` says.
    Decided(Answer<'p>),
    /// An error page for a failure.
    Failed(Failure),
}

/// Writes the answer to the client. `keep_alive` says whether the connection stays.
pub(crate) async fn send(
    worker: &Worker,
    client: &mut Client,
    desk: &mut Desk,
    scene: &Scene<'_>,
    story: &mut Story,
    reply: &Reply<'_>,
    keep_alive: bool,
) -> Result<(), Failure> {
    let now = worker.now();
    let Desk {
        request,
        response,
        to_client,
        to_server,
        ..
    } = desk;
    let facts = scene.facts(&client.who, request);
    to_server.clear();
    let writer = Writer {
        scene,
        facts: &facts,
        request,
        response,
        date: &worker.date(now),
        keep_alive,
    };
    story.from_server = false;
    story.timings.wall_nanos = worker.clock().wall_nanos(now);
    let head = writer.write(reply, story, to_client, to_server);
    if story.attempts == 0 {
        story.timings.response = Some(now);
    }
    story.answered = true;
    match write(worker, client, desk, scene, head).await {
        Ok(sent) => {
            story.bytes_out += sent as u64;
            desk.to_client.clear();
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Err(Failure::deadline(Deadline::ClientWrite, false))
        }
        Err(_) => Err(Failure::CLIENT_GONE),
    }
}

/// Hands the client the answer in the desk, whose head is `head` bytes long.
async fn write(
    worker: &Worker,
    client: &mut Client,
    desk: &mut Desk,
    scene: &Scene<'_>,
    head: usize,
) -> std::io::Result<usize> {
    let to_client = &mut desk.to_client;
    let kind = if to_client.len() == head {
        HeadKind::Whole
    } else {
        HeadKind::Final
    };
    let passed = client.wire.pass_head(to_client, 0..head, kind)?;
    let stall = scene.timeouts.client_write;
    let sent = client.write_all(worker, to_client, stall).await?;
    poll_fn(|_| client.wire.poll_end(&[])).await?;
    Ok(passed + sent)
}

/// Appends the answer to `out` without a client to send it to; gives the length of its head.
pub(crate) fn compose(
    scene: &Scene<'_>,
    facts: &Facts<'_>,
    request: &RequestPart,
    answer: &Answer<'_>,
    out: &mut Vec<u8>,
) -> usize {
    let writer = Writer {
        scene,
        facts,
        request,
        response: &ResponsePart::default(),
        date: b"<now>",
        keep_alive: true,
    };
    writer.decided(answer, &mut Story::default(), out, &mut Vec::new())
}

/// Whether so little of the body is to come that reading it is better than closing.
pub(crate) fn is_short(body: &Body) -> bool {
    body.remaining().is_none_or(|rest| rest <= DRAIN_BYTES)
}

/// Reads what is left of an unwanted request body; `true` if the connection stands before the next request.
pub(crate) async fn drain(
    worker: &Worker,
    client: &mut Client,
    desk: &mut Desk,
    scene: &Scene<'_>,
    story: &mut Story,
    mut body: Body,
) -> bool {
    if body.is_done() {
        return true;
    }
    let mut budget = DRAIN_BYTES;
    client.timer.arm(
        Slot::Download,
        Some(Deadline::ClientBodyIdle),
        worker.now().plus(scene.timeouts.client_body_idle),
    );
    let drained = poll_fn(|cx| {
        loop {
            while !body.is_done() && !desk.input.is_empty() {
                let Ok((used, piece)) = body.next(desk.input.filled()) else {
                    return Poll::Ready(false);
                };
                desk.input.consume(used);
                story.bytes_in += used as u64;
                budget = budget.saturating_sub(used as u64);
                if matches!(piece, Piece::More) && used == 0 {
                    break;
                }
            }
            if body.is_done() || budget == 0 {
                return Poll::Ready(body.is_done());
            }
            if desk.input.space().is_empty() {
                return Poll::Ready(false);
            }
            match poll_fill(&mut client.wire, cx, &mut desk.input) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending if client.timer.fired() => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    client.timer.disarm(Slot::Download);
    drained
}

/// Puts an answer together.
struct Writer<'a> {
    scene: &'a Scene<'a>,
    facts: &'a Facts<'a>,
    request: &'a RequestPart,
    response: &'a ResponsePart,
    date: &'a [u8],
    keep_alive: bool,
}

impl Writer<'_> {
    /// Appends the answer to `out`; gives the length of its head.
    fn write(
        &self,
        reply: &Reply<'_>,
        story: &mut Story,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> usize {
        match reply {
            Reply::Decided(answer) => self.decided(answer, story, out, scratch),
            Reply::Failed(failure) => {
                let retry_after = (failure.status == 503).then_some(RETRY_AFTER);
                self.error(failure.status, retry_after, story, out, scratch)
            }
        }
    }

    fn decided(
        &self,
        answer: &Answer<'_>,
        story: &mut Story,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> usize {
        match answer {
            Answer::HttpsRedirect { port } => {
                scratch.extend_from_slice(b"https://");
                self.https_target(*port, scratch);
                self.redirect(308, story, out, scratch)
            }
            Answer::Redirect { status, to } => {
                redirect::location(to, self.facts, Some(&self.outcome(story)), scratch);
                self.redirect(*status, story, out, scratch)
            }
            Answer::Respond(response) => self.fixed(response, story, out),
            Answer::Maintenance(closed) => {
                story.ended_by = Some(EndedBy::Policy);
                story.reason = Some("maintenance");
                self.closed(closed, story, out, scratch)
            }
            Answer::Refuse(refusal) => {
                let retry_after = match refusal {
                    Refusal::RateLimited { retry_after, .. } => Some(*retry_after),
                    _ => None,
                };
                story.ended_by = Some(EndedBy::Policy);
                story.reason = Some(refusal.code());
                self.error(refusal.status(), retry_after, story, out, scratch)
            }
        }
    }

    /// Host, port and target of the same resource over https. The host was validated when the head was read.
    fn https_target(&self, port: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(self.facts.host.as_bytes());
        if port != 443 {
            out.push(b':');
            write::decimal(out, u64::from(port));
        }
        out.extend_from_slice(if self.facts.path == b"*" {
            b"/"
        } else {
            self.facts.path
        });
        if let Some(query) = self.facts.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }

    /// The record so far, for the variables of templates.
    fn outcome<'f>(&self, story: &Story) -> Outcome<'f>
    where
        Self: 'f,
    {
        story.outcome(self.scene, self.response)
    }

    fn redirect(
        &self,
        status: u16,
        story: &mut Story,
        out: &mut Vec<u8>,
        location: &[u8],
    ) -> usize {
        self.head(status, story, out);
        write::field(out, b"location", location);
        self.finish(status, story, out, &[])
    }

    fn fixed(&self, response: &FixedResponse, story: &mut Story, out: &mut Vec<u8>) -> usize {
        self.head(response.status, story, out);
        let outcome = self.outcome(story);
        for (name, value) in &response.fields {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            value.render_field_value(self.facts, Some(&outcome), out);
            out.extend_from_slice(b"\r\n");
        }
        self.finish(response.status, story, out, &response.body)
    }

    /// The page of a closed listener or route.
    fn closed(
        &self,
        closed: &Maintenance,
        story: &mut Story,
        out: &mut Vec<u8>,
        body: &mut Vec<u8>,
    ) -> usize {
        let Some(page) = &closed.page else {
            return self.error(closed.status, closed.retry_after, story, out, body);
        };
        self.head(closed.status, story, out);
        write::field(out, b"content-type", page.content_type.as_bytes());
        write::field(out, b"cache-control", b"no-store");
        retry_after(closed.retry_after, out);
        self.finish(closed.status, story, out, &page.body)
    }

    fn error(
        &self,
        status: u16,
        retry_after: Option<u32>,
        story: &mut Story,
        out: &mut Vec<u8>,
        body: &mut Vec<u8>,
    ) -> usize {
        if grpc::is_call(self.request) {
            return self.grpc_error(status, story, out);
        }
        let accept = self
            .request
            .head
            .first(Known::Accept)
            .map(|field| field.value.of(&self.request.bytes));
        let media_type = pages::error_page(
            status,
            accept,
            &self.scene.snapshot.plan.error_pages,
            self.facts.request_id,
            body,
        );
        self.head(status, story, out);
        write::field(out, b"content-type", media_type.as_bytes());
        write::field(out, b"cache-control", b"no-store");
        self::retry_after(retry_after, out);
        if status == 405 {
            out.extend_from_slice(b"allow: ");
            self.scene.listener.router.write_allow(self.facts, out);
            out.extend_from_slice(write::CRLF);
        }
        self.finish(status, story, out, body)
    }

    /// An error as a gRPC client reads it: success of HTTP, failure of the call, no body.
    fn grpc_error(&self, status: u16, story: &mut Story, out: &mut Vec<u8>) -> usize {
        self.head(200, story, out);
        write::field(out, b"content-type", b"application/grpc");
        grpc::status(status, story.deadline, out);
        self.edit(story, out);
        out.extend_from_slice(write::CRLF);
        out.len()
    }

    /// Makes the route's edits. The head is the first thing in `out`.
    fn edit(&self, story: &Story, out: &mut Vec<u8>) {
        if let Some(route) = self.facts.route {
            let outcome = self.outcome(story);
            route.response_headers.apply(0, self.facts, &outcome, out);
        }
    }

    fn head(&self, status: u16, story: &mut Story, out: &mut Vec<u8>) {
        story.status = status;
        write::status_line(out, status);
        heads::own_fields(out, self.scene.listener, self.facts, false, self.date);
        if let Some(rule) = &self.scene.listener.request_id
            && !self.facts.request_id.is_empty()
        {
            write::field(out, rule.header.as_bytes(), self.facts.request_id);
        }
    }

    fn finish(&self, status: u16, story: &mut Story, out: &mut Vec<u8>, body: &[u8]) -> usize {
        self.edit(story, out);
        let bodiless = status == 204 || status == 304;
        if !bodiless {
            out.extend_from_slice(b"content-length: ");
            write::decimal(out, body.len() as u64);
            out.extend_from_slice(b"\r\n");
        }
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        } else if self.request.head.version() == Version::Http10 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
        let head = out.len();
        if !bodiless && self.request.head.method() != Method::Head {
            story.body_out += body.len() as u64;
            out.extend_from_slice(body);
        }
        head
    }
}

/// `Retry-After` in seconds, where there is one.
fn retry_after(seconds: Option<u32>, out: &mut Vec<u8>) {
    if let Some(seconds) = seconds {
        out.extend_from_slice(b"retry-after: ");
        write::decimal(out, u64::from(seconds));
        out.extend_from_slice(b"\r\n");
    }
}
