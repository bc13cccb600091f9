//! One connection to a server that speaks HTTP/2, and the places on it that requests hold.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use portcullis_http2::{Cause, Connection, ErrorCode, Event, HeadInfo, Open, Refused};
use portcullis_plan::live::ServerLive;
use portcullis_plan::{Moment, WorkerId};
use tokio::io::ReadBuf;

use super::shelf::Shelf;
use super::terms::Terms;
use super::websocket;
use crate::desk::RequestPart;
use crate::failure::Failure;
use crate::http2::{Session, Stream};
use crate::io::PollIo;

/// A connection shared by requests. Its driver runs in a task of its own.
pub(crate) struct Shared {
    pub(super) session: Rc<Session>,
    pub(super) terms: Terms,
    pub(super) born: Moment,
    server: Arc<ServerLive>,
    worker: WorkerId,
    shelf: Weak<Shelf>,
    /// Requests at once that it was made for; its window has room for the responses of so many.
    most: usize,
    taken: Cell<usize>,
    usage: Cell<Usage>,
    /// Since when nobody was found to hold a place; `None` while somebody does.
    idle: Cell<Option<Moment>>,
    /// Since when a sign of life is waited for, because a request got no answer.
    suspected: Cell<Option<Moment>>,
    /// Since when the socket takes no bytes.
    pub(super) blocked: Cell<Option<Moment>>,
    /// No new requests: the server goes away, or the connection is too old.
    leaving: Cell<bool>,
    /// To be ended without further ado.
    pub(super) lost: Cell<bool>,
}

/// Under what a connection is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Usage {
    Idle,
    Used,
    Gone,
}

impl Shared {
    #[allow(
        clippy::too_many_arguments,
        reason = "what a connection is made of, named once"
    )]
    pub(super) fn new(
        connection: Connection,
        terms: Terms,
        born: Moment,
        server: &Arc<ServerLive>,
        worker: WorkerId,
        shelf: &Rc<Shelf>,
        most: u32,
    ) -> Rc<Self> {
        server.http2_connections(worker, 1);
        let shared = Self {
            session: Rc::new(Session::new(connection)),
            terms,
            born,
            server: Arc::clone(server),
            worker,
            shelf: Rc::downgrade(shelf),
            most: most as usize,
            taken: Cell::new(0),
            usage: Cell::new(Usage::Gone),
            idle: Cell::new(None),
            suspected: Cell::new(None),
            blocked: Cell::new(None),
            leaving: Cell::new(false),
            lost: Cell::new(false),
        };
        shared.count_as(Usage::Idle);
        Rc::new(shared)
    }

    pub(super) fn server_name(&self) -> &str {
        self.server.name()
    }

    /// Whether one more request may go this way now, where no more than `most` may at once.
    pub(super) fn has_room(&self, most: u32) -> bool {
        let allowed = self.allowed().min(self.most).min(most as usize);
        self.is_open()
            && self.taken.get() < allowed
            && self.session.with(|connection| connection.room_to_open()) > 0
    }

    /// Requests at once that the server allows. Before its settings have come that is not known, and what it may refuse is
    /// not sent: a single request goes ahead.
    fn allowed(&self) -> usize {
        self.session
            .with(|connection| match connection.peer().received {
                true => connection.peer().max_streams as usize,
                false => 1,
            })
    }

    /// Whether the server's settings have come.
    pub(super) fn is_settled(&self) -> bool {
        self.session.with(|connection| connection.peer().received)
    }

    /// Whether the server allows as many requests as hold a place; `None` before its settings came.
    pub(super) fn takes_all(&self) -> Option<bool> {
        self.is_settled()
            .then(|| self.taken.get() <= self.allowed())
    }

    /// Whether the connection is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// Whether new requests may come this way, now or later. Of one that gives no sign of life nobody knows.
    pub(super) fn is_open(&self) -> bool {
        !self.leaving.get() && !self.lost.get() && self.suspected.get().is_none()
    }

    /// A place for one request.
    pub(super) fn lease(self: &Rc<Self>) -> Lease {
        self.taken.set(self.taken.get() + 1);
        self.idle.set(None);
        self.count_as(Usage::Used);
        self.server.http2_streams(self.worker, 1);
        Lease {
            shared: Rc::clone(self),
            stream: None,
            is_upgrade: false,
        }
    }

    fn count_as(&self, usage: Usage) {
        let before = self.usage.replace(usage);
        for (one, change) in [(before, -1), (usage, 1)] {
            match one {
                Usage::Idle => self.server.idle_connections(self.worker, change),
                Usage::Used => self.server.used_connections(self.worker, change),
                Usage::Gone => {}
            }
        }
    }

    fn give_back(self: &Rc<Self>) {
        self.server.http2_streams(self.worker, -1);
        self.taken.set(self.taken.get().saturating_sub(1));
        if self.is_unused() && self.usage.get() == Usage::Used {
            self.count_as(Usage::Idle);
        }
        if let Some(shelf) = self.shelf.upgrade() {
            shelf.place_is_free(&self.terms);
            if self.is_unused() {
                shelf.became_unused(self);
            }
        }
    }

    /// Whether no request holds a place.
    pub(super) fn is_unused(&self) -> bool {
        self.taken.get() == 0
    }

    /// Whether the server has said by its settings that it takes extended CONNECT; `None` before its settings came.
    pub(super) fn takes_tunnels(&self) -> Option<bool> {
        self.session.with(|connection| {
            let peer = connection.peer();
            peer.received.then_some(peer.connect_protocol)
        })
    }

    /// What the connection as a whole is told.
    pub(super) fn on_event(&self, event: Event) {
        match event {
            Event::GoAway { .. } => self.leave(),
            Event::Settings => {}
            _ => return,
        }
        if let Some(shelf) = self.shelf.upgrade() {
            shelf.something_changed();
        }
    }

    /// Something has come from the server: it lives, whatever a request is still waiting for.
    pub(super) fn heard(&self) {
        if self.suspected.take().is_some()
            && let Some(shelf) = self.shelf.upgrade()
        {
            shelf.something_changed();
        }
    }

    /// Takes no more requests; those that are there go on, and with the last the connection ends.
    pub(super) fn leave(&self) {
        if !self.leaving.replace(true) {
            self.session.with(|connection| connection.drain());
            self.session.wake_driver();
        }
    }

    /// A request got no answer in its time: no further ones until the server shows that it lives.
    pub(crate) fn suspect(&self, now: Moment) {
        if self.suspected.get().is_none() {
            self.suspected.set(Some(now));
            self.session.with(|connection| connection.ping());
            self.session.wake_driver();
        }
    }

    /// Upkeep: leaves when old or idle for too long, gives up when there is no sign of life.
    pub(super) fn keep_up(&self, now: Moment, rules: &Rules) {
        if self.is_unused() && self.idle.get().is_none() {
            self.idle.set(Some(now));
        }
        let since =
            |moment: Option<Moment>, most| moment.is_some_and(|moment| now.since(moment) >= most);
        let unsettled = self
            .session
            .with(|connection| connection.awaits_acknowledgement())
            .then_some(self.born);
        if since(self.suspected.get(), rules.patience) || since(self.blocked.get(), rules.patience)
        {
            self.lose();
        } else if since(unsettled, rules.settle) {
            tracing::warn!(server = %self.server_name(), "a server has not acknowledged our HTTP/2 settings");
            self.session
                .with(|connection| connection.close(ErrorCode::SETTINGS_TIMEOUT));
            self.lose();
        } else if since(self.idle.get(), rules.idle)
            || rules.age.is_some_and(|age| now.since(self.born) >= age)
        {
            self.leave();
        }
    }

    /// Has the connection ended by its driver, with all that is on it.
    fn lose(&self) {
        self.lost.set(true);
        self.session.wake_driver();
    }

    /// The connection is no more.
    pub(super) fn over(&self) {
        self.lost.set(true);
        self.session.end();
        self.server.http2_connections(self.worker, -1);
        self.count_as(Usage::Gone);
    }
}

/// How long connections may be what they are.
pub(super) struct Rules {
    pub(super) idle: std::time::Duration,
    pub(super) age: Option<std::time::Duration>,
    pub(super) patience: std::time::Duration,
    pub(super) settle: std::time::Duration,
}

/// A request's place on a shared connection. Given back when dropped; a stream that has not come to its end is reset.
pub(crate) struct Lease {
    shared: Rc<Shared>,
    stream: Option<Stream>,
    /// The request is an extended CONNECT.
    is_upgrade: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stream = None; // before its place is taken by somebody else
        self.shared.give_back();
    }
}

impl Lease {
    pub(crate) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    /// Sends the head of a request. `waker` is woken whenever something happens to it.
    pub(crate) fn open(
        &mut self,
        text: &[u8],
        options: &Open,
        waker: &Waker,
    ) -> Result<(), Failure> {
        let session = &self.shared.session;
        let opened = session.on_stream(|connection| connection.open(text, options));
        let id = opened.map_err(|refused| match refused {
            Refused::NotAllowed => Failure::NO_TUNNEL,
            _ => Failure::UNPROCESSED,
        })?;
        let mut stream = Stream::hold(Rc::clone(session), id);
        if options.end {
            stream.has_ended();
        }
        session.wakes(id, waker);
        self.is_upgrade = options.extended_connect;
        self.stream = Some(stream);
        Ok(())
    }

    /// The head that came in answer to `request`, as HTTP/1 text in place of what `text` was.
    pub(crate) fn take_head(
        &mut self,
        request: &RequestPart,
        text: &mut Vec<u8>,
    ) -> Option<HeadInfo> {
        let info = self.stream.as_mut()?.take_head(text)?;
        if self.is_upgrade && !info.interim {
            websocket::switch(request, text);
        }
        Some(info)
    }

    /// The trailers that came, as clean lines in place of what `lines` was.
    pub(crate) fn take_trailers(&mut self, lines: &mut Vec<u8>) {
        if let Some(stream) = &mut self.stream {
            stream.take_trailers(lines);
        }
    }

    /// Ends our side once all that was written has been taken.
    pub(crate) fn poll_end(&mut self, trailers: &[u8]) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => stream.poll_finish(trailers),
            None => Poll::Ready(Err(nothing())),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stream.as_ref().is_none_or(Stream::is_gone)
    }

    /// Why the stream came to its end before the head of an answer.
    pub(crate) fn failure(&self) -> Failure {
        match self.stream.as_ref().and_then(Stream::cause) {
            Some(Cause::Unprocessed) => Failure::UNPROCESSED,
            Some(Cause::Malformed(refusal)) => Failure::bad_frames(refusal),
            Some(Cause::Peer(ErrorCode::HTTP_1_1_REQUIRED)) => Failure::HTTP1_REQUIRED,
            Some(Cause::Peer(_)) => Failure::STREAM_RESET,
            None => Failure::CLOSED_EARLY,
        }
    }

    /// Ready when a read would not wait.
    pub(crate) fn poll_readable(&self) -> Poll<io::Result<()>> {
        match &self.stream {
            Some(stream) => stream.poll_readable(),
            None => Poll::Ready(Ok(())),
        }
    }
}

fn nothing() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl PollIo for Lease {
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => stream.poll_read_into(cx, space),
            None => Poll::Ready(Err(nothing())),
        }
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => stream.poll_write_some(cx, bytes),
            None => Poll::Ready(Err(nothing())),
        }
    }

    fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => stream.poll_write_slices(cx, slices),
            None => Poll::Ready(Err(nothing())),
        }
    }

    fn poll_flush_all(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(&[])
    }
}
