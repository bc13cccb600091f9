//! Bytes to be written, in order, and changes to frames that are not written yet.

use crate::frame::{self, HEADER, Header, flag, kind};

/// How much may lie written before what is left is moved to the front.
const MOST_DEAD: usize = 32 * 1024;

/// The unsent bytes of a connection.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// How much of `bytes` is sent.
    start: usize,
    /// The position of `bytes[0]` among all bytes ever.
    base: u64,
}

impl Output {
    #[inline]
    pub(crate) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn sent(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.base += self.bytes.len() as u64;
            self.bytes.clear();
            self.start = 0;
        } else if self.start > MOST_DEAD {
            self.base += self.start as u64;
            self.bytes.copy_within(self.start.., 0);
            self.bytes.truncate(self.bytes.len() - self.start);
            self.start = 0;
        }
    }

    /// Gives memory over `most` bytes back. Only when nothing is unsent.
    pub(crate) fn shrink(&mut self, most: usize) {
        if self.bytes.is_empty() && self.bytes.capacity() > most {
            self.bytes = Vec::new();
        }
    }

    /// The position at which the next frame begins.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// Sets END_STREAM on the frame that begins at `position`; false when its flags are sent already.
    #[inline]
    pub(crate) fn end_stream_at(&mut self, position: u64) -> bool {
        let flags = (position + 4).checked_sub(self.base);
        let place = flags.and_then(|at| usize::try_from(at).ok());
        match place.filter(|&at| at >= self.start) {
            Some(at) => match self.bytes.get_mut(at) {
                Some(flags) => {
                    *flags |= flag::END_STREAM;
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// Begins a header block: leaves place for the frame header. Gives where.
    #[inline]
    pub(crate) fn begin_block(&mut self) -> usize {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER]);
        at
    }

    /// Writes the header of the block that began at `at`, and cuts it into frames of at most `max_frame` bytes.
    pub(crate) fn end_block(&mut self, at: usize, stream: u32, end: bool, max_frame: usize) {
        let length = self.bytes.len() - at - HEADER;
        let end_stream = if end { flag::END_STREAM } else { 0 };
        let is_whole = length <= max_frame;
        let end_headers = if is_whole { flag::END_HEADERS } else { 0 };
        let header = Header {
            length: length.min(max_frame) as u32,
            kind: kind::HEADERS,
            flags: end_stream | end_headers,
            stream,
        };
        if let Some(place) = self.bytes.get_mut(at..at + HEADER) {
            place.copy_from_slice(&header.bytes());
        }
        if !is_whole {
            self.cut_block(at + HEADER + max_frame, stream, max_frame);
        }
    }

    /// What lies from `at` on becomes CONTINUATION frames. Rare, so it copies.
    #[cold]
    fn cut_block(&mut self, at: usize, stream: u32, max_frame: usize) {
        let rest = self.bytes.split_off(at);
        let mut pieces = rest.chunks(max_frame).peekable();
        while let Some(piece) = pieces.next() {
            let flags = if pieces.peek().is_none() {
                flag::END_HEADERS
            } else {
                0
            };
            frame::write(&mut self.bytes, kind::CONTINUATION, flags, stream, piece);
        }
    }
}
