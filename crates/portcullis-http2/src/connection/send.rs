//! Heads, data and trailers to the peer (RFC 9113 sections 5.2, 8.1).
//!
//! Data is taken only as far as it fits the windows and the bound of unsent output. Streams that were refused are told in turn when there
//! is room, each for one share, so that no stream starves another.

use super::{Connection, Role};
use crate::closed::Ending;
use crate::frame::{self, HEADER, Header, flag, kind};
use crate::head::{Lines, status_of};
use crate::streams::{Side, Stream, news};
use crate::{Cause, ErrorCode, Event, StreamId};

/// What one stream may put in at a time while others wait.
const SHARE: usize = 16 * 1024;

/// Why something was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// Too much output is unsent. [`Event::Room`] comes when it may be tried again.
    NoRoom,
    /// The stream is over, or this side of it has ended, or it is not the turn of this call.
    Closed,
}

/// What keeps data of a stream back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// The peer lets this stream send nothing.
    StreamWindow,
    /// The peer lets no stream send anything.
    ConnectionWindow,
    /// What was sent before is not written yet.
    Output,
}

impl Connection {
    /// Sends an interim response (1xx but not 101), given as HTTP/1 text. Servers only.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub fn send_interim(&mut self, id: StreamId, text: &[u8]) -> Result<(), NotSent> {
        self.check_head(id)?;
        self.write_response(id, text, false);
        Ok(())
    }

    /// Sends the final head of a response, given as HTTP/1 text. Servers only. `end` says that nothing follows.
    ///
    /// Fields of HTTP/1 connections are left out, names become lower case. On an extended CONNECT a 101 becomes 200.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    #[inline]
    pub fn send_head(&mut self, id: StreamId, text: &[u8], end: bool) -> Result<(), NotSent> {
        self.check_head(id)?;
        let position = self.output.position();
        self.write_response(id, text, end);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.last_frame = position;
            stream.sending = match end {
                true => Side::Ended,
                false => Side::Open,
            };
        }
        Ok(())
    }

    #[inline]
    fn check_head(&mut self, id: StreamId) -> Result<(), NotSent> {
        let is_server = self.role == Role::Server;
        let stream = self.streams.get_mut(id).ok_or(NotSent::Closed)?;
        if !is_server || stream.reset.is_some() || stream.sending != Side::Idle {
            return Err(NotSent::Closed);
        }
        self.check_room(id)
    }

    /// Whether a header block may be added; its stream is told later otherwise.
    fn check_room(&mut self, id: StreamId) -> Result<(), NotSent> {
        self.use_grant(id);
        if self.output.len() <= self.most_output() {
            return Ok(());
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.wants_room = true;
            stream.waits_for_output = true;
        }
        self.queue_for_room(id.slot);
        Err(NotSent::NoRoom)
    }

    #[inline]
    fn write_response(&mut self, id: StreamId, text: &[u8], end: bool) {
        let is_tunnel = self.streams.get(id).is_some_and(|stream| stream.is_tunnel);
        let (line, lines) = Lines::of_head(text);
        let status = match status_of(line) {
            [b'1', b'0', b'1'] if is_tunnel => *b"200",
            status => status,
        };
        let at = self.output.begin_block();
        let out = &mut self.output.bytes;
        self.encoder.begin(out);
        self.encoder.status(out, status);
        for line in lines {
            // The answer to a key that was never asked for (RFC 8441 section 5).
            if !(is_tunnel && is_websocket_accept(line)) {
                self.encoder.line(out, line);
            }
        }
        self.end_block(at, id.number, end);
    }

    #[inline]
    pub(super) fn end_block(&mut self, at: usize, number: u32, end: bool) {
        let max_frame = self.peer.max_frame as usize;
        self.output.end_block(at, number, end, max_frame);
    }

    /// Sends data, as much as fits now; how much that was is given. When it is less than all, [`Event::Room`] comes, or
    /// [`Event::Reset`].
    #[inline]
    pub fn send_data(&mut self, id: StreamId, bytes: &[u8]) -> usize {
        self.use_grant(id);
        let others_wait = !self.waiting.is_empty();
        let room = self.room(others_wait);
        let Some(stream) = self.streams.get_mut(id).filter(|stream| is_open(stream)) else {
            return 0;
        };
        let window = usize::try_from(stream.window).unwrap_or(0);
        let waits = stream.in_waiting && stream.wants_room;
        let fits = if waits {
            0
        } else {
            bytes.len().min(window).min(room)
        };
        stream.wants_room = fits < bytes.len();
        stream.window -= fits as i64;
        self.window -= fits as i64;
        self.write_data(id, bytes.get(..fits).unwrap_or_default());
        if fits < bytes.len() {
            self.queue_for_room(id.slot);
        }
        fits
    }

    /// How much data fits, whatever the stream's window.
    #[inline]
    fn room(&self, others_wait: bool) -> usize {
        let output = self.settings.output.saturating_sub(self.output.len());
        let window = usize::try_from(self.window).unwrap_or(0);
        let room = output.min(window);
        match others_wait {
            true => room.saturating_sub(self.granted * SHARE).min(SHARE),
            false => room,
        }
    }

    #[inline]
    fn write_data(&mut self, id: StreamId, bytes: &[u8]) {
        let most = (self.peer.max_frame as usize).min(SHARE);
        for piece in bytes.chunks(most) {
            let position = self.output.position();
            let header = Header {
                length: piece.len() as u32,
                kind: kind::DATA,
                flags: 0,
                stream: id.number,
            };
            self.output.bytes.reserve(HEADER + piece.len());
            self.output.bytes.extend_from_slice(&header.bytes());
            self.output.bytes.extend_from_slice(piece);
            self.floods.earn_data_sent();
            if let Some(stream) = self.streams.get_mut(id) {
                stream.last_frame = position;
            }
        }
    }

    /// Ends our side: on the last frame when it is unsent, by an empty one otherwise, or by `trailers` (lines with CRLF).
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    #[inline]
    pub fn finish(&mut self, id: StreamId, trailers: &[u8]) -> Result<(), NotSent> {
        let stream = self.streams.get_mut(id).filter(|stream| is_open(stream));
        let last_frame = stream.ok_or(NotSent::Closed)?.last_frame;
        if !trailers.is_empty() {
            self.check_room(id)?;
            self.write_trailers(id, trailers);
        } else if !self.output.end_stream_at(last_frame) {
            let out = &mut self.output.bytes;
            frame::write(out, kind::DATA, flag::END_STREAM, id.number, &[]);
        }
        self.use_grant(id);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.sending = Side::Ended;
            stream.wants_room = false;
        }
        Ok(())
    }

    fn write_trailers(&mut self, id: StreamId, trailers: &[u8]) {
        let at = self.output.begin_block();
        let out = &mut self.output.bytes;
        self.encoder.begin(out);
        for line in Lines::new(trailers) {
            self.encoder.line(out, line);
        }
        self.end_block(at, id.number, true);
    }

    /// Resets a stream: neither side gets any more of it. It still is to be released.
    pub fn reset(&mut self, id: StreamId, code: ErrorCode) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let is_over = stream.sending == Side::Ended && stream.receiving == Side::Ended;
        if stream.reset.is_some() || is_over {
            return;
        }
        stream.reset = Some(Cause::Peer(code));
        stream.reset_sent = true;
        stream.wants_room = false;
        stream.news = 0;
        if stream.receiving != Side::Ended {
            self.discard_inbox(id.slot);
        }
        frame::rst_stream(&mut self.output.bytes, id.number, code);
        self.closed.push(id.number, Ending::ResetByUs);
    }

    /// Puts a stream that wants room, and whose window is open, into the queue of those that wait.
    pub(super) fn queue_for_room(&mut self, slot: u32) {
        if let Some(stream) = self.streams.at(slot)
            && stream.wants_room
            && !stream.in_waiting
            && (stream.window > 0 || stream.waits_for_output)
        {
            stream.waits_for_output = false;
            stream.in_waiting = true;
            self.waiting.push_back(slot);
        }
    }

    /// Tells the next stream in the queue when there is room for it.
    pub(super) fn next_room(&mut self) -> Option<Event> {
        while let Some(&slot) = self.waiting.front() {
            let Some(stream) = self.streams.at(slot) else {
                self.waiting.pop_front();
                continue;
            };
            let is_wanted = stream.wants_room && stream.reset.is_none();
            let id = StreamId {
                number: stream.number,
                slot,
            };
            if is_wanted && !self.has_room() {
                return None;
            }
            self.waiting.pop_front();
            if let Some(stream) = self.streams.at(slot) {
                stream.in_waiting = false;
                stream.granted = is_wanted;
                self.granted += usize::from(is_wanted);
            }
            if is_wanted {
                return Some(Event::Room(id));
            }
        }
        None
    }

    /// Whether a share more fits, beside those announced. Once all was given away it begins again when half of the output is written, so that
    /// frames are not small.
    fn has_room(&mut self) -> bool {
        if self.output.len() <= self.settings.output / 2 {
            self.is_granting = true;
        }
        let window = usize::try_from(self.window).unwrap_or(0);
        let output = self.settings.output.saturating_sub(self.output.len());
        let announced = self.granted * SHARE;
        self.is_granting &= output > announced;
        self.is_granting && window > announced
    }

    /// A stream that was told of room uses it, or does not need it any more.
    #[inline]
    fn use_grant(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id)
            && stream.granted
        {
            stream.granted = false;
            self.granted = self.granted.saturating_sub(1);
        }
    }

    /// What keeps data of a stream back just now.
    #[must_use]
    pub fn is_blocked(&self, id: StreamId) -> Option<Blocked> {
        let stream = self.streams.get(id).filter(|stream| stream.wants_room)?;
        if stream.window <= 0 {
            return Some(Blocked::StreamWindow);
        }
        match self.window <= 0 {
            true => Some(Blocked::ConnectionWindow),
            false => Some(Blocked::Output),
        }
    }

    /// Streams above `last` were not looked at by the peer.
    pub(super) fn fail_above(&mut self, last: u32) {
        for place in 0..self.streams.len() {
            let slot = self.streams.slot_of(place);
            let Some(stream) = self.streams.at(slot) else {
                continue;
            };
            if stream.number > last && stream.reset.is_none() {
                stream.reset = Some(Cause::Unprocessed);
                self.tell(slot, news::RESET);
            }
        }
    }
}

/// Whether data may be sent.
#[inline]
fn is_open(stream: &Stream) -> bool {
    stream.reset.is_none() && stream.sending == Side::Open
}

fn is_websocket_accept(line: &[u8]) -> bool {
    const NAME: &[u8] = b"sec-websocket-accept:";
    line.get(..NAME.len())
        .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}
