//! One client connection: its stream, its identity, its deadlines.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use portcullis_plan::plan::Listener;
use portcullis_plan::{Deadline, ListenerId, Moment, TlsFacts};

use crate::deadline::{Slot, Timer};
use crate::former::Footing;
use crate::http2;
use crate::io::{ClientIo, PollIo};
use crate::snapshot::Snapshot;
use crate::wire::Wire;
use crate::worker::Worker;

/// How long a connection that has just come in may still take for its first byte when the worker drains: a round trip.
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// An accepted connection, past its PROXY header and handshake.
pub struct Connection {
    /// Its bytes.
    pub io: ClientIo,
    /// Name of the listener it came in by.
    pub listener: Arc<str>,
    /// The client's address, from the PROXY header where one was taken; `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Our address; `None` for a Unix socket.
    pub local: Option<SocketAddr>,
    /// What the handshake settled.
    pub tls: Option<Box<TlsFacts>>,
    /// When it was accepted.
    pub accepted: Moment,
    /// How long its TLS handshake took.
    pub handshake: Option<Duration>,
}

/// A client at work: a connection, or one stream of it.
pub(crate) struct Client {
    pub(crate) wire: Wire,
    pub(crate) timer: Timer,
    pub(crate) who: Rc<Who>,
    pub(crate) accepted: Moment,
    /// How long the handshake took, until the first request tells it.
    pub(crate) handshake: Option<Duration>,
    /// Requests begun on it.
    pub(crate) requests: u64,
    listener: Arc<str>,
    /// The listener's id in the snapshot of this generation.
    resolved: (u64, Option<ListenerId>),
}

/// Who is at the other end, and by what way.
#[derive(Default)]
pub(crate) struct Who {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) tls: Option<Box<TlsFacts>>,
}

/// What all requests of a connection share, for those that are served apart from it.
pub(crate) struct Origin {
    who: Rc<Who>,
    listener: Arc<str>,
    resolved: (u64, Option<ListenerId>),
    accepted: Moment,
    handshake: Option<Duration>,
}

/// How a wait for the next request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Bytes or an end wait to be read.
    Readable,
    /// Its deadline passed.
    Deadline(Deadline),
    /// The worker drains, or the listener is gone.
    Drain,
}

impl Client {
    pub(crate) fn new(worker: &Worker, connection: Connection) -> Self {
        let timer = Timer::new(&worker.wheel);
        worker.wake_upkeep();
        let Connection {
            io,
            listener,
            peer,
            local,
            tls,
            accepted,
            handshake,
        } = connection;
        let who = Rc::new(Who { peer, local, tls });
        Self {
            wire: io.into(),
            timer,
            who,
            accepted,
            handshake,
            requests: 0,
            listener,
            resolved: (0, None),
        }
    }

    /// Nobody yet; deadlines wake `task`.
    pub(crate) fn nobody(worker: &Worker, task: &Waker) -> Self {
        let timer = Timer::new(&worker.wheel);
        timer.wakes(task);
        worker.wake_upkeep();
        Self {
            wire: Wire::Gone,
            timer,
            who: Rc::default(),
            accepted: Moment::default(),
            handshake: None,
            requests: 0,
            listener: Arc::default(),
            resolved: (0, None),
        }
    }

    /// Becomes the client of one request that came on a connection with others.
    pub(crate) fn become_stream(&mut self, stream: http2::Stream, origin: Origin) {
        let Origin {
            who,
            listener,
            resolved,
            accepted,
            handshake,
        } = origin;
        self.wire = Wire::Http2(stream);
        self.who = who;
        self.listener = listener;
        self.resolved = resolved;
        self.accepted = accepted;
        self.handshake = handshake;
        self.requests = 0;
    }

    /// What a request of this connection has to know; the first is told of the handshake.
    pub(crate) fn origin(&mut self) -> Origin {
        Origin {
            who: Rc::clone(&self.who),
            listener: Arc::clone(&self.listener),
            resolved: self.resolved,
            accepted: self.accepted,
            handshake: self.handshake.take(),
        }
    }

    /// The name of the connection's listener.
    pub(crate) fn listener(&self) -> &str {
        &self.listener
    }

    /// The connection's listener in this snapshot; `None` once a reload removed it, or made TLS of clear text or the reverse.
    pub(crate) fn listener_id(&mut self, snapshot: &Snapshot) -> Option<ListenerId> {
        if self.resolved.0 != snapshot.generation {
            self.resolved = (snapshot.generation, self.find(snapshot));
        }
        self.resolved.1
    }

    /// The plan that serves it, and its listener there: the plan in force, or for a while that which had its listener last.
    pub(crate) fn footing(&mut self, worker: &Worker) -> Option<Footing> {
        let snapshot = worker.snapshot();
        match self.listener_id(&snapshot) {
            Some(listener) => Some(Footing {
                snapshot,
                listener,
                until: None,
            }),
            None => worker.formers.footing(|former| self.find(former)),
        }
    }

    fn find(&self, snapshot: &Snapshot) -> Option<ListenerId> {
        let is_mine = |listener: &Listener| {
            listener.name == self.listener && listener.tls.is_some() == self.who.tls.is_some()
        };
        let at = snapshot.plan.listeners.iter().position(is_mine);
        at.map(ListenerId::new)
    }

    /// Waits until a read would give something, holding no buffer.
    pub(crate) async fn pause(
        &mut self,
        worker: &Rc<Worker>,
        deadline: Deadline,
        until: Moment,
    ) -> Pause {
        self.timer.arm(Slot::Download, Some(deadline), until);
        let (mut is_hurried, mut is_leaving) = (false, false);
        let pause = poll_fn(|cx| {
            if self.wire.poll_readable(cx).is_ready() {
                return Poll::Ready(Pause::Readable);
            }
            let Some(footing) = self.footing(worker) else {
                return Poll::Ready(Pause::Drain);
            };
            if self.is_let_go(worker) {
                return Poll::Ready(Pause::Drain);
            }
            if self.timer.fired() {
                return Poll::Ready(if is_hurried || is_leaving {
                    Pause::Drain
                } else {
                    Pause::Deadline(deadline)
                });
            }
            if worker.closes_idle() && !is_hurried {
                is_hurried = true;
                let until = until.min(self.first_words_by());
                self.timer.arm(Slot::Download, Some(deadline), until);
            }
            if let Some(gone_by) = footing.until.filter(|_| !is_leaving) {
                is_leaving = true;
                let until = until.min(some_moment(worker, gone_by));
                self.timer.arm(Slot::Download, Some(deadline), until);
            }
            Poll::Pending
        })
        .await;
        self.timer.disarm(Slot::Download);
        pause
    }

    /// Whether a drain closes it now. Who has just come in has its first request on its way.
    fn is_let_go(&self, worker: &Worker) -> bool {
        worker.closes_idle() && (self.requests > 0 || worker.now() >= self.first_words_by())
    }

    fn first_words_by(&self) -> Moment {
        let handshake = self.handshake.unwrap_or_default();
        self.accepted.plus(handshake).plus(FIRST_WORDS)
    }

    /// Writes all of `bytes`; the write deadline starts anew with every byte that goes.
    pub(crate) async fn write_all(
        &mut self,
        worker: &Worker,
        mut bytes: &[u8],
        stall: Duration,
    ) -> io::Result<usize> {
        let total = bytes.len();
        let mut armed = false;
        poll_fn(|cx| {
            loop {
                let step = if bytes.is_empty() {
                    self.wire.poll_flush_all(cx).map_ok(|()| 0)
                } else {
                    self.wire.poll_write_some(cx, bytes)
                };
                match step {
                    Poll::Ready(Ok(_)) if bytes.is_empty() => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(n)) => {
                        bytes = bytes.get(n..).unwrap_or_default();
                        armed = false;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending if self.timer.fired() => {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    Poll::Pending => {
                        if !std::mem::replace(&mut armed, true) {
                            self.timer.arm(
                                Slot::Download,
                                Some(Deadline::ClientWrite),
                                worker.recent().plus(stall),
                            );
                        }
                        return Poll::Pending;
                    }
                }
            }
        })
        .await?;
        self.timer.disarm(Slot::Download);
        Ok(total)
    }
}

/// Some moment from now on, before `until`: clients that have to go do not all go at once.
fn some_moment(worker: &Worker, until: Moment) -> Moment {
    let now = worker.now();
    let left = until.nanos_since(now).max(1);
    now.plus(Duration::from_nanos(worker.chance() % left))
}
