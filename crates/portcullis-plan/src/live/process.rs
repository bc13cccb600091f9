//! What was observed of the process as a whole.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::average::Rate;
use super::counter::Occupancy;
use super::maximum::Maximum;
use crate::Moment;

/// What was observed of the process. Rare events only, so plain atomics will do.
#[derive(Debug)]
pub struct ProcessLive {
    started_wall_nanos: u64,
    connections: Occupancy,
    max_connections: Maximum,
    connection_rate: Rate,
    request_rate: Rate,
    uids: AtomicU64,
    ticked: AtomicU64,
    draining: AtomicBool,
    /// Connections refused because as many as allowed were open over all listeners.
    pub over_limit: Events,
    /// Times that file descriptors ran out.
    pub descriptors_exhausted: Events,
    /// Access log lines dropped because the log was slower than the traffic.
    pub log_dropped: Events,
    /// Panics, in whatever thread or task.
    pub panics: Events,
    /// Reloads that took effect.
    pub reloads: Events,
    /// Reloads that changed nothing.
    pub reloads_unchanged: Events,
    /// Reloads that were refused.
    pub reloads_rejected: Events,
    /// Guarded reloads that were taken back because they made things worse.
    pub guard_rollbacks: Events,
    /// Times that changed certificates were put to use without a reload.
    pub renewals: Events,
    /// Times that changed certificates could not be used.
    pub renewals_rejected: Events,
    last_reload_ok: AtomicBool,
    last_reload_wall_nanos: AtomicU64,
    fingerprint: AtomicU64,
}

/// A count of rare events, from any thread.
#[derive(Debug, Default)]
pub struct Events(AtomicU64);

impl Events {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// How many.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a reload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// A new plan is in force.
    Reloaded,
    /// The text meant the same as before.
    Unchanged,
    /// It was wrong; the old plan stays.
    Rejected,
    /// The last new plan made things worse; the one before is in force again.
    WentBack,
}

impl ProcessLive {
    /// A process that started at this wall-clock time (nanoseconds since 1970) with a plan of this fingerprint.
    #[must_use]
    pub(super) fn new(started_wall_nanos: u64, fingerprint: u64) -> Self {
        Self {
            started_wall_nanos,
            connections: Occupancy::default(),
            max_connections: Maximum::default(),
            connection_rate: Rate::default(),
            request_rate: Rate::default(),
            uids: AtomicU64::new(1),
            ticked: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            over_limit: Events::default(),
            descriptors_exhausted: Events::default(),
            log_dropped: Events::default(),
            panics: Events::default(),
            reloads: Events::default(),
            reloads_unchanged: Events::default(),
            reloads_rejected: Events::default(),
            guard_rollbacks: Events::default(),
            renewals: Events::default(),
            renewals_rejected: Events::default(),
            last_reload_ok: AtomicBool::new(true),
            last_reload_wall_nanos: AtomicU64::new(started_wall_nanos),
            fingerprint: AtomicU64::new(fingerprint),
        }
    }

    /// Wall clock at the start, nanoseconds since 1970.
    #[must_use]
    pub const fn started_wall_nanos(&self) -> u64 {
        self.started_wall_nanos
    }

    /// Counts a connection as open, unless `max` (or what the operator set instead) already are over all listeners.
    pub fn try_open(&self, max: u32) -> bool {
        let opened = self.connections.try_enter(self.max_connections(max));
        if !opened {
            self.over_limit.count();
        }
        opened
    }

    /// Counts a connection as closed that `try_open` let in.
    pub fn closed(&self) {
        self.connections.leave();
    }

    /// Connections over all listeners: open, ever opened, most at once.
    #[must_use]
    pub fn connections(&self) -> &Occupancy {
        &self.connections
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

    /// Connections a second over all listeners.
    #[must_use]
    pub fn connection_rate(&self) -> &Rate {
        &self.connection_rate
    }

    /// Requests a second over all listeners.
    #[must_use]
    pub fn request_rate(&self) -> &Rate {
        &self.request_rate
    }

    /// Whether it is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// It is stopping from now on.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Counts a reload; `wall_nanos` and `fingerprint` are kept if it took effect or was not needed.
    pub fn reloaded(&self, result: ReloadResult, wall_nanos: u64, fingerprint: u64) {
        let events = match result {
            ReloadResult::Reloaded => &self.reloads,
            ReloadResult::Unchanged => &self.reloads_unchanged,
            ReloadResult::Rejected => &self.reloads_rejected,
            ReloadResult::WentBack => &self.guard_rollbacks,
        };
        events.count();
        let ok = matches!(result, ReloadResult::Reloaded | ReloadResult::Unchanged);
        self.last_reload_ok.store(ok, Relaxed);
        if result != ReloadResult::Rejected {
            self.last_reload_wall_nanos.store(wall_nanos, Relaxed);
            self.fingerprint.store(fingerprint, Relaxed);
        }
    }

    /// Whether the last reload was good; true before the first.
    #[must_use]
    pub fn last_reload_ok(&self) -> bool {
        self.last_reload_ok.load(Relaxed)
    }

    /// Wall clock of the last good reload, or of the start.
    #[must_use]
    pub fn last_reload_wall_nanos(&self) -> u64 {
        self.last_reload_wall_nanos.load(Relaxed)
    }

    /// Fingerprint of the plan in force.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.load(Relaxed)
    }

    /// When the ticker last ran; a time long past means that it is stuck.
    #[must_use]
    pub fn ticked(&self) -> Moment {
        Moment::from_nanos(self.ticked.load(Relaxed))
    }

    /// A number never given before, above 0.
    pub(super) fn next_uid(&self) -> u64 {
        self.uids.fetch_add(1, Relaxed)
    }

    /// Notes the moment of a tick and gives the one before.
    pub(super) fn start_tick(&self, now: Moment) -> Moment {
        Moment::from_nanos(self.ticked.swap(now.as_nanos(), Relaxed))
    }

    pub(super) fn tick(&self, requests: u64, elapsed: std::time::Duration) {
        self.connection_rate
            .tick(self.connections.opened(), elapsed);
        self.request_rate.tick(requests, elapsed);
    }

    pub(super) fn clear_peaks(&self) {
        self.connections.reset_peak();
        self.connection_rate.reset_peak();
        self.request_rate.reset_peak();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_reload_keeps_the_time_and_fingerprint_of_the_last_good_one() {
        let process = ProcessLive::new(5, 1);
        process.reloaded(ReloadResult::Reloaded, 10, 2);
        process.reloaded(ReloadResult::Rejected, 20, 3);
        assert!(!process.last_reload_ok());
        assert_eq!(
            (process.last_reload_wall_nanos(), process.fingerprint()),
            (10, 2)
        );
        process.reloaded(ReloadResult::Unchanged, 30, 2);
        assert!(process.last_reload_ok());
        let totals = [
            &process.reloads,
            &process.reloads_unchanged,
            &process.reloads_rejected,
        ]
        .map(Events::total);
        assert_eq!(totals, [1, 1, 1]);
    }

    #[test]
    fn caps_connections_over_all_listeners() {
        let process = ProcessLive::new(0, 0);
        assert!(process.try_open(1));
        assert!(!process.try_open(1));
        assert_eq!(process.over_limit.total(), 1);
        process.closed();
        process.set_max_connections(Some(0));
        assert!(!process.try_open(1));
    }
}
