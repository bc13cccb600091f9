//! DATA from the peer, reading it, and the credit that reading gives (RFC 9113 sections 5.2, 6.1).

use super::Connection;
use super::inbound::Run;
use crate::budget::Flood;
use crate::closed::Ending;
use crate::frame::{self, Header, flag};
use crate::streams::{Side, news};
use crate::{Broken, Cause, Read, Refusal, StreamId};

impl Connection {
    /// The head of a DATA frame; `padding` holds its length byte if it has one.
    pub(super) fn begin_data(&mut self, header: Header, padding: &[u8]) -> Result<(), Broken> {
        self.check_not_idle(header.stream)?;
        let padded = u32::from(header.has(flag::PADDED));
        let padding = padding.first().map_or(0, |&length| u32::from(length));
        let Some(left) = header.length.checked_sub(padding + padded) else {
            return Err(self.breaks(Refusal::PaddingTooLong));
        };
        if !self.credit.spend(header.length) {
            return Err(self.breaks(Refusal::WindowExceededConnection));
        }
        let end = header.has(flag::END_STREAM);
        match (left, end) {
            (0, false) => self.spend(Flood::Empty)?,
            (0, true) => {}
            _ => self.floods.earn_data_received(),
        }
        let slot = self.receiver(header, left, end)?;
        self.inbound.data = Some(Run {
            number: header.stream,
            slot,
            left,
            padding,
            end,
        });
        // Padding is used as soon as it is announced.
        self.credit_used(slot, padding + padded);
        if left + padding == 0 {
            self.end_data()?;
        }
        Ok(())
    }

    /// The stream that takes the data of this frame, if one does.
    fn receiver(&mut self, header: Header, left: u32, end: bool) -> Result<Option<u32>, Broken> {
        let Some(slot) = self.streams.find(header.stream) else {
            if self.closed.ending(header.stream) != Some(Ending::ResetByUs) {
                self.fault_of(header.stream, Refusal::StreamEnded)?;
            }
            return Ok(None);
        };
        match self.judge_data(slot, header.length, left, end) {
            Ok(true) => Ok(Some(slot)),
            Ok(false) => Ok(None),
            Err(refusal) => {
                self.fault(slot, refusal)?;
                Ok(None)
            }
        }
    }

    /// Whether the stream wants the data; a refusal resets it.
    fn judge_data(
        &mut self,
        slot: u32,
        length: u32,
        left: u32,
        end: bool,
    ) -> Result<bool, Refusal> {
        let Some(stream) = self.streams.at(slot) else {
            return Ok(false);
        };
        match (stream.reset, stream.receiving) {
            // The peer may not know yet.
            (Some(_), _) if stream.reset_sent => return Ok(false),
            (Some(_), _) | (None, Side::Ended) => return Err(Refusal::StreamEnded),
            (None, Side::Idle) => return Err(Refusal::DataBeforeHead),
            (None, Side::Open) => {}
        }
        if !stream.credit.spend(length) {
            return Err(Refusal::WindowExceeded);
        }
        if let Some(expected) = &mut stream.expected {
            *expected = expected
                .checked_sub(u64::from(left))
                .ok_or(Refusal::ContentLengthMismatch)?;
            if end && *expected > 0 {
                return Err(Refusal::ContentLengthMismatch);
            }
        }
        Ok(true)
    }

    /// Takes what belongs to the DATA frame from the front of `bytes`.
    #[inline]
    pub(super) fn take_data<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Broken> {
        let Some(mut run) = self.inbound.data else {
            return Ok(bytes);
        };
        let take = |left: u32, bytes: &[u8]| bytes.len().min(left as usize);
        let (data, rest) = bytes.split_at(take(run.left, bytes));
        run.left -= data.len() as u32;
        let (padding, rest) = rest.split_at(take(run.padding, rest));
        run.padding -= padding.len() as u32;
        self.inbound.data = Some(run);
        self.keep(run, data);
        if run.left + run.padding == 0 {
            self.end_data()?;
        }
        Ok(rest)
    }

    /// Puts data where its reader finds it; without one it counts as read.
    fn keep(&mut self, run: Run, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        match self.wanted(run) {
            Some(slot) => {
                let spare = &mut self.spare;
                if let Some(stream) = self.streams.at(slot) {
                    if stream.inbox.capacity() == 0
                        && let Some(inbox) = spare.pop()
                    {
                        stream.inbox = inbox;
                    }
                    stream.inbox.extend_from_slice(data);
                }
                self.tell(slot, news::DATA);
            }
            None => self.credit_used(None, data.len() as u32),
        }
    }

    /// The slot of a run whose stream is still read.
    fn wanted(&mut self, run: Run) -> Option<u32> {
        let slot = run.slot?;
        let stream = self.streams.at(slot)?;
        (stream.number == run.number && stream.reset.is_none()).then_some(slot)
    }

    fn end_data(&mut self) -> Result<(), Broken> {
        let Some(run) = self.inbound.data.take() else {
            return Ok(());
        };
        if !run.end {
            return Ok(());
        }
        if let Some(slot) = self.wanted(run) {
            if let Some(stream) = self.streams.at(slot) {
                stream.receiving = Side::Ended;
            }
            self.tell(slot, news::DATA);
        }
        Ok(())
    }

    /// `bytes` were used: the connection's window, and that of a stream which goes on, are owed so much.
    fn credit_used(&mut self, slot: Option<u32>, bytes: u32) {
        if bytes == 0 {
            return;
        }
        if let Some(increment) = self.credit.owe(bytes) {
            frame::window_update(&mut self.output.bytes, 0, increment);
        }
        let Some(stream) = slot.and_then(|slot| self.streams.at(slot)) else {
            return;
        };
        if stream.receiving == Side::Open
            && stream.reset.is_none()
            && let Some(increment) = stream.credit.owe(bytes)
        {
            let number = stream.number;
            frame::window_update(&mut self.output.bytes, number, increment);
        }
    }

    /// Drops unread data, which counts as read for the connection's window.
    pub(super) fn discard_inbox(&mut self, slot: u32) {
        if let Some(stream) = self.streams.at(slot) {
            let unread = stream.unread().len() as u32;
            stream.inbox.clear();
            stream.inbox_at = 0;
            self.credit_used(None, unread);
        }
    }

    /// All data that has come and is not read. [`Connection::receive_state`] tells why there is none.
    #[must_use]
    pub fn readable(&self, id: StreamId) -> &[u8] {
        self.streams.get(id).map_or(&[], |stream| stream.unread())
    }

    /// The first `count` bytes of [`Connection::readable`] were used; this is what opens the windows again.
    pub fn consume(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let count = count.min(stream.unread().len());
        stream.inbox_at += count;
        if stream.inbox_at == stream.inbox.len() {
            stream.inbox.clear();
            stream.inbox_at = 0;
        } else if stream.inbox_at > stream.inbox.len() / 2 {
            // What lies before is as much as what moves, so each byte moves at most once.
            stream.inbox.drain(..stream.inbox_at);
            stream.inbox_at = 0;
        }
        self.credit_used(Some(id.slot), count as u32);
    }

    /// Copies unread data into `into`, as much as fits.
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Read {
        let state = self.receive_state(id);
        let Read::Data(unread) = state else {
            return state;
        };
        let count = unread.min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), self.readable(id).get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(id, count);
        Read::Data(count)
    }

    /// What [`Connection::read`] would find; `Data` tells all that is unread.
    ///
    /// A stream whose peer ended its side reads to its end, even when it was reset afterwards: a server that has answered whole may
    /// tell that it needs no more of the request (RFC 9113 section 8.1).
    #[must_use]
    pub fn receive_state(&self, id: StreamId) -> Read {
        let Some(stream) = self.streams.get(id) else {
            return Read::Reset(self.code_of_end());
        };
        match (stream.unread().len(), stream.receiving, stream.reset) {
            (0, Side::Ended, Some(Cause::Malformed(refusal))) => Read::Reset(refusal.error()),
            (0, Side::Ended, _) => Read::End,
            (0, _, Some(cause)) => Read::Reset(cause.code()),
            (0, _, None) => Read::Pending,
            (unread, ..) => Read::Data(unread),
        }
    }

    /// The trailers, as `name: value` lines with CRLF, in place of what `lines` held. False when there are none.
    pub fn take_trailers(&mut self, id: StreamId, lines: &mut Vec<u8>) -> bool {
        lines.clear();
        match self.streams.get_mut(id) {
            Some(stream) if !stream.trailers.is_empty() => {
                std::mem::swap(lines, &mut stream.trailers);
                true
            }
            _ => false,
        }
    }
}
