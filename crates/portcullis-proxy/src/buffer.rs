//! Byte buffers that are lent to connections only while they have bytes to hold.
//!
//! An idle connection owns none. A worker keeps returned buffers, newest first, so that the
//! next reader finds warm memory, and drops what exceeds its bounds.

use std::cell::{Cell, RefCell};

/// A fixed piece of memory with unread bytes in the middle.
pub(crate) struct Buffer {
    data: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            data: vec![0; capacity].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn filled(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn capacity(&self) -> usize {
        self.data.len()
    }

    /// Room behind the unread bytes; unread bytes are moved to the front first if there is none.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.end == self.data.len() {
            self.compact();
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// Declares the first `n` bytes of `space` as read into.
    pub(crate) fn advance(&mut self, n: usize) {
        self.end = self.data.len().min(self.end.saturating_add(n));
    }

    /// Forgets the first `n` unread bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Appends as much of `bytes` as fits and tells how much that was.
    pub(crate) fn fill_from(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let n = bytes.len().min(space.len());
        if let (Some(to), Some(from)) = (space.get_mut(..n), bytes.get(..n)) {
            to.copy_from_slice(from);
        }
        self.advance(n);
        n
    }

    /// A larger buffer with the same unread bytes.
    pub(crate) fn grow(&mut self, capacity: usize) {
        if capacity <= self.data.len() {
            return;
        }
        let mut larger = Self::with_capacity(capacity);
        larger.fill_from(self.filled());
        *self = larger;
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

/// Buffers of one size that nobody uses just now.
pub(crate) struct BufferPool {
    capacity: usize,
    keep: usize,
    free: RefCell<Vec<Buffer>>,
    /// The fewest that lay free since the last trimming.
    spare: Cell<usize>,
}

impl BufferPool {
    /// Lends buffers of `capacity` bytes and keeps at most `keep` of them.
    pub(crate) fn new(capacity: usize, keep: usize) -> Self {
        Self {
            capacity,
            keep,
            free: RefCell::new(Vec::new()),
            spare: Cell::new(0),
        }
    }

    pub(crate) fn take(&self) -> Buffer {
        let mut free = self.free.borrow_mut();
        let buffer = free.pop();
        self.spare.set(self.spare.get().min(free.len()));
        buffer.unwrap_or_else(|| Buffer::with_capacity(self.capacity))
    }

    /// Frees half of the buffers that nobody needed since the last time, down to `least`.
    pub(crate) fn trim(&self, least: usize) {
        let mut free = self.free.borrow_mut();
        let spare = self.spare.replace(free.len());
        let keep = free.len().saturating_sub(spare.div_ceil(2)).max(least);
        free.truncate(keep);
    }

    /// How many lie free.
    pub(crate) fn held(&self) -> usize {
        self.free.borrow().len()
    }

    /// Takes a buffer back; one that was grown, or one too many, is freed.
    pub(crate) fn put(&self, mut buffer: Buffer) {
        let mut free = self.free.borrow_mut();
        if buffer.capacity() == self.capacity && free.len() < self.keep {
            buffer.clear();
            free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn moves_unread_bytes_to_the_front_when_full() {
        let mut buffer = Buffer::with_capacity(4);
        assert_eq!(buffer.fill_from(b"abcdef"), 4);
        buffer.consume(3);
        assert_eq!(buffer.space().len(), 3);
        assert_eq!(buffer.fill_from(b"ef"), 2);
        assert_eq!(buffer.filled(), b"def");
    }

    #[test]
    fn grows_with_its_bytes() {
        let mut buffer = Buffer::with_capacity(4);
        buffer.fill_from(b"abcd");
        buffer.consume(1);
        buffer.grow(8);
        assert_eq!(buffer.filled(), b"bcd");
        assert_eq!(buffer.space().len(), 5);
    }

    #[test]
    fn pool_gives_back_by_halves_what_nobody_needs() {
        let pool = BufferPool::new(4, 16);
        (0..10)
            .map(|_| pool.take())
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|buffer| pool.put(buffer));
        pool.trim(1);
        assert_eq!(pool.free.borrow().len(), 10, "all were needed");
        pool.put(pool.take());
        pool.trim(1);
        assert_eq!(
            pool.free.borrow().len(),
            5,
            "nine lay idle all the time, half of them go"
        );
        (0..5).for_each(|_| pool.trim(1));
        assert_eq!(pool.free.borrow().len(), 1);
    }

    #[test]
    fn pool_keeps_no_more_than_its_bound_and_no_odd_sizes() {
        let pool = BufferPool::new(4, 1);
        let (a, b, mut c) = (pool.take(), pool.take(), pool.take());
        c.grow(16);
        pool.put(c);
        assert!(pool.free.borrow().is_empty());
        pool.put(a);
        pool.put(b);
        assert_eq!(pool.free.borrow().len(), 1);
    }
}
