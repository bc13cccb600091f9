//! What a change is about.

use std::fmt;
use std::sync::Arc;

/// What a change is about; displayed, it is what operators read: `` route `api` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// The process.
    Process,
    /// A listener.
    Listener(Arc<str>),
    /// A route.
    Route(Arc<str>),
    /// The order of the routes.
    Routes,
    /// A service.
    Service(Arc<str>),
    /// A server.
    Server {
        /// The name of its service.
        service: Arc<str>,
        /// Its own name.
        name: Arc<str>,
        /// Its address, where that is worth telling.
        address: Option<Box<str>>,
    },
    /// A certificate with its key.
    Certificate {
        /// Its file.
        file: Box<str>,
        /// The name of the listener that shows it.
        listener: Arc<str>,
        /// The day it ends.
        until: Box<str>,
    },
    /// What a listener asks of the certificates of its clients.
    ClientRules(Arc<str>),
    /// Which certificates of servers a service believes, and which it shows them.
    Trust(Arc<str>),
}

impl Object {
    /// What kind of thing it is, in the singular: `route`, `server`, `listener`.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Process => "process setting",
            Self::Listener(_) => "listener",
            Self::Route(_) => "route",
            Self::Routes => "order of routes",
            Self::Service(_) => "service",
            Self::Server { .. } => "server",
            Self::Certificate { .. } => "certificate",
            Self::ClientRules(_) => "rules about client certificates",
            Self::Trust(_) => "trust",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("process"),
            Self::Listener(name) => write!(f, "listener `{name}`"),
            Self::Route(name) => write!(f, "route `{name}`"),
            Self::Routes => f.write_str("routes"),
            Self::Service(name) => write!(f, "service `{name}`"),
            Self::Server {
                service,
                name,
                address,
            } => {
                write!(f, "server `{service}/{name}`")?;
                match address {
                    Some(address) => write!(f, " ({address})"),
                    None => Ok(()),
                }
            }
            Self::Certificate {
                file,
                listener,
                until,
            } => write!(
                f,
                "certificate `{file}` of listener `{listener}` (until {until})"
            ),
            Self::ClientRules(listener) => {
                write!(
                    f,
                    "rules about client certificates of listener `{listener}`"
                )
            }
            Self::Trust(service) => write!(f, "trust of service `{service}`"),
        }
    }
}
