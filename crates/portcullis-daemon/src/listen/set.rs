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
    /// Any port: another one for each place in the configuration that asks for it.
    AnyPort(Arc<str>, usize, SocketAddr),
    /// Path.
    Unix(PathBuf),
}

impl Key {
    /// The key of the bind at this position of a listener.
    fn of(listener: &Arc<str>, position: usize, bind: &Bind) -> Self {
        match bind {
            Bind::Tcp { address, .. } if address.port() == 0 => {
                Self::AnyPort(Arc::clone(listener), position, *address)
            }
            Bind::Tcp {
                address,
                dual_stack,
            } => Self::Tcp(*address, *dual_stack),
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
        let mut changes = Changes {
            opened: Vec::new(),
            kept: Vec::new(),
        };
        let mut errors = Vec::new();
        for listener in &plan.listeners {
            for (position, bind) in listener.binds.iter().enumerate() {
                let key = Key::of(&listener.name, position, bind);
                if self.0.contains_key(&key) {
                    changes.kept.push((
                        key,
                        Arc::clone(&listener.name),
                        bind.clone(),
                        listener.backlog,
                    ));
                    continue;
                }
                match Bound::open(bind, listener.backlog, workers) {
                    Ok(bound) => changes.opened.push((
                        key,
                        Open {
                            listener: Arc::clone(&listener.name),
                            bound,
                        },
                    )),
                    Err(cause) => errors.push(OpenError {
                        listener: Arc::clone(&listener.name),
                        place: Arc::clone(&listener.place),
                        cause,
                    }),
                }
            }
        }
        if errors.is_empty() {
            Ok(changes)
        } else {
            Err(errors)
        }
    }

    /// Takes the changes over and says what workers have to do, closing first. Only running out of descriptors can fail
    /// here, for a single address, which is then left as it is.
    pub(crate) fn commit(&mut self, changes: Changes) -> (Vec<Step>, Vec<io::Error>) {
        let (mut steps, mut errors) = (Vec::new(), Vec::new());
        let gone: Vec<Key> = self
            .0
            .keys()
            .filter(|key| !changes.kept.iter().any(|(kept, ..)| kept == *key))
            .cloned()
            .collect();
        for key in gone {
            self.0.remove(&key);
            steps.push(Step::Close { key });
        }
        for (key, listener, bind, backlog) in changes.kept {
            let Some(open) = self.0.get_mut(&key) else {
                continue;
            };
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
        self.0
            .values()
            .map(|open| (&open.listener, open.bound.address.as_str()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::testing::snapshot;

    fn plan(listeners: &str) -> Arc<Plan> {
        let rest = "\n[[route]]\npath = \"/\"\nrespond = { status = 200 }\n";
        Arc::clone(&snapshot(&format!("{listeners}{rest}")).plan)
    }

    fn listener(name: &str, bind: &str) -> String {
        format!("[listener.{name}]\nbind = \"{bind}\"\n")
    }

    fn addresses(sockets: &Sockets) -> Vec<(String, String)> {
        sockets
            .addresses()
            .map(|(name, address)| (name.to_string(), address.to_owned()))
            .collect()
    }

    fn steps(steps: &[Step]) -> Vec<&'static str> {
        steps
            .iter()
            .map(|step| {
                if matches!(step, Step::Close { .. }) {
                    "close"
                } else {
                    "serve"
                }
            })
            .collect()
    }

    #[test]
    fn any_port_is_another_one_for_each_listener() {
        let text = listener("a", "127.0.0.1:0") + &listener("b", "127.0.0.1:0");
        let mut sockets = Sockets::default();
        let changes = sockets.prepare(&plan(&text), 2).unwrap();
        let (taken, errors) = sockets.commit(changes);
        assert_eq!((steps(&taken), errors.len()), (vec!["serve", "serve"], 0));
        let [(_, a), (_, b)] = &addresses(&sockets)[..] else {
            panic!("two addresses")
        };
        assert_ne!(a, b);
    }

    #[test]
    fn what_stays_is_not_touched_and_what_goes_is_closed() {
        let mut sockets = Sockets::default();
        let text = listener("a", "127.0.0.1:0") + &listener("b", "127.0.0.1:0");
        let changes = sockets.prepare(&plan(&text), 1).unwrap();
        drop(sockets.commit(changes));
        let before = addresses(&sockets);
        let changes = sockets
            .prepare(&plan(&listener("b", "127.0.0.1:0")), 1)
            .unwrap();
        let (taken, _) = sockets.commit(changes);
        assert_eq!(steps(&taken), ["close"]);
        assert_eq!(addresses(&sockets), before[1..]);
        drop(taken);
        assert!(
            TcpStream::connect(&before[0].1).is_err(),
            "the address is free again"
        );
    }

    #[test]
    fn an_address_that_goes_to_another_listener_stays_open() {
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().to_string()
        };
        let mut sockets = Sockets::default();
        let changes = sockets.prepare(&plan(&listener("a", &port)), 1).unwrap();
        let (first, _) = sockets.commit(changes);
        let changes = sockets.prepare(&plan(&listener("b", &port)), 1).unwrap();
        let (taken, _) = sockets.commit(changes);
        assert_eq!(steps(&taken), ["close", "serve"]);
        drop(first);
        assert_eq!(addresses(&sockets), [("b".to_owned(), port.clone())]);
        assert!(TcpStream::connect(&port).is_ok());
    }

    #[test]
    fn one_address_that_cannot_be_had_changes_nothing() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let text =
            listener("a", "127.0.0.1:0") + &listener("b", &held.local_addr().unwrap().to_string());
        let sockets = Sockets::default();
        let errors = sockets.prepare(&plan(&text), 1).unwrap_err();
        assert_eq!(errors.len(), 1);
        let text = errors[0].to_string();
        assert!(
            text.starts_with("listener `b` (") && text.contains("is held by process"),
            "{text}"
        );
        assert!(addresses(&sockets).is_empty());
    }
}
