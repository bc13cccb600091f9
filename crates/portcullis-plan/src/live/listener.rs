//! What was observed at one listener: connections, handshakes, requests, refusals.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::append::Append;
use super::average::Rate;
use super::counter::{Counter, Level, Occupancy, Shards, counters};
use super::maximum::Maximum;
use super::record::{CLASSES, status_class};
use super::upstream::had_no_server;
use crate::outcome::{Deadline, EndedBy, Outcome};
use crate::{Moment, WorkerId};

counters! {
    /// One worker's counters of a listener.
    ListenerShard,
    /// A listener's counters, summed over workers.
    ListenerTotals {
        /// Finished requests, malformed ones included.
        requests,
        /// Bytes of requests.
        bytes_in,
        /// Bytes of answers.
        bytes_out,
        /// Requests refused by policy: limits, no route, misdirected.
        denied,
        /// Requests that failed before they could be decided: malformed, too slow, given up.
        request_errors,
        /// Requests that we answered ourselves.
        intercepted,
        /// Connections refused after they were accepted: bad PROXY header and the like.
        denied_connections,
        /// Connections refused because the maximum was open.
        over_limit,
        /// Exchanges that became tunnels.
        upgraded,
        /// Faults of ours.
        internal_errors,
        /// Reasons beyond the bound of the table of reasons.
        unlisted_reasons,
    }
    arrays {
        /// Answers by class: none or odd, then 1xx to 5xx.
        classes: CLASSES,
        /// Exchanges by who ended them, in the order of [`ENDINGS`].
        ended: ENDINGS.len(),
        /// Deadlines that fired, in the order of [`Deadline::ALL`].
        deadlines: Deadline::ALL.len(),
    }
}

/// Every way an exchange ends, in the order of [`ListenerTotals::ended`].
pub const ENDINGS: [EndedBy; 7] = [
    EndedBy::Completed,
    EndedBy::Client,
    EndedBy::Server,
    EndedBy::Policy,
    EndedBy::Deadline,
    EndedBy::Shutdown,
    EndedBy::Internal,
];

/// How a handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeResult {
    /// TLS stands.
    Ok {
        /// `TLSv1.2` or `TLSv1.3`.
        version: &'static str,
        /// Whether a session was resumed.
        resumed: bool,
    },
    /// TLS failed: no common version, unknown name, bad certificate, garbage.
    Failed,
    /// The deadline passed.
    TimedOut,
    /// The client closed before it was done.
    Closed,
}

impl HandshakeResult {
    /// Values of the labels `result` and `version`; a failed handshake has no version.
    #[must_use]
    pub const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok {
                version,
                resumed: false,
            } => ("full", version),
            Self::Ok {
                version,
                resumed: true,
            } => ("resumed", version),
            Self::Failed => ("failed", ""),
            Self::TimedOut => ("timeout", ""),
            Self::Closed => ("closed", ""),
        }
    }
}

#[derive(Debug, Default)]
struct Shard {
    counters: ListenerShard,
    in_flight: Level,
    /// Connections that speak HTTP/2, and requests that came over them.
    http2_connections: Level,
    http2_requests: Level,
    reasons: Append<&'static str, Counter, 16>,
    handshakes: Append<(&'static str, &'static str), Counter, 8>,
}

/// What was observed at one listener.
#[derive(Debug)]
pub struct ListenerLive {
    name: Arc<str>,
    uid: u64,
    connections: Occupancy,
    shards: Shards<Shard>,
    paused: AtomicBool,
    max_connections: Maximum,
    connection_rate: Rate,
    request_rate: Rate,
    cleared: Mutex<ListenerTotals>,
}

impl ListenerLive {
    pub(super) fn new(name: &Arc<str>, uid: u64, workers: usize) -> Self {
        Self {
            name: Arc::clone(name),
            uid,
            connections: Occupancy::default(),
            shards: Shards::new(workers),
            paused: AtomicBool::new(false),
            max_connections: Maximum::default(),
            connection_rate: Rate::default(),
            request_rate: Rate::default(),
            cleared: Mutex::default(),
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

    /// Counts a connection as open, unless `max` (or what the operator set instead) already are; a refusal is counted too.
    pub fn try_open(&self, worker: WorkerId, max: u32) -> bool {
        let opened = self.connections.try_enter(self.max_connections(max));
        if !opened {
            self.shards.of(worker).counters.over_limit.add(1);
        }
        opened
    }

    /// Counts a connection as closed that `try_open` let in.
    pub fn closed(&self, _worker: WorkerId) {
        self.connections.leave();
    }

    /// Connections: open, ever opened, most at once.
    #[must_use]
    pub fn connections(&self) -> &Occupancy {
        &self.connections
    }

    /// Counts a connection that was cut before its first request, for a stable kebab-case `reason`.
    pub fn refuse_connection(&self, worker: WorkerId, reason: &'static str) {
        let shard = self.shards.of(worker);
        shard.counters.denied_connections.add(1);
        count_reason(shard, reason);
    }

    /// Counts a deadline that ended a connection outside any exchange, such as `client_idle`.
    pub fn deadline(&self, worker: WorkerId, deadline: Deadline) {
        count_deadline(self.shards.of(worker), deadline);
    }

    /// Counts a TLS handshake.
    pub fn handshake(&self, worker: WorkerId, result: HandshakeResult) {
        let shard = self.shards.of(worker);
        if let Some(counter) = shard.handshakes.entry(result.labels(), Counter::default) {
            counter.add(1);
        }
        if result == HandshakeResult::TimedOut {
            count_deadline(shard, Deadline::Handshake);
        }
    }

    /// A request began.
    #[inline]
    pub fn begin(&self, worker: WorkerId) {
        self.shards.of(worker).in_flight.shift(1);
    }

    /// Adds `change` to the connections that speak HTTP/2.
    pub fn http2_connections_changed(&self, worker: WorkerId, change: i64) {
        self.shards.of(worker).http2_connections.shift(change);
    }

    /// Adds `change` to the requests in flight that came over HTTP/2, which `begin` and `end` count as well.
    #[inline]
    pub fn http2_requests_changed(&self, worker: WorkerId, change: i64) {
        self.shards.of(worker).http2_requests.shift(change);
    }

    /// Open connections that speak HTTP/2, and requests in flight on them.
    #[must_use]
    pub fn http2(&self) -> (u64, u64) {
        let sum = |level: fn(&Shard) -> &Level| {
            let sum: i64 = self.shards.iter().map(|shard| level(shard).value()).sum();
            u64::try_from(sum).unwrap_or(0)
        };
        (
            sum(|shard| &shard.http2_connections),
            sum(|shard| &shard.http2_requests),
        )
    }

    /// A request ended; the same worker as at `begin`.
    #[inline]
    pub fn end(&self, worker: WorkerId) {
        self.shards.of(worker).in_flight.shift(-1);
    }

    /// Requests that began and did not end.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let sum: i64 = self
            .shards
            .iter()
            .map(|shard| shard.in_flight.value())
            .sum();
        u64::try_from(sum).unwrap_or(0)
    }

    #[inline]
    pub(super) fn record(&self, worker: WorkerId, outcome: &Outcome<'_>) {
        let shard = self.shards.of(worker);
        let counters = &shard.counters;
        counters.requests.add(1);
        counters.bytes_in.add(outcome.bytes_in);
        counters.bytes_out.add(outcome.bytes_out);
        if let Some(class) = counters.classes.get(status_class(outcome.status)) {
            class.add(1);
        }
        if let Some(ended) = counters.ended.get(ending_index(outcome.ended_by)) {
            ended.add(1);
        }
        if outcome.upgraded {
            counters.upgraded.add(1);
        }
        if !outcome.from_server && outcome.status != 0 {
            counters.intercepted.add(1);
        }
        if outcome.ended_by != EndedBy::Completed || outcome.reason.is_some() {
            record_trouble(shard, outcome);
        }
    }

    /// The sums since the process started. They only grow.
    #[must_use]
    pub fn totals(&self) -> ListenerTotals {
        let mut totals = ListenerTotals::default();
        self.shards
            .iter()
            .for_each(|shard| shard.counters.add_to(&mut totals));
        totals
    }

    /// The sums since counters were last cleared, which is what HAProxy's tools expect.
    #[must_use]
    pub fn totals_since_clear(&self) -> ListenerTotals {
        self.totals()
            .since(&self.cleared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refusals by reason since the process started.
    #[must_use]
    pub fn reasons(&self) -> Vec<(&'static str, u64)> {
        merged(self.shards.iter().flat_map(|shard| shard.reasons.iter()))
    }

    /// Handshakes by result and version since the process started.
    #[must_use]
    pub fn handshakes(&self) -> Vec<((&'static str, &'static str), u64)> {
        merged(self.shards.iter().flat_map(|shard| shard.handshakes.iter()))
    }

    /// Connections a second.
    #[must_use]
    pub fn connection_rate(&self) -> &Rate {
        &self.connection_rate
    }

    /// Requests a second.
    #[must_use]
    pub fn request_rate(&self) -> &Rate {
        &self.request_rate
    }

    /// Whether an operator stopped it from accepting.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Relaxed)
    }

    /// Stops or resumes accepting; gives whether that changed anything.
    pub fn set_paused(&self, paused: bool) -> bool {
        self.paused.swap(paused, Relaxed) != paused
    }

    /// The maximum in force: what the operator set, else `configured`.
    #[must_use]
    pub fn max_connections(&self, configured: u32) -> u32 {
        self.max_connections.in_force(configured)
    }

    /// Sets a maximum in place of the configured one, or takes that back.
    pub fn set_max_connections(&self, max: Option<u32>) {
        self.max_connections.set(max);
    }

    pub(super) fn tick(&self, _now: Moment, elapsed: Duration) {
        let requests: u64 = self
            .shards
            .iter()
            .map(|shard| shard.counters.requests.total())
            .sum();
        self.connection_rate
            .tick(self.connections.opened(), elapsed);
        self.request_rate.tick(requests, elapsed);
    }

    pub(super) fn clear_peaks(&self) {
        self.connections.reset_peak();
        self.connection_rate.reset_peak();
        self.request_rate.reset_peak();
    }

    pub(super) fn clear_totals(&self) {
        *self.cleared.lock().unwrap_or_else(PoisonError::into_inner) = self.totals();
    }
}

fn record_trouble(shard: &Shard, outcome: &Outcome<'_>) {
    let counters = &shard.counters;
    match outcome.ended_by {
        EndedBy::Policy if !had_no_server(outcome) => counters.denied.add(1),
        EndedBy::Internal => counters.internal_errors.add(1),
        EndedBy::Client | EndedBy::Deadline if outcome.timings.attempt.is_none() => {
            counters.request_errors.add(1);
        }
        _ => {}
    }
    if let Some(deadline) = outcome.deadline {
        count_deadline(shard, deadline);
    }
    if let Some(reason) = outcome.reason {
        count_reason(shard, reason);
    }
}

fn count_reason(shard: &Shard, reason: &'static str) {
    match shard.reasons.entry(reason, Counter::default) {
        Some(counter) => counter.add(1),
        None => shard.counters.unlisted_reasons.add(1),
    }
}

fn count_deadline(shard: &Shard, deadline: Deadline) {
    let index = Deadline::ALL.iter().position(|known| *known == deadline);
    if let Some(counter) = index.and_then(|index| shard.counters.deadlines.get(index)) {
        counter.add(1);
    }
}

fn ending_index(ended_by: EndedBy) -> usize {
    match ended_by {
        EndedBy::Completed => 0,
        EndedBy::Client => 1,
        EndedBy::Server => 2,
        EndedBy::Policy => 3,
        EndedBy::Deadline => 4,
        EndedBy::Shutdown => 5,
        EndedBy::Internal => 6,
    }
}

/// Sums of the same keys over workers, in order of first appearance.
pub(super) fn merged<'a, K: Copy + PartialEq + 'a>(
    counts: impl Iterator<Item = &'a (K, Counter)>,
) -> Vec<(K, u64)> {
    let mut sums: Vec<(K, u64)> = Vec::new();
    for (key, counter) in counts {
        match sums.iter_mut().find(|(known, _)| known == key) {
            Some((_, sum)) => *sum += counter.total(),
            None => sums.push((*key, counter.total())),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> ListenerLive {
        ListenerLive::new(&Arc::from("web"), 1, 2)
    }

    #[test]
    fn refuses_connections_over_the_maximum_and_counts_it() {
        let live = listener();
        let worker = WorkerId::new(0);
        assert!(live.try_open(worker, 1));
        assert!(!live.try_open(WorkerId::new(1), 1));
        live.closed(worker);
        assert!(live.try_open(worker, 1));
        assert_eq!(live.totals().over_limit, 1);
        assert_eq!(live.connections().opened(), 2);
    }

    #[test]
    fn an_operators_maximum_goes_before_the_configured_one() {
        let live = listener();
        live.set_max_connections(Some(0));
        assert!(!live.try_open(WorkerId::new(0), 10));
        live.set_max_connections(None);
        assert!(live.try_open(WorkerId::new(0), 10));
    }

    #[test]
    fn counts_handshakes_by_result_and_version() {
        let live = listener();
        let version = "TLSv1.3";
        for worker in [0, 1, 1] {
            live.handshake(
                WorkerId::new(worker),
                HandshakeResult::Ok {
                    version,
                    resumed: false,
                },
            );
        }
        live.handshake(WorkerId::new(0), HandshakeResult::TimedOut);
        assert_eq!(
            live.handshakes(),
            [(("full", "TLSv1.3"), 3), (("timeout", ""), 1)]
        );
        assert_eq!(
            live.totals().deadlines[0],
            1,
            "a handshake that timed out is a deadline that fired"
        );
    }

    #[test]
    fn counts_refusals_by_reason() {
        let live = listener();
        live.refuse_connection(WorkerId::new(0), "bad-proxy-header");
        live.refuse_connection(WorkerId::new(1), "bad-proxy-header");
        assert_eq!(live.reasons(), [("bad-proxy-header", 2)]);
        assert_eq!(live.totals().denied_connections, 2);
    }

    #[test]
    fn pausing_tells_whether_it_changed() {
        let live = listener();
        assert!(live.set_paused(true));
        assert!(!live.set_paused(true));
        assert!(live.is_paused());
    }

    #[test]
    fn the_order_of_endings_is_one_order() {
        for (index, ended_by) in ENDINGS.into_iter().enumerate() {
            assert_eq!(ending_index(ended_by), index);
        }
    }
}
