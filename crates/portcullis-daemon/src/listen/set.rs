//! The addresses that are open, and what a plan changes about them: everything new is opened before anything changes,
//! so that a plan whose addresses cannot be had changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_plan::plan::{Bind, Plan};
use serde_json::{Value, json};

use super::bind::{BindError, Bound, Listening};
use super::passed::Passed;

/// What makes two binds the same socket, whatever else is set for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Address and port, and whether IPv4 is taken too.
    Tcp(SocketAddr, bool),
    /// Any port: another one for each place in the configuration that asks for it.
    AnyPort(Arc<str>, usize, SocketAddr),
    /// Path.
    Unix(PathBuf),
    /// Name, and which of those that were passed under it.
    Passed(Arc<str>, usize),
}

impl Key {
    /// In words that a process of another version understands.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Tcp(address, dual_stack) => json!(["tcp", address.to_string(), dual_stack]),
            Self::AnyPort(listener, position, address) => {
                json!(["any-port", &**listener, position, address.to_string()])
            }
            Self::Unix(path) => json!(["unix", path.to_string_lossy()]),
            Self::Passed(name, index) => json!(["passed", &**name, index]),
        }
    }

    /// The reverse of [`Key::to_json`].
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let words = value.as_array()?;
        let text = |at: usize| words.get(at)?.as_str();
        let number = |at: usize| usize::try_from(words.get(at)?.as_u64()?).ok();
        match text(0)? {
            "tcp" => Some(Self::Tcp(text(1)?.parse().ok()?, words.get(2)?.as_bool()?)),
            "any-port" => Some(Self::AnyPort(
                text(1)?.into(),
                number(2)?,
                text(3)?.parse().ok()?,
            )),
            "unix" => Some(Self::Unix(text(1)?.into())),
            "passed" => Some(Self::Passed(text(1)?.into(), number(2)?)),
            _ => None,
        }
    }

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
            Bind::Passed { name } => Self::Passed(Arc::clone(name), 0),
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
pub(crate) struct Sockets {
    open: BTreeMap<Key, Open>,
    passed: Passed,
    /// What a predecessor had open, until this process has taken of it what it needs.
    inherited: BTreeMap<Key, Vec<Listening>>,
}

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
        /// One for each worker, at least; what is more is spread over them.
        sockets: Vec<Listening>,
    },
    /// Take what waits and close.
    Close {
        /// The address.
        key: Key,
    },
}

impl Sockets {
    /// None open yet, with what was passed to this process.
    pub(crate) fn with(passed: Passed) -> Self {
        Self {
            passed,
            ..Self::default()
        }
    }

    /// The same with what a predecessor had open.
    pub(crate) fn inherited(sockets: Vec<(Key, Vec<Listening>)>) -> Self {
        let (mut passed, mut inherited) = (Passed::default(), BTreeMap::new());
        for (key, sockets) in sockets {
            match key {
                Key::Passed(name, _) => passed.add(&name, sockets),
                key => drop(inherited.insert(key, sockets)),
            }
        }
        Self {
            open: BTreeMap::new(),
            passed,
            inherited,
        }
    }

    /// What a predecessor had open at this address.
    pub(crate) fn inheritance(&self, key: &Key) -> Option<&[Listening]> {
        self.inherited.get(key).map(Vec::as_slice)
    }

    /// Closes what a predecessor had open and this process has no use for.
    pub(crate) fn renounce(&mut self) {
        self.inherited.clear();
    }

    /// A descriptor of every socket that is open or was passed, for a successor.
    pub(crate) fn hand_out(&self) -> io::Result<Vec<(Key, Vec<Listening>)>> {
        let mut all = Vec::new();
        for (key, open) in &self.open {
            if !matches!(key, Key::Passed(..)) {
                all.push((key.clone(), open.bound.descriptors()?));
            }
        }
        for (name, sockets) in self.passed.all() {
            let sockets: io::Result<_> = sockets.iter().map(Listening::duplicate).collect();
            all.push((Key::Passed(name.into(), 0), sockets?));
        }
        Ok(all)
    }

    /// Socket files stay where they are when these sockets are closed: they are a successor's.
    pub(crate) fn leave_files(&mut self) {
        for open in self.open.values_mut() {
            open.bound.leave_file();
        }
    }

    /// The names of the sockets that were passed to this process and that no listener of `plan` accepts from.
    pub(crate) fn left_over(&self, plan: &Plan) -> Vec<&str> {
        let binds = || plan.listeners.iter().flat_map(|listener| &listener.binds);
        let is_bound = |wanted: &str| {
            binds().any(|bind| matches!(bind, Bind::Passed { name } if **name == *wanted))
        };
        self.passed.names().filter(|name| !is_bound(name)).collect()
    }

    /// Opens what `plan` needs and is not open. All that fails is told; then nothing stays open.
    pub(crate) fn prepare(&self, plan: &Plan, workers: usize) -> Result<Changes, Vec<OpenError>> {
        let mut changes = Changes {
            opened: Vec::new(),
            kept: Vec::new(),
        };
        let mut errors = Vec::new();
        for listener in &plan.listeners {
            for (position, bind) in listener.binds.iter().enumerate() {
                for (key, passed) in self.wanted(Key::of(&listener.name, position, bind)) {
                    if self.open.contains_key(&key) {
                        changes.kept.push((
                            key,
                            Arc::clone(&listener.name),
                            bind.clone(),
                            listener.backlog,
                        ));
                        continue;
                    }
                    let bound = match (passed, self.inheritance(&key)) {
                        (Some(socket), _) => Bound::passed(bind, socket, workers),
                        (None, Some(sockets)) => {
                            Bound::inherited(bind, sockets, listener.backlog, workers)
                        }
                        (None, None) => Bound::open(bind, listener.backlog, workers),
                    };
                    match bound.map_err(|cause| self.explain(cause)) {
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
        }
        if errors.is_empty() {
            Ok(changes)
        } else {
            Err(errors)
        }
    }

    /// The sockets that a bind comes to: one, or as many as were passed under its name.
    fn wanted(&self, key: Key) -> Vec<(Key, Option<&Listening>)> {
        let Key::Passed(name, _) = &key else {
            return vec![(key, None)];
        };
        let sockets = self.passed.named(name).iter().enumerate();
        let found: Vec<_> = sockets
            .map(|(index, socket)| (Key::Passed(Arc::clone(name), index), Some(socket)))
            .collect();
        if found.is_empty() {
            return vec![(key, None)];
        }
        found
    }

    fn explain(&self, error: BindError) -> BindError {
        match error {
            BindError::NotPassed { name, .. } => BindError::NotPassed {
                name,
                passed: self.passed.names().map(str::to_owned).collect(),
            },
            other => other,
        }
    }

    /// Takes the changes over and says what workers have to do, closing first. Only running out of descriptors can fail
    /// here, for a single address, which is then left as it is.
    pub(crate) fn commit(&mut self, changes: Changes) -> (Vec<Step>, Vec<io::Error>) {
        let (mut steps, mut errors) = (Vec::new(), Vec::new());
        let gone: Vec<Key> = self
            .open
            .keys()
            .filter(|key| !changes.kept.iter().any(|(kept, ..)| kept == *key))
            .cloned()
            .collect();
        for key in gone {
            self.open.remove(&key);
            steps.push(Step::Close { key });
        }
        for (key, listener, bind, backlog) in changes.kept {
            let Some(open) = self.open.get_mut(&key) else {
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
            self.open.insert(key, open);
        }
        (steps, errors)
    }

    /// Listener and address of everything open, in the order of the addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&Arc<str>, &str)> {
        self.open
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

    #[test]
    fn keys_are_told_and_understood() {
        let address = "[::1]:80".parse().unwrap();
        for key in [
            Key::Tcp(address, true),
            Key::AnyPort("web".into(), 3, address),
            Key::Unix("/run/a b.sock".into()),
            Key::Passed("web".into(), 1),
        ] {
            assert_eq!(Key::from_json(&key.to_json()), Some(key));
        }
        assert_eq!(Key::from_json(&json!(["udp", "[::1]:80"])), None);
    }

    #[test]
    fn a_successor_opens_nothing_anew_and_serves_what_it_was_given() {
        let text = listener("a", "127.0.0.1:0") + &listener("b", "127.0.0.1:0");
        let mut old = Sockets::default();
        let changes = old.prepare(&plan(&text), 3).unwrap();
        drop(old.commit(changes));
        let mut new = Sockets::inherited(old.hand_out().unwrap());
        let changes = new
            .prepare(&plan(&listener("b", "127.0.0.1:0")), 2)
            .unwrap();
        let (taken, _) = new.commit(changes);
        new.renounce();
        assert_eq!(addresses(&new), addresses(&old)[1..]);
        let [Step::Serve { sockets, .. }] = &taken[..] else {
            panic!("one address is served: {taken:?}")
        };
        assert_eq!(
            sockets.len(),
            3,
            "each queue of the old one has somebody who looks after it"
        );
        let more = Sockets::inherited(old.hand_out().unwrap());
        let changes = more.prepare(&plan(&text), 5).unwrap();
        let least = changes
            .opened
            .iter()
            .map(|(_, open)| open.bound.descriptors().unwrap().len());
        assert_eq!(
            least.min(),
            Some(5),
            "each worker has something to accept from"
        );
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
