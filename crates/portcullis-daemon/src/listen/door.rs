//! A listener as its accept loops see it: what stays the same across reloads, and the rules that a reload replaces.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis_plan::live::{ListenerLive, ProcessLive};
use portcullis_plan::plan::{Listener, Networks, Plan};

use crate::tls::{ListenerTls, Store};

/// One listener, shared by the accept loops of all workers.
pub(crate) struct Door {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its counters.
    pub(crate) live: Arc<ListenerLive>,
    /// The counters of the process.
    pub(crate) process: Arc<ProcessLive>,
    rules: ArcSwap<Rules>,
}

/// What decides about a new connection.
pub(crate) struct Rules {
    /// Connections that may be open at this listener.
    pub(crate) max_connections: u32,
    /// Connections that may be open in all.
    pub(crate) max_connections_in_all: u32,
    /// Peers that must begin with a PROXY header.
    pub(crate) proxy_protocol: Option<Networks>,
    /// TLS, if it is spoken here.
    pub(crate) tls: Option<Arc<ListenerTls>>,
    /// Bound of PROXY header and TLS handshake together.
    pub(crate) handshake: Duration,
}

impl Rules {
    /// The rules of one listener of a plan, with what was loaded for it.
    pub(crate) fn of(plan: &Plan, listener: &Listener, store: &Store) -> Self {
        Self {
            max_connections: listener.max_connections,
            max_connections_in_all: plan.process.max_connections,
            proxy_protocol: listener.proxy_protocol.clone(),
            tls: store.listener(&listener.name).cloned(),
            handshake: listener.timeouts.handshake,
        }
    }

    /// Whether rules about client certificates mean the same here and there.
    pub(crate) fn same_client_rules(&self, other: &Self) -> bool {
        match (&self.tls, &other.tls) {
            (Some(one), Some(other)) => one.same_rules(other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Door {
    /// A door with its first rules.
    pub(crate) fn new(live: Arc<ListenerLive>, process: Arc<ProcessLive>, rules: Rules) -> Self {
        Self {
            name: Arc::clone(live.name()),
            live,
            process,
            rules: ArcSwap::from_pointee(rules),
        }
    }

    /// The rules for a connection that comes now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// New rules, for connections that come from now on.
    pub(crate) fn replace(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }
}
