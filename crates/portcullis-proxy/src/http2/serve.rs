//! The life of a client's HTTP/2 connection: streams begin, are served by others, and end; until somebody closes.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis_http2::{self as codec, Broken, ErrorCode, Event, Refusal, StreamId};
use portcullis_plan::live::ListenerLive;
use portcullis_plan::plan::{self, Listener};
use portcullis_plan::{Deadline, Moment, WorkerId};

use super::driver::{Driver, End, Progress};
use super::seat::{Call, Seats};
use super::session::Session;
use super::stream::Stream;
use crate::client::Client;
use crate::deadline::Slot;
use crate::exchange::Next;
use crate::finish::finish_refused;
use crate::scene::Scene;
use crate::wire::Wire;
use crate::worker::Worker;

/// How long a client may take to answer our PING before streams of its that are on their way are given up (RFC 9113 6.8).
const ROUND_TRIP: Duration = Duration::from_secs(1);

/// Serves a connection that speaks HTTP/2; `early` is what was read of it. Tells how the connection is to be closed.
pub(crate) async fn serve(worker: &Rc<Worker>, client: &mut Client, early: &[u8]) -> Next {
    let footing = client.footing(worker);
    let listener = footing
        .as_ref()
        .and_then(|footing| footing.snapshot.plan.listener(footing.listener));
    let Some((listener, http2)) =
        listener.and_then(|listener| Some((listener, listener.http2.as_ref()?)))
    else {
        return Next::Close;
    };
    let connection = codec::Connection::server(&settings(listener, http2), millis(worker.now()));
    let session = Rc::new(Session::new(connection));
    if let Some(age) = listener.timeouts.connection_age {
        let until = client.accepted.plus(age);
        client
            .timer
            .arm(Slot::Whole, Some(Deadline::ConnectionAge), until);
    }
    let rules = Rules::of(listener);
    drop(footing);
    let io = std::mem::replace(&mut client.wire, Wire::Gone);
    let mut driver = Driver::new(io, Rc::clone(&session));
    let _open = Open::new(worker, client);
    let ends = EndsWithUs(Rc::clone(&session));
    let mut serving = Serving {
        worker,
        client,
        session,
        rules,
        waits: Waits::Streams,
        blocked: false,
        draining: false,
        ending: false,
    };
    let mut end = driver.receive(worker, early);
    let next = poll_fn(|cx| serving.poll(cx, &mut driver, end.take())).await;
    drop(ends);
    for slot in [Slot::Whole, Slot::Upload, Slot::Download, Slot::Continue] {
        client.timer.disarm(slot);
    }
    client.wire = driver.io;
    next
}

/// What the codec enforces for a listener. The bounds of a head are those of HTTP/1, and judged where HTTP/1's are.
pub(crate) fn settings(listener: &Listener, http2: &plan::Http2) -> codec::Settings {
    let limits = &listener.limits;
    let fields = limits.fields.saturating_add(PSEUDO_FIELDS);
    let list = limits.head.saturating_add(fields.saturating_mul(32));
    codec::Settings {
        max_streams: http2.max_streams,
        stream_window: http2.stream_window,
        connection_window: http2.connection_window,
        header_list: u32::try_from(list).unwrap_or(u32::MAX),
        header_fields: u32::try_from(fields).unwrap_or(u32::MAX),
        connect_protocol: http2.extended_connect,
        ..codec::Settings::default()
    }
}

/// Fields of a head that become its first line.
const PSEUDO_FIELDS: usize = 5;

const fn millis(moment: Moment) -> u64 {
    moment.as_nanos() / 1_000_000
}

/// A connection between its first byte and its last.
struct Serving<'a> {
    worker: &'a Rc<Worker>,
    client: &'a mut Client,
    session: Rc<Session>,
    rules: Rules,
    waits: Waits,
    /// Bytes have been waiting for the socket.
    blocked: bool,
    /// We said that no more streams are taken.
    draining: bool,
    /// Nothing more is received; what is to be sent still goes.
    ending: bool,
}

/// How long a connection may wait, and how much it may carry.
#[derive(Clone, Copy)]
struct Rules {
    head: Duration,
    idle: Duration,
    write: Duration,
    requests: Option<u64>,
}

impl Rules {
    fn of(listener: &Listener) -> Self {
        Self {
            head: listener.timeouts.client_header,
            idle: listener.timeouts.client_idle,
            write: listener.timeouts.exchange.client_write,
            requests: listener.limits.requests_per_connection,
        }
    }
}

/// What the connection as a whole waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Nothing of its own: streams are open.
    Streams,
    /// The client's first frames.
    Settings,
    /// The rest of a frame or header block: of this one.
    Head(u64),
    /// The client's acknowledgement of our SETTINGS, whatever else goes on.
    Acknowledgement,
    /// The next request; so many have begun.
    Idle(u64),
}

impl Serving<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        driver: &mut Driver<Wire>,
        mut end: Option<End>,
    ) -> Poll<Next> {
        loop {
            let progress = if self.ending {
                driver.flush(cx)
            } else {
                driver.poll(cx, self.worker, &mut |event| self.on_event(event))
            };
            match end.take().or(progress.end) {
                None => {}
                Some(End::Closed) => return Poll::Ready(Next::Close),
                Some(End::Broken(broken)) if !self.ending => {
                    self.broke(broken);
                    continue;
                }
                Some(End::Broken(_)) => {}
            }
            self.drain_if_due();
            let finished = self.ending || self.session.with(|connection| connection.is_finished());
            if finished && !progress.blocked {
                return Poll::Ready(Next::Linger);
            }
            self.arm(&progress);
            if !self.client.timer.fired() {
                return Poll::Pending;
            }
            if let Some(next) = self.pass() {
                return Poll::Ready(next);
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Head(id) => self.begin(id),
            Event::Refused { refusal, .. } => self.refused(refusal),
            Event::Pong if self.draining => {
                self.client.timer.disarm(Slot::Continue);
                self.session.with(|connection| connection.finish_drain());
            }
            _ => {}
        }
    }

    /// A request has begun: somebody serves it.
    fn begin(&mut self, id: StreamId) {
        self.client.requests += 1;
        let call = Call {
            stream: Stream::hold(Rc::clone(&self.session), id),
            origin: self.client.origin(),
            started: if self.client.requests == 1 {
                self.client.accepted
            } else {
                self.worker.recent()
            },
        };
        Seats::serve(self.worker, call);
    }

    /// A request was malformed, so that it never became one: it is counted and logged as one that failed.
    fn refused(&mut self, refusal: Refusal) {
        let footing = self.client.footing(self.worker);
        if let Some(scene) = footing
            .as_ref()
            .and_then(|footing| Scene::new(&footing.snapshot, footing.listener))
        {
            finish_refused(self.worker, &scene, &self.client.who, refusal.code());
        }
    }

    /// The client broke the rules of the connection: it is told so, and everything of it ends.
    fn broke(&mut self, broken: Broken) {
        let reason = broken.refusal.code();
        self.with_live(|live, worker| live.refuse_connection(worker.id(), reason));
        if let Some(held_back) = self.worker.http2_broken.pass(self.worker.recent()) {
            let peer = self.client.who.peer;
            tracing::warn!(listener = %self.client.listener(), ?peer, reason, held_back, "HTTP/2 connection ended: {}", broken.refusal.text());
        }
        self.end();
    }

    /// Ends all streams; what is in the output still goes, within the time of a write.
    fn end(&mut self) {
        self.ending = true;
        self.session.end();
        self.blocked = false;
    }

    fn drain_if_due(&mut self) {
        let snapshot = self.worker.snapshot();
        let listener = self
            .client
            .listener_id(&snapshot)
            .and_then(|id| snapshot.plan.listener(id));
        if let Some(listener) = listener {
            self.rules = Rules::of(listener);
        }
        let most = self.rules.requests;
        if self.worker.is_draining()
            || listener.is_none()
            || most.is_some_and(|most| self.client.requests >= most)
        {
            self.drain();
        }
    }

    /// Tells the client to open no more streams. Those that are on their way are still served (RFC 9113 6.8).
    fn drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) || self.ending {
            return;
        }
        self.session.with(|connection| connection.drain());
        let until = self.worker.now().plus(ROUND_TRIP);
        self.client.timer.arm(Slot::Continue, None, until);
        self.session.wake_driver();
    }

    fn arm(&mut self, progress: &Progress) {
        let timer = &mut self.client.timer;
        if progress.blocked && (progress.wrote || !self.blocked) {
            let until = self.worker.recent().plus(self.rules.write);
            timer.arm(Slot::Upload, Some(Deadline::ClientWrite), until);
        } else if self.blocked && !progress.blocked {
            timer.disarm(Slot::Upload);
        }
        self.blocked = progress.blocked;
        let waits = self.session.with(|connection| {
            if !connection.peer().received {
                Waits::Settings
            } else if let Some(head) = connection.mid_head() {
                Waits::Head(head)
            } else if connection.awaits_acknowledgement() {
                Waits::Acknowledgement
            } else if connection.streams() > 0 {
                Waits::Streams
            } else {
                Waits::Idle(connection.opened())
            }
        });
        if std::mem::replace(&mut self.waits, waits) == waits {
            return;
        }
        let now = self.worker.recent();
        let (deadline, until) = match waits {
            Waits::Streams => return timer.disarm(Slot::Download),
            Waits::Settings => {
                let until = self.client.accepted.plus(self.rules.head);
                (Deadline::ClientHeader, until)
            }
            Waits::Head(_) => (Deadline::ClientHeader, now.plus(self.rules.head)),
            Waits::Acknowledgement => {
                let until = self.client.accepted.plus(self.rules.idle);
                (Deadline::ClientIdle, until)
            }
            Waits::Idle(_) => (Deadline::ClientIdle, now.plus(self.rules.idle)),
        };
        timer.arm(Slot::Download, Some(deadline), until);
    }

    /// Acts on the deadline that has passed; gives how the connection ends, if it ends at once.
    fn pass(&mut self) -> Option<Next> {
        let (slot, deadline) = self.client.timer.passed(self.worker.now())?;
        self.client.timer.disarm(slot);
        if let Some(deadline) = deadline {
            self.with_live(|live, worker| live.deadline(worker.id(), deadline));
        }
        match slot {
            Slot::Whole => self.drain(),
            Slot::Continue => self.session.with(|connection| connection.finish_drain()),
            Slot::Upload => return Some(Next::Cut),
            Slot::Download => {
                let code = match self.waits {
                    Waits::Settings | Waits::Head(_) => ErrorCode::ENHANCE_YOUR_CALM,
                    Waits::Acknowledgement => ErrorCode::SETTINGS_TIMEOUT,
                    Waits::Streams | Waits::Idle(_) => ErrorCode::NO_ERROR,
                };
                self.session.with(|connection| connection.close(code));
                self.end();
            }
        }
        None
    }

    fn with_live(&mut self, work: impl FnOnce(&ListenerLive, &Worker)) {
        let snapshot = self.worker.snapshot();
        let id = self.client.listener_id(&snapshot);
        if let Some(live) = id.and_then(|id| snapshot.live.listener(id)) {
            work(live, self.worker);
        }
    }
}

/// Tells the streams that their connection is over, however its task ends: nobody else would wake them.
struct EndsWithUs(Rc<Session>);

impl Drop for EndsWithUs {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Counts a connection as one of HTTP/2 for as long as it lives. It holds the listener's numbers alone: a connection
/// may outlive many snapshots.
struct Open {
    live: Option<Arc<ListenerLive>>,
    worker: WorkerId,
}

impl Open {
    fn new(worker: &Worker, client: &mut Client) -> Self {
        let snapshot = worker.snapshot();
        let id = client.listener_id(&snapshot);
        let live = id.and_then(|id| snapshot.live.listeners.get(id.index()));
        let open = Self {
            live: live.map(Arc::clone),
            worker: worker.id(),
        };
        open.count(1);
        open
    }

    fn count(&self, change: i64) {
        if let Some(live) = &self.live {
            live.http2_connections_changed(self.worker, change);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count(-1);
    }
}
