//! A table of recent lines, oldest dropped first, in one piece of memory (RFC 7541 section 2.3.2).
//!
//! Lines lie one behind the other; those at the front die first. When the memory is full the living ones move to its front, which happens
//! at most once for each filling of half of it.

use super::ENTRY_OVERHEAD;
use std::collections::VecDeque;

/// One line and what the owner remembers of it.
#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    /// Where it begins, counted from the first line ever.
    start: u32,
    length: u32,
    size: u32,
    note: T,
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub(crate) struct Lines<T> {
    bytes: Vec<u8>,
    /// The position of `bytes[0]`.
    base: u32,
    entries: VecDeque<Entry<T>>,
    size: usize,
    max: usize,
    /// Lines inserted so far.
    inserted: u32,
}

impl<T: Copy> Lines<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            base: 0,
            entries: VecDeque::new(),
            size: 0,
            max,
            inserted: 0,
        }
    }

    /// The bound of the sum of sizes.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn resize(&mut self, max: usize) {
        self.max = max;
        self.evict(max);
    }

    /// Lines inserted so far, dropped ones included; wraps.
    #[inline]
    pub(crate) fn inserted(&self) -> u32 {
        self.inserted
    }

    /// The line at `index`, the newest being 0.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<(&[u8], T)> {
        let place = self.entries.len().checked_sub(index + 1)?;
        let entry = self.entries.get(place)?;
        let start = entry.start.wrapping_sub(self.base) as usize;
        let line = self.bytes.get(start..start + entry.length as usize)?;
        Some((line, entry.note))
    }

    /// Adds a line that counts `size` and drops the oldest until all fit; a line larger than the table empties it.
    pub(crate) fn insert(&mut self, line: &[u8], size: usize, note: T) {
        if size > self.max {
            self.evict(0);
            return;
        }
        self.evict(self.max - size);
        self.make_room(line.len());
        let start = self.base.wrapping_add(self.bytes.len() as u32);
        self.bytes.extend_from_slice(line);
        self.entries.push_back(Entry {
            start,
            length: line.len() as u32,
            size: size as u32,
            note,
        });
        self.size += size;
        self.inserted = self.inserted.wrapping_add(1);
    }

    fn evict(&mut self, most: usize) {
        while self.size > most
            && let Some(entry) = self.entries.pop_front()
        {
            self.size -= entry.size as usize;
        }
        if self.entries.is_empty() {
            self.base = self.base.wrapping_add(self.bytes.len() as u32);
            self.bytes.clear();
        }
    }

    /// Moves the living lines to the front when the memory would grow over twice what they may take.
    fn make_room(&mut self, length: usize) {
        if self.bytes.len() + length <= 2 * self.max {
            return;
        }
        let Some(first) = self.entries.front() else {
            return;
        };
        let dead = first.start.wrapping_sub(self.base) as usize;
        let dead = dead.min(self.bytes.len());
        self.bytes.copy_within(dead.., 0);
        self.bytes.truncate(self.bytes.len() - dead);
        self.base = self.base.wrapping_add(dead as u32);
    }
}

/// The size of a line of this name and value (RFC 7541 section 4.1).
#[inline]
pub(crate) fn size_of(name: usize, value: usize) -> usize {
    name + value + ENTRY_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7541_4_4_the_oldest_are_dropped_until_all_fit() {
        let mut lines = Lines::new(100);
        for (length, note) in [(10usize, 'a'), (10, 'b'), (3, 'c')] {
            lines.insert(&vec![note as u8; length], size_of(length, 0), note);
        }
        assert_eq!(lines.get(0).map(|(_, note)| note), Some('c'));
        assert_eq!(
            lines.get(1).map(|(line, _)| line),
            Some(b"bbbbbbbbbb".as_slice())
        );
        assert_eq!(lines.get(2), None, "three would be over 100");
        lines.insert(&[0; 200], 232, 'd');
        assert_eq!(
            (lines.entries.len(), lines.size),
            (0, 0),
            "too large a line empties the table"
        );
    }

    #[test]
    fn memory_stays_within_its_bound_whatever_is_inserted() {
        let mut lines = Lines::new(4096);
        for round in 0..10_000usize {
            let length = 1 + round * 31 % 700;
            let line = vec![round as u8; length];
            lines.insert(&line, size_of(length, 0), round);
            assert_eq!(lines.get(0), Some((line.as_slice(), round)));
            let (oldest, note) = lines.get(lines.entries.len() - 1).unwrap_or((b"", 0));
            assert!(oldest.iter().all(|&byte| byte == note as u8));
            assert!(lines.bytes.len() <= 2 * 4096 && lines.size <= 4096);
        }
    }
}
