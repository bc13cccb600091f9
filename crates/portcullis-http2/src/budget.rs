//! Floods: what costs work and brings nothing is borne so often (RFC 9113 section 10.5).

use crate::{Allowance, Budgets, Refusal};

/// What work done can add up to, for peers that answer late and all at once.
const MOST_EARNED: u32 = 100_000;

/// A kind of thing that has an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flood {
    Resets,
    Faults,
    Refused,
    Settings,
    Pings,
    Priorities,
    WindowUpdates,
    Empty,
    Unknown,
}

const KINDS: usize = 9;

impl Flood {
    const ALL: [Self; KINDS] = [
        Self::Resets,
        Self::Faults,
        Self::Refused,
        Self::Settings,
        Self::Pings,
        Self::Priorities,
        Self::WindowUpdates,
        Self::Empty,
        Self::Unknown,
    ];

    fn allowance(self, budgets: &Budgets) -> Allowance {
        match self {
            Self::Resets => budgets.resets,
            Self::Faults => budgets.faults,
            Self::Refused => budgets.refused,
            Self::Settings => budgets.settings,
            Self::Pings => budgets.pings,
            Self::Priorities => budgets.priorities,
            Self::WindowUpdates => budgets.window_updates,
            Self::Empty => budgets.empty,
            Self::Unknown => budgets.unknown,
        }
    }

    fn refusal(self) -> Refusal {
        match self {
            Self::Resets => Refusal::FloodResets,
            Self::Faults => Refusal::FloodFaults,
            Self::Refused => Refusal::FloodRefused,
            Self::Settings => Refusal::FloodSettings,
            Self::Pings => Refusal::FloodPing,
            Self::Priorities => Refusal::FloodPriority,
            Self::WindowUpdates => Refusal::FloodWindowUpdate,
            Self::Empty => Refusal::FloodEmpty,
            Self::Unknown => Refusal::FloodUnknown,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    tokens: u32,
    allowance: Allowance,
    /// When it was last filled, in milliseconds.
    filled: u64,
}

impl Bucket {
    fn fill(&mut self, now: u64) {
        let elapsed = now.saturating_sub(self.filled);
        let rate = u64::from(self.allowance.per_second);
        let added = elapsed.saturating_mul(rate) / 1000;
        if added == 0 {
            return;
        }
        // The part of a token that is not full yet is kept as time.
        self.filled = now - (elapsed.saturating_mul(rate) % 1000) / rate.max(1);
        let room = self.allowance.burst.saturating_sub(self.tokens);
        self.tokens += u32::try_from(added).map_or(room, |added| added.min(room));
    }
}

/// One bucket for each kind.
#[derive(Debug)]
pub(crate) struct Floods {
    buckets: [Bucket; KINDS],
}

impl Floods {
    pub(crate) fn new(budgets: &Budgets, now: u64) -> Self {
        let bucket = |kind: Flood| {
            let allowance = kind.allowance(budgets);
            Bucket {
                tokens: allowance.burst,
                allowance,
                filled: now,
            }
        };
        Self {
            buckets: Flood::ALL.map(bucket),
        }
    }

    /// One more of `kind`; refused when its bucket is empty.
    #[inline]
    pub(crate) fn spend(&mut self, kind: Flood, now: u64) -> Result<(), Refusal> {
        let bucket = &mut self.buckets[kind as usize];
        if bucket.tokens == 0 {
            bucket.fill(now);
        }
        match bucket.tokens.checked_sub(1) {
            Some(left) => {
                bucket.tokens = left;
                Ok(())
            }
            None => Err(kind.refusal()),
        }
    }

    #[inline]
    fn earn(&mut self, kind: Flood, count: u32) {
        let bucket = &mut self.buckets[kind as usize];
        bucket.tokens = (bucket.tokens + count).min(MOST_EARNED.max(bucket.allowance.burst));
    }

    /// A stream was opened.
    #[inline]
    pub(crate) fn earn_stream(&mut self) {
        self.earn(Flood::Pings, 1);
        self.earn(Flood::Priorities, 2);
        self.earn(Flood::WindowUpdates, 2);
        self.earn(Flood::Unknown, 1);
    }

    /// A stream came to its end on both sides.
    #[inline]
    pub(crate) fn earn_completed(&mut self) {
        self.earn(Flood::Resets, 1);
    }

    /// A frame with data came.
    #[inline]
    pub(crate) fn earn_data_received(&mut self) {
        self.earn(Flood::Pings, 1);
    }

    /// A frame with data was sent.
    #[inline]
    pub(crate) fn earn_data_sent(&mut self) {
        self.earn(Flood::Pings, 1);
        self.earn(Flood::WindowUpdates, 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floods() -> Floods {
        let budgets = Budgets {
            pings: Allowance {
                burst: 3,
                per_second: 2,
            },
            ..Budgets::default()
        };
        Floods::new(&budgets, 1000)
    }

    fn pings(floods: &mut Floods, now: u64) -> u32 {
        (0..)
            .take_while(|_| floods.spend(Flood::Pings, now).is_ok())
            .count() as u32
    }

    #[test]
    fn a_burst_is_borne_and_then_the_rate() {
        let mut floods = floods();
        assert_eq!(pings(&mut floods, 1000), 3);
        assert_eq!(pings(&mut floods, 1499), 0);
        assert_eq!(pings(&mut floods, 1500), 1);
        assert_eq!(pings(&mut floods, 2200), 1);
        assert_eq!(pings(&mut floods, 2500), 1, "parts of tokens are not lost");
        assert_eq!(pings(&mut floods, 1_000_000), 3, "never more than a burst");
        assert_eq!(floods.spend(Flood::Pings, 5), Err(Refusal::FloodPing));
    }

    #[test]
    fn work_adds_to_the_allowance() {
        let mut floods = floods();
        floods.earn_data_received();
        floods.earn_data_sent();
        assert_eq!(pings(&mut floods, 1000), 5);
    }

    #[test]
    fn every_kind_has_its_own_bucket() {
        for (index, kind) in Flood::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
