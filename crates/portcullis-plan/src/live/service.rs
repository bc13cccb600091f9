//! What was observed of one service as a whole.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::average::Rate;
use super::counter::{Occupancy, Shards};
use super::record::Measured;
use super::upstream::{PhaseTimes, UpstreamError, UpstreamPart, UpstreamTotals};
use crate::outcome::Outcome;
use crate::{Moment, WorkerId};

/// What was observed of one service.
#[derive(Debug)]
pub struct ServiceLive {
    name: Arc<str>,
    uid: u64,
    in_flight: Occupancy,
    shards: Shards<UpstreamPart>,
    rate: Rate,
    cleared: Mutex<UpstreamTotals>,
    standing: Mutex<ServiceStanding>,
}

/// Whether a service has a server that takes requests, and since when. Exact to the tick, a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceStanding {
    /// Some server takes requests.
    pub is_up: bool,
    /// When that last changed.
    pub since: Moment,
    /// How often it went down.
    pub downs: u64,
    down_before: Duration,
}

impl ServiceStanding {
    fn new(now: Moment) -> Self {
        Self {
            is_up: true,
            since: now,
            downs: 0,
            down_before: Duration::ZERO,
        }
    }

    /// Time spent down, up to `now`.
    #[must_use]
    pub fn downtime(&self, now: Moment) -> Duration {
        let running = if self.is_up {
            Duration::ZERO
        } else {
            now.since(self.since)
        };
        self.down_before + running
    }

    fn note(&mut self, is_up: bool, now: Moment) {
        if is_up == self.is_up {
            return;
        }
        self.down_before = self.downtime(now);
        self.downs += u64::from(!is_up);
        self.is_up = is_up;
        self.since = now;
    }
}

impl ServiceLive {
    pub(super) fn new(name: &Arc<str>, uid: u64, workers: usize, now: Moment) -> Self {
        Self {
            name: Arc::clone(name),
            uid,
            in_flight: Occupancy::default(),
            shards: Shards::new(workers),
            rate: Rate::default(),
            cleared: Mutex::default(),
            standing: Mutex::new(ServiceStanding::new(now)),
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn uid(&self) -> u64 {
        self.uid
    }

    /// Requests at its servers: now, ever, most at once. Changed by [`ServerLive::begin`](super::ServerLive::begin) and `end`.
    #[must_use]
    pub fn in_flight(&self) -> &Occupancy {
        &self.in_flight
    }

    /// Counts a try that failed of having no server at all, where the exchange went on.
    pub fn attempt_failed(&self, worker: WorkerId, error: UpstreamError) {
        self.shards.of(worker).failed(error);
    }

    #[inline]
    pub(super) fn record(
        &self,
        worker: WorkerId,
        outcome: &Outcome<'_>,
        measured: &Measured,
        alternatives: bool,
    ) {
        self.shards
            .of(worker)
            .record(outcome, measured, alternatives);
    }

    /// The sums since the process started. They only grow.
    #[must_use]
    pub fn totals(&self) -> UpstreamTotals {
        let mut totals = UpstreamTotals::default();
        self.shards.iter().for_each(|part| part.add_to(&mut totals));
        totals
    }

    /// The sums since counters were last cleared.
    #[must_use]
    pub fn totals_since_clear(&self) -> UpstreamTotals {
        self.totals()
            .since(&self.cleared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Times of recent requests.
    #[must_use]
    pub fn times(&self) -> PhaseTimes {
        let parts: Vec<_> = self.shards.iter().collect();
        PhaseTimes::over(parts.iter().copied())
    }

    /// Requests sent to its servers a second.
    #[must_use]
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Whether it can serve.
    #[must_use]
    pub fn standing(&self) -> ServiceStanding {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tick(&self, is_up: bool, now: Moment, elapsed: Duration) {
        self.rate.tick(self.in_flight.opened(), elapsed);
        self.standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(is_up, now);
    }

    pub(super) fn clear_peaks(&self) {
        self.in_flight.reset_peak();
        self.rate.reset_peak();
        self.shards.iter().for_each(UpstreamPart::clear_peaks);
    }

    pub(super) fn clear_totals(&self) {
        *self.cleared.lock().unwrap_or_else(PoisonError::into_inner) = self.totals();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_downtime_adds_up() {
        let at = |secs| Moment::default().plus(Duration::from_secs(secs));
        let live = ServiceLive::new(&Arc::from("app"), 1, 1, at(0));
        let second = Duration::from_secs(1);
        live.tick(false, at(10), second);
        live.tick(false, at(11), second);
        assert_eq!(live.standing().downtime(at(12)), Duration::from_secs(2));
        live.tick(true, at(15), second);
        let standing = live.standing();
        assert_eq!(standing.downtime(at(99)), Duration::from_secs(5));
        assert_eq!((standing.downs, standing.since), (1, at(15)));
    }
}
