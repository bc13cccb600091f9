//! Bytes to frames. All input is taken at once: what is no whole frame yet is kept here, so that the owner's buffer is free.
//!
//! DATA is handed on as it comes, whatever its frame's length; other frames are small or bounded by the longest frame allowed.

use super::Connection;
use crate::frame::{HEADER, Header, flag, kind};
use crate::{Broken, PREFACE, Refusal};

/// Where the reading stands.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Bytes of the preface still to come.
    preface: usize,
    /// Whether the peer's first frame, which has to be SETTINGS, has come.
    begun: bool,
    /// The beginning of a frame.
    stash: Vec<u8>,
    /// The DATA frame whose payload is coming.
    pub(super) data: Option<Run>,
    /// The header block that is not complete.
    pub(super) block: Option<Block>,
    pub(super) fragments: Vec<u8>,
}

/// The payload of a DATA frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) number: u32,
    /// The slot that it belongs to; `None` when nobody wants it.
    pub(super) slot: Option<u32>,
    pub(super) left: u32,
    pub(super) padding: u32,
    pub(super) end: bool,
}

/// A header block, of one frame or more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) number: u32,
    pub(super) end_stream: bool,
    pub(super) continuations: u32,
    /// How many frames came before it.
    pub(super) begun: u64,
}

impl Inbound {
    pub(super) fn new(expects_preface: bool) -> Self {
        Self {
            preface: if expects_preface { PREFACE.len() } else { 0 },
            ..Self::default()
        }
    }

    /// What has begun and not ended, by the number of whole frames before it.
    pub(super) fn mid_head(&self, frames: u64) -> Option<u64> {
        match &self.block {
            Some(block) => Some(block.begun),
            None => (!self.stash.is_empty() || !self.begun).then_some(frames),
        }
    }

    /// Gives memory over `most` bytes back.
    pub(super) fn shrink(&mut self, most: usize) {
        if self.stash.is_empty() && self.stash.capacity() > most {
            self.stash = Vec::new();
        }
        if self.block.is_none() && self.fragments.capacity() > most {
            self.fragments = Vec::new();
        }
    }
}

impl Connection {
    /// Takes all of `bytes`, however frames are split between calls. `now` is in milliseconds of any clock that never goes back.
    ///
    /// # Errors
    ///
    /// The connection cannot go on. Its GOAWAY is in the output; further bytes give the same error.
    #[inline]
    pub fn receive(&mut self, bytes: &[u8], now: u64) -> Result<(), Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if self.is_closed {
            return Ok(());
        }
        self.now = now;
        // Nobody waits for ever for those who were told of room and do not come.
        self.granted = 0;
        let mut rest = self.take_preface(bytes)?;
        while !rest.is_empty() {
            rest = if self.inbound.data.is_some() {
                self.take_data(rest)?
            } else if self.inbound.stash.is_empty() {
                self.take_frame(rest)?
            } else {
                self.take_stashed(rest)?
            };
        }
        self.check_output()
    }

    fn take_preface<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Broken> {
        let left = self.inbound.preface;
        if left == 0 {
            return Ok(bytes);
        }
        let (now, rest) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        let expected = PREFACE.get(PREFACE.len() - left..).unwrap_or_default();
        if !expected.starts_with(now) {
            return Err(self.breaks(Refusal::PrefaceInvalid));
        }
        self.inbound.preface -= now.len();
        Ok(rest)
    }

    /// Takes a frame, or the head of a DATA frame, from the front of `bytes`; keeps what is not whole.
    #[inline]
    fn take_frame<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Broken> {
        let needed = self.needed(bytes)?;
        match bytes.split_at_checked(needed) {
            Some((unit, rest)) => {
                self.frame(unit)?;
                Ok(rest)
            }
            None => {
                self.inbound.stash.extend_from_slice(bytes);
                Ok(&[])
            }
        }
    }

    /// Completes the frame that has begun.
    #[cold]
    fn take_stashed<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Broken> {
        let mut stash = std::mem::take(&mut self.inbound.stash);
        let mut rest = bytes;
        loop {
            let needed = self.needed(&stash)?;
            let missing = needed.saturating_sub(stash.len());
            if missing == 0 {
                break;
            }
            let Some((now, after)) = rest.split_at_checked(missing) else {
                stash.extend_from_slice(rest);
                self.inbound.stash = stash;
                return Ok(&[]);
            };
            stash.extend_from_slice(now);
            rest = after;
        }
        self.frame(&stash)?;
        stash.clear();
        self.inbound.stash = stash;
        Ok(rest)
    }

    /// How many bytes have to be there before the frame that `bytes` begin can be looked at.
    #[inline]
    fn needed(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let Some(header) = Header::read(bytes) else {
            return Ok(HEADER);
        };
        if header.length > self.settings.max_frame {
            return Err(self.breaks(Refusal::FrameTooLarge));
        }
        if header.kind != kind::DATA {
            return Ok(HEADER + header.length as usize);
        }
        let padded = header.has(flag::PADDED);
        if padded && header.length == 0 {
            return Err(self.breaks(Refusal::FrameSize));
        }
        Ok(HEADER + usize::from(padded))
    }

    /// One frame; of DATA only what stands before the data.
    #[inline]
    fn frame(&mut self, unit: &[u8]) -> Result<(), Broken> {
        let Some(header) = Header::read(unit) else {
            return Ok(());
        };
        let payload = unit.get(HEADER..).unwrap_or_default();
        self.counters.frames += 1;
        if !self.inbound.begun {
            self.check_first(header)?;
        }
        if self.inbound.block.is_some() && header.kind != kind::CONTINUATION {
            return Err(self.breaks(Refusal::HeaderBlockBroken));
        }
        match header.kind {
            kind::DATA => self.begin_data(header, payload),
            kind::HEADERS => self.headers(header, payload),
            kind::PRIORITY => self.priority(header, payload),
            kind::RST_STREAM => self.rst_stream(header, payload),
            kind::SETTINGS => self.settings_frame(header, payload),
            kind::PUSH_PROMISE => Err(self.breaks(Refusal::PushPromise)),
            kind::PING => self.ping_frame(header, payload),
            kind::GOAWAY => self.go_away(header, payload),
            kind::WINDOW_UPDATE => self.window_update(header, payload),
            kind::CONTINUATION => self.continuation(header, payload),
            _ => self.spend(crate::budget::Flood::Unknown),
        }
    }

    /// The first frame of a peer is SETTINGS (RFC 9113 section 3.4).
    fn check_first(&mut self, header: Header) -> Result<(), Broken> {
        if header.kind != kind::SETTINGS || header.has(flag::ACK) {
            return Err(self.breaks(Refusal::PrefaceInvalid));
        }
        self.inbound.begun = true;
        Ok(())
    }
}
