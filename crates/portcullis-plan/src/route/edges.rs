//! A map from (parent, bytes) to a number: exact hosts, labels of wildcards, paths.
//!
//! Built once, then only read. Open addressing over one flat array with an unkeyed multiplicative
//! hash: the keys are the operator's, and a peer can only ask for one, so it cannot make chains longer.
//! Short keys lie in their slot, half a cache line, because with many hosts every look-up misses the caches.

use std::collections::HashMap;

/// The frozen map.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// A power of two of slots, at most half of them taken; none at all for an empty map.
    slots: Box<[Slot]>,
    /// The bytes of all keys.
    text: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Slot {
    /// Upper half of the key's hash.
    tag: u32,
    parent: u32,
    /// `FREE` for an empty slot.
    child: u32,
    /// Bytes of the key, `LONG` if it does not fit.
    length: u8,
    /// The key; or where it begins and ends in `text`, four bytes each.
    key: [u8; INLINE],
}

const FREE: u32 = u32::MAX;
const INLINE: usize = 19;
const LONG: u8 = u8::MAX;

impl Edges {
    /// What was stored for `key` under `parent`.
    #[inline]
    pub(super) fn find(&self, parent: u32, key: &[u8]) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = hash(parent, key);
        let mut at = position(hash, mask);
        loop {
            let slot = self.slots.get(at)?;
            if slot.child == FREE {
                return None;
            }
            if slot.tag == tag(hash) && slot.parent == parent && self.text_of(slot) == key {
                return Some(slot.child);
            }
            at = (at + 1) & mask;
        }
    }

    fn text_of<'s>(&'s self, slot: &'s Slot) -> &'s [u8] {
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

    /// The map to read, every value turned by `turn`.
    pub(super) fn freeze(self, turn: impl Fn(u32) -> u32) -> Edges {
        if self.children.is_empty() {
            return Edges::default();
        }
        let free = Slot {
            tag: 0,
            parent: 0,
            child: FREE,
            length: 0,
            key: [0; INLINE],
        };
        let mut slots = vec![free; (self.children.len() * 2).next_power_of_two()];
        let mut text = Vec::new();
        let mut sorted: Vec<_> = self.children.into_iter().collect();
        sorted.sort_unstable();
        for ((parent, key), child) in sorted {
            let hash = hash(parent, &key);
            let (length, key) = stored(&key, &mut text);
            insert(
                &mut slots,
                hash,
                Slot {
                    tag: tag(hash),
                    parent,
                    child: turn(child),
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
fn stored(key: &[u8], text: &mut Vec<u8>) -> (u8, [u8; INLINE]) {
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

fn insert(slots: &mut [Slot], hash: u64, new: Slot) {
    let mask = slots.len() - 1;
    let mut at = position(hash, mask);
    while let Some(slot) = slots.get_mut(at) {
        if slot.child == FREE {
            *slot = new;
            return;
        }
        at = (at + 1) & mask;
    }
}

fn position(hash: u64, mask: usize) -> usize {
    (hash as usize) & mask
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Eight bytes at a time, each folded in by a 64 by 64 bit multiplication.
#[inline]
fn hash(parent: u32, key: &[u8]) -> u64 {
    let mut state = fold((u64::from(parent) << 32) ^ key.len() as u64 ^ 0x9E37_79B9_7F4A_7C15);
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
        assert_eq!(Edges::default().find(0, b"a"), None);
        assert_eq!(
            EdgesBuilder::default().freeze(|value| value).find(0, b""),
            None
        );
    }

    proptest! {
        #[test]
        fn finds_what_was_stored_and_nothing_else(
            keys in proptest::collection::vec((0_u32..4, "[ab]{0,24}"), 0..200),
            asked in proptest::collection::vec((0_u32..4, "[ab]{0,24}"), 0..50),
        ) {
            let mut builder = EdgesBuilder::default();
            let mut model = HashMap::new();
            for (index, (parent, key)) in keys.iter().enumerate() {
                let value = super::super::id(index);
                let stored = builder.entry(*parent, key.as_bytes(), || value);
                prop_assert_eq!(stored, *model.entry((*parent, key.clone())).or_insert(value));
            }
            let edges = builder.freeze(|value| value);
            for (parent, key) in keys.iter().chain(&asked) {
                let expected = model.get(&(*parent, key.clone())).copied();
                prop_assert_eq!(edges.find(*parent, key.as_bytes()), expected);
            }
        }
    }
}
