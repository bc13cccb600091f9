//! From start to end of a process: set everything up or say why not, then serve, reload and reopen as signals ask,
//! and drain within the time allowed.

mod admin_doors;
mod drain;
pub(crate) mod handover;
pub(crate) mod notify;
mod serve;
mod signals;
mod start;
mod watchdog;

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_config::{Config, SourceMap};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::access_log::AccessLog;
use crate::check::ConfigSource;
use crate::daemon::Daemon;
use crate::history::History;
use crate::listen::door::Door;
use crate::listen::passed::Passed;
use crate::listen::set::Sockets;
use crate::log;
use crate::privileges::Sandbox;
use crate::probe::Probes;
use crate::recording::Recording;
use crate::reload::{Probation, Retired};
use crate::resolve::Resolver;
use crate::runtime::{self, Workers};
use crate::watch::Watched;
use drain::After;
use handover::{Caller, Taken};
use notify::Notifier;
use signals::Signals;
use watchdog::Watchdog;

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
    let given = match Given::from_env() {
        Ok(given) => given,
        Err(error) => {
            tracing::error!(%error, "what was passed to this process cannot be used");
            return Exit::Failed;
        }
    };
    // Before any library builds a TLS configuration of its own. Somebody else's provider stays, if there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match runtime::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start a runtime");
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(control(options, given));
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
    pub(crate) notifier: Arc<Notifier>,
    /// Held for its task.
    pub(crate) _watchdog: Watchdog,
    pub(crate) caller: Option<Caller>,
    /// What the configuration in force was made from.
    pub(crate) made_from: MadeFrom,
    /// What the process is confined to, if it is.
    pub(crate) sandbox: Option<Sandbox>,
    /// What happened to the configuration.
    pub(crate) history: History,
    /// Generations that requests may still hold.
    pub(crate) retired: Retired,
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

async fn control(options: Options, given: Given) -> Exit {
    let Ok(mut signals) = Signals::new() else {
        tracing::error!("cannot watch for signals");
        return Exit::Failed;
    };
    let (requests, mut asked) = mpsc::channel(16);
    let Some(started) = start::start(options, given, requests).await else {
        return Exit::Failed;
    };
    let start::Started {
        mut process,
        mut admin,
    } = started;
    let after = process.serve(&mut signals, &mut asked, &admin).await;
    match after {
        After::Nobody => process.lame_duck(&mut signals).await,
        After::Successor => {
            process.sockets.leave_files();
            admin.leave();
        }
    }
    let exit = process.drain(after, &mut signals).await;
    admin.finish().await;
    exit
}

/// What a process finds open when it begins.
enum Given {
    /// By a service manager, or nothing.
    Passed(Passed),
    /// By the process whose place it takes.
    Taken(Box<Taken>),
}

impl Given {
    fn from_env() -> std::io::Result<Self> {
        Ok(match Taken::from_env()? {
            Some(taken) => Self::Taken(Box::new(taken)),
            None => Self::Passed(Passed::from_env()?),
        })
    }
}
