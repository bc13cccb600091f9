//! Moves bytes between a socket and its session, in both roles.

use std::rc::Rc;
use std::task::{Context, Poll};

use portcullis_http2::{Broken, Event};

use super::session::Session;
use crate::io::poll_fill;
use crate::tunnel::Source;
use crate::worker::Worker;

/// Reads before other tasks get their turn.
const READS: usize = 4;

/// A socket with its session. The task that polls this is the one that the session wakes.
pub(crate) struct Driver<S> {
    pub(crate) io: S,
    pub(crate) session: Rc<Session>,
}

/// What a poll of a driver came to.
#[derive(Default)]
pub(crate) struct Progress {
    /// Bytes came from the socket.
    pub(crate) heard: bool,
    /// Bytes went into the socket.
    pub(crate) wrote: bool,
    /// Bytes wait for room in the socket.
    pub(crate) blocked: bool,
    /// Nothing more will come in.
    pub(crate) end: Option<End>,
}

/// Why nothing more comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// The peer closed, or the socket failed.
    Closed,
    /// The peer broke the rules; the session's last bytes say so.
    Broken(Broken),
}

impl<S: Source> Driver<S> {
    pub(crate) fn new(io: S, session: Rc<Session>) -> Self {
        Self { io, session }
    }

    /// Takes bytes that were read before there was a driver.
    pub(crate) fn receive(&self, worker: &Worker, bytes: &[u8]) -> Option<End> {
        let now = worker.recent().as_nanos() / 1_000_000;
        let received = self
            .session
            .with(|connection| connection.receive(bytes, now));
        received.err().map(End::Broken)
    }

    /// Reads and writes as much as goes without waiting. Streams are told what concerns them; `on_event` is told all.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        on_event: &mut dyn FnMut(Event),
    ) -> Progress {
        let mut progress = Progress::default();
        if !self.session.driven_by(cx) {
            progress.end = Some(End::Closed);
            return progress;
        }
        progress.end = self.read(cx, worker, &mut progress.heard, on_event);
        self.tell(on_event);
        self.write(cx, &mut progress);
        self.tell(on_event);
        progress
    }

    /// Only writes, when nothing is to be received any more.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) -> Progress {
        let mut progress = Progress::default();
        self.write(cx, &mut progress);
        progress
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        heard: &mut bool,
        on_event: &mut dyn FnMut(Event),
    ) -> Option<End> {
        for _ in 0..READS {
            if self.io.poll_ready(cx).is_pending() {
                return None;
            }
            let mut buffer = worker.relay_buffers.take();
            let read = poll_fill(&mut self.io, cx, &mut buffer);
            let end = match read {
                Poll::Ready(Ok(n)) if n > 0 => {
                    *heard = true;
                    self.receive(worker, buffer.filled())
                }
                Poll::Ready(_) => Some(End::Closed),
                Poll::Pending => None,
            };
            worker.relay_buffers.put(buffer);
            self.tell(on_event);
            if end.is_some() || read.is_pending() {
                return end;
            }
        }
        cx.waker().wake_by_ref();
        None
    }

    fn tell(&self, on_event: &mut dyn FnMut(Event)) {
        while let Some(event) = self.session.with(|connection| connection.next_event()) {
            self.session.notify(event);
            on_event(event);
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, progress: &mut Progress) {
        loop {
            let io = &mut self.io;
            let step = self.session.with(|connection| {
                let bytes = connection.output();
                if bytes.is_empty() {
                    return io.poll_flush_all(cx).map_ok(|()| None);
                }
                let written = io.poll_write_some(cx, bytes);
                if let Poll::Ready(Ok(n)) = written {
                    connection.sent(n);
                }
                written.map_ok(Some)
            });
            match step {
                Poll::Ready(Ok(None)) => return,
                Poll::Ready(Ok(Some(n))) if n > 0 => progress.wrote = true,
                Poll::Ready(_) => {
                    progress.end = Some(End::Closed);
                    return;
                }
                Poll::Pending => {
                    progress.blocked = true;
                    return;
                }
            }
        }
    }
}
