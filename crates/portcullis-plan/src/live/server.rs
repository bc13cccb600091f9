//! What was observed of one server: health, operator's state, what it is doing, counters.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

use super::append::Append;
use super::average::Rate;
use super::counter::{Counter, Level, Occupancy, Peak, Shards};
use super::histogram::{Histogram, HistogramTotals};
use super::listener::merged;
use super::record::Measured;
use super::service::ServiceLive;
use super::standing::{AdminState, MAX_WEIGHT, Standing};
use super::upstream::{PhaseTimes, UpstreamError, UpstreamPart, UpstreamTotals};
use crate::health::{Check, Health, HealthState, Thresholds, Transition};
use crate::outcome::Outcome;
use crate::plan::{Address, Server};
use crate::{Moment, WorkerId};

#[derive(Debug, Default)]
struct Shard {
    part: UpstreamPart,
    codes: Append<u16, Counter, 16>,
    duration: Histogram,
    connect: Histogram,
    last_session: Peak,
    used: Level,
    idle: Level,
    http2: Level,
    streams: Level,
}

/// What is only looked at now and then: checks and dates.
#[derive(Debug)]
struct Observed {
    health: Health,
    last_check: Option<Check>,
    changed: Moment,
    passes: u64,
    failures: u64,
    pass_time: Histogram,
    failure_time: Histogram,
    cleared: UpstreamTotals,
}

/// What was observed of one server.
#[derive(Debug)]
pub struct ServerLive {
    name: Arc<str>,
    uid: u64,
    service: Arc<ServiceLive>,
    standing: Standing,
    initial_weight: AtomicU32,
    in_flight: Occupancy,
    addresses: ArcSwapOption<Box<[SocketAddr]>>,
    shards: Shards<Shard>,
    rate: Rate,
    cleared_opened: AtomicU64,
    observed: Mutex<Observed>,
}

/// Checks of one server so far.
#[derive(Clone, Debug)]
pub struct HealthReport {
    /// The state machine: state, since when, downtime, failures.
    pub health: Health,
    /// The last check that ended.
    pub last_check: Option<Check>,
    /// Checks that passed.
    pub passes: u64,
    /// Checks that failed.
    pub failures: u64,
    /// How long passing checks took.
    pub pass_time: HistogramTotals,
    /// How long failing checks took.
    pub failure_time: HistogramTotals,
}

impl ServerLive {
    pub(super) fn new(
        server: &Server,
        service: &Arc<ServiceLive>,
        uid: u64,
        workers: usize,
        now: Moment,
    ) -> Self {
        let is_resolved = !matches!(server.address, Address::Name { .. });
        let weight = server.weight.min(MAX_WEIGHT);
        Self {
            name: Arc::clone(&server.name),
            uid,
            service: Arc::clone(service),
            standing: Standing::new(weight, is_resolved),
            initial_weight: AtomicU32::new(weight),
            in_flight: Occupancy::default(),
            addresses: ArcSwapOption::empty(),
            shards: Shards::new(workers),
            rate: Rate::default(),
            cleared_opened: AtomicU64::new(0),
            observed: Mutex::new(Observed::new(now)),
        }
    }

    /// Its name within the service.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A number no other server of this process has or had: a changed address is another server. Pools key on it.
    #[must_use]
    pub const fn uid(&self) -> u64 {
        self.uid
    }

    /// Whether it may be picked: not found down by checks, wanted by the operator, a weight above 0, an address known.
    #[must_use]
    #[inline]
    pub fn is_eligible(&self) -> bool {
        self.eligible_weight() > 0
    }

    /// Its weight if it may be picked, else 0.
    #[inline]
    pub(crate) fn eligible_weight(&self) -> u32 {
        self.standing.eligible_weight()
    }

    /// A request goes to it.
    #[inline]
    pub fn begin(&self) {
        self.in_flight.enter();
        self.service.in_flight().enter();
    }

    /// The request that began is over.
    #[inline]
    pub fn end(&self) {
        self.in_flight.leave();
        self.service.in_flight().leave();
    }

    /// Requests: now, ever, most at once.
    #[must_use]
    pub fn in_flight(&self) -> &Occupancy {
        &self.in_flight
    }

    /// Requests that began since counters were last cleared.
    #[must_use]
    pub fn sessions_since_clear(&self) -> u64 {
        self.in_flight
            .opened()
            .wrapping_sub(self.cleared_opened.load(Relaxed))
    }

    /// Counts a try that failed and was followed by another; [`Live::record`](crate::Live::record) counts the last one.
    pub fn attempt_failed(&self, worker: WorkerId, error: UpstreamError) {
        self.shards.of(worker).part.failed(error);
        self.service.attempt_failed(worker, error);
    }

    /// Changes how many of this worker's connections are in use.
    #[inline]
    pub fn used_connections(&self, worker: WorkerId, change: i64) {
        self.shards.of(worker).used.shift(change);
    }

    /// Changes how many of this worker's connections are idle in the pool.
    #[inline]
    pub fn idle_connections(&self, worker: WorkerId, change: i64) {
        self.shards.of(worker).idle.shift(change);
    }

    /// Changes how many of this worker's connections speak HTTP/2. They are counted as used or idle as well.
    #[inline]
    pub fn http2_connections(&self, worker: WorkerId, change: i64) {
        self.shards.of(worker).http2.shift(change);
    }

    /// Changes how many requests are on this worker's connections that speak HTTP/2.
    #[inline]
    pub fn http2_streams(&self, worker: WorkerId, change: i64) {
        self.shards.of(worker).streams.shift(change);
    }

    /// Connections that speak HTTP/2 and the requests on them, over all workers.
    #[must_use]
    pub fn http2(&self) -> (u64, u64) {
        let sum = |level: fn(&Shard) -> &Level| {
            let sum: i64 = self.shards.iter().map(|shard| level(shard).value()).sum();
            u64::try_from(sum).unwrap_or(0)
        };
        (sum(|shard| &shard.http2), sum(|shard| &shard.streams))
    }

    /// Connections in use and idle, over all workers.
    #[must_use]
    pub fn connections(&self) -> (u64, u64) {
        let sum = |level: fn(&Shard) -> &Level| {
            let sum: i64 = self.shards.iter().map(|shard| level(shard).value()).sum();
            u64::try_from(sum).unwrap_or(0)
        };
        (sum(|shard| &shard.used), sum(|shard| &shard.idle))
    }

    #[inline]
    pub(super) fn record(
        &self,
        worker: WorkerId,
        outcome: &Outcome<'_>,
        measured: &Measured,
        alternatives: bool,
    ) {
        let shard = self.shards.of(worker);
        shard.part.record(outcome, measured, alternatives);
        if outcome.from_server
            && let Some(counter) = shard.codes.entry(outcome.status, Counter::default)
        {
            counter.add(1);
        }
        if let Some(upstream) = measured.upstream {
            shard.duration.observe_nanos(upstream);
        }
        if let Some(connect) = measured.connect.filter(|_| !outcome.reused) {
            shard.connect.observe_nanos(connect);
        }
        if let Some(attempt) = outcome.timings.attempt {
            shard.last_session.note(attempt.as_nanos());
        }
    }

    /// The sums since the process started. They only grow.
    #[must_use]
    pub fn totals(&self) -> UpstreamTotals {
        let mut totals = UpstreamTotals::default();
        self.shards
            .iter()
            .for_each(|shard| shard.part.add_to(&mut totals));
        totals
    }

    /// The sums since counters were last cleared.
    #[must_use]
    pub fn totals_since_clear(&self) -> UpstreamTotals {
        self.totals().since(&self.observed().cleared)
    }

    /// Its answers by status since the process started.
    #[must_use]
    pub fn codes(&self) -> Vec<(u16, u64)> {
        merged(self.shards.iter().flat_map(|shard| shard.codes.iter()))
    }

    /// Times of recent requests.
    #[must_use]
    pub fn times(&self) -> PhaseTimes {
        let parts: Vec<_> = self.shards.iter().map(|shard| &shard.part).collect();
        PhaseTimes::over(parts.iter().copied())
    }

    /// How long requests took here, from the try to the end (to the head of the response for tunnels).
    #[must_use]
    pub fn duration(&self) -> HistogramTotals {
        self.histogram(|shard| &shard.duration)
    }

    /// How long new connections took to make.
    #[must_use]
    pub fn connect_duration(&self) -> HistogramTotals {
        self.histogram(|shard| &shard.connect)
    }

    fn histogram(&self, of: fn(&Shard) -> &Histogram) -> HistogramTotals {
        let mut totals = HistogramTotals::default();
        self.shards
            .iter()
            .for_each(|shard| of(shard).add_to(&mut totals));
        totals
    }

    /// When the last request went to it; `None` if none did.
    #[must_use]
    pub fn last_session(&self) -> Option<Moment> {
        let last = self
            .shards
            .iter()
            .map(|shard| shard.last_session.value())
            .max()?;
        (last > 0).then(|| Moment::from_nanos(last))
    }

    /// Requests that began, a second.
    #[must_use]
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// What checks say.
    #[must_use]
    pub fn health(&self) -> HealthState {
        self.standing.health()
    }

    /// Takes the result of a check; gives the change of state that it brought, if any.
    pub fn checked(&self, check: Check, thresholds: Thresholds) -> Option<Transition> {
        let mut observed = self.observed();
        let now = check.at;
        let transition = observed.take(check, thresholds);
        self.show(&observed);
        if transition.is_some() {
            observed.changed = now;
        }
        transition
    }

    /// Sets the health by hand; the next checks may change it again.
    pub fn force_health(&self, state: HealthState, now: Moment) -> Option<Transition> {
        let mut observed = self.observed();
        let transition = observed.health.force(state, now);
        self.show(&observed);
        if transition.is_some() {
            observed.changed = now;
        }
        transition
    }

    fn show(&self, observed: &Observed) {
        self.standing.set_health(observed.health.state());
    }

    /// All that is known of its checks.
    #[must_use]
    pub fn health_report(&self) -> HealthReport {
        let observed = self.observed();
        let totals = |histogram: &Histogram| {
            let mut totals = HistogramTotals::default();
            histogram.add_to(&mut totals);
            totals
        };
        HealthReport {
            health: observed.health.clone(),
            last_check: observed.last_check.clone(),
            passes: observed.passes,
            failures: observed.failures,
            pass_time: totals(&observed.pass_time),
            failure_time: totals(&observed.failure_time),
        }
    }

    /// When its health or the operator's state last changed.
    #[must_use]
    pub fn changed(&self) -> Moment {
        self.observed().changed
    }

    /// What the operator wants.
    #[must_use]
    pub fn admin(&self) -> AdminState {
        self.standing.admin()
    }

    /// Sets what the operator wants; gives whether that changed anything.
    pub fn set_admin(&self, state: AdminState, now: Moment) -> bool {
        let mut observed = self.observed();
        let changed = self.standing.set_admin(state);
        if changed {
            observed.changed = now;
        }
        changed
    }

    /// The weight now, 0 to 256.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.standing.weight()
    }

    /// The configured weight.
    #[must_use]
    pub fn initial_weight(&self) -> u32 {
        self.initial_weight.load(Relaxed)
    }

    /// Sets the weight until the configured one changes; above 256 it becomes 256.
    pub fn set_weight(&self, weight: u32) {
        self.standing.set_weight(weight);
    }

    /// What its name was last resolved to; `None` for servers given by address and for names not resolved yet.
    #[inline]
    pub fn addresses(&self) -> Guard<Option<Arc<Box<[SocketAddr]>>>> {
        self.addresses.load()
    }

    /// Sets what its name resolves to. Without any address it is not picked.
    pub fn set_addresses(&self, addresses: Box<[SocketAddr]>) {
        let is_resolved = !addresses.is_empty();
        self.addresses.store(Some(Arc::new(addresses)));
        self.standing.set_resolved(is_resolved);
    }

    /// Whether its name has an address, or none is needed.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.standing.is_resolved()
    }

    /// Takes over what a new configuration says of the same server: a changed weight, and whether it is checked.
    pub(super) fn reconfigure(&self, server: &Server, is_checked: bool, now: Moment) {
        let weight = server.weight.min(MAX_WEIGHT);
        if self.initial_weight.swap(weight, Relaxed) != weight {
            self.set_weight(weight);
        }
        if !is_checked {
            self.force_health(HealthState::Unknown, now);
        }
    }

    pub(super) fn tick(&self, elapsed: Duration) {
        self.rate.tick(self.in_flight.opened(), elapsed);
    }

    pub(super) fn clear_peaks(&self) {
        self.in_flight.reset_peak();
        self.rate.reset_peak();
        self.shards
            .iter()
            .for_each(|shard| shard.part.clear_peaks());
    }

    pub(super) fn clear_totals(&self) {
        self.cleared_opened.store(self.in_flight.opened(), Relaxed);
        let totals = self.totals();
        self.observed().cleared = totals;
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observed {
    fn new(now: Moment) -> Self {
        Self {
            health: Health::unknown(now),
            last_check: None,
            changed: now,
            passes: 0,
            failures: 0,
            pass_time: Histogram::default(),
            failure_time: Histogram::default(),
            cleared: UpstreamTotals::default(),
        }
    }

    fn take(&mut self, check: Check, thresholds: Thresholds) -> Option<Transition> {
        let (now, passed) = (check.at, check.status.is_pass());
        let times = if passed {
            &self.pass_time
        } else {
            &self.failure_time
        };
        times.observe(check.duration);
        self.last_check = Some(check);
        if passed {
            self.passes += 1;
            self.health.passed(thresholds, now)
        } else {
            self.failures += 1;
            self.health.failed(thresholds, now)
        }
    }
}
