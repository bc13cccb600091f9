//! Numbers that workers add to and anybody reads.
//!
//! A [`Counter`] has one writer, so adding is a plain load and store. [`Shards`] gives each worker its own
//! copy on its own cache lines; readers sum them. [`Occupancy`] is for what all workers must agree on.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock};

use crate::WorkerId;

/// A sum with one writer; readers may be anywhere.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only one thread may call this on one counter, else sums are lost; that is what makes it cheap.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A level with one writer, such as a worker's share of what is open.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    /// Changes the level by `n`. One writer only, as for [`Counter`].
    #[inline]
    pub fn shift(&self, n: i64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The level now.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// The greatest value seen since the last reset.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    /// Takes note of `value`. One writer only.
    #[inline]
    pub fn note(&self, value: u64) {
        if value > self.0.load(Relaxed) {
            self.0.store(value, Relaxed);
        }
    }

    /// The greatest value noted.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Forgets it.
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// Two cache lines to itself, since processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// One copy per worker, made when the worker first needs it, plus one for threads that are no worker.
/// A clone is the same copies.
#[derive(Debug)]
pub struct Shards<T> {
    /// One cell for each worker, then the others'.
    copies: Arc<[Cell<T>]>,
}

type Cell<T> = OnceLock<Box<Padded<T>>>;

impl<T> Clone for Shards<T> {
    fn clone(&self) -> Self {
        Self {
            copies: Arc::clone(&self.copies),
        }
    }
}

impl<T> Shards<T> {
    /// Room for `workers` copies.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            copies: (0..=workers).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The copy of `worker`, made by `make` the first time. Workers beyond the number given to `new` share one copy.
    #[inline]
    pub fn of_or(&self, worker: WorkerId, make: impl FnOnce() -> T) -> &T {
        let others = self.copies.len() - 1; // `new` makes at least one
        let cell = &self.copies[worker.index().min(others)];
        &cell.get_or_init(|| Box::new(Padded(make()))).0
    }

    /// Every copy that exists.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.copies
            .iter()
            .filter_map(OnceLock::get)
            .map(|padded| &padded.0)
    }
}

impl<T: Default> Shards<T> {
    /// The copy of `worker`.
    #[inline]
    pub fn of(&self, worker: WorkerId) -> &T {
        self.of_or(worker, T::default)
    }
}

/// What is open now and was opened ever, in one word that any thread changes, and the greatest number open at once.
///
/// 22 bits hold what is open, 42 what was opened (a counter that starts again after four million million).
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Occupancy {
    word: AtomicU64,
    peak: AtomicU64,
}

const OPEN_BITS: u32 = 22;
const OPEN_MASK: u64 = (1 << OPEN_BITS) - 1;
const ONE_OPENED: u64 = (1 << OPEN_BITS) + 1;

impl Occupancy {
    /// Counts one more open.
    #[inline]
    pub fn enter(&self) {
        let open = (self.word.fetch_add(ONE_OPENED, Relaxed) & OPEN_MASK) + 1;
        self.raise_peak(open);
    }

    /// Counts one more open unless `max` already are.
    #[inline]
    pub fn try_enter(&self, max: u32) -> bool {
        let max = u64::from(max).min(OPEN_MASK);
        let entered = self.word.fetch_update(Relaxed, Relaxed, |word| {
            (word & OPEN_MASK < max).then(|| word.wrapping_add(ONE_OPENED))
        });
        if let Ok(before) = entered {
            self.raise_peak((before & OPEN_MASK) + 1);
        }
        entered.is_ok()
    }

    /// Counts one less open. Without an `enter` before it this does nothing.
    #[inline]
    pub fn leave(&self) {
        let before = self.word.fetch_sub(1, Relaxed);
        if before & OPEN_MASK == 0 {
            self.word.fetch_add(1, Relaxed);
        }
    }

    fn raise_peak(&self, open: u64) {
        if open > self.peak.load(Relaxed) {
            self.peak.fetch_max(open, Relaxed);
        }
    }

    /// How many are open.
    #[must_use]
    #[inline]
    pub fn open(&self) -> u32 {
        (self.word.load(Relaxed) & OPEN_MASK) as u32
    }

    /// How many were ever opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.word.load(Relaxed) >> OPEN_BITS
    }

    /// The most that were open at once since the last reset.
    #[must_use]
    pub fn peak(&self) -> u32 {
        u32::try_from(self.peak.load(Relaxed)).unwrap_or(u32::MAX)
    }

    /// The peak starts again from what is open now.
    pub fn reset_peak(&self) {
        self.peak.store(u64::from(self.open()), Relaxed);
    }
}

/// Declares a worker's counters and the plain numbers that readers get, from one list of names.
macro_rules! counters {
    (
        $(#[$shard_doc:meta])* $shard:ident, $(#[$totals_doc:meta])* $totals:ident {
            $($(#[$doc:meta])* $name:ident,)*
        }
        arrays { $($(#[$array_doc:meta])* $array:ident: $length:expr,)* }
    ) => {
        $(#[$shard_doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $shard {
            $(pub(crate) $name: $crate::live::counter::Counter,)*
            $(pub(crate) $array: [$crate::live::counter::Counter; $length],)*
        }

        impl $shard {
            fn add_to(&self, totals: &mut $totals) {
                $(totals.$name += self.$name.total();)*
                $(for (sum, counter) in totals.$array.iter_mut().zip(&self.$array) {
                    *sum += counter.total();
                })*
            }
        }

        $(#[$totals_doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $totals {
            $($(#[$doc])* pub $name: u64,)*
            $($(#[$array_doc])* pub $array: [u64; $length],)*
        }

        impl $totals {
            /// What was added after `earlier` was read.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                let mut left = self.clone();
                $(left.$name = left.$name.wrapping_sub(earlier.$name);)*
                $(for (sum, before) in left.$array.iter_mut().zip(&earlier.$array) {
                    *sum = sum.wrapping_sub(*before);
                })*
                left
            }
        }
    };
}
pub(crate) use counters;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed_by_readers() {
        let shards: Shards<Counter> = Shards::new(2);
        for worker in 0..4 {
            shards.of(WorkerId::new(worker)).add(10);
        }
        let copies = shards.iter().count();
        assert_eq!(copies, 3, "two workers and one copy for all others");
        assert_eq!(shards.iter().map(Counter::total).sum::<u64>(), 40);
    }

    #[test]
    fn a_shard_that_nobody_used_does_not_exist() {
        let shards: Shards<Counter> = Shards::new(64);
        assert_eq!(shards.iter().count(), 0);
    }

    #[test]
    fn occupancy_knows_open_opened_and_peak() {
        let occupancy = Occupancy::default();
        occupancy.enter();
        occupancy.enter();
        occupancy.leave();
        assert_eq!(
            (occupancy.open(), occupancy.opened(), occupancy.peak()),
            (1, 2, 2)
        );
        occupancy.reset_peak();
        assert_eq!(occupancy.peak(), 1, "the peak restarts from what is open");
    }

    #[test]
    fn occupancy_refuses_above_its_maximum() {
        let occupancy = Occupancy::default();
        assert!(occupancy.try_enter(1));
        assert!(!occupancy.try_enter(1));
        occupancy.leave();
        assert!(occupancy.try_enter(1));
        assert_eq!(occupancy.opened(), 2, "a refusal is not counted as opened");
        assert!(!occupancy.try_enter(0));
    }

    #[test]
    fn leaving_too_often_does_not_wrap() {
        let occupancy = Occupancy::default();
        occupancy.leave();
        assert_eq!(occupancy.open(), 0);
        occupancy.enter();
        assert_eq!(occupancy.open(), 1);
    }

    #[test]
    fn occupancy_is_exact_across_threads() {
        let occupancy = Occupancy::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if occupancy.try_enter(2) {
                            occupancy.leave();
                        }
                    }
                });
            }
        });
        assert_eq!(occupancy.open(), 0);
        assert!(occupancy.peak() <= 2);
    }
}
