//! One HTTP/2 connection: bytes in, events out, calls in, bytes out.
//!
//! It does no I/O and waits for nothing. Its owner feeds [`Connection::receive`], polls [`Connection::next_event`] until there is none, and
//! writes [`Connection::output`].

mod control;
mod data;
mod ending;
mod heads;
mod inbound;
mod open;
mod send;

pub use open::{Open, Refused};
pub use send::{Blocked, NotSent};

use crate::budget::{Flood, Floods};
use crate::closed::{Closed, Ending};
use crate::counters::Counters;
use crate::flow::Credit;
use crate::frame::{self, kind, setting};
use crate::head::{Bounds, RequestDraft, ResponseDraft, TrailersDraft};
use crate::hpack::{Decoder, Encoder};
use crate::output::Output;
use crate::streams::{Streams, news};
use crate::{Broken, Cause, ErrorCode, Event, PREFACE, PeerSettings, Refusal, Settings, StreamId};
use ending::Draining;
use inbound::Inbound;
use std::collections::VecDeque;

/// What every window begins with (RFC 9113 section 6.9.2).
const FIRST_WINDOW: u32 = 65_535;
/// The largest window (RFC 9113 section 6.9.1).
const MOST_WINDOW: i64 = i32::MAX as i64;
/// Notices not fetched yet. Of those about refused requests there may be half as many, so that they drive out no other; more are only counted.
const MOST_NOTICES: usize = 128;
/// Buffers of data kept for the next stream that needs one.
const SPARE_INBOXES: usize = 4;
/// Memory of a buffer that a connection without streams may keep, so that small exchanges one after the other allocate nothing.
const KEPT_IDLE: usize = 16 * 1024;
/// The table of RFC 7541 before any SETTINGS.
const FIRST_TABLE: usize = 4096;

/// Which end we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

/// The state of a connection, for either end.
///
/// ```
/// use portcullis_http2::{Connection, Event, PREFACE, Settings};
/// let mut server = Connection::server(&Settings::default(), 0);
/// server.receive(PREFACE, 0).unwrap();
/// server.receive(b"\0\0\0\x04\0\0\0\0\0", 0).unwrap();
/// assert_eq!(server.next_event(), Some(Event::Settings));
/// assert!(!server.output().is_empty());
/// ```
#[derive(Debug)]
pub struct Connection {
    role: Role,
    settings: Settings,
    peer: PeerSettings,
    /// SETTINGS of ours that are not acknowledged.
    unacknowledged: u32,
    inbound: Inbound,
    decoder: Decoder,
    encoder: Encoder,
    request: RequestDraft,
    response: ResponseDraft,
    trailers: TrailersDraft,
    streams: Streams,
    closed: Closed,
    /// The highest stream that the peer opened.
    last_peer: u32,
    /// The next stream that we open.
    next_own: u32,
    /// What the peer may send, and what we may.
    credit: Credit,
    window: i64,
    spare: Vec<Vec<u8>>,
    output: Output,
    /// Streams with news; streams that wait for room, in their turn.
    ready: VecDeque<u32>,
    waiting: VecDeque<u32>,
    /// Shares of room that were announced and not used yet.
    granted: usize,
    /// Whether room is being announced.
    is_granting: bool,
    notices: VecDeque<Event>,
    floods: Floods,
    counters: Counters,
    draining: Draining,
    broken: Option<Broken>,
    /// Whether the owner has ended it.
    is_closed: bool,
    now: u64,
}

impl Connection {
    /// The server's end. Its SETTINGS are in the output already.
    #[must_use]
    pub fn server(settings: &Settings, now: u64) -> Self {
        let mut connection = Self::new(Role::Server, settings, now);
        connection.announce();
        connection
    }

    /// The client's end. Its preface and SETTINGS are in the output already.
    #[must_use]
    pub fn client(settings: &Settings, now: u64) -> Self {
        let mut connection = Self::new(Role::Client, settings, now);
        connection.output.bytes.extend_from_slice(PREFACE);
        connection.announce();
        connection
    }

    fn new(role: Role, settings: &Settings, now: u64) -> Self {
        let settings = within_bounds(settings);
        Self {
            role,
            peer: PeerSettings::default(),
            unacknowledged: 1,
            inbound: Inbound::new(role == Role::Server),
            // Until our SETTINGS are acknowledged the peer may use the default.
            decoder: Decoder::new(FIRST_TABLE.max(settings.header_table as usize)),
            encoder: Encoder::new(),
            request: RequestDraft::default(),
            response: ResponseDraft::default(),
            trailers: TrailersDraft::default(),
            streams: Streams::default(),
            closed: match role {
                Role::Server => Closed::of_peer(settings.max_streams),
                Role::Client => Closed::of_ours(),
            },
            last_peer: 0,
            next_own: 1,
            credit: Credit::growing(FIRST_WINDOW, settings.connection_window),
            window: i64::from(FIRST_WINDOW),
            spare: Vec::new(),
            output: Output::default(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            granted: 0,
            is_granting: true,
            notices: VecDeque::new(),
            floods: Floods::new(&settings.budgets, now),
            counters: Counters::default(),
            draining: Draining::default(),
            broken: None,
            is_closed: false,
            now,
            settings,
        }
    }

    /// Our SETTINGS, and the connection's window, which no setting covers.
    fn announce(&mut self) {
        let ours = &self.settings;
        let mut payload = Vec::with_capacity(64);
        let mut set = |name: u16, value: u32| {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        };
        match self.role {
            Role::Server => {
                set(setting::MAX_CONCURRENT_STREAMS, ours.max_streams);
                if ours.connect_protocol {
                    set(setting::ENABLE_CONNECT_PROTOCOL, 1);
                }
            }
            Role::Client => set(setting::ENABLE_PUSH, 0),
        }
        set(setting::INITIAL_WINDOW_SIZE, ours.stream_window);
        set(setting::MAX_HEADER_LIST_SIZE, ours.header_list);
        if ours.header_table as usize != FIRST_TABLE {
            set(setting::HEADER_TABLE_SIZE, ours.header_table);
        }
        if ours.max_frame != PeerSettings::default().max_frame {
            set(setting::MAX_FRAME_SIZE, ours.max_frame);
        }
        frame::write(&mut self.output.bytes, kind::SETTINGS, 0, 0, &payload);
        if let Some(increment) = self.credit.grow() {
            frame::window_update(&mut self.output.bytes, 0, increment);
        }
    }

    /// What happened since the last call; poll until there is nothing, after every `receive` and every `sent`.
    #[inline]
    pub fn next_event(&mut self) -> Option<Event> {
        if let Some(notice) = self.notices.pop_front() {
            return Some(notice);
        }
        while let Some(&slot) = self.ready.front() {
            if let Some(event) = self.news_of(slot) {
                return Some(event);
            }
            self.ready.pop_front();
            if let Some(stream) = self.streams.at(slot) {
                stream.in_ready = false;
            }
        }
        self.next_room()
    }

    /// The next piece of news of a stream.
    #[inline]
    fn news_of(&mut self, slot: u32) -> Option<Event> {
        let stream = self.streams.at(slot)?;
        let id = StreamId {
            number: stream.number,
            slot,
        };
        let lowest = stream.news & stream.news.wrapping_neg();
        stream.news &= !lowest;
        match lowest {
            news::HEAD => Some(Event::Head(id)),
            news::DATA => Some(Event::Data(id)),
            news::ROOM => Some(Event::Room(id)),
            news::RESET => Some(Event::Reset(id, stream.reset?)),
            _ => None,
        }
    }

    /// Queues news of a stream.
    #[inline]
    fn tell(&mut self, slot: u32, what: u8) {
        if let Some(stream) = self.streams.at(slot) {
            stream.news |= what;
            if !stream.in_ready {
                stream.in_ready = true;
                self.ready.push_back(slot);
            }
        }
    }

    fn notice(&mut self, event: Event) {
        let most = match event {
            Event::Refused { .. } => MOST_NOTICES / 2,
            _ => MOST_NOTICES,
        };
        if self.notices.len() < most {
            self.notices.push_back(event);
        }
    }

    /// Bytes to be written. What the socket took is to be told by [`Connection::sent`] before anything else is called: unsent frames may
    /// still change.
    #[inline]
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.unsent()
    }

    /// The first `count` bytes of the output were written. May bring [`Event::Room`].
    #[inline]
    pub fn sent(&mut self, count: usize) {
        self.output.sent(count);
        // What was announced before and not used is announced again, to whoever is next.
        self.granted = 0;
        if self.streams.len() == 0 && self.output.len() == 0 {
            self.shrink_to(KEPT_IDLE);
        }
    }

    /// What the peer announced.
    #[must_use]
    pub fn peer(&self) -> &PeerSettings {
        &self.peer
    }

    /// How many streams are not released.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// How many streams there were.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.counters.streams
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Which frame or header block has begun and not ended, so that the peer owes bytes: a number that is another for each of them.
    #[must_use]
    pub fn mid_head(&self) -> Option<u64> {
        self.inbound.mid_head(self.counters.frames)
    }

    /// Gives back all buffers, for a connection that has been idle for a while. Large ones go by themselves when the last stream has
    /// gone. Does nothing while there are streams.
    pub fn shrink(&mut self) {
        if self.streams.len() == 0 {
            self.shrink_to(0);
        }
    }

    fn shrink_to(&mut self, most: usize) {
        self.streams.shrink();
        self.output.shrink(most);
        self.inbound.shrink(most);
        self.spare.truncate(1);
        self.spare.retain(|inbox| inbox.capacity() <= most);
    }

    /// The window of a new stream. A peer that has not acknowledged our SETTINGS may still go by the default.
    fn stream_credit(&self) -> Credit {
        let believed = if self.unacknowledged > 0 {
            FIRST_WINDOW
        } else {
            0
        };
        Credit::announced(self.settings.stream_window, believed)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            bytes: self.settings.header_list as usize,
            fields: self.settings.header_fields as usize,
        }
    }

    fn is_server(&self) -> bool {
        self.role == Role::Server
    }

    /// The error that ends the connection. GOAWAY is written once.
    #[cold]
    fn breaks(&mut self, refusal: Refusal) -> Broken {
        if let Some(broken) = self.broken {
            return broken;
        }
        self.counters.count(refusal);
        let broken = Broken {
            code: refusal.error(),
            refusal,
        };
        self.broken = Some(broken);
        self.write_go_away(self.last_served(), broken.code);
        broken
    }

    /// One more of a kind that has an allowance.
    #[inline]
    fn spend(&mut self, flood: Flood) -> Result<(), Broken> {
        let spent = self.floods.spend(flood, self.now);
        spent.map_err(|refusal| self.breaks(refusal))
    }

    /// Resets a stream for what the peer sent on it.
    #[cold]
    fn fault(&mut self, slot: u32, refusal: Refusal) -> Result<(), Broken> {
        let Some(stream) = self.streams.at(slot) else {
            return Ok(());
        };
        let number = stream.number;
        stream.reset = Some(Cause::Malformed(refusal));
        stream.reset_sent = true;
        let is_unseen = stream.news & news::HEAD != 0;
        self.discard_inbox(slot);
        if self.is_server() && is_unseen {
            // The owner has not seen it yet and never will.
            self.forget(slot);
            self.notice(Event::Refused {
                stream: number,
                refusal,
            });
        } else {
            self.tell(slot, news::RESET);
        }
        self.fault_of(number, refusal)
    }

    /// Resets a stream that has no slot for what the peer sent on it.
    #[cold]
    fn fault_of(&mut self, number: u32, refusal: Refusal) -> Result<(), Broken> {
        self.counters.count(refusal);
        frame::rst_stream(&mut self.output.bytes, number, refusal.error());
        self.closed.push(number, Ending::ResetByUs);
        self.spend(Flood::Faults)
    }

    /// Frees the slot of a stream that is over.
    fn forget(&mut self, slot: u32) {
        self.discard_inbox(slot);
        if let Some(stream) = self.streams.at(slot) {
            let inbox = std::mem::take(&mut stream.inbox);
            let is_granted = stream.granted;
            if inbox.capacity() > 0 && self.spare.len() < SPARE_INBOXES {
                self.spare.push(inbox);
            }
            self.granted -= usize::from(is_granted && self.granted > 0);
            self.streams.remove(slot);
        }
    }

    /// Answers that the peer makes us write are bounded, should it not read them.
    fn check_output(&mut self) -> Result<(), Broken> {
        match self.output.len() > self.most_output() * 2 {
            true => Err(self.breaks(Refusal::FloodOutput)),
            false => Ok(()),
        }
    }

    /// Unsent bytes above which no head is taken.
    fn most_output(&self) -> usize {
        self.settings.output * 4
    }

    /// Whether the peer hears nothing of us any more.
    fn code_of_end(&self) -> ErrorCode {
        self.broken
            .map_or(ErrorCode::NO_ERROR, |broken| broken.code)
    }
}

/// Settings that the RFC allows.
fn within_bounds(settings: &Settings) -> Settings {
    Settings {
        stream_window: settings.stream_window.min(i32::MAX as u32),
        connection_window: settings
            .connection_window
            .clamp(FIRST_WINDOW, i32::MAX as u32),
        max_frame: settings.max_frame.clamp(16_384, (1 << 24) - 1),
        header_table: settings.header_table.min(65_536),
        ..settings.clone()
    }
}
