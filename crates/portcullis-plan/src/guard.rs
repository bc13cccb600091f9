//! Whether a change made things worse: what was counted of the changed routes and services since then, held against what was
//! counted of them before.
//!
//! Pure: who counts, when to ask, and what to do about the answer is the caller's business.

mod tally;

use std::collections::BTreeSet;
use std::fmt;

use crate::diff::{Change, Object};
use crate::plan::Plan;

pub use tally::{Tallies, Tally};

/// Failures that may be chance, however few requests there were.
const CHANCE: u64 = 2;
/// Requests without which nothing is said about how long they take.
const FEWEST: u64 = 20;
/// Seconds that nobody minds, whatever they are a multiple of.
const UNFELT: f64 = 0.05;
/// The share of requests whose waiting is compared: the slowest tenth is left to chance.
const SHARE: f64 = 0.9;

/// How much worse is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Percentage points by which the share of failed requests, or of failed tries at servers, may grow.
    pub errors: f64,
    /// How many times as long as before nine of ten requests may wait for their answer.
    pub latency: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            errors: 5.0,
            latency: 3.0,
        }
    }
}

/// Routes and services that a change touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Names of routes.
    pub routes: BTreeSet<String>,
    /// Names of services: they, and their servers.
    pub services: BTreeSet<String>,
    /// Something that any request may notice, as a listener is.
    pub everything: bool,
}

impl Touched {
    /// Every route and service of a plan, for what may be touched is not known before a change.
    #[must_use]
    pub fn all(plan: &Plan) -> Self {
        let routes = plan.routes.iter().map(|route| route.name().to_string());
        let services = plan.services.iter().map(|service| service.name.to_string());
        Self {
            routes: routes.collect(),
            services: services.collect(),
            everything: true,
        }
    }

    /// What these changes touch. What belongs to no route or service touches everything.
    #[must_use]
    pub fn by(changes: &[Change]) -> Self {
        let mut touched = Self::default();
        for change in changes {
            match &change.object {
                Object::Route(name) => touched.routes.insert(name.to_string()),
                Object::Service(name)
                | Object::Server { service: name, .. }
                | Object::Trust(name) => touched.services.insert(name.to_string()),
                Object::Process
                | Object::Listener(_)
                | Object::Routes
                | Object::Certificate { .. }
                | Object::ClientRules(_) => std::mem::replace(&mut touched.everything, true),
            };
        }
        touched
    }
}

/// What got worse, and how much.
#[derive(Clone, Debug, PartialEq)]
pub struct Worse {
    /// Of what: ``route `api` ``.
    pub object: String,
    /// In which way.
    pub symptom: Symptom,
    /// Before the change: percent, or seconds.
    pub before: f64,
    /// Since the change.
    pub after: f64,
    /// Requests, or tries, since the change.
    pub among: u64,
}

/// In which way something got worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symptom {
    /// More answers of 500 and above.
    Errors,
    /// More tries at servers fail.
    Unreachable,
    /// Answers take longer to begin.
    Slow,
}

impl fmt::Display for Worse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            before,
            after,
            among,
            ..
        } = self;
        write!(f, "{object}: ")?;
        match self.symptom {
            Symptom::Errors => {
                write!(
                    f,
                    "{after:.1}% of {among} requests failed, {before:.1}% before"
                )
            }
            Symptom::Unreachable => write!(
                f,
                "{after:.1}% of {among} tries at servers failed, {before:.1}% before"
            ),
            Symptom::Slow => write!(
                f,
                "nine of ten of {among} requests waited up to {after:.3} s for an answer, {before:.3} s before"
            ),
        }
    }
}

/// Everything that got worse beyond `bounds`. `before` is all that was counted until the change, `after` since then; what
/// was never asked before is held to the standard of a thing without errors, and may take its time.
#[must_use]
pub fn judge(before: &Tallies, after: &Tallies, bounds: &Bounds) -> Vec<Worse> {
    let nothing = Tally::default();
    let mut found = Vec::new();
    for (object, after) in after.iter() {
        let before = before.of(object).unwrap_or(&nothing);
        let symptoms = [
            errors(before, after, bounds),
            unreachable(before, after, bounds),
            slow(before, after, bounds),
        ];
        found.extend(
            symptoms
                .into_iter()
                .flatten()
                .map(|(symptom, before, after, among)| Worse {
                    object: object.to_owned(),
                    symptom,
                    before,
                    after,
                    among,
                }),
        );
    }
    found
}

/// A symptom with its measure before and after, and among how many.
type Found = Option<(Symptom, f64, f64, u64)>;

fn errors(before: &Tally, after: &Tally, bounds: &Bounds) -> Found {
    let percents = (
        percent(before.failed, before.requests),
        percent(after.failed, after.requests),
    );
    let is_worse = after.failed > CHANCE && percents.1 > percents.0 + bounds.errors;
    is_worse.then_some((Symptom::Errors, percents.0, percents.1, after.requests))
}

fn unreachable(before: &Tally, after: &Tally, bounds: &Bounds) -> Found {
    let percents = (
        percent(before.unreachable, before.tries),
        percent(after.unreachable, after.tries),
    );
    let is_worse = after.unreachable > CHANCE && percents.1 > percents.0 + bounds.errors;
    is_worse.then_some((Symptom::Unreachable, percents.0, percents.1, after.tries))
}

fn slow(before: &Tally, after: &Tally, bounds: &Bounds) -> Found {
    let among = after.waited.count();
    if before.waited.count() < FEWEST || among < FEWEST {
        return None;
    }
    let (was, is) = (before.waited.within(SHARE), after.waited.within(SHARE));
    let is_worse = is > was * bounds.latency && is > was + UNFELT;
    is_worse.then_some((Symptom::Slow, was, is, among))
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64 * 100.0
}

#[cfg(test)]
mod tests;
