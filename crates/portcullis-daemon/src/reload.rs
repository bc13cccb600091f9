//! The one way into the plan of a running process. Everything that can fail is done beside what runs; then one pointer
//! is swapped, and nothing after that can fail.

use std::fmt;
use std::sync::Arc;

use portcullis_config::{Diagnostic, Level};
use portcullis_plan::diff::diff;
use portcullis_plan::live::ReloadResult;
use portcullis_plan::plan::{AccessLog as LogPlan, Action, Plan};

use crate::access_log::{AccessLog, Output};
use crate::check::{Checked, check_after};
use crate::lifecycle::Process;
use crate::listen::door::{Door, Rules};
use crate::listen::set::{Changes, Step};
use crate::log;
use crate::runtime::Command;
use crate::tls::Store;

/// What a reload came to.
#[derive(Debug)]
pub(crate) enum Report {
    /// A new plan is in force.
    Reloaded {
        /// What is different, in operators' words.
        changes: Vec<String>,
        /// What was suspicious about the text.
        warnings: String,
        /// Client connections that stayed open.
        kept: u32,
    },
    /// What runs is what the text says.
    Unchanged,
    /// Nothing has changed, for these reasons.
    Rejected {
        /// The diagnostics as operators read them.
        reasons: String,
    },
}

impl Report {
    /// The answer of a process that is about to end.
    pub(crate) fn stopping() -> Self {
        Self::Rejected {
            reasons: "the process is stopping".to_owned(),
        }
    }

    /// Whether what runs is now what the text says.
    pub(crate) const fn is_success(&self) -> bool {
        !matches!(self, Self::Rejected { .. })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reloaded {
                changes,
                warnings,
                kept,
            } => {
                f.write_str(warnings)?;
                for change in changes {
                    writeln!(f, "{change}")?;
                }
                write!(
                    f,
                    "reloaded: {}, {} kept",
                    counted(changes.len(), "change"),
                    counted(*kept as usize, "connection")
                )
            }
            Self::Unchanged => f.write_str("unchanged: the configuration in force says the same"),
            Self::Rejected { reasons } => {
                writeln!(f, "{}", reasons.trim_end())?;
                f.write_str("rejected: everything stays as it was")
            }
        }
    }
}

/// `1 request`, `3 requests`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Everything a swap needs, ready.
struct Prepared {
    plan: Plan,
    store: Store,
    sockets: Changes,
    log: Option<Output>,
    warnings: String,
}

impl Process {
    /// Loads the configuration again and puts it to use if nothing is wrong with it.
    ///
    /// May be dropped while it waits: until the last step nothing has changed, and that step does not wait.
    pub(crate) async fn reload(&mut self) -> Report {
        self.notifier.reloading();
        let (source, store) = (self.source.clone(), Arc::clone(&self.store));
        let checking = tokio::task::spawn_blocking(move || check_after(&source, Some(&store)));
        let report = match checking.await {
            Ok(checked) => self.take_over(checked),
            Err(error) => Report::Rejected {
                reasons: format!("loading the configuration failed: {error}"),
            },
        };
        self.count(&report);
        self.notifier.ready(&self.status());
        report
    }

    fn take_over(&mut self, mut checked: Checked) -> Report {
        if self.strict {
            checked.be_strict();
        }
        if let Some(plan) = &checked.plan {
            let fixed = fixed_for_life(&self.daemon.snapshot().plan, plan);
            checked.diagnostics.extend(fixed);
        }
        let usable = checked.is_usable();
        let text = checked.render(false);
        let Checked {
            plan: Some(plan),
            tls: Some(store),
            ..
        } = checked
        else {
            return reject(text);
        };
        if !usable {
            return reject(text);
        }
        if self.is_unchanged(&plan, &store) {
            return Report::Unchanged;
        }
        match self.prepare(plan, store, text) {
            Ok(prepared) => self.swap(prepared),
            Err(reasons) => reject(reasons),
        }
    }

    fn is_unchanged(&self, plan: &Plan, store: &Store) -> bool {
        let old = &self.daemon.snapshot().plan;
        old.fingerprint == plan.fingerprint
            && self.store.same_as(store)
            && has_same_content(old, plan)
    }

    fn prepare(&self, plan: Plan, store: Store, warnings: String) -> Result<Prepared, String> {
        let old = &self.daemon.snapshot().plan;
        let sockets = self
            .sockets
            .prepare(&plan, self.workers.count())
            .map_err(|errors| {
                errors
                    .iter()
                    .map(|error| format!("error: {error}\n"))
                    .collect::<String>()
            })?;
        let log = other_log(&old.access_log, &plan.access_log)
            .map_err(|error| format!("error: the access log cannot be opened: {error}\n"))?;
        Ok(Prepared {
            plan,
            store,
            sockets,
            log,
            warnings,
        })
    }

    /// The point of no return, and the only place that swaps.
    fn swap(&mut self, prepared: Prepared) -> Report {
        let Prepared {
            plan,
            store,
            sockets,
            log: output,
            warnings,
        } = prepared;
        let (plan, store, old) = (Arc::new(plan), Arc::new(store), self.daemon.snapshot());
        let live = Arc::new(
            old.live
                .carry_over(&old.plan, &plan, self.daemon.clock.now()),
        );
        let changes = self.describe(&old.plan, &plan, &store);
        let upstream_tls = Arc::clone(store.upstream().table());
        self.daemon
            .snapshots
            .swap(Arc::clone(&plan), live, upstream_tls);

        let revised = self.replace_doors(&plan, &store);
        self.store = store;
        self.open_and_close(sockets);
        if revised {
            self.workers.tell(|| Command::Revise);
        }
        if let Some(output) = output {
            self.access_log.switch(output);
        }
        log::set_level(&plan.process.log_level);
        let snapshot = self.daemon.snapshot();
        self.resolver.apply(&snapshot);
        self.probes.apply(&snapshot);
        Report::Reloaded {
            changes,
            warnings,
            kept: snapshot.live.process.connections().open(),
        }
    }

    fn describe(&self, old: &Plan, new: &Plan, store: &Store) -> Vec<String> {
        let mut changes: Vec<String> = diff(old, new).iter().map(ToString::to_string).collect();
        for listener in store.changed_from(&self.store) {
            changes.push(format!(
                "listener `{listener}`: certificates or rules about client certificates changed"
            ));
        }
        for service in store.services_changed_from(&self.store) {
            changes.push(format!(
                "service `{service}`: TLS towards its servers changed; connections are made anew"
            ));
        }
        changes
    }

    /// Gives every listener its new rules; tells whether some listener is gone, or speaks TLS under other rules, so that
    /// idle connections must look at the plan again.
    fn replace_doors(&mut self, plan: &Plan, store: &Store) -> bool {
        let snapshot = self.daemon.snapshot();
        let mut revised = false;
        let mut doors = std::mem::take(&mut self.doors);
        for (listener, live) in plan.listeners.iter().zip(&snapshot.live.listeners) {
            let rules = Rules::of(plan, listener, store);
            let door = match doors.remove(&listener.name) {
                Some(door) => {
                    revised |= !door.rules().same_client_rules(&rules);
                    door.replace(rules);
                    door
                }
                None => Arc::new(Door::new(
                    Arc::clone(live),
                    Arc::clone(&snapshot.live.process),
                    rules,
                )),
            };
            self.doors.insert(Arc::clone(&listener.name), door);
        }
        revised || !doors.is_empty()
    }

    /// Opens and closes what a plan changes about addresses.
    pub(crate) fn open_and_close(&mut self, changes: Changes) {
        let (steps, errors) = self.sockets.commit(changes);
        for error in errors {
            tracing::error!(%error, "an address cannot be changed as the configuration says");
        }
        for step in steps {
            match step {
                Step::Close { key } => self.workers.tell(|| Command::Close { key: key.clone() }),
                Step::Serve {
                    listener,
                    key,
                    address,
                    sockets,
                } => {
                    let Some(door) = self.doors.get(&listener) else {
                        continue;
                    };
                    self.workers.serve(door, &key, sockets);
                    tracing::info!(%listener, %address, "listening");
                }
            }
        }
    }

    fn count(&self, report: &Report) {
        let snapshot = self.daemon.snapshot();
        let result = match report {
            Report::Reloaded {
                changes, warnings, ..
            } => {
                if !warnings.is_empty() {
                    tracing::warn!("{}", warnings.trim_end());
                }
                for change in changes {
                    tracing::info!("{change}");
                }
                tracing::info!(changes = changes.len(), "configuration reloaded");
                ReloadResult::Reloaded
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

fn reject(reasons: String) -> Report {
    Report::Rejected { reasons }
}

/// What only a new process can change, each an error that names it.
fn fixed_for_life(old: &Plan, new: &Plan) -> Vec<Diagnostic> {
    let (old, new) = (&old.process, &new.process);
    [
        ("global.threads", old.threads != new.threads),
        ("admin.socket", old.admin_socket != new.admin_socket),
        ("admin.http", old.admin_http != new.admin_http),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(key, _)| {
        let message = format!("`{key}` cannot change while the process runs");
        Diagnostic::error("restart-needed", message)
            .help("restart portcullis, or take the change back")
    })
    .collect()
}

/// Whether bodies read from files are the same, which the fingerprint does not cover.
fn has_same_content(old: &Plan, new: &Plan) -> bool {
    let pages = |plan: &Plan| -> Vec<_> {
        plan.error_pages
            .iter()
            .map(|(status, page)| (*status, Arc::clone(&page.body)))
            .collect()
    };
    let bodies = |plan: &Plan| -> Vec<_> {
        let body = |route: &portcullis_plan::plan::Route| match &route.action {
            Action::Respond(response) => Some(Arc::clone(&response.body)),
            _ => None,
        };
        plan.routes.iter().map(body).collect()
    };
    pages(old) == pages(new) && bodies(old) == bodies(new)
}

/// The new target of the access log, opened, if it is another one.
fn other_log(old: &LogPlan, new: &LogPlan) -> std::io::Result<Option<Output>> {
    if old.to == new.to {
        Ok(None)
    } else {
        AccessLog::prepare(&new.to).map(Some)
    }
}

/// Whether a diagnostic is worth a line in the program log at start.
pub(crate) fn is_warning(diagnostic: &Diagnostic) -> bool {
    diagnostic.level == Level::Warning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_ends_with_a_line_that_sums_it_up() {
        let report = Report::Reloaded {
            changes: vec!["route `a` added".to_owned()],
            warnings: String::new(),
            kept: 2,
        };
        assert_eq!(
            report.to_string(),
            "route `a` added\nreloaded: 1 change, 2 connections kept"
        );
        assert!(report.is_success());
        let rejected = Report::Rejected {
            reasons: "error: no\n".to_owned(),
        };
        assert_eq!(
            rejected.to_string(),
            "error: no\nrejected: everything stays as it was"
        );
        assert!(!rejected.is_success());
        assert!(Report::Unchanged.is_success());
    }
}
