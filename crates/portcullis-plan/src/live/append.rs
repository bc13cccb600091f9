//! A small map that only grows: for label values first seen at run time, such as status codes.
//!
//! Lookup is a short walk with the first-seen keys first, which in practice are the frequent ones. The map is
//! bounded: past its bound `entry` gives nothing, and the caller counts that.

use std::sync::OnceLock;

/// An append-only map of at most `N * 32` keys, in blocks of `N`.
#[derive(Debug)]
pub(crate) struct Append<K, V, const N: usize> {
    first: Block<K, V, N>,
}

const BLOCKS: usize = 32;

#[derive(Debug)]
struct Block<K, V, const N: usize> {
    slots: [OnceLock<(K, V)>; N],
    next: OnceLock<Box<Self>>,
}

impl<K, V, const N: usize> Block<K, V, N> {
    fn new() -> Self {
        Self {
            slots: std::array::from_fn(|_| OnceLock::new()),
            next: OnceLock::new(),
        }
    }
}

impl<K, V, const N: usize> Default for Append<K, V, N> {
    fn default() -> Self {
        Self {
            first: Block::new(),
        }
    }
}

impl<K: Copy + PartialEq, V, const N: usize> Append<K, V, N> {
    /// The value at `key`, made by `make` the first time; `None` if the map is full.
    #[inline]
    pub(crate) fn entry(&self, key: K, make: impl Fn() -> V) -> Option<&V> {
        let mut block = &self.first;
        for _ in 0..BLOCKS {
            for slot in &block.slots {
                let (known, value) = slot.get_or_init(|| (key, make()));
                if *known == key {
                    return Some(value);
                }
            }
            block = block.next.get_or_init(|| Box::new(Block::new()));
        }
        None
    }

    /// Every key with its value, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        std::iter::successors(Some(&self.first), |block| block.next.get().map(Box::as_ref))
            .flat_map(|block| block.slots.iter().filter_map(OnceLock::get))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::live::counter::Counter;

    #[test]
    fn keeps_one_value_per_key_in_order_of_first_use() {
        let map: Append<u16, Counter, 2> = Append::default();
        for key in [200, 404, 200, 500, 200] {
            map.entry(key, Counter::default).unwrap().add(1);
        }
        let seen: Vec<_> = map
            .iter()
            .map(|(key, count)| (*key, count.total()))
            .collect();
        assert_eq!(seen, [(200, 3), (404, 1), (500, 1)]);
    }

    #[test]
    fn is_bounded() {
        let map: Append<usize, Counter, 2> = Append::default();
        let taken = (0..1000)
            .filter(|key| map.entry(*key, Counter::default).is_some())
            .count();
        assert_eq!(taken, 64);
        assert!(
            map.entry(3, Counter::default).is_some(),
            "known keys stay reachable"
        );
    }
}
