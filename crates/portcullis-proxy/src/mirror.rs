//! Copies of requests for a second service: sent by tasks and connections of their own, answers read and dropped.
//!
//! Nothing here delays the request that is copied. A body is copied while it passes, up to a bound; the copy is sent once it is
//! whole. Copies under way are bounded by number and time, and whatever is not copied is counted.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use portcullis_http1::{BodyFraming, write};
use portcullis_plan::balance::{self, Tried};
use portcullis_plan::live::MirrorResult;
use portcullis_plan::plan::Mirror;
use portcullis_plan::{Forward, ServerId};

use crate::buffer::Buffer;
use crate::client::Client;
use crate::deadline::{Slot, Timer};
use crate::desk::Desk;
use crate::forward::ServerInFlight;
use crate::heads::{self, RequestOptions};
use crate::io::{PollIo, ServerIo, poll_fill};
use crate::relay::allowed_upgrade;
use crate::scene::{Scene, Story};
use crate::snapshot::{Pinned, Snapshot};
use crate::upstream::connect::{Target, connect};
use crate::upstream::terms::{Introduction, Wanted};
use crate::worker::Worker;

/// The body of a request that is copied while it passes.
#[derive(Default)]
pub(crate) struct Tee {
    /// The most bytes to copy; `None` copies nothing.
    limit: Option<usize>,
    body: Vec<u8>,
    overflowed: bool,
    /// The whole body has passed.
    pub(crate) ended: bool,
}

impl Tee {
    /// Begins to copy at most `limit` bytes.
    fn begin(&mut self, limit: usize) {
        self.clear();
        self.limit = Some(limit);
    }

    /// The request is sent once more, from its beginning.
    pub(crate) fn restart(&mut self) {
        self.body.clear();
        self.overflowed = false;
        self.ended = false;
    }

    /// Copies what passes.
    pub(crate) fn take(&mut self, data: &[u8]) {
        let Some(limit) = self.limit else { return };
        if self.overflowed || self.body.len() + data.len() > limit {
            self.overflowed = true;
            self.body = Vec::new();
        } else {
            self.body.extend_from_slice(data);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A copy that waits for its request's body, or goes at once.
pub(crate) struct Copy<'p> {
    rule: &'p Mirror,
    server: ServerId,
    head: Vec<u8>,
    framing: BodyFraming,
    introduction: Option<Introduction>,
}

/// Prepares the copy of a request that is drawn for one; `None` if there is to be none, which is counted.
pub(crate) fn prepare<'p>(
    worker: &Worker,
    client: &Client,
    desk: &mut Desk,
    scene: &Scene<'p>,
    forward: &Forward<'p>,
) -> Option<Copy<'p>> {
    let rule = forward.mirror?;
    let live = scene.snapshot.live.mirror(rule.service)?;
    let framing = desk.request.framing;
    let too_large =
        matches!(framing, BodyFraming::Length(length) if length > rule.body_limit as u64);
    let refused = if desk.request.tunnel || allowed_upgrade(&desk.request, &forward.conduct.upgrade)
    {
        Some(MirrorResult::Upgrade)
    } else if worker.counts.mirrors.get() >= rule.max_in_flight {
        Some(MirrorResult::Busy)
    } else if too_large {
        Some(MirrorResult::BodyTooLarge)
    } else {
        None
    };
    if let Some(refused) = refused {
        live.count(refused);
        return None;
    }
    let chance = worker.chance() as u32;
    let plan = &scene.snapshot.plan;
    let picked = balance::pick(
        plan,
        &scene.snapshot.live,
        rule.service,
        worker.id(),
        &Tried::none(),
        chance,
    );
    let Some(server) = picked else {
        live.count(MirrorResult::NoServer);
        return None;
    };
    let service = plan.service(rule.service)?;
    let introduction = Introduction::of(service, client, &desk.request);
    let head = head(worker, client, desk, scene, forward, rule, server);
    if framing != BodyFraming::None {
        desk.tee.begin(rule.body_limit);
    }
    Some(Copy {
        rule,
        server,
        head,
        framing,
        introduction,
    })
}

/// The head as the other service gets it: as the first one does, but for the service's own name, and for one request only.
fn head<'p>(
    worker: &Worker,
    client: &Client,
    desk: &Desk,
    scene: &Scene<'p>,
    forward: &Forward<'p>,
    rule: &Mirror,
    server: ServerId,
) -> Vec<u8> {
    let mut scene = *scene;
    scene.service = Some(rule.service);
    scene.server = Some(server);
    let facts = scene.facts(&client.who, &desk.request);
    let mut story = Story::default();
    story.timings.wall_nanos = worker.clock().wall_nanos(worker.recent());
    let outcome = story.outcome(&scene, &desk.response);
    let options = RequestOptions {
        expect_continue: false,
        upgrade: false,
    };
    let mut head = Vec::with_capacity(1024);
    heads::request(
        &mut head,
        &desk.request,
        &facts,
        &outcome,
        forward.conduct,
        &options,
    );
    head.truncate(head.len().saturating_sub(write::CRLF.len()));
    head.extend_from_slice(b"connection: close\r\n\r\n");
    head
}

impl Copy<'_> {
    /// Whether the request has no body to wait for.
    pub(crate) fn is_ready(&self) -> bool {
        self.framing == BodyFraming::None
    }

    /// Sends the copy by a task of its own, if the body has passed to its end.
    pub(crate) fn send(mut self, worker: &Rc<Worker>, snapshot: &Rc<Pinned>, tee: &mut Tee) {
        let Some(live) = snapshot.live.mirror(self.rule.service) else {
            return;
        };
        if !self.is_ready() {
            let body = std::mem::take(&mut tee.body);
            let (overflowed, ended) = (tee.overflowed, tee.ended);
            tee.clear();
            if overflowed {
                return live.count(MirrorResult::BodyTooLarge);
            }
            if !ended {
                return live.count(MirrorResult::BodyIncomplete);
            }
            if self.framing == BodyFraming::Chunked {
                write::chunk(&mut self.head, &body);
                write::last_chunk(&mut self.head, &[]);
            } else {
                self.head.extend_from_slice(&body);
            }
        }
        let task = Task {
            rule: self.rule.clone(),
            server: self.server,
            bytes: self.head,
            introduction: self.introduction,
        };
        let flight = Flight::begin(worker);
        let (worker_of_task, snapshot) = (Rc::clone(worker), Rc::clone(snapshot));
        worker.spawn(async move {
            let _flight = flight;
            let result = task.run(&worker_of_task, &snapshot).await;
            if let Some(live) = snapshot.live.mirror(task.rule.service) {
                live.count(result);
            }
        });
    }
}

/// Counts a copy as under way for as long as it lives.
struct Flight(Rc<Worker>);

impl Flight {
    fn begin(worker: &Rc<Worker>) -> Self {
        let under_way = &worker.counts.mirrors;
        under_way.set(under_way.get() + 1);
        Self(Rc::clone(worker))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let under_way = &self.0.counts.mirrors;
        under_way.set(under_way.get().saturating_sub(1));
    }
}

/// One copy on its way.
struct Task {
    rule: Mirror,
    server: ServerId,
    bytes: Vec<u8>,
    introduction: Option<Introduction>,
}

impl Task {
    async fn run(&self, worker: &Rc<Worker>, snapshot: &Snapshot) -> MirrorResult {
        let mut timer = Timer::new(&worker.wheel);
        worker.wake_upkeep();
        timer.arm(Slot::Whole, None, worker.now().plus(self.rule.timeout));
        let mut exchange = Box::pin(self.exchange(worker, snapshot));
        let mut registered = false;
        poll_fn(|cx| {
            if !std::mem::replace(&mut registered, true) {
                timer.wakes(cx.waker());
            }
            match exchange.as_mut().poll(cx) {
                Poll::Ready(Some(())) => Poll::Ready(MirrorResult::Answered),
                Poll::Ready(None) => Poll::Ready(MirrorResult::Failed),
                Poll::Pending if timer.fired() => Poll::Ready(MirrorResult::Timeout),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Connects, sends, and reads to the end; `None` if any of it fails.
    async fn exchange(&self, worker: &Rc<Worker>, snapshot: &Snapshot) -> Option<()> {
        let plan = &snapshot.plan;
        let (server, live) = (
            plan.server(self.server)?,
            snapshot.live.server(self.server)?,
        );
        let service = plan.service(self.rule.service)?;
        let tls = snapshot.upstream_tls.of(self.rule.service);
        if service.tls.is_some() != tls.is_some() {
            return None; // never in clear text what is to be encrypted
        }
        let target = Target::of(&server.address, live, worker.chance()).ok()?;
        let _busy = ServerInFlight::new(live);
        let wanted = Wanted {
            tls,
            introduction: self.introduction,
            http1_only: true,
            tunnel: false,
            settled: false,
        };
        let mut io = connect(target, &server.address, wanted).await.ok()?;
        let mut unsent = &self.bytes[..];
        let mut buffer = worker.relay_buffers.take();
        let mut answered = false;
        let done = poll_fn(|cx| {
            // The answer is read while the request is still being sent, so that neither waits for the other.
            let sent = poll_send(&mut io, cx, &mut unsent);
            match poll_discard(&mut io, cx, &mut buffer, &mut answered) {
                Poll::Ready(end) => Poll::Ready(end),
                Poll::Pending if matches!(sent, Poll::Ready(None)) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        buffer.clear();
        worker.relay_buffers.put(buffer);
        done
    }
}

/// Writes what is left; ready when all is with the server, or (`None`) it takes no more.
fn poll_send(io: &mut ServerIo, cx: &mut Context<'_>, unsent: &mut &[u8]) -> Poll<Option<()>> {
    while !unsent.is_empty() {
        match ready!(io.poll_write_some(cx, unsent)) {
            Ok(written) if written > 0 => *unsent = unsent.get(written..).unwrap_or_default(),
            _ => return Poll::Ready(None),
        }
    }
    io.poll_flush_all(cx).map(Result::ok)
}

/// Reads and drops; ready at the end of the connection, which is a failure if nothing came.
fn poll_discard(
    io: &mut ServerIo,
    cx: &mut Context<'_>,
    buffer: &mut Buffer,
    answered: &mut bool,
) -> Poll<Option<()>> {
    loop {
        buffer.clear();
        match ready!(poll_fill(io, cx, buffer)) {
            Ok(read) if read > 0 => *answered = true,
            _ => return Poll::Ready(answered.then_some(())),
        }
    }
}
