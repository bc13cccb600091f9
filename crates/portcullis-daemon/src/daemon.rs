//! What the tasks of the control thread share: the snapshot in force, the clock, and the door to `reload`.

use std::sync::Arc;

use portcullis_proxy::{Clock, Snapshot, SnapshotCell};
use tokio::sync::{mpsc, oneshot};

use crate::reload::Report;

/// The running process, as its admin socket, probes and metrics see it. Shared between threads; nothing in it blocks.
pub(crate) struct Daemon {
    /// Plan and live state in force. Everybody may load; only `reload` swaps.
    pub(crate) snapshots: Arc<SnapshotCell>,
    /// The clock of the process.
    pub(crate) clock: Clock,
    /// Where `reload` is asked for.
    pub(crate) reloads: mpsc::Sender<oneshot::Sender<Arc<Report>>>,
}

impl Daemon {
    /// The plan and the live state in force now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.load()
    }

    /// Reloads the configuration and waits for what came of it. Requests are taken one after the other.
    pub(crate) async fn reload(&self) -> Arc<Report> {
        let (answer, report) = oneshot::channel();
        if self.reloads.send(answer).await.is_err() {
            return Arc::new(Report::stopping());
        }
        report
            .await
            .unwrap_or_else(|_| Arc::new(Report::stopping()))
    }
}
