//! From a name to its [`Known`] by two loads, one multiplication and one comparison.
//!
//! A name of up to 16 bytes is held whole by its first and its last word, which may overlap; in tokens, setting the
//! case bit of every byte makes exactly the two cases of a letter equal. A table without collisions, built at compile
//! time, then leaves one candidate.

use super::{Known, NAMES};

const SLOTS: usize = 256;
/// Found by trial: with it no two names share a slot, which `table` proves.
const MULTIPLIER: u64 = 0x025B_413F_8A9A_021F;
const CASE: u64 = 0x2020_2020_2020_2020;

#[derive(Clone, Copy)]
struct Entry {
    words: (u64, u64),
    name: &'static [u8],
    known: Known,
}

static TABLE: [Entry; SLOTS] = table();

const fn table() -> [Entry; SLOTS] {
    let none = Entry {
        words: (0, 0),
        name: b"",
        known: Known::Other,
    };
    let mut table = [none; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let name = NAMES[i].0.as_bytes();
        let words = words(name);
        let slot = slot(words);
        assert!(
            table[slot].name.is_empty(),
            "two names share a slot: change MULTIPLIER"
        );
        table[slot] = Entry {
            words,
            name,
            known: NAMES[i].1,
        };
        i += 1;
    }
    table
}

/// The first and the last word, without case.
#[inline]
const fn words(name: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        return (
            u64::from_le_bytes(*first) | CASE,
            u64::from_le_bytes(*last) | CASE,
        );
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return (first as u64 | CASE, last as u64 | CASE);
    }
    match *name {
        [a, b, c] => (u32::from_le_bytes([a, b, c, 0]) as u64 | CASE, CASE),
        [a, b] => (u32::from_le_bytes([a, b, 0, 0]) as u64 | CASE, CASE),
        _ => (0, 0),
    }
}

#[inline]
const fn slot(words: (u64, u64)) -> usize {
    let mixed = words.0.wrapping_mul(MULTIPLIER) ^ words.1;
    (mixed.wrapping_mul(MULTIPLIER) >> 56) as usize
}

/// The field called exactly `name`, which is a token.
#[inline]
pub(super) fn exact(name: &[u8]) -> Known {
    let words = words(name);
    let Some(entry) = TABLE.get(slot(words)) else {
        return Known::Other;
    };
    let is_same = entry.words == words
        && entry.name.len() == name.len()
        && (name.len() <= 16 || entry.name.eq_ignore_ascii_case(name));
    if is_same { entry.known } else { Known::Other }
}

/// The family that `name` belongs to; exact names were tried before.
#[inline]
pub(super) fn family(name: &[u8]) -> Known {
    match name.first() {
        Some(b'p' | b'P' | b'x' | b'X') => family_of(name),
        _ => Known::Other,
    }
}

fn family_of(name: &[u8]) -> Known {
    if starts_with(name, b"proxy-") {
        Known::ProxyOther
    } else if starts_with(name, b"x-forwarded-") || name.eq_ignore_ascii_case(b"x-forwarded") {
        Known::XForwardedOther
    } else if is_lookalike(name) {
        Known::ForwardedLookalike
    } else {
        Known::Other
    }
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether `name` would be a forwarding field if its underscores were hyphens.
fn is_lookalike(name: &[u8]) -> bool {
    let same = |text: &[u8]| {
        name.len() >= text.len()
            && text.iter().zip(name).all(|(&expected, &byte)| {
                expected == byte.to_ascii_lowercase() || (expected == b'-' && byte == b'_')
            })
    };
    name.contains(&b'_')
        && (same(b"x-forwarded-")
            || (name.len() == 11 && same(b"x-forwarded"))
            || (name.len() == 9 && same(b"x-real-ip")))
}
