//! Where connections are accepted, and the rules of HTTP there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::tls::Tls;
use crate::maintenance::Maintenance;
use crate::networks::Networks;
use crate::normalize::PathPolicy;
use crate::route::Router;
use crate::split::{SplitTimeouts, VariantTimeouts};
use crate::{LimitId, RouteId};

/// Where connections are accepted, and the rules of HTTP there.
#[derive(Debug)]
pub struct Listener {
    /// Its identity.
    pub name: Arc<str>,
    /// `file:line` of its table.
    pub place: Arc<str>,
    /// Addresses it accepts on.
    pub binds: Box<[Bind]>,
    /// Pending connections the kernel may hold.
    pub backlog: u32,
    /// Open connections allowed.
    pub max_connections: u32,
    /// TLS; `None` serves clear text.
    pub tls: Option<Tls>,
    /// Peers that must start with a PROXY protocol header; others must not.
    pub proxy_protocol: Option<Networks>,
    /// Whether HTTP/1 is served.
    pub http1: bool,
    /// Bounds of HTTP/2; `None` does not serve it.
    pub http2: Option<Http2>,
    /// Whether a TLS client that speaks both is given HTTP/1.
    pub prefers_http1: bool,
    /// Peers whose forwarding fields are believed.
    pub trusted_proxies: Networks,
    /// Sizes and counts.
    pub limits: HttpLimits,
    /// Deadlines before a route is known.
    pub timeouts: ListenerTimeouts,
    /// What to do with unusual paths.
    pub paths: PathPolicy,
    /// Write `X-Forwarded-For`, `-Proto` and `-Host` towards servers.
    pub x_forwarded: bool,
    /// Write `Forwarded` (RFC 7239) towards servers.
    pub forwarded: bool,
    /// The request id field; `None` makes no id.
    pub request_id: Option<RequestIdRule>,
    /// Pseudonym for `Via`; `None` adds none.
    pub via: Option<Box<str>>,
    /// Add `Date` to answers that lack it.
    pub date: bool,
    /// What becomes of `Server` in answers.
    pub server_header: ServerHeader,
    /// Value of `Strict-Transport-Security` for answers over TLS.
    pub hsts: Option<Box<str>>,
    /// Answer everything with a redirect to https on this port.
    pub redirect_https: Option<u16>,
    /// Limit for every request of this listener.
    pub rate_limit: Option<LimitId>,
    /// How it is closed, if it is.
    pub maintenance: Option<Box<Maintenance>>,
    /// Deadlines of routes that split their requests, in the order of the routes.
    pub split_timeouts: Box<[SplitTimeouts]>,
    /// Host, path and conditions to candidates.
    pub router: Router,
}

impl Listener {
    /// The deadlines of requests to the service at position `at` of a route's split.
    #[must_use]
    pub fn variant_timeouts(&self, route: RouteId, at: usize) -> Option<&VariantTimeouts> {
        let own = self
            .split_timeouts
            .binary_search_by_key(&route, |split| split.route)
            .ok()?;
        self.split_timeouts.get(own)?.variants.get(at)
    }
}

/// One address of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bind {
    /// TCP; `[::]` accepts IPv4 too when `dual_stack`.
    Tcp {
        /// Address and port; port 0 takes any.
        address: SocketAddr,
        /// Accept IPv4 on a wildcard IPv6 address.
        dual_stack: bool,
    },
    /// A Unix stream socket.
    Unix {
        /// Path of the socket file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Sockets that were open before the process began and were passed to it.
    Passed {
        /// What whoever passed them calls them.
        name: Arc<str>,
    },
}

/// Bounds of a listener's HTTP/2 connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2 {
    /// Requests open at once on a connection.
    pub max_streams: u32,
    /// Bytes of a request body that are held for a slower server.
    pub stream_window: u32,
    /// The same for all requests of a connection.
    pub connection_window: u32,
    /// Whether clients may ask for tunnels (RFC 8441).
    pub extended_connect: bool,
}

/// Sizes and counts of a listener's HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of a request head, of a response head too.
    pub head: usize,
    /// Bytes of a request target.
    pub target: usize,
    /// Fields of a head.
    pub fields: usize,
    /// Bytes of a request body.
    pub body: Option<u64>,
    /// Requests served on one connection.
    pub requests_per_connection: Option<u64>,
    /// Interim responses (1xx) relayed for one request.
    pub interim_responses: u32,
}

/// Deadlines of a connection outside an exchange. `None`, or [`Duration::MAX`] where there is no `None`, is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// PROXY header and TLS handshake together.
    pub handshake: Duration,
    /// A whole request head.
    pub client_header: Duration,
    /// Between requests.
    pub client_idle: Duration,
    /// Age after which a connection is closed at the next pause.
    pub connection_age: Option<Duration>,
    /// Deadlines of an exchange for which no route was found.
    pub exchange: ExchangeTimeouts,
}

/// Deadlines of one exchange, after inheritance. `None`, or [`Duration::MAX`] where there is no `None`, is off.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExchangeTimeouts {
    /// No byte of the request body.
    pub client_body_idle: Duration,
    /// Bytes a second an upload must keep up on average, after five seconds of grace.
    pub client_body_rate: Option<u64>,
    /// The client takes no byte of the answer.
    pub client_write: Duration,
    /// Making a connection to a server.
    pub connect: Duration,
    /// From the request sent to the head of the final response.
    pub response_header: Duration,
    /// No byte of the response body.
    pub response_idle: Duration,
    /// The whole exchange.
    pub request: Option<Duration>,
    /// No byte either way in a tunnel.
    pub tunnel_idle: Duration,
}

/// How requests are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIdRule {
    /// Field that carries the id, lower case.
    pub header: Box<str>,
    /// Keep a well-formed id that a trusted proxy sent.
    pub trust: bool,
}

/// What becomes of the `Server` field of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerHeader {
    /// As the server sent it.
    Keep,
    /// Removed.
    Remove,
    /// Replaced.
    Set(Box<str>),
}
