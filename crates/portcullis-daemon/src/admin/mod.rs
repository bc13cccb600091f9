//! The two doors for operators and their tools: HAProxy's runtime API on a Unix socket, and an HTTP endpoint for
//! metrics, health and statistics.
//!
//! Commands are parsed to values, executed against the snapshot in force, and rendered by pure functions. Nothing
//! here holds state of its own but the number of clients turned away.

pub(crate) mod command;
mod execute;
pub(crate) mod http;
mod info;
mod numbers;
mod reply;
mod routes;
mod session;
pub(crate) mod socket;
mod stat;
mod state;
mod text;
mod vocabulary;

pub(crate) use command::GuardWords;
pub(crate) use text::iso_time;

use std::sync::Arc;

use portcullis_plan::live::Events;

use crate::daemon::Daemon;
use crate::resolve::Lookups;

/// What both doors work on.
pub(crate) struct Admin {
    /// The process.
    pub(crate) daemon: Arc<Daemon>,
    /// Lookups of host names, for their failures.
    pub(crate) lookups: Arc<Lookups>,
    /// Clients of the socket or the endpoint turned away because too many were there.
    pub(crate) refused: Events,
}

impl Admin {
    /// The doors of `daemon`.
    pub(crate) fn new(daemon: Arc<Daemon>, lookups: Arc<Lookups>) -> Arc<Self> {
        Arc::new(Self {
            daemon,
            lookups,
            refused: Events::default(),
        })
    }
}
