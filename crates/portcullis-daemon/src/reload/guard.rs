//! A reload on probation: the generation before it stays warm, and takes its place again if the change made things worse.
//!
//! What is worse is judged by [`portcullis_plan::guard`]; here is when it is asked, and what follows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::values::parse_duration;
use portcullis_plan::guard::{Bounds, Tallies, Touched, Worse, judge};
use portcullis_plan::{Live, Moment, Plan};
use tokio::sync::oneshot;

use crate::admin::GuardWords;
use crate::check::{Renewed, load_tls};
use crate::daemon::{Asker, Order};
use crate::lifecycle::{MadeFrom, Process};
use crate::report::{Guarded, Reloaded, Report, WentBack};
use crate::tls::Store;

/// The longest that a reload is on probation: the generation before it takes memory all the while.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

/// How a reload is to be guarded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Guard {
    /// How long.
    pub(crate) window: Duration,
    /// How much worse is too much.
    pub(crate) bounds: Bounds,
}

impl Guard {
    /// What the words say; else what is wrong with them.
    pub(crate) fn parse(words: &GuardWords) -> Result<Self, String> {
        let window = parse_duration(&words.window).map_err(|error| error.to_string())?;
        if window.is_zero() || window > LONGEST {
            return Err("a guard lasts at least 1ms and at most 1h.".to_owned());
        }
        let mut bounds = Bounds::default();
        if let Some(errors) = &words.errors {
            bounds.errors = number(errors, 0.0, 100.0, "errors")?;
        }
        if let Some(latency) = &words.latency {
            bounds.latency = number(latency, 1.0, 1000.0, "latency")?;
        }
        Ok(Self { window, bounds })
    }
}

fn number(text: &str, least: f64, most: f64, what: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("'{what}' expects a number from {least} to {most}."))
}

/// A generation that can be put in force again at once.
pub(crate) struct Warm {
    number: u64,
    plan: Arc<Plan>,
    live: Arc<Live>,
    store: Arc<Store>,
    made_from: MadeFrom,
    /// What it had counted when the reload was asked for.
    counted: Tallies,
}

/// A reload that is not yet proven.
pub(crate) struct Probation {
    guard: Guard,
    begun: Moment,
    warm: Warm,
    touched: Touched,
    /// Where the generation in force began to count.
    base: Tallies,
    done: Box<Reloaded>,
    answer: oneshot::Sender<Arc<Report>>,
}

impl Process {
    /// Reloads, and answers at once; or, if the reload is to be guarded, when it has proven itself or was taken back.
    pub(crate) async fn reload_and_answer(
        &mut self,
        order: &Order,
        answer: oneshot::Sender<Arc<Report>>,
    ) {
        let warm = order.guard.map(|guard| (guard, self.warm()));
        let report = self.reload(order).await;
        match (report, warm) {
            (Report::Reloaded(done), Some((guard, warm))) => {
                self.put_on_probation(guard, warm, done, answer);
            }
            // Whoever asked may have left; the log has it.
            (report, _) => drop(answer.send(Arc::new(report))),
        }
    }

    fn warm(&self) -> Warm {
        let snapshot = self.daemon.snapshot();
        let (plan, live) = (&snapshot.plan, &snapshot.live);
        Warm {
            counted: Tallies::count(&Touched::all(plan), plan, live),
            number: snapshot.generation,
            plan: Arc::clone(&snapshot.plan),
            live: Arc::clone(&snapshot.live),
            store: self.daemon.store.load_full(),
            made_from: self.made_from.clone(),
        }
    }

    fn put_on_probation(
        &mut self,
        guard: Guard,
        warm: Warm,
        done: Box<Reloaded>,
        answer: oneshot::Sender<Arc<Report>>,
    ) {
        let (touched, now) = (Touched::by(&done.changes), self.daemon.snapshot());
        tracing::info!(
            generation = done.to,
            seconds = guard.window.as_secs(),
            "the reload is guarded"
        );
        self.probation = Some(Probation {
            base: Tallies::count(&touched, &now.plan, &now.live),
            begun: self.daemon.clock.now(),
            guard,
            warm,
            touched,
            done,
            answer,
        });
    }

    /// What the probation has come to; `None` while there is none, or nothing to say yet. To be asked once a second.
    pub(crate) fn verdict(&self) -> Option<Vec<Worse>> {
        let probation = self.probation.as_ref()?;
        let now = self.daemon.snapshot();
        let counted = Tallies::count(&probation.touched, &now.plan, &now.live);
        let after = counted.since(&probation.base);
        let worse = judge(&probation.warm.counted, &after, &probation.guard.bounds);
        let is_over = self.daemon.clock.now().since(probation.begun) >= probation.guard.window;
        (is_over || !worse.is_empty()).then_some(worse)
    }

    /// Ends the probation: well, or by putting the generation before in force again.
    ///
    /// May be dropped while it waits, as [`Process::reload`].
    pub(crate) async fn conclude(&mut self, worse: Vec<Worse>) {
        let Some(mut probation) = self.probation.take() else {
            return;
        };
        if worse.is_empty() {
            tracing::info!(generation = probation.done.to, "the guarded reload stays");
            probation.done.guarded = Some(Guarded::Passed(probation.guard.window));
            let _ = probation
                .answer
                .send(Arc::new(Report::Reloaded(probation.done)));
            return;
        }
        let lasted = self.daemon.clock.now().since(probation.begun);
        let report = self.go_back(probation.warm, worse, lasted).await;
        let _ = probation.answer.send(Arc::new(report));
    }

    /// Another change has taken the place of the one on probation, by somebody's will: there is nothing to go back to.
    pub(super) fn end_probation(&mut self) {
        if let Some(mut probation) = self.probation.take() {
            probation.done.guarded = Some(Guarded::Replaced);
            let _ = probation
                .answer
                .send(Arc::new(Report::Reloaded(probation.done)));
        }
    }

    async fn go_back(&mut self, warm: Warm, worse: Vec<Worse>, lasted: Duration) -> Report {
        let begun = Instant::now();
        let evidence: Vec<String> = worse.iter().map(ToString::to_string).collect();
        self.notifier.reloading();
        let to = warm.number;
        let warm = self.with_certificates_of_now(warm).await;
        let report = match self.swap_back(warm) {
            Ok(mut back) => {
                back.took = begun.elapsed();
                self.count_kept(&mut back).await;
                Report::WentBack(Box::new(WentBack {
                    to,
                    lasted,
                    evidence,
                    back,
                }))
            }
            Err(reasons) => Report::rejected(format!(
                "error: the change made things worse, but generation {to} cannot take its place again\n{}\n{reasons}",
                evidence.join("\n")
            )),
        };
        self.count(&report);
        self.write_down(&report, Asker::Guard.word(), "rolled back");
        self.notifier.ready(&self.status());
        report
    }

    /// With certificates that were renewed in the meantime, where they can be used.
    async fn with_certificates_of_now(&self, mut warm: Warm) -> Warm {
        let (plan, store) = (Arc::clone(&warm.plan), Arc::clone(&warm.store));
        let last = Arc::clone(&warm.made_from.recording);
        let loading = tokio::task::spawn_blocking(move || load_tls(&plan, &store, &last));
        if let Ok(Renewed {
            store: Some(store),
            recording,
            ..
        }) = loading.await
        {
            let made_from = &warm.made_from;
            warm.made_from = made_from.with_certificates(recording, self.source.root());
            warm.store = Arc::new(store);
        }
        warm
    }

    fn swap_back(&mut self, warm: Warm) -> Result<Reloaded, String> {
        let mut made_from = warm.made_from;
        // The files say something else by now, and that is no change.
        made_from.is_past = true;
        let live = Some((Arc::clone(&warm.plan), warm.live));
        let prepared = self.prepare(warm.plan, warm.store, made_from, String::new())?;
        Ok(self.swap(prepared, live))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parsed(window: &str, errors: Option<&str>, latency: Option<&str>) -> Result<Guard, String> {
        Guard::parse(&GuardWords {
            window: window.to_owned(),
            errors: errors.map(str::to_owned),
            latency: latency.map(str::to_owned),
        })
    }

    #[test]
    fn a_guard_has_bounds_that_can_be_set() {
        let guard = parsed("60s", None, None).unwrap();
        assert_eq!(guard.window, Duration::from_secs(60));
        assert_eq!(guard.bounds, Bounds::default());
        let guard = parsed("5m", Some("0.5"), Some("2")).unwrap();
        assert_eq!((guard.bounds.errors, guard.bounds.latency), (0.5, 2.0));
    }

    #[test]
    fn words_that_make_no_guard_are_refused() {
        for (window, errors, latency) in [
            ("60", None, None),
            ("0s", None, None),
            ("2h", None, None),
            ("60s", Some("-1"), None),
            ("60s", Some("NaN"), None),
            ("60s", None, Some("")),
            ("60s", None, Some("0.5")),
        ] {
            assert!(
                parsed(window, errors, latency).is_err(),
                "{window} {errors:?} {latency:?}"
            );
        }
    }
}
