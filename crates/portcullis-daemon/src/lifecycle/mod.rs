//! From start to end of a process: set everything up or say why not, then serve, reload and reopen as signals ask,
//! and drain within the time allowed.

mod drain;
pub(crate) mod notify;
mod signals;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_config::{Config, SourceMap};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::access_log::AccessLog;
use crate::check::ConfigSource;
use crate::daemon::{Asker, Daemon, Order, Request};
use crate::history::History;
use crate::listen::door::Door;
use crate::listen::set::Sockets;
use crate::log;
use crate::probe::Probes;
use crate::recording::Recording;
use crate::reload::Probation;
use crate::report::counted;
use crate::resolve::Resolver;
use crate::runtime::{self, Workers};
use crate::watch::Watched;
use notify::Notifier;
use signals::{Signal, Signals};

/// What to run, and how.
pub struct Options {
    /// Where the configuration comes from, now and at every reload.
    pub source: ConfigSource,
    /// Warnings about the configuration are errors.
    pub strict: bool,
    /// Called once everything is open, with the name and address of each listener.
    pub ready: Option<ReadyHook>,
}

/// Called with name and address of each open listener.
pub type ReadyHook = Box<dyn FnOnce(&[(String, String)])>;

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Asked to, with nothing cut off.
    Clean,
    /// It could not start.
    Failed,
    /// Before everything was drained: a second signal came, or the time was over.
    Forced,
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Forced => 3,
        }
    }
}

/// Runs until a signal ends it. To be called once in a process, by its main thread.
#[must_use]
pub fn run(options: Options) -> Exit {
    log::start();
    // Before any library builds a TLS configuration of its own. Somebody else's provider stays, if there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match runtime::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start a runtime");
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(control(options));
    // A lookup of a host name may hang in the system's resolver; nobody waits for it.
    runtime.shutdown_background();
    exit
}

/// Everything that a running process owns, on its control thread.
pub(crate) struct Process {
    pub(crate) source: ConfigSource,
    pub(crate) strict: bool,
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) workers: Workers,
    pub(crate) sockets: Sockets,
    pub(crate) doors: BTreeMap<Arc<str>, Arc<Door>>,
    pub(crate) access_log: AccessLog,
    pub(crate) probes: Probes,
    pub(crate) resolver: Resolver,
    pub(crate) notifier: Notifier,
    /// What the configuration in force was made from.
    pub(crate) made_from: MadeFrom,
    /// What happened to the configuration.
    pub(crate) history: History,
    /// The last reload, while it is guarded.
    pub(crate) probation: Option<Probation>,
    /// What the watching task watches.
    pub(crate) watched: watch::Sender<Watched>,
    pub(crate) _watching: JoinSet<()>,
}

/// What a configuration in force was made from.
#[derive(Clone)]
pub(crate) struct MadeFrom {
    /// Itself, unless nobody needs it.
    pub(crate) config: Arc<Config>,
    /// Names its files and their content.
    pub(crate) hash: String,
    /// Whether it is one of the past, which the files say no more.
    pub(crate) is_past: bool,
    /// Its files as they were read.
    pub(crate) recording: Arc<Recording>,
    /// Its text, for showing diagnostics.
    pub(crate) sources: Arc<SourceMap>,
}

async fn control(options: Options) -> Exit {
    let Ok(mut signals) = Signals::new() else {
        tracing::error!("cannot watch for signals");
        return Exit::Failed;
    };
    let (requests, mut asked) = mpsc::channel(16);
    let Some(started) = start::start(options, requests).await else {
        return Exit::Failed;
    };
    let start::Started { mut process, admin } = started;
    process.serve(&mut signals, &mut asked).await;
    let exit = process.drain(&mut signals).await;
    drop(admin);
    exit
}

impl Process {
    /// Until a signal says to stop.
    async fn serve(&mut self, signals: &mut Signals, asked: &mut mpsc::Receiver<Request>) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let request = tokio::select! {
                _ = second.tick() => {
                    let snapshot = self.daemon.snapshot();
                    snapshot.live.tick(&snapshot.plan, self.daemon.clock.now());
                    match self.verdict() {
                        Some(worse) => Request::Conclude(worse),
                        None => continue,
                    }
                }
                Some(request) = asked.recv() => request,
                signal = signals.next() => match signal {
                    // Nobody waits for the answer; the log has it.
                    Signal::Reload => Request::Reload(Order::by(Asker::Signal), oneshot::channel().0),
                    Signal::Reopen => {
                        self.access_log.reopen();
                        continue;
                    }
                    Signal::HandOver => {
                        tracing::warn!("USR2 is ignored: handing over to a new binary is not supported by this version");
                        continue;
                    }
                    Signal::Stop(name) => {
                        tracing::info!(signal = name, "stopping");
                        return;
                    }
                },
            };
            tokio::select! {
                () = self.answer(request) => {}
                name = signals.stop() => {
                    tracing::info!(signal = name, "stopping, the reload is abandoned");
                    return;
                }
            }
        }
    }

    /// Does what is asked for. Whoever asked may have left.
    async fn answer(&mut self, request: Request) {
        match request {
            Request::Reload(order, answer) => self.reload_and_answer(&order, answer).await,
            Request::Conclude(worse) => self.conclude(worse).await,
            Request::Plan(path, answer) => {
                let _ = answer.send(self.plan(path).await);
            }
            Request::Rollback(to, answer) => {
                let _ = answer.send(Arc::new(self.roll_back(to).await));
            }
            Request::Generations(answer) => {
                let _ = answer.send((self.history.text(), self.history.json()));
            }
            Request::Config(answer) => {
                let MadeFrom {
                    config, sources, ..
                } = &self.made_from;
                let _ = answer.send(portcullis_config::dump(config, sources));
            }
            Request::Renew(answer) => {
                let _ = answer.send(Arc::new(self.renew().await));
            }
        }
    }

    /// How things are, for the service manager.
    pub(crate) fn status(&self) -> String {
        let plan = &self.daemon.snapshot().plan;
        let listeners = counted(plan.listeners.len(), "listener");
        format!(
            "serving, {listeners}, {}",
            counted(plan.servers.len(), "server")
        )
    }
}
