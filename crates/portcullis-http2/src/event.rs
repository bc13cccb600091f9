//! What a connection tells its owner.

use crate::{ErrorCode, Refusal};

/// A stream of one connection. It stays valid until it is released; a later use of it finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId {
    pub(crate) number: u32,
    pub(crate) slot: u32,
}

impl StreamId {
    /// Its number in the protocol, for logs.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// A small index that no other stream of this connection has until this one is released: an index into a table of the owner's.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// What happened. Each is told once; the details are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Servers: a request began. Clients: interim or final heads arrived. Take them.
    Head(StreamId),
    /// Bytes, trailers or the end arrived. Read.
    Data(StreamId),
    /// What was refused for lack of room may be tried again.
    Room(StreamId),
    /// The stream is over before its end. It is still to be released.
    Reset(StreamId, Cause),
    /// The peer wants no more streams. Ours above `last` are told as [`Cause::Unprocessed`].
    GoAway {
        /// The last stream of ours that the peer may have acted upon.
        last: u32,
        /// Why.
        code: ErrorCode,
    },
    /// The peer's SETTINGS arrived.
    Settings,
    /// The last PING of ours was answered.
    Pong,
    /// A request was refused before it became a stream of the owner's: it was malformed, or one too many. Nothing is to be done but
    /// to count it.
    Refused {
        /// The number of its stream.
        stream: u32,
        /// What was wrong with it.
        refusal: Refusal,
    },
}

/// Why a stream is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The peer reset it.
    Peer(ErrorCode),
    /// We reset it because of what the peer sent on it.
    Malformed(Refusal),
    /// The peer did nothing with it, so the request may be sent again, whatever its method (RFC 9113 section 8.7).
    Unprocessed,
}

impl Cause {
    /// The code that was sent or received.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Peer(code) => code,
            Self::Malformed(refusal) => refusal.error(),
            Self::Unprocessed => ErrorCode::REFUSED_STREAM,
        }
    }
}

/// What a reader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one.
    Data(usize),
    /// Nothing yet.
    Pending,
    /// The peer has ended its side; trailers, if any, can be taken.
    End,
    /// The stream was reset, so that what came before may lack its end.
    Reset(ErrorCode),
}

/// The scheme of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// The port that it implies.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// What an extended CONNECT asks for (RFC 8441). Its name is the Upgrade of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `websocket`
    WebSocket,
    /// Anything else.
    Other,
}

/// Which limit a head was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// [`crate::Settings::header_list`]
    Bytes,
    /// [`crate::Settings::header_fields`]
    Fields,
}

/// What of a head is not in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadInfo {
    /// Whether it is a 1xx response, which another head follows.
    pub interim: bool,
    /// Whether nothing follows it, neither data nor trailers.
    pub end_stream: bool,
    /// The bytes of data that follow, when that was said. Data that disagrees resets the stream.
    pub content_length: Option<u64>,
    /// The scheme of a request, when it has one.
    pub scheme: Option<Scheme>,
    /// Set when the request is an extended CONNECT; the text then is that of an upgrade.
    pub protocol: Option<Protocol>,
    /// Set when fields were left out because the head is over a limit: it may be answered with 431 or 502, not forwarded.
    pub over: Option<Over>,
}
