//! What is remembered, counted and logged of a reload.

use portcullis_plan::live::ReloadResult;

use crate::daemon::Asker;
use crate::history::Entry;
use crate::lifecycle::Process;
use crate::report::Report;

impl Process {
    /// Remembers what came of it, and what a new generation was made from.
    pub(super) fn write_down(&mut self, report: &Report, by: &'static str, outcome: &'static str) {
        let generation = self.daemon.snapshot().generation;
        let at = self.daemon.clock.wall_nanos(self.daemon.clock.now());
        let hash = self.made_from.hash.clone();
        if let Some(entry) = Entry::of(report, (generation, at), (by, outcome), hash) {
            self.history.add(entry);
        }
        if matches!(report, Report::Reloaded(_) | Report::WentBack(_)) {
            self.history.keep(generation, &self.made_from.recording);
        }
    }

    /// Renewed certificates, or those that could not be used.
    pub(super) fn record_renewal(&mut self, report: &Report) {
        self.count_renewal(report);
        self.write_down(report, Asker::Watch.word(), "renewed");
    }

    fn count_renewal(&self, report: &Report) {
        let snapshot = self.daemon.snapshot();
        let process = &snapshot.live.process;
        match report {
            Report::Reloaded(done) => {
                if !done.warnings.is_empty() {
                    tracing::warn!("{}", done.warnings.trim_end());
                }
                for change in &done.changes {
                    tracing::info!("renewed: {change}");
                }
                process.renewals.count();
            }
            // A guard is of a reload.
            Report::WentBack(_) => {}
            Report::Unchanged => {}
            Report::Rejected { reasons } => {
                tracing::error!(
                    "changed certificates cannot be used, the old ones stay in force\n{}",
                    reasons.trim_end()
                );
                process.renewals_rejected.count();
            }
        }
    }

    pub(super) fn count(&self, report: &Report) {
        let snapshot = self.daemon.snapshot();
        let result = match report {
            Report::Reloaded(done) => {
                if !done.warnings.is_empty() {
                    tracing::warn!("{}", done.warnings.trim_end());
                }
                for change in &done.changes {
                    tracing::info!("{change}");
                }
                tracing::info!("configuration reloaded: {}", done.line());
                ReloadResult::Reloaded
            }
            // To monitoring it is a reload that failed: what runs is not what the files say.
            Report::WentBack(back) => {
                tracing::error!("{back}");
                ReloadResult::WentBack
            }
            Report::Unchanged => {
                tracing::info!("configuration unchanged");
                ReloadResult::Unchanged
            }
            Report::Rejected { reasons } => {
                tracing::error!(
                    "configuration rejected, the old one stays in force\n{}",
                    reasons.trim_end()
                );
                ReloadResult::Rejected
            }
        };
        let now = self.daemon.clock.wall_nanos(self.daemon.clock.now());
        snapshot
            .live
            .process
            .reloaded(result, now, snapshot.plan.fingerprint);
    }
}
