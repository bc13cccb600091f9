//! What was counted of routes and services, added up by what a change touches.

use std::collections::BTreeMap;

use super::Touched;
use crate::live::{HistogramTotals, Live, RouteTotals};
use crate::plan::Plan;

/// What was counted of one route, of one service or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that are over.
    pub requests: u64,
    /// Those of them that were answered with 500 or above, by whomever.
    pub failed: u64,
    /// Tries at servers.
    pub tries: u64,
    /// Those of them that failed.
    pub unreachable: u64,
    /// From the first byte in to the head of the server's response.
    pub waited: HistogramTotals,
}

/// What was counted of everything that a change touches, by what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies(BTreeMap<String, Tally>);

impl Tally {
    fn of(totals: &RouteTotals) -> Self {
        let answers = totals.answers.iter();
        let failed = answers.filter(|((_, status), _)| *status >= 500);
        Self {
            requests: totals.answers.iter().map(|(_, count)| count).sum(),
            failed: failed.map(|(_, count)| count).sum(),
            waited: totals.ttfb.clone(),
            ..Self::default()
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.waited.merge(&other.waited);
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            failed: self.failed.saturating_sub(earlier.failed),
            tries: self.tries.saturating_sub(earlier.tries),
            unreachable: self.unreachable.saturating_sub(earlier.unreachable),
            waited: self.waited.since(&earlier.waited),
        }
    }
}

impl Tallies {
    /// Counts what is touched, by name, so that two generations can be counted alike. Of what is not there, nothing is counted.
    #[must_use]
    pub fn count(touched: &Touched, plan: &Plan, live: &Live) -> Self {
        let mut tallies = Self::default();
        for route in &live.routes {
            let own = touched.routes.contains(&**route.name());
            for totals in route.totals() {
                let service = totals.service.as_deref();
                let service = service.filter(|name| touched.services.contains(*name));
                if own || touched.everything || service.is_some() {
                    tallies.add(touched, own.then(|| route.name()), service, &totals);
                }
            }
        }
        for (live, service) in live.services.iter().zip(&plan.services) {
            if touched.services.contains(&*service.name) {
                let (sum, totals) = (tallies.at("service", &service.name), live.totals());
                sum.tries = totals.requests + totals.retries;
                sum.unreachable = totals.errors.iter().sum();
            }
        }
        tallies
    }

    fn add(
        &mut self,
        touched: &Touched,
        route: Option<&std::sync::Arc<str>>,
        service: Option<&str>,
        totals: &RouteTotals,
    ) {
        let tally = Tally::of(totals);
        if let Some(name) = route {
            self.at("route", name).add(&tally);
        }
        if let Some(name) = service {
            self.at("service", name).add(&tally);
        }
        if touched.everything {
            self.0
                .entry("all routes".to_owned())
                .or_default()
                .add(&tally);
        }
    }

    fn at(&mut self, noun: &str, name: &str) -> &mut Tally {
        self.0.entry(format!("{noun} `{name}`")).or_default()
    }

    /// What was added after `earlier` was counted.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let nothing = Tally::default();
        let pairs = self.0.iter().map(|(object, tally)| {
            let before = earlier.of(object).unwrap_or(&nothing);
            (object.clone(), tally.since(before))
        });
        Self(pairs.collect())
    }

    /// What was counted of an object.
    #[must_use]
    pub fn of(&self, object: &str) -> Option<&Tally> {
        self.0.get(object)
    }

    /// Every object with what was counted of it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.0.iter().map(|(object, tally)| (&**object, tally))
    }
}

impl FromIterator<(String, Tally)> for Tallies {
    fn from_iter<I: IntoIterator<Item = (String, Tally)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
