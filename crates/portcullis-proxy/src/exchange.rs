//! The story of one request: read, understand, decide, answer or forward, finish.

mod head;

use std::rc::Rc;
use std::time::Duration;

use portcullis_http1::Body;
use portcullis_plan::live::ListenerLive;
use portcullis_plan::{
    Answer, Chance, Deadline, Decision, EndedBy, Forward, Moment, Refusal, WorkerId, decide,
};

use crate::answer::{self, Reply};
use crate::client::Client;
use crate::deadline::Slot;
use crate::delay;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::finish::finish;
use crate::forward;
use crate::grpc;
use crate::mirror;
use crate::scene::{Scene, Story};
use crate::snapshot::Pinned;
use crate::understand::understand;
use crate::wire::Wire;
use crate::worker::{Counted, Worker};

use head::Head;
pub(crate) use head::limits_of;

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
    let Some(footing) = client.footing(worker) else {
        return Next::Close;
    };
    let snapshot = footing.snapshot;
    let Some(mut scene) = Scene::new(&snapshot, footing.listener) else {
        return Next::Close;
    };
    scene.is_former = footing.until.is_some();
    desk.clear_exchange();
    let mut story = Story::begin(started);
    let read = match &mut client.wire {
        Wire::Http2(stream) => head::take(worker, stream, &mut desk.request, scene.listener),
        _ => head::read(client, desk, scene.listener, head_by).await,
    };
    match read {
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
    let result = match read {
        Ok(Head::Complete { waited }) => {
            story.timings.head = Some(if waited { worker.now() } else { now });
            story.bytes_in = desk.request.bytes.len() as u64;
            serve(worker, &snapshot, client, desk, scene, &mut story).await
        }
        Ok(Head::Nothing | Head::Preface) => return Next::Close,
        Err(failure) => {
            head::keep_for_the_log(desk, &mut story);
            fail(worker, client, desk, scene, &mut story, failure, None).await
        }
    };
    client.timer.disarm(Slot::Whole);
    result
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
    let decision = {
        let facts = scene.facts(&client.who, &desk.request);
        let (plan, live) = (&scene.snapshot.plan, &scene.snapshot.live);
        decide(plan, live, &facts, now, Chance::new(worker.chance()))
    };
    match decision {
        Decision::Answer {
            route,
            answer,
            delay,
        } => {
            scene.route = route;
            if let Err(failure) = hold(worker, client, desk, delay).await {
                let rest = Body::new(desk.request.incoming);
                return fail(worker, client, desk, scene, story, failure, Some(rest)).await;
            }
            let keep_alive = may_keep_alive(worker, client, desk, &scene, now);
            let decided = Reply::Decided(answer);
            reply(worker, client, desk, scene, story, &decided, keep_alive).await
        }
        Decision::Forward(forward) => {
            pass_on(worker, snapshot, client, desk, scene, story, &forward).await
        }
    }
}

/// Asks the service that was decided on.
async fn pass_on(
    worker: &Rc<Worker>,
    snapshot: &Rc<Pinned>,
    client: &mut Client,
    desk: &mut Desk,
    mut scene: Scene<'_>,
    story: &mut Story,
    forward: &Forward<'_>,
) -> Next {
    let (plan, live) = (&snapshot.plan, &snapshot.live);
    live.expect(plan, worker.id(), forward.route_id);
    scene.route = Some(forward.route_id);
    scene.service = Some(forward.service);
    scene.timeouts = forward.timeouts;
    let now = story.timings.head.unwrap_or(story.timings.start);
    let keep_alive = may_keep_alive(worker, client, desk, &scene, now);
    if let Err(refusal) = prepare(client, desk, &scene, forward) {
        scene.service = None;
        let refused = Reply::Decided(Answer::Refuse(refusal));
        return reply(worker, client, desk, scene, story, &refused, keep_alive).await;
    }
    if let Some(whole) = forward.timeouts.request {
        let until = story.timings.start.plus(whole);
        client
            .timer
            .arm(Slot::Whole, Some(Deadline::Request), until);
    }
    story.delayed = forward.delay.is_some();
    if let Err(failure) = hold(worker, client, desk, forward.delay).await {
        let rest = Body::new(desk.request.incoming);
        return fail(worker, client, desk, scene, story, failure, Some(rest)).await;
    }
    let mut copy = mirror::prepare(worker, client, desk, &scene, forward);
    if let Some(ready) = copy.take_if(|copy| copy.is_ready()) {
        ready.send(worker, snapshot, &mut desk.tee);
    }
    let forwarded =
        forward::forward(worker, client, desk, &mut scene, story, forward, keep_alive).await;
    if let Some(copy) = copy {
        copy.send(worker, snapshot, &mut desk.tee);
    }
    match forwarded {
        Ok(next) => {
            finish(worker, &scene, client, desk, story);
            next
        }
        Err((failure, rest)) => fail(worker, client, desk, scene, story, failure, Some(rest)).await,
    }
}

/// Waits for an injected delay, if there is one.
async fn hold(
    worker: &Rc<Worker>,
    client: &mut Client,
    desk: &mut Desk,
    delay: Option<Duration>,
) -> Result<(), Failure> {
    match delay {
        Some(time) => Box::pin(delay::wait(worker, client, desk, time)).await,
        None => Ok(()),
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
    scene: &Scene<'_>,
    now: Moment,
) -> bool {
    let listener = scene.listener;
    desk.request.head.keep_alive()
        && !worker.is_draining()
        && !scene.is_former
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
    finish(worker, &scene, client, desk, story);
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
        finish(worker, &scene, client, desk, story);
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
            && may_keep_alive(worker, client, desk, &scene, now)
    });
    let told = Reply::Failed(failure);
    let sent = answer::send(worker, client, desk, &scene, story, &told, keep_alive).await;
    let next = match (sent, rest.filter(|_| keep_alive)) {
        (Err(_), _) => Next::Close,
        (Ok(()), Some(body)) => {
            after_drain(answer::drain(worker, client, desk, &scene, story, body).await)
        }
        (Ok(()), None) => Next::Linger,
    };
    finish(worker, &scene, client, desk, story);
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
