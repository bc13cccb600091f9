//! The addresses that are open, and what a plan changes about them: everything new is opened before anything changes,
//! so that a plan whose addresses cannot be had changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_plan::plan::{Bind, Plan};

use super::bind::{BindError, Bound, Listening};

/// What makes two binds the same socket, whatever else is set for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Address and port, and whether IPv4 is taken too.
    Tcp(SocketAddr, bool),
    /// Path.
    Unix(PathBuf),
}

impl Key {
    fn of(bind: &Bind) -> Self {
        match bind {
            Bind::Tcp { address, dual_stack } => Self::Tcp(*address, *dual_stack),
            Bind::Unix { path, .. } => Self::Unix(path.clone()),
        }
    }
}

/// A listener that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("listener `{listener}` ({place}): {cause}")]
pub(crate) struct OpenError {
    /// Its name.
    pub(crate) listener: Arc<str>,
    /// `file:line`.
    pub(crate) place: Arc<str>,
    /// Why.
    pub(crate) cause: BindError,
}

/// An open address with the listener it belongs to.
#[derive(Debug)]
struct Open {
    listener: Arc<str>,
    bound: Bound,
}

/// Every open address of the process. Dropping it closes them, but for the descriptors that workers hold.
#[derive(Debug, Default)]
pub(crate) struct Sockets(BTreeMap<Key, Open>);

/// What a plan changes, with everything new open already.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Addresses to open, not yet served.
    opened: Vec<(Key, Open)>,
    /// Addresses that stay open for the same or another listener, with what else is set for them.
    kept: Vec<(Key, Arc<str>, Bind, u32)>,
}

/// A step that the workers have to take.
#[derive(Debug)]
pub(crate) enum Step {
    /// Serve these descriptors, one for each worker.
    Serve {
        /// Their listener.
        listener: Arc<str>,
        /// The address, for closing it again.
        key: Key,
        /// The address as it is.
        address: String,
        /// One for each worker.
        sockets: Vec<Listening>,
    },
    /// Take what waits and close.
    Close {
        /// The address.
        key: Key,
    },
}

impl Sockets {
    /// Opens what `plan` needs and is not open. All that fails is told; then nothing stays open.
    pub(crate) fn prepare(&self, plan: &Plan, workers: usize) -> Result<Changes, Vec<OpenError>> {
        let mut changes = Changes { opened: Vec::new(), kept: Vec::new() };
        let mut errors = Vec::new();
        for listener in &plan.listeners {
            for bind in &listener.binds {
                let key = Key::of(bind);
                if self.0.contains_key(&key) {
                    changes.kept.push((key, Arc::clone(&listener.name), bind.clone(), listener.backlog));
                    continue;
                }
                match Bound::open(bind, listener.backlog, workers) {
                    Ok(bound) => changes.opened.push((key, Open { listener: Arc::clone(&listener.name), bound })),
                    Err(cause) => errors.push(OpenError {
                        listener: Arc::clone(&listener.name),
                        place: Arc::clone(&listener.place),
                        cause,
                    }),
                }
            }
        }
        if errors.is_empty() { Ok(changes) } else { Err(errors) }
    }

    /// Takes the changes over and says what workers have to do, closing first. Only running out of descriptors can fail
    /// here, for a single address, which is then left as it is.
    pub(crate) fn commit(&mut self, changes: Changes) -> (Vec<Step>, Vec<io::Error>) {
        let (mut steps, mut errors) = (Vec::new(), Vec::new());
        let gone: Vec<Key> =
            self.0.keys().filter(|key| !changes.kept.iter().any(|(kept, ..)| kept == *key)).cloned().collect();
        for key in gone {
            self.0.remove(&key);
            steps.push(Step::Close { key });
        }
        for (key, listener, bind, backlog) in changes.kept {
            let Some(open) = self.0.get_mut(&key) else { continue };
            errors.extend(open.bound.adjust(&bind, backlog).err());
            if open.listener != listener {
                open.listener = listener;
                match serve(&key, open) {
                    Ok(step) => steps.extend([Step::Close { key }, step]),
                    Err(error) => errors.push(error),
                }
            }
        }
        for (key, open) in changes.opened {
            match serve(&key, &open) {
                Ok(step) => steps.push(step),
                Err(error) => errors.push(error),
            }
            self.0.insert(key, open);
        }
        (steps, errors)
    }

    /// Listener and address of everything open, in the order of the addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&Arc<str>, &str)> {
        self.0.values().map(|open| (&open.listener, open.bound.address.as_str()))
    }
}

fn serve(key: &Key, open: &Open) -> io::Result<Step> {
    Ok(Step::Serve {
        listener: Arc::clone(&open.listener),
        key: key.clone(),
        address: open.bound.address.clone(),
        sockets: open.bound.descriptors()?,
    })
}
