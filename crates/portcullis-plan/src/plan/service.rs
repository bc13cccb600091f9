//! Servers that do the same job, how one is picked, reached and checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{ServerId, ServiceId};

/// Servers that do the same job.
#[derive(Debug)]
pub struct Service {
    /// Its identity.
    pub name: Arc<str>,
    /// `file:line` of its table.
    pub place: Arc<str>,
    /// First of its servers.
    pub first_server: ServerId,
    /// How many there are.
    pub server_count: usize,
    /// How one is picked.
    pub balance: Balance,
    /// TLS towards them; `None` speaks clear text.
    pub tls: Option<ServiceTls>,
    /// What is spoken to them, and which is preferred where both are.
    pub protocols: ServerProtocols,
    /// Bounds of connections that speak HTTP/2.
    pub http2: ServiceHttp2,
    /// The header that begins every connection to them and names its client; `None` writes none.
    pub proxy_protocol: Option<ProxyVersion>,
    /// Active checks.
    pub health: Option<HealthCheck>,
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// Try again when the connection could not be made.
    pub retry_connect: bool,
    /// Try again when a reused connection died before any byte of the answer.
    pub retry_reset: bool,
    /// Try again whatever the method; otherwise only idempotent ones (RFC 9110 9.2.2).
    pub retry_all_methods: bool,
    /// Idle connections kept per server and worker.
    pub max_idle: usize,
    /// Age at which an unused connection is closed.
    pub upstream_idle: Duration,
    /// Age at which a connection is no longer reused.
    pub max_age: Option<Duration>,
    /// How often host names are looked up again.
    pub resolve: Duration,
}

impl Service {
    /// The ids of its servers.
    pub fn server_ids(&self) -> impl ExactSizeIterator<Item = ServerId> + use<> {
        let first = self.first_server.index();
        (first..first + self.server_count).map(ServerId::new)
    }
}

/// TLS towards the servers of a service.
#[derive(Debug, Clone)]
pub struct ServiceTls {
    /// PEM file of the authorities; `None` takes those the system trusts.
    pub ca: Option<PathBuf>,
    /// The name to ask for and to verify; `None` takes the host of the server's address.
    pub sni: Option<Box<str>>,
    /// PEM files of the certificate to show and of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether servers must prove who they are.
    pub verify: bool,
    /// Refuse TLS 1.2.
    pub only_tls13: bool,
    /// `file:line` of the table.
    pub place: Arc<str>,
    /// Where its values stand, for diagnostics.
    pub spans: ServiceTlsSpans,
}

/// Where the values of [`ServiceTls`] stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceTlsSpans {
    /// The table, or `true`.
    pub table: Option<portcullis_config::Span>,
    /// `ca`.
    pub ca: Option<portcullis_config::Span>,
    /// `cert`.
    pub cert: Option<portcullis_config::Span>,
    /// `key`.
    pub key: Option<portcullis_config::Span>,
}

/// Equal when they ask for the same, wherever it is written.
impl PartialEq for ServiceTls {
    fn eq(&self, other: &Self) -> bool {
        let asked = |tls: &Self| (tls.verify, tls.only_tls13);
        asked(self) == asked(other)
            && (&self.ca, &self.sni, &self.identity) == (&other.ca, &other.sni, &other.identity)
    }
}

/// The protocols that servers are spoken to by. In clear text never both: nobody could say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerProtocols {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
    /// Either, as the server chooses; HTTP/2 is offered first.
    Http2First,
    /// Either, as the server chooses; HTTP/1.1 is offered first.
    Http1First,
}

impl ServerProtocols {
    /// Whether HTTP/2 may be spoken.
    #[must_use]
    pub const fn has_http2(self) -> bool {
        !matches!(self, Self::Http1)
    }

    /// Whether HTTP/1.1 may be spoken.
    #[must_use]
    pub const fn has_http1(self) -> bool {
        !matches!(self, Self::Http2)
    }

    /// The names by which they are offered in a handshake, the preferred one first.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Http1 => &["http/1.1"],
            Self::Http2 => &["h2"],
            Self::Http2First => &["h2", "http/1.1"],
            Self::Http1First => &["http/1.1", "h2"],
        }
    }
}

/// Bounds of connections to servers that speak HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceHttp2 {
    /// Requests at once on a connection.
    pub max_streams: u32,
    /// Connections to one server, per worker.
    pub max_connections: usize,
    /// Bytes of a response that are held for a slower client.
    pub stream_window: u32,
}

/// A version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl ProxyVersion {
    /// As it is written in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// How a server is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Smooth weighted round-robin.
    RoundRobin,
    /// The fewest requests in flight for its weight.
    LeastRequests,
}

/// One app instance.
#[derive(Debug)]
pub struct Server {
    /// Its identity within the service.
    pub name: Arc<str>,
    /// `file:line`.
    pub place: Arc<str>,
    /// The service it belongs to.
    pub service: ServiceId,
    /// Where it listens.
    pub address: Address,
    /// The address as operators write it.
    pub address_text: Arc<str>,
    /// Configured weight, 0 to 256.
    pub weight: u32,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A host name, looked up by the daemon; the result lies in `ServerLive`.
    Name {
        /// The name.
        host: Box<str>,
        /// The port.
        port: u16,
    },
}

/// An active health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub kind: HealthKind,
    /// Between the starts of two checks.
    pub interval: Duration,
    /// Bound of one check.
    pub timeout: Duration,
    /// Passes that bring a server up.
    pub rise: u32,
    /// Failures that take it down.
    pub fall: u32,
}

/// What an active check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthKind {
    /// A connection can be made.
    Tcp,
    /// A GET is answered with an expected status.
    Http {
        /// Origin-form target.
        target: Box<str>,
        /// Value of Host; `None` sends the server's address.
        host: Option<Box<str>>,
        /// Accepted statuses, as inclusive ranges.
        expect: Box<[(u16, u16)]>,
    },
}
