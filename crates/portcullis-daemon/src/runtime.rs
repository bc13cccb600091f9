//! The threads of the process: workers, each with a runtime and a data plane of its own, fed by a channel of commands.
//!
//! Threads, runtimes and the tasks that live as long as the process are made here and nowhere else. Each worker runs
//! everything of a connection on one thread; nothing wanders between them.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use portcullis_plan::WorkerId;
use portcullis_proxy::{Clock, LogSink, Snapshot, SnapshotCell, Worker, caught};
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::listen::accept::{Socket, accept_loop};
use crate::listen::bind::Listening;
use crate::listen::door::Door;
use crate::listen::set::Key;

/// What a worker is told. A worker whose channel closes stops at once.
pub(crate) enum Command {
    /// Accept on this socket.
    Serve {
        /// Its listener.
        door: Arc<Door>,
        /// Its address, for closing it again.
        key: Key,
        /// The socket.
        socket: Listening,
    },
    /// Take what waits at this address and accept no more.
    Close {
        /// The address.
        key: Key,
    },
    /// Idle connections look at the plan again. Those of listeners that are gone are served by the former plan for so long.
    Revise(Option<(Arc<Snapshot>, Duration)>),
    /// Accept no more and close connections as soon as they are idle.
    Drain,
    /// Accept no more and close connections with their next answer: there is a successor.
    HandOver,
    /// Say goodbye to WebSockets.
    EndTunnels,
    /// Say how busy you are.
    Report(oneshot::Sender<Busy>),
}

/// What is still going on, of one worker or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Busy {
    /// Open client connections.
    pub(crate) connections: usize,
    /// Requests in progress.
    pub(crate) exchanges: usize,
    /// Open tunnels.
    pub(crate) tunnels: usize,
}

impl Busy {
    /// Both together.
    fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            exchanges: self.exchanges + other.exchanges,
            tunnels: self.tunnels + other.tunnels,
        }
    }

    /// Whether nothing is left to wait for.
    pub(crate) fn is_over(self) -> bool {
        self == Self::default()
    }
}

/// The worker threads. Dropping this stops them at once; [`Workers::stop`] waits for that.
pub(crate) struct Workers(Vec<Thread>);

struct Thread {
    commands: mpsc::UnboundedSender<Command>,
    handle: JoinHandle<()>,
}

impl Workers {
    /// Starts as many workers as there are log sinks.
    pub(crate) fn start<L: LogSink + Send + 'static>(
        snapshots: &Arc<SnapshotCell>,
        clock: Clock,
        logs: Vec<L>,
    ) -> io::Result<Self> {
        let mut threads = Vec::with_capacity(logs.len());
        for (index, log) in logs.into_iter().enumerate() {
            let (commands, inbox) = mpsc::unbounded_channel();
            let (begun, beginning) = sync_channel(1);
            let snapshots = Arc::clone(snapshots);
            let thread = move || match runtime() {
                Ok(runtime) => {
                    let _ = begun.send(Ok(()));
                    runtime.block_on(work(WorkerId::new(index), snapshots, clock, log, inbox));
                }
                Err(error) => drop(begun.send(Err(error))),
            };
            let handle = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(thread)?;
            // A runtime that cannot be made is an error of the start and not a dead thread.
            beginning.recv().map_err(io::Error::other)??;
            threads.push(Thread { commands, handle });
        }
        Ok(Self(threads))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives every worker its own command.
    pub(crate) fn tell(&self, mut command: impl FnMut() -> Command) {
        for thread in &self.0 {
            // A worker that is gone has said so in the log.
            let _ = thread.commands.send(command());
        }
    }

    /// Spreads the sockets of an address over the workers.
    pub(crate) fn serve(&self, door: &Arc<Door>, key: &Key, sockets: Vec<Listening>) {
        for (thread, socket) in self.0.iter().cycle().zip(sockets) {
            let _ = thread.commands.send(Command::Serve {
                door: Arc::clone(door),
                key: key.clone(),
                socket,
            });
        }
    }

    /// What all workers are busy with.
    pub(crate) async fn busy(&self) -> Busy {
        let mut sum = Busy::default();
        for thread in &self.0 {
            let (answer, report) = oneshot::channel();
            let _ = thread.commands.send(Command::Report(answer));
            sum = sum.plus(report.await.unwrap_or_default());
        }
        sum
    }

    /// Asks every worker for a sign of life, and does not keep them alive by that.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse(
            self.0
                .iter()
                .map(|thread| thread.commands.downgrade())
                .collect(),
        )
    }

    /// Stops at once: whatever is open is cut.
    pub(crate) fn stop(self) {
        let handles: Vec<_> = self.0.into_iter().map(|thread| thread.handle).collect();
        for handle in handles {
            if handle.join().is_err() {
                tracing::error!("a worker thread ended by a panic");
            }
        }
    }
}

/// Asks all workers for a sign of life.
pub(crate) struct Pulse(Vec<mpsc::WeakUnboundedSender<Command>>);

impl Pulse {
    /// Waits until every worker has answered. False when one is gone; one that hangs is waited for, however long, so
    /// that no second question is put to it.
    pub(crate) async fn felt(&self) -> bool {
        for commands in &self.0 {
            let (answer, report) = oneshot::channel();
            let asked = commands
                .upgrade()
                .is_some_and(|commands| commands.send(Command::Report(answer)).is_ok());
            if !asked || report.await.is_err() {
                return false;
            }
        }
        true
    }
}

/// A runtime for one thread, and for tasks that never leave it.
pub(crate) fn runtime() -> io::Result<LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())
}

async fn work<L: LogSink + 'static>(
    id: WorkerId,
    snapshots: Arc<SnapshotCell>,
    clock: Clock,
    log: L,
    mut inbox: mpsc::UnboundedReceiver<Command>,
) {
    let worker = Worker::new(id, snapshots, clock, Box::new(log));
    tokio::task::spawn_local(Rc::clone(&worker).maintain());
    let mut loops = Loops {
        worker,
        open: BTreeMap::new(),
    };
    while let Some(command) = inbox.recv().await {
        // A fault in obeying one must not end the thread, and every connection with it.
        let _ = caught(|| loops.obey(command));
    }
}

/// The accept loops of one worker.
struct Loops {
    worker: Rc<Worker>,
    open: BTreeMap<Key, Vec<Rc<Notify>>>,
}

impl Loops {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Serve { door, key, socket } => self.serve(door, key, socket),
            Command::Close { key } => self.close(&key),
            Command::Revise(former) => self.worker.revise(former),
            Command::Drain => {
                self.close_all();
                self.worker.drain();
            }
            Command::HandOver => {
                self.close_all();
                self.worker.hand_over();
            }
            Command::EndTunnels => self.worker.end_tunnels(),
            Command::Report(answer) => {
                // A worker that serves nobody lets go of a plan that is in force no more.
                drop(self.worker.snapshot());
                // Whoever asked may have stopped waiting.
                let _ = answer.send(Busy {
                    connections: self.worker.open_connections(),
                    exchanges: self.worker.exchanges(),
                    tunnels: self.worker.tunnels(),
                });
            }
        }
    }

    fn serve(&mut self, door: Arc<Door>, key: Key, socket: Listening) {
        let socket = match Socket::register(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(listener = %door.name, %error, "a worker cannot serve a socket");
                return;
            }
        };
        let close = Rc::new(Notify::new());
        tokio::task::spawn_local(accept_loop(
            socket,
            door,
            Rc::clone(&self.worker),
            Rc::clone(&close),
        ));
        self.open.entry(key).or_default().push(close);
    }

    fn close_all(&mut self) {
        let open = std::mem::take(&mut self.open);
        open.values().flatten().for_each(|close| close.notify_one());
    }

    fn close(&mut self, key: &Key) {
        let open = self.open.remove(key);
        open.iter().flatten().for_each(|close| close.notify_one());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pulse_is_felt_only_while_every_worker_answers() {
        let (one, mut first) = mpsc::unbounded_channel();
        let (two, mut second) = mpsc::unbounded_channel();
        let pulse = Pulse(vec![one.downgrade(), two.downgrade()]);
        let answer = |command: Option<Command>| match command {
            Some(Command::Report(answer)) => answer.send(Busy::default()).unwrap(),
            _ => unreachable!("only reports are asked for"),
        };
        let answers = async {
            answer(first.recv().await);
            answer(second.recv().await);
        };
        assert!(tokio::join!(pulse.felt(), answers).0);

        let hung = async {
            answer(first.recv().await);
            second.recv().await
        };
        let waited = tokio::time::timeout(Duration::from_secs(3600), async {
            tokio::join!(pulse.felt(), hung)
        });
        assert!(waited.await.is_err(), "nobody is told meanwhile");

        drop(two);
        let answers = async { answer(first.recv().await) };
        assert!(!tokio::join!(pulse.felt(), answers).0, "a worker is gone");
    }
}
