//! Averages over about the last 1024 requests and rates per second, as HAProxy's users know them.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::counter::{Counter, Peak};

/// Requests that an average looks back on, per worker.
const WINDOW: u64 = 1024;

/// A sliding average in nanoseconds with its maximum; one writer.
#[derive(Debug, Default)]
pub(crate) struct Average {
    sum: AtomicU64,
    samples: Counter,
    peak: Peak,
}

impl Average {
    /// Takes a sample: the sum grows until the window is full, then each sample displaces an average one.
    #[inline]
    pub(crate) fn add(&self, nanos: u64) {
        let sum = self.sum.load(Relaxed);
        let kept = if self.samples.total() < WINDOW {
            sum
        } else {
            sum - sum / WINDOW
        };
        self.sum.store(kept.saturating_add(nanos), Relaxed);
        self.samples.add(1);
        self.peak.note(nanos);
    }

    pub(crate) fn reset_peak(&self) {
        self.peak.reset();
    }
}

/// An average and its maximum as readers get them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTime {
    /// Mean over the last requests, about 1024 per worker.
    pub average: Duration,
    /// The longest since counters were cleared.
    pub peak: Duration,
}

/// One time over all workers, each weighing as much as it has samples.
pub(crate) fn phase_time<'a>(shards: impl Iterator<Item = &'a Average>) -> PhaseTime {
    let (mut sum, mut samples, mut peak) = (0_u64, 0_u64, 0);
    for average in shards {
        sum = sum.saturating_add(average.sum.load(Relaxed));
        samples += average.samples.total().min(WINDOW);
        peak = average.peak.value().max(peak);
    }
    PhaseTime {
        average: Duration::from_nanos(sum.checked_div(samples).unwrap_or(0)),
        peak: Duration::from_nanos(peak),
    }
}

/// Events a second, from totals read once a second.
#[derive(Debug, Default)]
pub struct Rate {
    total: AtomicU64,
    current: AtomicU64,
    peak: AtomicU64,
}

impl Rate {
    /// Takes the total now, `elapsed` after the last call. Only the ticker calls this.
    pub(crate) fn tick(&self, total: u64, elapsed: Duration) {
        let new = total.wrapping_sub(self.total.swap(total, Relaxed));
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 {
            (new as f64 / seconds).round() as u64
        } else {
            0
        };
        self.current.store(rate, Relaxed);
        self.peak.fetch_max(rate, Relaxed);
    }

    /// Events in the last second.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.current.load(Relaxed)
    }

    /// The most in a second since counters were cleared.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    pub(crate) fn reset_peak(&self) {
        self.peak.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_history_is_averaged_over_what_there_is() {
        let average = Average::default();
        average.add(10_000_000);
        average.add(20_000_000);
        let time = phase_time(std::iter::once(&average));
        assert_eq!(time.average, Duration::from_millis(15));
        assert_eq!(time.peak, Duration::from_millis(20));
    }

    #[test]
    fn old_samples_fade_out() {
        let average = Average::default();
        for _ in 0..1024 {
            average.add(100_000_000);
        }
        for _ in 0..10_000 {
            average.add(1_000_000);
        }
        let time = phase_time(std::iter::once(&average));
        assert!(time.average < Duration::from_millis(2), "{time:?}");
        assert_eq!(time.peak, Duration::from_millis(100));
    }

    #[test]
    fn idle_workers_do_not_weigh_in() {
        let (busy, idle) = (Average::default(), Average::default());
        busy.add(8_000_000);
        let time = phase_time([&busy, &idle].into_iter());
        assert_eq!(time.average, Duration::from_millis(8));
    }

    #[test]
    fn rates_follow_totals() {
        let rate = Rate::default();
        rate.tick(100, Duration::from_secs(1));
        assert_eq!(rate.current(), 100);
        rate.tick(120, Duration::from_secs(2));
        assert_eq!((rate.current(), rate.peak()), (10, 100));
    }
}
