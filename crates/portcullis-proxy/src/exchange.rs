//! The story of one request: read, understand, decide, answer or forward, finish.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use portcullis_http1::{Body, Limits};
use portcullis_http2::{Sniff, preface};
use portcullis_plan::live::ListenerLive;
use portcullis_plan::plan::Listener;
use portcullis_plan::{
    Answer, Chance, Deadline, Decision, EndedBy, Forward, Moment, Refusal, WorkerId, decide,
};

use crate::answer::{self, Reply};
use crate::client::Client;
use crate::deadline::Slot;
use crate::delay;
use crate::desk::{Desk, RequestPart};
use crate::failure::Failure;
use crate::finish::finish;
use crate::forward;
use crate::grpc;
use crate::http2;
use crate::io::poll_fill;
use crate::mirror;
use crate::scene::{Scene, Story};
use crate::snapshot::Pinned;
use crate::understand::understand;
use crate::wire::Wire;
use crate::worker::{Counted, Worker};

/// What becomes of the client's connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for the next request.
    Request,
    /// Both sides are done with it.
    Close,
    /// It is closed, but the client may still be sending: read on for a moment, so that our answer is not lost to a reset (RFC 9112 9.6).
    Linger,
    /// The answer is cut short: the connection ends without the signs of a proper end.
    Cut,
    /// The same where only a reset tells a cut from an end.
    Reset,
    /// It goes on in HTTP/2, of which the desk's input holds the beginning.
    Http2,
}

/// Serves one request. `now` is when its first bytes were there to read, `started` when its time began to count,
/// `head_by` when its head must be complete.
pub(crate) async fn exchange(
    worker: &Rc<Worker>,
    client: &mut Client,
    desk: &mut Desk,
    now: Moment,
    started: Moment,
    head_by: Moment,
) -> Next {
    let snapshot = worker.snapshot();
    let Some(scene) = client
        .listener_id(&snapshot)
        .and_then(|id| Scene::new(&snapshot, id))
    else {
        return Next::Close;
    };
    desk.clear_exchange();
    let mut story = Story::begin(started);
    let head = match &mut client.wire {
        Wire::Http2(stream) => take_head(worker, stream, &mut desk.request, scene.listener),
        _ => read_head(client, desk, scene.listener, head_by).await,
    };
    match head {
        Ok(Head::Nothing) => return Next::Close,
        Ok(Head::Preface) => return Next::Http2,
        Ok(Head::Complete { .. }) | Err(_) => {}
    }
    client.requests += 1;
    story.timings.handshake = client.handshake.take();
    let _busy = Counted::new(&worker.counts.exchanges);
    let _in_flight = snapshot
        .live
        .listener(scene.listener_id)
        .map(|live| InFlight::new(live, worker.id(), desk.request.http2));
    let result = match head {
        Ok(Head::Complete { waited }) => {
            story.timings.head = Some(if waited { worker.now() } else { now });
            story.bytes_in = desk.request.bytes.len() as u64;
            serve(worker, &snapshot, client, desk, scene, &mut story).await
        }
        Ok(Head::Nothing | Head::Preface) => return Next::Close,
        Err(failure) => {
            keep_for_the_log(desk, &mut story);
            fail(worker, client, desk, scene, &mut story, failure, None).await
        }
    };
    client.timer.disarm(Slot::Whole);
    result
}

/// How reading a head ended.
enum Head {
    /// It is there; `waited` if it did not come at once.
    Complete { waited: bool },
    /// The client closed without a byte.
    Nothing,
    /// It speaks HTTP/2.
    Preface,
}

/// Reads until the head is complete and moves its bytes out of the input.
async fn read_head(
    client: &mut Client,
    desk: &mut Desk,
    listener: &Listener,
    by: Moment,
) -> Result<Head, Failure> {
    let limits = limits_of(listener);
    let mut waited = false;
    let mut may_be_http2 =
        client.requests == 0 && listener.http2.is_some() && matches!(client.wire, Wire::Plain(_));
    let result = poll_fn(|cx| {
        loop {
            if may_be_http2 && !desk.input.is_empty() {
                match preface(desk.input.filled()) {
                    Sniff::Http2 => return Poll::Ready(Ok(None)),
                    Sniff::NotHttp2 => may_be_http2 = false,
                    Sniff::NeedMore => {}
                }
            }
            if !desk.input.is_empty() && !may_be_http2 {
                match desk.request.head.parse(desk.input.filled(), &limits) {
                    Ok(Some(length)) => return Poll::Ready(Ok(Some(length))),
                    Ok(None) if desk.input.space().is_empty() => {
                        desk.input.grow(limits.head_bytes.saturating_add(1024));
                    }
                    Ok(None) => {}
                    Err(reject) => return Poll::Ready(Err(Failure::refused(reject))),
                }
            }
            match poll_fill(&mut client.wire, cx, &mut desk.input) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) if desk.input.is_empty() => return Poll::Ready(Ok(None)),
                Poll::Ready(_) => return Poll::Ready(Err(Failure::CLIENT_GONE)),
                Poll::Pending if client.timer.fired() => {
                    return Poll::Ready(Err(Failure::deadline(Deadline::ClientHeader, false)));
                }
                Poll::Pending => {
                    if !std::mem::replace(&mut waited, true) {
                        client
                            .timer
                            .arm(Slot::Download, Some(Deadline::ClientHeader), by);
                    }
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
    if waited {
        client.timer.disarm(Slot::Download);
    }
    let Some(length) = result? else {
        return Ok(if desk.input.is_empty() {
            Head::Nothing
        } else {
            Head::Preface
        });
    };
    desk.request
        .bytes
        .extend_from_slice(desk.input.filled().get(..length).unwrap_or_default());
    desk.input.consume(length);
    desk.request.framing = desk.request.head.framing();
    desk.request.incoming = desk.request.framing;
    if !listener.http1 {
        return Err(Failure::NOT_HTTP2);
    }
    Ok(Head::Complete { waited })
}

/// Takes the head that came on a stream, as HTTP/1 text, and has it judged by the same rules.
fn take_head(
    worker: &Worker,
    stream: &mut http2::Stream,
    request: &mut RequestPart,
    listener: &Listener,
) -> Result<Head, Failure> {
    let Some(info) = stream.take_head(&mut request.bytes) else {
        return Ok(Head::Nothing);
    };
    http2::judge(request, &info, listener, &mut || worker.chance())?;
    Ok(Head::Complete { waited: false })
}

/// How large a request's head may be.
pub(crate) const fn limits_of(listener: &Listener) -> Limits {
    Limits {
        head_bytes: listener.limits.head,
        target_bytes: listener.limits.target,
        fields: listener.limits.fields,
    }
}

/// A head that was refused still names what it can in the log.
fn keep_for_the_log(desk: &mut Desk, story: &mut Story) {
    let Desk { input, request, .. } = desk;
    request.bytes.extend_from_slice(input.filled());
    story.bytes_in = request.bytes.len() as u64;
    input.clear();
}

/// A complete head: understand it, decide, act.
async fn serve(
    worker: &Rc<Worker>,
    snapshot: &Rc<Pinned>,
    client: &mut Client,
    desk: &mut Desk,
    mut scene: Scene<'_>,
    story: &mut Story,
) -> Next {
    let chance = &mut || worker.chance();
    if let Err(failure) = understand(&mut desk.request, &client.who, scene.listener, chance) {
        return fail(worker, client, desk, scene, story, failure, None).await;
    }
    let now = story.timings.head.unwrap_or(story.timings.start);
    let keep_alive = may_keep_alive(worker, client, desk, scene.listener, now);
    let decision = {
        let facts = scene.facts(&client.who, &desk.request);
        let chance = Chance::new(worker.chance());
        decide(
            &scene.snapshot.plan,
            &scene.snapshot.live,
            &facts,
            now,
            chance,
        )
    };
    match decision {
        Decision::Answer {
            route,
            answer,
            delay,
        } => {
            scene.route = route;
            if let Some(time) = delay
                && let Err(failure) = Box::pin(delay::wait(worker, client, desk, time)).await
            {
                let rest = Body::new(desk.request.incoming);
                return fail(worker, client, desk, scene, story, failure, Some(rest)).await;
            }
            reply(
                worker,
                client,
                desk,
                scene,
                story,
                &Reply::Decided(answer),
                keep_alive,
            )
            .await
        }
        Decision::Forward(forward) => {
            scene.route = Some(forward.route_id);
            scene.service = Some(forward.service);
            scene.timeouts = forward.timeouts;
            if let Err(refusal) = prepare(client, desk, &scene, &forward) {
                scene.service = None;
                let refused = Reply::Decided(Answer::Refuse(refusal));
                return reply(worker, client, desk, scene, story, &refused, keep_alive).await;
            }
            if let Some(whole) = forward.timeouts.request {
                client.timer.arm(
                    Slot::Whole,
                    Some(Deadline::Request),
                    story.timings.start.plus(whole),
                );
            }
            if let Some(time) = forward.delay {
                story.delayed = true;
                if let Err(failure) = Box::pin(delay::wait(worker, client, desk, time)).await {
                    let rest = Body::new(desk.request.incoming);
                    return fail(worker, client, desk, scene, story, failure, Some(rest)).await;
                }
            }
            let mut copy = mirror::prepare(worker, client, desk, &scene, &forward);
            if let Some(ready) = copy.take_if(|copy| copy.is_ready()) {
                ready.send(worker, snapshot, &mut desk.tee);
            }
            let forwarded = forward::forward(
                worker, client, desk, &mut scene, story, &forward, keep_alive,
            )
            .await;
            if let Some(copy) = copy {
                copy.send(worker, snapshot, &mut desk.tee);
            }
            match forwarded {
                Ok(next) => {
                    finish(
                        worker,
                        &scene,
                        &client.who,
                        &desk.request,
                        &desk.response,
                        story,
                    );
                    next
                }
                Err((failure, rest)) => {
                    fail(worker, client, desk, scene, story, failure, Some(rest)).await
                }
            }
        }
    }
}

/// Makes the target that servers see, where the route makes one of its own.
fn prepare(
    client: &Client,
    desk: &mut Desk,
    scene: &Scene<'_>,
    forward: &Forward<'_>,
) -> Result<(), Refusal> {
    let mut target = std::mem::take(&mut desk.request.rewritten);
    let prepared = forward.prepare(&scene.facts(&client.who, &desk.request), &mut target);
    desk.request.rewritten = target;
    prepared
}

/// Whether the connection may serve another request after this one.
fn may_keep_alive(
    worker: &Worker,
    client: &Client,
    desk: &Desk,
    listener: &Listener,
    now: Moment,
) -> bool {
    desk.request.head.keep_alive()
        && !worker.is_draining()
        && listener
            .limits
            .requests_per_connection
            .is_none_or(|most| client.requests < most)
        && listener
            .timeouts
            .connection_age
            .is_none_or(|age| now.since(client.accepted) < age)
}

/// Answers by ourselves.
async fn reply(
    worker: &Rc<Worker>,
    client: &mut Client,
    desk: &mut Desk,
    scene: Scene<'_>,
    story: &mut Story,
    reply: &Reply<'_>,
    keep_alive: bool,
) -> Next {
    let body = Body::new(desk.request.incoming);
    let keep_alive = keep_alive && is_drainable(desk, story, &body);
    let failed = answer::send(worker, client, desk, &scene, story, reply, keep_alive).await;
    let next = match failed {
        Err(failure) => {
            note(story, failure);
            Next::Close
        }
        Ok(()) if keep_alive => {
            after_drain(answer::drain(worker, client, desk, &scene, story, body).await)
        }
        Ok(()) => Next::Linger,
    };
    finish(
        worker,
        &scene,
        &client.who,
        &desk.request,
        &desk.response,
        story,
    );
    next
}

/// The exchange failed: an error page if the client can still be told, else the connection is cut. `rest` is what is
/// unread of the request's body; `None` if where the request ends is not known.
async fn fail(
    worker: &Rc<Worker>,
    client: &mut Client,
    desk: &mut Desk,
    scene: Scene<'_>,
    story: &mut Story,
    failure: Failure,
    rest: Option<Body>,
) -> Next {
    note(story, failure);
    if story.answered || failure.status == 0 {
        let told = grpc::end_cut(client, desk, story, failure).await;
        finish(
            worker,
            &scene,
            &client.who,
            &desk.request,
            &desk.response,
            story,
        );
        return match story.until_close {
            _ if told => Next::Close,
            true => Next::Reset,
            false => Next::Cut,
        };
    }
    client.timer.disarm(Slot::Whole);
    desk.to_client.clear();
    let now = worker.now();
    let keep_alive = rest.as_ref().is_some_and(|body| {
        (failure.by != EndedBy::Client || body.is_done())
            && is_drainable(desk, story, body)
            && may_keep_alive(worker, client, desk, scene.listener, now)
    });
    let sent = answer::send(
        worker,
        client,
        desk,
        &scene,
        story,
        &Reply::Failed(failure),
        keep_alive,
    )
    .await;
    let next = match (sent, rest.filter(|_| keep_alive)) {
        (Err(_), _) => Next::Close,
        (Ok(()), Some(body)) => {
            after_drain(answer::drain(worker, client, desk, &scene, story, body).await)
        }
        (Ok(()), None) => Next::Linger,
    };
    finish(
        worker,
        &scene,
        &client.who,
        &desk.request,
        &desk.response,
        story,
    );
    next
}

const fn after_drain(drained: bool) -> Next {
    if drained { Next::Request } else { Next::Linger }
}

/// Whether reading the rest of an unwanted body is better than closing: it is short, and the client does not wait to be told to send it.
fn is_drainable(desk: &Desk, story: &Story, body: &Body) -> bool {
    body.is_done()
        || !desk.request.http2
            && answer::is_short(body)
            && (!desk.request.expects_continue() || story.continued)
}

fn note(story: &mut Story, failure: Failure) {
    story.ended_by = Some(failure.by);
    story.deadline = failure.deadline;
    story.reason = Some(failure.reason);
}

/// Counts a listener's request as in flight for as long as it lives.
struct InFlight<'a> {
    live: &'a ListenerLive,
    worker: WorkerId,
    http2: bool,
}

impl<'a> InFlight<'a> {
    fn new(live: &'a ListenerLive, worker: WorkerId, http2: bool) -> Self {
        live.begin(worker);
        if http2 {
            live.http2_requests_changed(worker, 1);
        }
        Self {
            live,
            worker,
            http2,
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.live.end(self.worker);
        if self.http2 {
            self.live.http2_requests_changed(self.worker, -1);
        }
    }
}
