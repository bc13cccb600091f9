//! Distributions of durations, in the buckets that OpenTelemetry advises for HTTP and one of a millisecond below them.

use std::time::Duration;

use super::counter::Counter;

/// Upper bounds of the buckets in seconds, inclusive; the last bucket has none.
pub const BOUNDS: [f64; 15] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The same in nanoseconds.
const BOUND_NANOS: [u64; 15] = [
    1_000_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// Counts of durations by bucket; one writer, like [`Counter`].
#[derive(Debug, Default)]
#[repr(C)] // the sum beside the buckets of the fastest, which most are
pub struct Histogram {
    sum_nanos: Counter,
    buckets: [Counter; BOUNDS.len() + 1],
}

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn observe(&self, duration: Duration) {
        self.observe_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts one duration given in nanoseconds.
    #[inline]
    pub fn observe_nanos(&self, nanos: u64) {
        if let Some(counter) = self.buckets.get(bucket(nanos)) {
            counter.add(1);
        }
        self.sum_nanos.add(nanos);
    }

    /// Adds what was counted to `totals`.
    pub fn add_to(&self, totals: &mut HistogramTotals) {
        totals.add(self.buckets.iter(), &self.sum_nanos);
    }
}

/// Two histograms that are added to together, like buckets side by side: what two fast durations change is one piece.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Twins {
    sums: [Counter; 2],
    buckets: [[Counter; 2]; BOUNDS.len() + 1],
}

impl Twins {
    /// Counts one duration, given in nanoseconds, in histogram `N`.
    #[inline]
    pub(super) fn observe_nanos<const N: usize>(&self, nanos: u64) {
        const { assert!(N < 2) };
        if let Some(pair) = self.buckets.get(bucket(nanos)) {
            pair[N].add(1);
        }
        self.sums[N].add(nanos);
    }

    /// Adds what was counted in histogram `N` to `totals`.
    pub(super) fn add_to<const N: usize>(&self, totals: &mut HistogramTotals) {
        const { assert!(N < 2) };
        totals.add(self.buckets.iter().map(|pair| &pair[N]), &self.sums[N]);
    }

    /// The buckets of both, the fastest first.
    pub(super) fn buckets(&self) -> &[[Counter; 2]] {
        &self.buckets
    }
}

/// The bucket that a duration in nanoseconds belongs to.
#[inline]
fn bucket(nanos: u64) -> usize {
    BOUND_NANOS.partition_point(|bound| *bound < nanos)
}

/// A histogram as readers get it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramTotals {
    /// Durations per bucket, not cumulative; the last one is above every bound.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// Sum of all durations in nanoseconds.
    pub sum_nanos: u64,
}

impl HistogramTotals {
    fn add<'c>(&mut self, buckets: impl Iterator<Item = &'c Counter>, sum_nanos: &Counter) {
        for (sum, counter) in self.buckets.iter_mut().zip(buckets) {
            *sum += counter.total();
        }
        self.sum_nanos = self.sum_nanos.wrapping_add(sum_nanos.total());
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Sum of all durations in seconds.
    #[must_use]
    pub fn sum_seconds(&self) -> f64 {
        self.sum_nanos as f64 / 1e9
    }

    /// What was counted after `earlier` was read.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut left = self.clone();
        for (count, before) in left.buckets.iter_mut().zip(&earlier.buckets) {
            *count = count.saturating_sub(*before);
        }
        left.sum_nanos = left.sum_nanos.wrapping_sub(earlier.sum_nanos);
        left
    }

    /// Seconds within which this share of the durations lies, those of a bucket taken to be spread evenly. Zero without
    /// any; the last bound for what is above it.
    #[must_use]
    pub fn within(&self, share: f64) -> f64 {
        let wanted = self.count() as f64 * share;
        let (mut below, mut from) = (0.0, 0.0);
        if wanted <= 0.0 {
            return 0.0;
        }
        for (count, bound) in self.buckets.iter().zip(BOUNDS) {
            let count = *count as f64;
            if below + count >= wanted {
                return from + (bound - from) * (wanted - below) / count;
            }
            (below, from) = (below + count, bound);
        }
        from
    }

    /// Adds another histogram to this one.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += more;
        }
        self.sum_nanos = self.sum_nanos.wrapping_add(other.sum_nanos);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn bucket_of(duration: Duration) -> Option<usize> {
        let histogram = Histogram::default();
        histogram.observe(duration);
        let mut totals = HistogramTotals::default();
        histogram.add_to(&mut totals);
        totals.buckets.iter().position(|count| *count == 1)
    }

    #[test]
    fn bounds_are_inclusive() {
        assert_eq!(bucket_of(Duration::ZERO), Some(0));
        assert_eq!(bucket_of(Duration::from_millis(1)), Some(0));
        assert_eq!(bucket_of(Duration::from_nanos(1_000_001)), Some(1));
        assert_eq!(bucket_of(Duration::from_secs(10)), Some(14));
        assert_eq!(bucket_of(Duration::from_secs(11)), Some(15));
    }

    #[test]
    fn a_share_of_durations_lies_within_a_time() {
        let mut totals = HistogramTotals::default();
        assert_eq!(totals.within(0.9), 0.0);
        totals.buckets[1] = 10;
        assert!((totals.within(0.5) - 0.003).abs() < 1e-9);
        totals.buckets[15] = 90;
        assert_eq!(totals.within(0.5), 10.0, "longer is not told apart");
        let earlier = totals.clone();
        totals.buckets[1] += 4;
        assert_eq!(totals.since(&earlier).count(), 4);
    }

    #[test]
    fn both_tables_of_bounds_agree() {
        for (seconds, nanos) in BOUNDS.iter().zip(BOUND_NANOS) {
            assert_eq!((seconds * 1e9).round() as u64, nanos);
        }
    }

    #[test]
    fn totals_merge() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(2));
        let mut totals = HistogramTotals::default();
        histogram.add_to(&mut totals);
        let other = totals.clone();
        totals.merge(&other);
        assert_eq!(totals.count(), 2);
        assert!((totals.sum_seconds() - 0.004).abs() < 1e-9);
    }
}
