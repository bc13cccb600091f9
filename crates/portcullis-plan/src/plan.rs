//! The compiled configuration: flat arrays of ready-to-execute values, addressed by typed ids.
//!
//! A plan is never changed, only replaced. Every object has a name, which is its identity across
//! reloads, and a `place`, the `file:line` that operators see in logs and explanations.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::captures::Captures;
pub use crate::domains::Domains;
pub use crate::fault::Fault;
pub use crate::headers::{HeaderEdits, Template};
pub use crate::limit::RateLimit;
pub use crate::log_format::LogFormat;
pub use crate::maintenance::Maintenance;
pub use crate::map_back::MapBack;
pub use crate::networks::Networks;
pub use crate::normalize::PathPolicy;
pub use crate::rewrite::{PathChange, QueryEdits, TargetRewrite};
pub use crate::route::Router;
pub use crate::split::{Split, SplitTimeouts, VariantTimeouts};
use crate::{LimitId, ListenerId, RouteId, ServerId, ServiceId, TlsPolicyId};

/// Everything a running Portcullis intends.
#[derive(Debug)]
pub struct Plan {
    /// Settings of the process; only some may change while it runs.
    pub process: Process,
    /// Listeners in the order of their names.
    pub listeners: Box<[Listener]>,
    /// Routes in the order of the files.
    pub routes: Box<[Route]>,
    /// Services in the order of their names.
    pub services: Box<[Service]>,
    /// Servers, those of one service side by side.
    pub servers: Box<[Server]>,
    /// Rate limits of listeners and routes.
    pub limits: Box<[RateLimit]>,
    /// Replacement error pages by status.
    pub error_pages: BTreeMap<u16, Page>,
    /// Where and how requests are logged.
    pub access_log: AccessLog,
    /// A hash of the effective configuration, stable across runs.
    pub fingerprint: u64,
}

/// Settings of the process as a whole.
#[derive(Debug, Clone)]
pub struct Process {
    /// Worker threads; fixed for the life of the process.
    pub threads: usize,
    /// Client connections over all listeners.
    pub max_connections: u32,
    /// How long a graceful stop may take.
    pub shutdown_timeout: Duration,
    /// Least severe level of the program log: error, warn, info, debug or trace.
    pub log_level: Box<str>,
    /// The admin socket, if any.
    pub admin_socket: Option<AdminSocket>,
    /// The HTTP endpoint for metrics and health, if any.
    pub admin_http: Option<AdminHttp>,
}

/// The Unix socket that speaks HAProxy's runtime API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSocket {
    /// Where it is bound.
    pub path: PathBuf,
    /// Permission bits of the socket file.
    pub mode: u32,
    /// What commands it allows.
    pub level: AdminLevel,
}

/// Levels of the runtime API, each including the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminLevel {
    /// Looking.
    User,
    /// Looking at sensitive things, clearing counters.
    Operator,
    /// Changing state.
    Admin,
}

/// The HTTP endpoint for machines: metrics, health, statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminHttp {
    /// Where it is bound.
    pub bind: SocketAddr,
    /// Path of the Prometheus page.
    pub metrics: Box<str>,
    /// Path that answers 200 while serving and 503 while draining.
    pub health: Box<str>,
    /// Path under which `;csv` and `;json` give HAProxy's statistics.
    pub stats: Box<str>,
}

/// Where requests are logged and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Destination.
    pub to: LogTarget,
    /// Form of a line.
    pub format: Arc<LogFormat>,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, reopened on USR1.
    File(PathBuf),
}

/// A body with its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Value of Content-Type.
    pub content_type: Box<str>,
    /// The bytes.
    pub body: Arc<[u8]>,
}

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

/// TLS of a listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificates in file order; the first is the default.
    pub certificates: Box<[Certificate]>,
    /// Refuse TLS 1.2.
    pub only_tls13: bool,
    /// Refuse handshakes for names no certificate covers.
    pub strict_names: bool,
    /// Give out session tickets.
    pub tickets: bool,
    /// Distinct rules about client certificates; `TlsPolicyId` indexes them, and the first is the listener's own.
    pub policies: Box<[ClientAuth]>,
    /// Which of the rules guards which host.
    pub domains: Domains,
}

/// A certificate with its key, by file.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
    /// Names it serves; empty means those in the certificate.
    pub names: Box<[Box<str>]>,
    /// Which rule about client certificates holds for its names.
    pub policy: TlsPolicyId,
    /// `file:line`.
    pub place: Arc<str>,
    /// Span of the `cert` value, for diagnostics.
    pub cert_span: Option<portcullis_config::Span>,
    /// Span of the `key` value, for diagnostics.
    pub key_span: Option<portcullis_config::Span>,
}

/// Whether clients must show a certificate, and who may have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// Asked for; absent is fine, a bad one is not.
    Optional {
        /// PEM file of the authorities.
        ca: PathBuf,
        /// Span of the value, for diagnostics.
        span: Option<portcullis_config::Span>,
    },
    /// Demanded.
    Required {
        /// PEM file of the authorities.
        ca: PathBuf,
        /// Span of the value, for diagnostics.
        span: Option<portcullis_config::Span>,
    },
}

/// What to do with the requests that match.
#[derive(Debug)]
pub struct Route {
    /// Its identity.
    pub name: Arc<str>,
    /// `file:line` of its table.
    pub place: Arc<str>,
    /// Its answer or service.
    pub action: Action,
    /// What is changed on the way, one value for neighbours that change the same; read through the route itself.
    pub changes: Arc<Changes>,
    /// What `{path.NAME}` stands for, where its path captures anything.
    pub captures: Option<Box<Captures>>,
    /// Limit for the requests of this route.
    pub rate_limit: Option<LimitId>,
    /// What few routes have, kept apart so that a route stays small.
    pub extras: Option<Box<Extras>>,
}

/// What routes change and allow. Most routes of a configuration have the same, so they share it: with many routes a request
/// then finds it in the processor's caches, and a route itself takes two cache lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What becomes of the path.
    pub path: PathRewrite,
    /// Host sent to the server instead of the client's.
    pub host: Option<Template>,
    /// Edits of the request head towards the server.
    pub request_headers: HeaderEdits,
    /// Edits of the response head towards the client.
    pub response_headers: HeaderEdits,
    /// Protocols a request may upgrade to, lower case.
    pub upgrade: Box<[Box<str>]>,
    /// Bytes of a request body; the outer `None` takes the listener's.
    pub body_limit: Option<Option<u64>>,
}

impl std::ops::Deref for Route {
    type Target = Changes;

    fn deref(&self) -> &Changes {
        &self.changes
    }
}

/// While a plan is made: a route that is changed alone gets changes of its own.
impl std::ops::DerefMut for Route {
    fn deref_mut(&mut self) -> &mut Changes {
        Arc::make_mut(&mut self.changes)
    }
}

impl Route {
    /// Changes of path and query that need the request's values, if there are any.
    #[must_use]
    pub fn target(&self) -> Option<&TargetRewrite> {
        self.extras.as_ref()?.target.as_ref()
    }

    /// `file:line` of a key that few routes have.
    #[must_use]
    pub fn key_place(&self, key: &str) -> Option<&str> {
        let places = &self.extras.as_ref()?.places;
        places
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, place)| &**place)
    }

    /// How it is closed, if it is.
    #[must_use]
    pub fn maintenance(&self) -> Option<&Maintenance> {
        self.extras.as_ref()?.maintenance.as_ref()
    }

    /// Faults that are injected, if any are.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.extras.as_ref()?.fault.as_ref()
    }

    /// How addresses in answers are mapped back, if they are.
    #[must_use]
    pub fn map_back(&self) -> Option<&MapBack> {
        self.extras.as_ref()?.map_back.as_ref()
    }
}

/// What few routes have.
#[derive(Debug, Default)]
pub struct Extras {
    /// Changes of path and query that need the request's values.
    pub target: Option<TargetRewrite>,
    /// How addresses in answers come back.
    pub map_back: Option<MapBack>,
    /// How it is closed, if it is.
    pub maintenance: Option<Maintenance>,
    /// Faults that are injected.
    pub fault: Option<Fault>,
    /// `file:line` of keys that explanations tell the place of.
    pub places: Box<[(&'static str, Arc<str>)]>,
}

impl Extras {
    /// Boxed if there is anything in it.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        let Self {
            target,
            map_back,
            maintenance,
            fault,
            places,
        } = &self;
        let empty = target.is_none()
            && map_back.is_none()
            && maintenance.is_none()
            && fault.is_none()
            && places.is_empty();
        (!empty).then(|| Box::new(self))
    }
}

/// A route's answer.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Pass to a server of this service.
    Forward(ServiceId),
    /// Pass to a server of one of several services.
    Split(Box<Split>),
    /// Send elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Value of `Location`.
        to: Template,
    },
    /// A fixed answer.
    Respond(FixedResponse),
}

impl Action {
    /// The services its requests are split between, if they are.
    #[must_use]
    pub fn split(&self) -> Option<&Split> {
        match self {
            Self::Split(split) => Some(split),
            _ => None,
        }
    }
}

/// A fixed answer.
#[derive(Debug, PartialEq, Eq)]
pub struct FixedResponse {
    /// Its status.
    pub status: u16,
    /// Its fields, Content-Type among them.
    pub fields: Box<[(Box<str>, Template)]>,
    /// Its body.
    pub body: Arc<[u8]>,
}

/// What becomes of the normalised path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PathRewrite {
    /// Sent as matched.
    #[default]
    Keep,
    /// The first `length` bytes, a whole number of segments, are replaced by `with` (empty to strip).
    ReplacePrefix {
        /// Bytes of the matched prefix, without a closing slash.
        length: usize,
        /// What stands there instead, without a closing slash.
        with: Box<str>,
    },
}

impl PathRewrite {
    /// Appends the path that the server sees. A path never becomes empty; an asterisk stays one.
    pub fn write(&self, path: &[u8], out: &mut Vec<u8>) {
        let Self::ReplacePrefix { length, with } = self else {
            return out.extend_from_slice(path);
        };
        if path.first() != Some(&b'/') {
            return out.extend_from_slice(path);
        }
        let rest = path.get(*length..).unwrap_or_default();
        out.extend_from_slice(with.as_bytes());
        if rest.first() == Some(&b'/') {
            out.extend_from_slice(rest);
        } else if with.is_empty() {
            out.push(b'/');
        }
    }
}

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

impl Plan {
    /// The listener with this id. Ids come from the same plan, so the index is in bounds; an id of another plan gives `None`.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(id.index())
    }

    /// The route with this id.
    #[must_use]
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(id.index())
    }

    /// The service with this id.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(id.index())
    }

    /// The server with this id.
    #[must_use]
    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(id.index())
    }

    /// The rate limit with this id.
    #[must_use]
    pub fn limit(&self, id: LimitId) -> Option<&RateLimit> {
        self.limits.get(id.index())
    }
}
