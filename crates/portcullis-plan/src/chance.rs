//! Chance as a number that is passed in: what is drawn from it is the same for the same number.

/// A source of numbers nobody can foresee who does not know the first (splitmix64).
#[derive(Clone, Copy, Debug)]
pub struct Chance(Option<u64>);

impl Chance {
    /// Everything drawn follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Some(seed))
    }

    /// No chance at all, for explanations and tests of a configuration: what happens to a share of the requests happens to
    /// none, unless it happens to all, and of several the first is drawn.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// The next 64 bits; always 0 without chance.
    pub const fn draw(&mut self) -> u64 {
        let Some(state) = &mut self.0 else {
            return 0;
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(*state)
    }

    /// True `millionths` times in a million; nothing is drawn where it is certain.
    pub fn hits(&mut self, millionths: u32) -> bool {
        if millionths == 0 || millionths >= 1_000_000 || self.0.is_none() {
            return millionths >= 1_000_000;
        }
        self.below(1_000_000) < u64::from(millionths)
    }

    /// A number below `bound`, each as likely; 0 if `bound` is.
    pub const fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product is spread evenly; its bias is below 2^-40 for the small bounds here.
        ((self.draw() as u128 * bound as u128) >> 64) as u64
    }
}

/// Spreads the bits of a number over all of them.
pub(crate) const fn mixed(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_over_many_draws() {
        let mut chance = Chance::new(7);
        let hits = (0..100_000).filter(|_| chance.hits(50_000)).count();
        assert!((4_700..5_300).contains(&hits), "{hits} of 100000 at 5 %");
        assert!(!chance.hits(0) && chance.hits(1_000_000));
        let mut none = Chance::none();
        assert!(!none.hits(999_999) && none.hits(1_000_000) && none.below(9) == 0);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut chance = Chance::new(1);
        assert!((0..10_000).all(|_| chance.below(3) < 3));
        assert_eq!(chance.below(0), 0);
    }
}
