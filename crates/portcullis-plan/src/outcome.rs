//! What became of one request: the one record that feeds log, counters and traces.

use std::time::Duration;

use crate::facts::Fields;
use crate::{Moment, RouteId, ServerId, ServiceId};

/// A configured deadline, by the key under `timeouts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// PROXY header and TLS handshake.
    Handshake,
    /// The whole request head.
    ClientHeader,
    /// Between requests.
    ClientIdle,
    /// No byte of the request body.
    ClientBodyIdle,
    /// The request body came too slowly.
    ClientBodyRate,
    /// The client took no byte of the answer.
    ClientWrite,
    /// Connecting to a server.
    Connect,
    /// Waiting for the head of the response.
    ResponseHeader,
    /// No byte of the response body.
    ResponseIdle,
    /// The whole exchange.
    Request,
    /// No byte either way in a tunnel.
    TunnelIdle,
    /// The connection's age.
    ConnectionAge,
}

impl Deadline {
    /// Every deadline, in order.
    pub const ALL: [Self; 12] = [
        Self::Handshake,
        Self::ClientHeader,
        Self::ClientIdle,
        Self::ClientBodyIdle,
        Self::ClientBodyRate,
        Self::ClientWrite,
        Self::Connect,
        Self::ResponseHeader,
        Self::ResponseIdle,
        Self::Request,
        Self::TunnelIdle,
        Self::ConnectionAge,
    ];

    /// The key under `timeouts` in the configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::ClientHeader => "client_header",
            Self::ClientIdle => "client_idle",
            Self::ClientBodyIdle => "client_body_idle",
            Self::ClientBodyRate => "client_body_rate",
            Self::ClientWrite => "client_write",
            Self::Connect => "connect",
            Self::ResponseHeader => "response_header",
            Self::ResponseIdle => "response_idle",
            Self::Request => "request",
            Self::TunnelIdle => "tunnel_idle",
            Self::ConnectionAge => "connection_age",
        }
    }
}

/// Who ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// Nobody: it came to its proper end.
    Completed,
    /// The client closed, reset, or sent what we refuse.
    Client,
    /// The server closed, reset, or sent what we refuse.
    Server,
    /// Our configuration: a limit, a refusal, no route.
    Policy,
    /// A deadline; `Outcome::deadline` says which.
    Deadline,
    /// We are stopping.
    Shutdown,
    /// A fault of ours or of the machine.
    Internal,
}

impl EndedBy {
    /// Lower-case word for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Client => "client",
            Self::Server => "server",
            Self::Policy => "policy",
            Self::Deadline => "deadline",
            Self::Shutdown => "shutdown",
            Self::Internal => "internal",
        }
    }
}

/// Moments of an exchange; a phase that was not reached is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// First byte of the request head (accept, for the first request of a connection).
    pub start: Moment,
    /// The head was complete.
    pub head: Option<Moment>,
    /// The (last) server was picked and an attempt began.
    pub attempt: Option<Moment>,
    /// A connection to it stood (at once if it was reused).
    pub connected: Option<Moment>,
    /// The head of the final response was complete.
    pub response: Option<Moment>,
    /// The end.
    pub end: Moment,
    /// How long the TLS handshake took; only with the first request of a connection.
    pub handshake: Option<Duration>,
    /// Wall clock at the end (before it: now), nanoseconds since 1970; 0 if it was not read yet.
    pub wall_nanos: u64,
}

/// What became of a request.
pub struct Outcome<'a> {
    /// The route that won.
    pub route: Option<RouteId>,
    /// Its service.
    pub service: Option<ServiceId>,
    /// The server last tried.
    pub server: Option<ServerId>,
    /// Status sent; 0 if none was.
    pub status: u16,
    /// Whether the status came from a server rather than from us.
    pub from_server: bool,
    /// Bytes of the request as it came, head and framing included.
    pub bytes_in: u64,
    /// Bytes of the answer as it went, head and framing included.
    pub bytes_out: u64,
    /// Bytes of the request body without framing.
    pub body_in: u64,
    /// Bytes of the answer's body without framing.
    pub body_out: u64,
    /// Tries at servers.
    pub attempts: u32,
    /// Whether the last try used a pooled connection.
    pub reused: bool,
    /// Moments.
    pub timings: Timings,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Which deadline fired.
    pub deadline: Option<Deadline>,
    /// Why it was refused or failed: a stable kebab-case word.
    pub reason: Option<&'static str>,
    /// Whether the exchange became a tunnel.
    pub upgraded: bool,
    /// Fields of the response, where one came from a server.
    pub response_fields: Option<&'a dyn Fields>,
}
