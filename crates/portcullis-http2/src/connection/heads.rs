//! HEADERS and CONTINUATION: requests, responses and trailers that arrive (RFC 9113 sections 6.2, 6.10, 8.1).

use super::inbound::Block;
use super::{Connection, Role};
use crate::budget::Flood;
use crate::closed::Ending;
use crate::frame::{self, Header, flag};
use crate::hpack::{Ignore, Invalid};
use crate::streams::{Side, news};
use crate::{Broken, Event, HeadInfo, Refusal, StreamId};

/// Heads of one stream that wait to be taken, whoever is slow to take them: how many interim responses a request may get is not
/// judged here.
const MOST_HEADS: usize = 64;

/// What a header block is, by the state of its stream.
enum Purpose {
    Request,
    Response(u32),
    Trailers(u32),
    /// Decoded only to keep the table right.
    Nothing,
    /// The same, and its stream is reset.
    Fault(u32, Refusal),
}

impl Connection {
    pub(super) fn headers(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        self.check_headers(header.stream)?;
        let fragment = self.unwrap_headers(header, payload)?;
        let block = Block {
            number: header.stream,
            end_stream: header.has(flag::END_STREAM),
            continuations: 0,
            begun: self.counters.frames - 1,
        };
        if header.has(flag::END_HEADERS) {
            return self.header_block(block, fragment);
        }
        self.inbound.fragments.clear();
        self.inbound.fragments.extend_from_slice(fragment);
        self.inbound.block = Some(block);
        Ok(())
    }

    /// What is wrong with the stream's number ends the connection at once.
    fn check_headers(&mut self, number: u32) -> Result<(), Broken> {
        if number == 0 {
            return Err(self.breaks(Refusal::StreamZero));
        }
        if self.role == Role::Client {
            return self.check_not_idle(number);
        }
        if number.is_multiple_of(2) {
            return Err(self.breaks(Refusal::StreamNumber));
        }
        if number > self.last_peer || self.streams.find(number).is_some() {
            return Ok(());
        }
        match self.closed.ending(number) {
            Some(Ending::ResetByUs) => Ok(()),
            Some(Ending::Known) => Err(self.breaks(Refusal::StreamClosed)),
            None => Err(self.breaks(Refusal::StreamNumber)),
        }
    }

    /// The fragment without padding and priority.
    fn unwrap_headers<'b>(
        &mut self,
        header: Header,
        payload: &'b [u8],
    ) -> Result<&'b [u8], Broken> {
        let mut fragment = payload;
        if header.has(flag::PADDED) {
            let Some((&padding, rest)) = payload.split_first() else {
                return Err(self.breaks(Refusal::FrameSize));
            };
            let Some(length) = rest.len().checked_sub(usize::from(padding)) else {
                return Err(self.breaks(Refusal::PaddingTooLong));
            };
            fragment = rest.get(..length).unwrap_or_default();
        }
        if header.has(flag::PRIORITY) {
            let Some((priority, rest)) = fragment.split_first_chunk::<5>() else {
                return Err(self.breaks(Refusal::FrameSize));
            };
            let [a, b, c, d, _] = *priority;
            self.check_dependency(header.stream, [a, b, c, d])?;
            fragment = rest;
        }
        Ok(fragment)
    }

    pub(super) fn continuation(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        let Some(mut block) = self.inbound.block.filter(|b| b.number == header.stream) else {
            return Err(self.breaks(Refusal::HeaderBlockBroken));
        };
        block.continuations += 1;
        if block.continuations > self.settings.budgets.continuations {
            return Err(self.breaks(Refusal::FloodContinuation));
        }
        if payload.is_empty() {
            self.spend(Flood::Empty)?;
        }
        // No encoder makes a block larger than its fields, so this is far over the limit.
        let most = self.settings.header_list as usize * 2;
        if self.inbound.fragments.len() + payload.len() > most.max(32 * 1024) {
            return Err(self.breaks(Refusal::HeaderBlockTooLarge));
        }
        self.inbound.fragments.extend_from_slice(payload);
        if !header.has(flag::END_HEADERS) {
            self.inbound.block = Some(block);
            return Ok(());
        }
        self.inbound.block = None;
        let fragments = std::mem::take(&mut self.inbound.fragments);
        let done = self.header_block(block, &fragments);
        self.inbound.fragments = fragments;
        done
    }

    /// A whole header block.
    fn header_block(&mut self, block: Block, bytes: &[u8]) -> Result<(), Broken> {
        match self.purpose(block) {
            Purpose::Request => self.request(block, bytes),
            Purpose::Response(slot) => self.response(slot, block, bytes),
            Purpose::Trailers(slot) => self.trailers(slot, block, bytes),
            Purpose::Nothing => {
                // One such block may be under way for a stream; more are work for nothing.
                self.spend(Flood::Refused)?;
                self.ignore(bytes)
            }
            Purpose::Fault(slot, refusal) => {
                self.ignore(bytes)?;
                self.fault(slot, refusal)
            }
        }
    }

    fn purpose(&mut self, block: Block) -> Purpose {
        let Some(slot) = self.streams.find(block.number) else {
            if !self.is_server() || block.number <= self.last_peer {
                return Purpose::Nothing;
            }
            self.last_peer = block.number;
            if self.draining.accepts(block.number) {
                return Purpose::Request;
            }
            // It was told that nobody will look at it.
            self.closed.push(block.number, Ending::ResetByUs);
            return Purpose::Nothing;
        };
        let is_server = self.is_server();
        let Some(stream) = self.streams.at(slot) else {
            return Purpose::Nothing;
        };
        match (stream.reset, stream.receiving) {
            (Some(_), _) if stream.reset_sent => Purpose::Nothing,
            (Some(_), _) | (None, Side::Ended) => Purpose::Fault(slot, Refusal::StreamEnded),
            (None, Side::Idle) => Purpose::Response(slot),
            (None, Side::Open) if stream.is_tunnel && is_server => {
                // A tunnel has data only (RFC 9113 section 8.5).
                Purpose::Fault(slot, Refusal::TrailerForbidden)
            }
            (None, Side::Open) => Purpose::Trailers(slot),
        }
    }

    /// Decodes a block for the table's sake.
    fn ignore(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let decoded = self.decoder.decode(bytes, &mut Ignore);
        self.decoded(decoded)
    }

    fn decoded(&mut self, decoded: Result<(), Invalid>) -> Result<(), Broken> {
        decoded.map_err(|Invalid| self.breaks(Refusal::Compression))
    }

    #[inline]
    fn request(&mut self, block: Block, bytes: &[u8]) -> Result<(), Broken> {
        if !self.takes_stream() {
            return self.refuse_stream(block, bytes);
        }
        self.counters.streams += 1;
        self.floods.earn_stream();
        let slot = self.streams.insert(block.number);
        let text = self
            .streams
            .at(slot)
            .map(|stream| std::mem::take(&mut stream.heads));
        self.request.begin(text.unwrap_or_default(), self.bounds());
        let decoded = self.decoder.decode(bytes, &mut self.request);
        self.decoded(decoded)?;
        match self.request.conclude(block.end_stream) {
            Ok(info) => {
                self.admit(slot, info);
                Ok(())
            }
            Err(refusal) => {
                self.give_text_back(slot);
                self.streams.remove(slot);
                self.notice(Event::Refused {
                    stream: block.number,
                    refusal,
                });
                self.fault_of(block.number, refusal)
            }
        }
    }

    fn give_text_back(&mut self, slot: u32) {
        let text = std::mem::take(&mut self.request.text);
        if let Some(stream) = self.streams.at(slot) {
            stream.heads = text;
        }
    }

    /// A request that its owner gets to see.
    #[inline]
    fn admit(&mut self, slot: u32, info: HeadInfo) {
        self.streams.hold(slot, self.request.text.len());
        self.give_text_back(slot);
        let credit = self.stream_credit();
        let initial = i64::from(self.peer.initial_window);
        if let Some(stream) = self.streams.at(slot) {
            stream.infos.push_back((stream.heads.len(), info));
            stream.credit = credit;
            stream.window = initial;
            stream.expected = info.content_length;
            stream.is_tunnel = info.protocol.is_some();
            stream.receiving = match info.end_stream {
                true => Side::Ended,
                false => Side::Open,
            };
        }
        self.tell(slot, news::HEAD);
    }

    /// Whether the peer may have another stream. What all requests of a connection hold in heads has a bound beside their number, since
    /// by header compression a few bytes on the wire are many here.
    fn takes_stream(&self) -> bool {
        self.streams.len() < self.settings.max_streams as usize
            && self.streams.held() < self.settings.heads
    }

    /// More streams than we announced, or more in their heads than we hold.
    #[cold]
    fn refuse_stream(&mut self, block: Block, bytes: &[u8]) -> Result<(), Broken> {
        self.ignore(bytes)?;
        let refusal = Refusal::StreamsExceeded;
        self.counters.count(refusal);
        frame::rst_stream(&mut self.output.bytes, block.number, refusal.error());
        self.closed.push(block.number, Ending::ResetByUs);
        self.notice(Event::Refused {
            stream: block.number,
            refusal,
        });
        self.spend(Flood::Refused)
    }

    fn response(&mut self, slot: u32, block: Block, bytes: &[u8]) -> Result<(), Broken> {
        let heads = self
            .streams
            .at(slot)
            .map(|stream| std::mem::take(&mut stream.heads));
        let heads = heads.unwrap_or_default();
        let before = heads.len();
        self.response.begin(heads, self.bounds());
        let decoded = self.decoder.decode(bytes, &mut self.response);
        self.decoded(decoded)?;
        let concluded = self.response.conclude(block.end_stream);
        let mut text = std::mem::take(&mut self.response.text);
        if concluded.is_err() {
            text.truncate(before);
        }
        let length = text.len() - before;
        let Some(stream) = self.streams.at(slot) else {
            return Ok(());
        };
        stream.heads = text;
        let judged = concluded.and_then(|(status, info)| {
            let no_content = stream.is_head || status == 204 || status == 304;
            let lacks = info.end_stream && !no_content && info.content_length.unwrap_or(0) > 0;
            if lacks {
                return Err(Refusal::ContentLengthMismatch);
            }
            if stream.infos.len() >= MOST_HEADS || before > self.settings.header_list as usize {
                return Err(Refusal::FloodInterim);
            }
            stream.infos.push_back((length, info));
            if !info.interim {
                stream.receiving = match info.end_stream {
                    true => Side::Ended,
                    false => Side::Open,
                };
                stream.expected = match no_content {
                    true => Some(0),
                    false => info.content_length,
                };
            }
            Ok(())
        });
        match judged {
            Ok(()) => {
                self.tell(slot, news::HEAD);
                Ok(())
            }
            Err(refusal) => self.fault(slot, refusal),
        }
    }

    fn trailers(&mut self, slot: u32, block: Block, bytes: &[u8]) -> Result<(), Broken> {
        let lines = self
            .streams
            .at(slot)
            .map(|stream| std::mem::take(&mut stream.trailers));
        self.trailers.begin(lines.unwrap_or_default());
        let decoded = self.decoder.decode(bytes, &mut self.trailers);
        self.decoded(decoded)?;
        let concluded = self.trailers.conclude();
        let lines = std::mem::take(&mut self.trailers.lines);
        let Some(stream) = self.streams.at(slot) else {
            return Ok(());
        };
        stream.trailers = lines;
        let missing = stream.expected.is_some_and(|left| left > 0);
        let refusal = match concluded {
            Err(refusal) => refusal,
            Ok(()) if !block.end_stream => Refusal::TrailersWithoutEnd,
            Ok(()) if missing => Refusal::ContentLengthMismatch,
            Ok(()) => {
                stream.receiving = Side::Ended;
                self.tell(slot, news::DATA);
                return Ok(());
            }
        };
        if let Some(stream) = self.streams.at(slot) {
            stream.trailers.clear();
        }
        self.fault(slot, refusal)
    }

    /// The next head of a stream: its text takes the place of what `text` held. `None` when there is none.
    ///
    /// The text is a whole HTTP/1.1 head without Transfer-Encoding: how much follows is told by [`HeadInfo`].
    #[inline]
    pub fn take_head(&mut self, id: StreamId, text: &mut Vec<u8>) -> Option<HeadInfo> {
        let stream = self.streams.get_mut(id)?;
        let (length, info) = stream.infos.pop_front()?;
        text.clear();
        if length == stream.heads.len() {
            std::mem::swap(text, &mut stream.heads);
        } else {
            text.extend(stream.heads.drain(..length.min(stream.heads.len())));
        }
        Some(info)
    }
}
