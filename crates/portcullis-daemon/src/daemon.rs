//! What the tasks of the control thread share: the snapshot in force, the clock, and the door to `reload`.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis_plan::guard::Worse;
use portcullis_proxy::{Clock, Snapshot, SnapshotCell};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::effects::Effects;
use crate::reload::Guard;
use crate::report::Report;
use crate::tls::Store;

/// The running process, as its admin socket, probes and metrics see it. Shared between threads; nothing in it blocks.
pub(crate) struct Daemon {
    /// Plan and live state in force. Everybody may load; only `reload` swaps.
    pub(crate) snapshots: Arc<SnapshotCell>,
    /// The certificates in force, swapped together with the plan.
    pub(crate) store: ArcSwap<Store>,
    /// The clock of the process.
    pub(crate) clock: Clock,
    /// Where the control thread is asked for something. It takes one request after the other.
    pub(crate) requests: mpsc::Sender<Request>,
}

/// What the control thread is asked for.
pub(crate) enum Request {
    /// Load the configuration again.
    Reload(Order, oneshot::Sender<Arc<Report>>),
    /// Load the certificates of the plan in force again.
    Renew(oneshot::Sender<Arc<Report>>),
    /// Tell what the configuration, or that of another file, would change.
    Plan(Option<PathBuf>, oneshot::Sender<Result<Effects, String>>),
    /// Go back to this generation, or the one before.
    Rollback(Option<u64>, oneshot::Sender<Arc<Report>>),
    /// Tell what happened to the configuration, for operators and for machines.
    Generations(oneshot::Sender<(String, Value)>),
    /// Hand over to a new process of the program; tell what came of it.
    HandOver(oneshot::Sender<Result<String, String>>),
    /// Tell the effective configuration in force.
    Config(oneshot::Sender<String>),
    /// Conclude the probation of the last reload, with what got worse. Asked by nobody but the control thread itself.
    Conclude(Vec<Worse>),
}

/// How a reload is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Who wants it.
    pub(crate) by: Asker,
    /// The plan that it is to carry out, by its hash, and nothing else.
    pub(crate) plan: Option<String>,
    /// Whether it is to prove itself, and how.
    pub(crate) guard: Option<Guard>,
}

/// Who asks for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// HUP.
    Signal,
    /// A session of the admin socket.
    Socket,
    /// A file that has changed.
    Watch,
    /// The guard of the reload before.
    Guard,
}

impl Asker {
    /// In one word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Socket => "socket",
            Self::Watch => "watch",
            Self::Guard => "guard",
        }
    }
}

impl Order {
    /// A plain reload.
    pub(crate) const fn by(by: Asker) -> Self {
        Self {
            by,
            plan: None,
            guard: None,
        }
    }
}

impl Daemon {
    /// The plan and the live state in force now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.load()
    }

    /// Reloads the configuration and waits for what came of it.
    pub(crate) async fn reload(&self, order: Order) -> Arc<Report> {
        let asked = self.ask(|answer| Request::Reload(order, answer)).await;
        asked.unwrap_or_else(|| Arc::new(Report::stopping()))
    }

    /// Loads the certificates again and waits for what came of it.
    pub(crate) async fn renew(&self) -> Arc<Report> {
        let asked = self.ask(Request::Renew).await;
        asked.unwrap_or_else(|| Arc::new(Report::stopping()))
    }

    /// What the configuration of the process, or of another file, would change.
    pub(crate) async fn plan(&self, path: Option<PathBuf>) -> Result<Effects, String> {
        let asked = self.ask(|answer| Request::Plan(path, answer)).await;
        asked.unwrap_or_else(|| Err("the process is stopping".to_owned()))
    }

    /// Goes back to an earlier generation and waits for what came of it.
    pub(crate) async fn roll_back(&self, to: Option<u64>) -> Arc<Report> {
        let asked = self.ask(|answer| Request::Rollback(to, answer)).await;
        asked.unwrap_or_else(|| Arc::new(Report::stopping()))
    }

    /// What happened to the configuration, for operators and for machines.
    pub(crate) async fn generations(&self) -> (String, Value) {
        self.ask(Request::Generations).await.unwrap_or_default()
    }

    /// The effective configuration in force, as `check --dump` prints it. It holds no secrets: those are never written in one.
    pub(crate) async fn config(&self) -> String {
        self.ask(Request::Config).await.unwrap_or_default()
    }

    /// Hands over to a new process of the program and waits until it serves, or for the reason why it does not.
    pub(crate) async fn hand_over(&self) -> Result<String, String> {
        let asked = self.ask(Request::HandOver).await;
        asked.unwrap_or_else(|| Err("the process is stopping".to_owned()))
    }

    /// `None` if the process is about to end.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.ok()?;
        answered.await.ok()
    }
}
