//! Sets of known fields as one word.

use super::{COUNT, Known};

/// A set of [`Known`] fields, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KnownSet(u64);

impl KnownSet {
    /// Holds none.
    pub const EMPTY: Self = Self(0);

    /// The set of `fields`.
    #[must_use]
    pub const fn of(fields: &[Known]) -> Self {
        let mut set = Self::EMPTY;
        let mut i = 0;
        while i < fields.len() {
            set = set.with(fields[i]);
            i += 1;
        }
        set
    }

    /// Every variant but [`Known::Other`].
    #[must_use]
    pub const fn all_known() -> Self {
        Self((1 << COUNT) - 1).without(Known::Other)
    }

    /// This set and `known`.
    #[inline]
    #[must_use]
    pub const fn with(self, known: Known) -> Self {
        Self(self.0 | 1 << known as u8)
    }

    /// This set but not `known`.
    #[inline]
    #[must_use]
    pub const fn without(self, known: Known) -> Self {
        Self(self.0 & !(1 << known as u8))
    }

    /// What is in either.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[inline]
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `known` is in it.
    #[inline]
    #[must_use]
    pub const fn contains(self, known: Known) -> bool {
        self.0 & (1 << known as u8) != 0
    }

    /// Whether nothing is in it.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = KnownSet::of(&[Known::Host, Known::MaxForwards]);
        assert!(set.contains(Known::Host) && set.contains(Known::MaxForwards));
        assert!(!set.contains(Known::Other) && !set.without(Known::Host).contains(Known::Host));
        assert!(KnownSet::all_known().contains(Known::MaxForwards));
        assert!(!KnownSet::all_known().contains(Known::Other));
    }
}
