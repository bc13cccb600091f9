//! A map from (parent, bytes) to a value: exact hosts, labels of wildcards, paths.
//!
//! Built once, then only read. Open addressing over one flat array with an unkeyed multiplicative
//! hash: the keys are the operator's, and a peer can only ask for one, so it cannot make chains longer.
//! Short keys lie in their slot, half a cache line, because with many hosts every look-up misses the caches.
//!
//! Where a key lies is computed from its text and a *seed*. Mostly that is its parent's number; but where the parent was itself
//! looked up, its own hash does as well, and the processor need not wait for the first look-up before it begins the second.

use std::collections::HashMap;

use prefetch_index::prefetch_index;

/// The frozen map. Keys of at most `INLINE` bytes lie in their slots.
#[derive(Debug)]
pub(super) struct Edges<V = u32, const INLINE: usize = 19> {
    /// A power of two of slots, at most half of them taken; none at all for an empty map.
    slots: Box<[Slot<V, INLINE>]>,
    /// The bytes of all keys.
    text: Box<[u8]>,
}

/// A cache line or half of one, where value and key are chosen so.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Slot<V, const INLINE: usize> {
    /// Upper half of the key's hash.
    tag: u32,
    parent: u32,
    value: V,
    /// Bytes of the key; `LONG` if it does not fit, `FREE` for an empty slot.
    length: u8,
    /// The key; or where it begins and ends in `text`, four bytes each.
    key: [u8; INLINE],
}

const FREE: u8 = u8::MAX - 1;
const LONG: u8 = u8::MAX;

impl<V, const INLINE: usize> Default for Edges<V, INLINE> {
    fn default() -> Self {
        Self {
            slots: Box::default(),
            text: Box::default(),
        }
    }
}

impl<V: Copy, const INLINE: usize> Edges<V, INLINE> {
    /// How much memory look-ups are spread over.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Brings to the processor's caches where a key with this hash is likely to lie.
    #[inline]
    pub(super) fn expect(&self, hash: u64) {
        if let Some(mask) = self.slots.len().checked_sub(1) {
            prefetch_index(&self.slots, position(hash, mask));
        }
    }

    /// What was stored for `key` under `parent`, if the parent's number is the seed.
    #[inline]
    pub(super) fn find(&self, parent: u32, key: &[u8]) -> Option<V> {
        self.find_hashed(hash(seed(parent), key), parent, key)
    }

    /// What was stored for `key` under `parent`; `hash` is that of the key with its seed.
    #[inline]
    pub(super) fn find_hashed(&self, hash: u64, parent: u32, key: &[u8]) -> Option<V> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = position(hash, mask);
        loop {
            let slot = self.slots.get(at)?;
            if slot.length == FREE {
                return None;
            }
            if slot.tag == tag(hash) && slot.parent == parent && self.text_of(slot) == key {
                return Some(slot.value);
            }
            at = (at + 1) & mask;
        }
    }

    fn text_of<'s>(&'s self, slot: &'s Slot<V, INLINE>) -> &'s [u8] {
        if slot.length != LONG {
            return slot.key.get(..usize::from(slot.length)).unwrap_or_default();
        }
        let ([start, end, ..], _) = slot.key.as_chunks::<4>() else {
            return &[];
        };
        let (start, end) = (u32::from_le_bytes(*start), u32::from_le_bytes(*end));
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// The map while it grows.
#[derive(Debug, Default)]
pub(super) struct EdgesBuilder {
    children: HashMap<(u32, Box<[u8]>), u32>,
}

impl EdgesBuilder {
    /// What is stored for `key` under `parent`, made by `make` where nothing is.
    pub(super) fn entry(&mut self, parent: u32, key: &[u8], make: impl FnOnce() -> u32) -> u32 {
        *self
            .children
            .entry((parent, key.into()))
            .or_insert_with(make)
    }

    /// The map to read, for [`Edges::find`].
    pub(super) fn freeze<const INLINE: usize>(self) -> Edges<u32, INLINE> {
        self.freeze_with(seed, |child| child)
    }

    /// The map to read, of what `turn` makes of the values; `seed` tells the seed of each parent's keys.
    pub(super) fn freeze_with<V: Copy, const INLINE: usize>(
        self,
        seed: impl Fn(u32) -> u64,
        turn: impl Fn(u32) -> V,
    ) -> Edges<V, INLINE> {
        const {
            assert!(
                64 % size_of::<Slot<V, INLINE>>() == 0,
                "slots lie in one cache line each"
            );
        };
        let mut sorted: Vec<_> = self.children.into_iter().collect();
        let Some((_, any)) = sorted.first() else {
            return Edges::default();
        };
        let free = Slot {
            tag: 0,
            parent: 0,
            value: turn(*any),
            length: FREE,
            key: [0; INLINE],
        };
        let mut slots = vec![free; (sorted.len() * 2).next_power_of_two()];
        let mut text = Vec::new();
        sorted.sort_unstable();
        for ((parent, key), child) in sorted {
            let hash = hash(seed(parent), &key);
            let (length, key) = stored(&key, &mut text);
            insert(
                &mut slots,
                hash,
                Slot {
                    tag: tag(hash),
                    parent,
                    value: turn(child),
                    length,
                    key,
                },
            );
        }
        Edges {
            slots: slots.into(),
            text: text.into(),
        }
    }
}

/// The key as a slot holds it.
fn stored<const INLINE: usize>(key: &[u8], text: &mut Vec<u8>) -> (u8, [u8; INLINE]) {
    let mut inline = [0; INLINE];
    if let Some(place) = inline.get_mut(..key.len()) {
        place.copy_from_slice(key);
        return (u8::try_from(key.len()).unwrap_or(LONG), inline);
    }
    let start = super::id(text.len());
    text.extend_from_slice(key);
    let bounds = [start.to_le_bytes(), super::id(text.len()).to_le_bytes()];
    inline
        .iter_mut()
        .zip(bounds.as_flattened())
        .for_each(|(to, from)| *to = *from);
    (LONG, inline)
}

fn insert<V, const INLINE: usize>(slots: &mut [Slot<V, INLINE>], hash: u64, new: Slot<V, INLINE>) {
    let mask = slots.len() - 1;
    let mut at = position(hash, mask);
    while let Some(slot) = slots.get_mut(at) {
        if slot.length == FREE {
            *slot = new;
            return;
        }
        at = (at + 1) & mask;
    }
}

/// The seed of the keys of a parent that nothing but its number is known of.
pub(super) fn seed(parent: u32) -> u64 {
    u64::from(parent) << 32
}

fn position(hash: u64, mask: usize) -> usize {
    (hash as usize) & mask
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Eight bytes at a time, each folded in by a 64 by 64 bit multiplication.
#[inline]
pub(super) fn hash(seed: u64, key: &[u8]) -> u64 {
    let mut state = fold(seed ^ key.len() as u64 ^ 0x9E37_79B9_7F4A_7C15);
    let (words, tail) = key.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word));
    }
    if tail.is_empty() {
        return state;
    }
    let last = match (key.last_chunk::<8>(), tail) {
        (Some(word), _) => u64::from_le_bytes(*word),
        (None, [a, b, c, d, ..]) => {
            let end = tail
                .last_chunk::<4>()
                .map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
            u64::from(u32::from_le_bytes([*a, *b, *c, *d])) << 32 | end
        }
        (None, short) => short
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    fold(state ^ last)
}

#[inline]
fn fold(value: u64) -> u64 {
    let wide = u128::from(value) * 0xA076_1D64_78BD_642F_u128;
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_map_finds_nothing() {
        assert_eq!(<Edges>::default().find(0, b"a"), None);
        let empty: Edges = EdgesBuilder::default().freeze();
        assert_eq!(empty.find(0, b""), None);
    }

    proptest! {
        /// Whatever the seeds are, and even if several parents have the same.
        #[test]
        fn finds_what_was_stored_and_nothing_else(
            keys in proptest::collection::vec((0_u32..4, "[ab]{0,24}"), 0..200),
            asked in proptest::collection::vec((0_u32..4, "[ab]{0,24}"), 0..50),
            seeds in [0_u64..3, 0_u64..3, 0_u64..3, 0_u64..3],
        ) {
            let mut builder = EdgesBuilder::default();
            let mut model = HashMap::new();
            for (index, (parent, key)) in keys.iter().enumerate() {
                let value = super::super::id(index);
                let stored = builder.entry(*parent, key.as_bytes(), || value);
                prop_assert_eq!(stored, *model.entry((*parent, key.clone())).or_insert(value));
            }
            let seed = |parent: u32| seeds[parent as usize];
            let edges: Edges<_, 15> = builder.freeze_with(seed, |value| [value; 2]);
            for (parent, key) in keys.iter().chain(&asked) {
                let expected = model.get(&(*parent, key.clone())).map(|value| [*value; 2]);
                let hash = hash(seed(*parent), key.as_bytes());
                prop_assert_eq!(edges.find_hashed(hash, *parent, key.as_bytes()), expected);
            }
        }
    }
}
