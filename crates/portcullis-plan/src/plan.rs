//! The compiled configuration: flat arrays of ready-to-execute values, addressed by typed ids.
//!
//! A plan is never changed, only replaced. Every object has a name, which is its identity across
//! reloads, and a `place`, the `file:line` that operators see in logs and explanations.

mod listener;
mod route;
mod service;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use listener::{
    Bind, ExchangeTimeouts, Http2, HttpLimits, Listener, ListenerTimeouts, RequestIdRule,
    ServerHeader,
};
pub use route::{Action, Conduct, Extras, FixedResponse, PathRewrite, Route};
pub use service::{
    Address, Balance, HealthCheck, HealthKind, ProxyVersion, Server, ServerProtocols, Service,
    ServiceHttp2, ServiceTls, ServiceTlsSpans,
};
pub use tls::{Certificate, ClientAuth, Tls};

pub use crate::captures::Captures;
pub use crate::domains::Domains;
pub use crate::fault::Fault;
pub use crate::headers::{HeaderEdits, Template};
pub use crate::limit::RateLimit;
pub use crate::log_format::LogFormat;
pub use crate::maintenance::Maintenance;
pub use crate::map_back::MapBack;
pub use crate::mirror::Mirror;
pub use crate::networks::Networks;
pub use crate::normalize::PathPolicy;
pub use crate::rewrite::{PathChange, QueryEdits, TargetRewrite};
pub use crate::route::Router;
pub use crate::split::{Split, SplitTimeouts, VariantTimeouts};
use crate::{LimitId, ListenerId, RouteId, ServerId, ServiceId};

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
    /// How long clients of a listener that is taken away are still served.
    pub drain_timeout: Duration,
    /// Whether a change of the configuration's files is a reload.
    pub watch: bool,
    /// How long before the end of a certificate there is a warning about it.
    pub certificate_warning: Duration,
    /// How long it serves on before it stops, while health pages say so already.
    pub lame_duck: Option<Duration>,
    /// How long tunnels go on in a stop.
    pub tunnel_drain: Duration,
    /// Whom it becomes once its sockets are bound; fixed for the life of the process.
    pub user: Option<Box<str>>,
    /// The group that goes with it, unless it is that user's own.
    pub group: Option<Box<str>>,
    /// Whether it is confined to the folders of its files.
    pub sandbox: bool,
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
