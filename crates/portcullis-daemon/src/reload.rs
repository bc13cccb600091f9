//! The one way into the plan of a running process. Everything that can fail is done beside what runs; then one pointer
//! is swapped, and nothing after that can fail.

mod guard;
mod preview;
mod record;
mod retired;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::{Diagnostic, Level};
use portcullis_plan::Live;
use portcullis_plan::diff::resets;
use portcullis_plan::plan::{AccessLog as LogPlan, Action, Plan};

use crate::access_log::{AccessLog, Output};
use crate::check::{Checked, Renewed, check_by, load_tls};
use crate::daemon::{Asker, Order};
use crate::effects::{Side, changes, hash_of};
use crate::lifecycle::{MadeFrom, Process};
use crate::listen::door::{Door, Rules};
use crate::listen::set::{Changes, Step};
use crate::log;
use crate::recording::{Recorder, Recording};
use crate::report::{Reloaded, Report};
use crate::runtime::Command;
use crate::tls::Store;
use crate::watch::Watched;

pub(crate) use guard::{Guard, Probation};
pub(crate) use preview::fixed_for_life;
pub(crate) use retired::Retired;

/// How long the workers may take to say what is open.
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything a swap needs, ready.
struct Prepared {
    plan: Arc<Plan>,
    store: Arc<Store>,
    made_from: MadeFrom,
    sockets: Changes,
    log: Option<Output>,
    warnings: String,
}

impl Process {
    /// Loads the configuration again and puts it to use if nothing is wrong with it.
    ///
    /// May be dropped while it waits: until the last step nothing has changed, and that step does not wait.
    pub(crate) async fn reload(&mut self, order: &Order) -> Report {
        tracing::info!(by = order.by.word(), "reloading");
        self.change(None, order, "reloaded").await
    }

    /// Goes back to what generation `to`, or the one before this, was made from.
    pub(crate) async fn roll_back(&mut self, to: Option<u64>) -> Report {
        let (generation, past) = match self.history.recording(to) {
            Ok(found) => found,
            Err(reasons) => return Report::rejected(reasons),
        };
        tracing::warn!(generation, "rolling back");
        let order = Order::by(Asker::Socket);
        self.change(Some(past), &order, "rolled back").await
    }

    async fn change(
        &mut self,
        past: Option<Arc<Recording>>,
        order: &Order,
        outcome: &'static str,
    ) -> Report {
        let is_past = past.is_some();
        self.notifier.reloading();
        let begun = Instant::now();
        let (source, store) = (self.source.clone(), self.daemon.store.load_full());
        let checking = tokio::task::spawn_blocking(move || {
            let recorder = past.map_or_else(Recorder::new, Recorder::of);
            check_by(recorder, &source, Some(&store))
        });
        let mut report = match checking.await {
            Ok(checked) => self.take_over(checked, order, is_past),
            Err(error) => Report::rejected(format!("loading the configuration failed: {error}")),
        };
        if let (Report::Rejected { reasons }, Some(sandbox)) = (&mut report, &self.sandbox)
            && reasons.contains("ermission denied")
        {
            reasons.push_str(&sandbox.hint());
        }
        if let Report::Reloaded(done) = &mut report {
            self.end_probation();
            done.took = begun.elapsed();
            self.count_kept(done).await;
        }
        self.count(&report);
        self.write_down(&report, order.by.word(), outcome);
        self.notifier.ready(&self.status());
        report
    }

    /// What stayed open. A worker that is slow to answer is not waited for: tunnels are then told as none.
    async fn count_kept(&self, done: &mut Reloaded) {
        let live = &self.daemon.snapshot().live;
        done.connections = live.process.connections().open() as usize;
        if let Ok(busy) = tokio::time::timeout(PATIENCE, self.workers.busy()).await {
            done.tunnels = busy.tunnels;
        }
    }

    fn take_over(&mut self, mut checked: Checked, order: &Order, is_past: bool) -> Report {
        if self.strict {
            checked.be_strict();
        }
        if let Some(plan) = &checked.plan {
            let fixed = fixed_for_life(&self.daemon.snapshot().plan, plan);
            checked.diagnostics.extend(fixed);
        }
        let (usable, text, hash) = (checked.is_usable(), checked.render(false), checked.hash());
        let Checked {
            plan: Some(plan),
            tls: Some(store),
            config: Some(config),
            recording,
            sources,
            ..
        } = checked
        else {
            return Report::rejected(text);
        };
        if !usable {
            return Report::rejected(text);
        }
        let now = hash_of(&self.made_from.hash, &hash);
        if let Some(wanted) = order.plan.as_ref().filter(|wanted| **wanted != now) {
            return Report::rejected(format!(
                "error: plan {wanted} is not what would happen now: files, or the configuration in force, have changed since; that would be plan {now}\n"
            ));
        }
        let made_from = MadeFrom {
            config: Arc::new(config),
            hash,
            is_past,
            recording: Arc::new(recording),
            sources: Arc::new(sources),
        };
        if self.is_unchanged(&plan, &store) {
            // Comments may have changed, or times of files.
            self.remember(made_from, &plan);
            return Report::Unchanged;
        }
        match self.prepare(Arc::new(plan), Arc::new(store), made_from, text) {
            Ok(prepared) => Report::Reloaded(Box::new(self.swap(prepared, None))),
            Err(reasons) => Report::rejected(reasons),
        }
    }

    /// Loads the certificates, keys and authorities of the plan in force again, and puts them to use if nothing is wrong
    /// with them. May be dropped while it waits, as [`Process::reload`].
    pub(crate) async fn renew(&mut self) -> Report {
        let plan = Arc::clone(&self.daemon.snapshot().plan);
        let store = self.daemon.store.load_full();
        let last = Arc::clone(&self.made_from.recording);
        let loading = {
            let plan = Arc::clone(&plan);
            tokio::task::spawn_blocking(move || load_tls(&plan, &store, &last))
        };
        let report = match loading.await {
            Ok(loaded) => self.take_certificates(plan, loaded),
            Err(error) => Report::rejected(format!("loading certificates failed: {error}")),
        };
        self.record_renewal(&report);
        report
    }

    fn take_certificates(&mut self, plan: Arc<Plan>, renewed: Renewed) -> Report {
        let render = |findings: &[Diagnostic]| {
            portcullis_config::render(findings, &self.made_from.sources, false)
        };
        let (text, refused) = (render(&renewed.findings), render(&renewed.refused));
        let Some(store) = renewed.store else {
            return Report::rejected(format!("{refused}{text}"));
        };
        let root = self.source.root();
        let made_from = self.made_from.with_certificates(renewed.recording, root);
        if self.daemon.store.load().same_as(&store) {
            self.remember(made_from, &plan);
            return match refused.is_empty() {
                true => Report::Unchanged,
                false => Report::rejected(refused),
            };
        }
        if !refused.is_empty() {
            self.record_renewal(&Report::rejected(refused));
        }
        match self.prepare(plan, Arc::new(store), made_from, text) {
            Ok(prepared) => Report::Reloaded(Box::new(self.swap(prepared, None))),
            Err(reasons) => Report::rejected(reasons),
        }
    }

    /// Remembers what the configuration in force was made from, and has it watched.
    fn remember(&mut self, made_from: MadeFrom, plan: &Plan) {
        self.made_from = made_from;
        // The watching task lives as long as the process.
        let _ = self.watched.send(self.made_from.watched(plan));
    }

    fn is_unchanged(&self, plan: &Plan, store: &Store) -> bool {
        let old = &self.daemon.snapshot().plan;
        old.fingerprint == plan.fingerprint
            && self.daemon.store.load().same_as(store)
            && has_same_content(old, plan)
    }

    fn prepare(
        &self,
        plan: Arc<Plan>,
        store: Arc<Store>,
        made_from: MadeFrom,
        warnings: String,
    ) -> Result<Prepared, String> {
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
            made_from,
            sockets,
            log,
            warnings,
        })
    }

    /// The point of no return, and the only place that swaps. What was observed goes on from what is in force, or from
    /// `warm`: a plan that was in force before, and what lay beside it.
    fn swap(&mut self, prepared: Prepared, warm: Option<(Arc<Plan>, Arc<Live>)>) -> Reloaded {
        let Prepared {
            plan,
            store,
            made_from,
            sockets,
            log: output,
            warnings,
        } = prepared;
        let old = self.daemon.snapshot();
        let (before, observed) =
            warm.unwrap_or_else(|| (Arc::clone(&old.plan), Arc::clone(&old.live)));
        let live = observed.carry_over(&before, &plan, self.daemon.clock.now());
        let changes = changes(
            Side {
                plan: &old.plan,
                store: &self.daemon.store.load(),
                hash: "",
            },
            Side {
                plan: &plan,
                store: &store,
                hash: "",
            },
        );
        let resets = resets(&old.plan, &plan);
        let upstream_tls = Arc::clone(store.upstream().table());
        let snapshots = &self.daemon.snapshots;
        snapshots.swap(Arc::clone(&plan), Arc::new(live), upstream_tls);

        let revised = self.replace_doors(&plan, &store);
        let store = self.daemon.store.swap(store);
        self.retired.add(Arc::clone(&old), store);
        self.remember(made_from, &plan);
        self.open_and_close(sockets);
        if revised {
            let patience = plan.process.drain_timeout;
            self.workers
                .tell(|| Command::Revise(Some((Arc::clone(&old), patience))));
        }
        if let Some(output) = output {
            self.access_log.switch(output);
        }
        log::set_level(&plan.process.log_level);
        let snapshot = self.daemon.snapshot();
        self.resolver.apply(&snapshot);
        self.probes.apply(&snapshot);
        Reloaded {
            from: old.generation,
            to: snapshot.generation,
            took: Duration::ZERO,
            changes,
            resets,
            warnings,
            connections: 0,
            tunnels: 0,
            guarded: None,
        }
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
}

impl MadeFrom {
    /// The same with the certificates that `tls` has read, for the configuration in the file `root`.
    pub(crate) fn with_certificates(&self, tls: Recording, root: &Path) -> Self {
        let mut recording = Recording::clone(&self.recording);
        recording.tls = tls.tls;
        Self {
            hash: recording.hash(root),
            recording: Arc::new(recording),
            ..self.clone()
        }
    }

    /// What of it is to be watched under this plan.
    pub(crate) fn watched(&self, plan: &Plan) -> Watched {
        Watched {
            recording: Arc::clone(&self.recording),
            texts: plan.process.watch,
            is_past: self.is_past,
        }
    }
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
