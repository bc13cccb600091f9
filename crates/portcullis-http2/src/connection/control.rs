//! Frames about the connection, and small frames about streams (RFC 9113 sections 6.3 to 6.9).

use super::{Connection, MOST_WINDOW, Role};
use crate::budget::Flood;
use crate::frame::{self, Header, flag, kind, setting};
use crate::streams::{Side, news};
use crate::{Broken, Cause, ErrorCode, Event, Refusal};

impl Connection {
    /// PRIORITY says nothing any more (RFC 9113 section 5.3), but has to be well-formed.
    pub(super) fn priority(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        if header.stream == 0 {
            return Err(self.breaks(Refusal::StreamZero));
        }
        let Some(dependency) = payload.first_chunk::<4>().filter(|_| payload.len() == 5) else {
            return Err(self.breaks(Refusal::FrameSize));
        };
        self.check_dependency(header.stream, *dependency)?;
        self.spend(Flood::Priorities)
    }

    /// A stream cannot depend on itself.
    pub(super) fn check_dependency(
        &mut self,
        stream: u32,
        dependency: [u8; 4],
    ) -> Result<(), Broken> {
        match u32::from_be_bytes(dependency) & 0x7FFF_FFFF == stream {
            true => Err(self.breaks(Refusal::SelfDependency)),
            false => Ok(()),
        }
    }

    pub(super) fn rst_stream(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        let code = self.four_bytes(payload)?;
        self.check_not_idle(header.stream)?;
        self.counters.resets += 1;
        let Some(slot) = self.streams.find(header.stream) else {
            return self.spend(Flood::Resets);
        };
        if let Some(stream) = self.streams.at(slot)
            && stream.reset.is_none()
        {
            let is_unprocessed =
                self.role == Role::Client && ErrorCode(code) == ErrorCode::REFUSED_STREAM;
            stream.reset = Some(match is_unprocessed {
                true => Cause::Unprocessed,
                false => Cause::Peer(ErrorCode(code)),
            });
            let is_unseen = self.role == Role::Server && stream.news & news::HEAD != 0;
            let is_complete = stream.receiving == Side::Ended;
            if is_unseen {
                // Nobody has begun to work on it, so nobody has to stop.
                self.closed
                    .push(header.stream, crate::closed::Ending::Known);
                self.forget(slot);
            } else {
                if !is_complete {
                    self.discard_inbox(slot);
                }
                self.tell(slot, news::RESET);
            }
        }
        match self.role {
            Role::Server => self.spend(Flood::Resets),
            // Each reset costs a server a request of ours.
            Role::Client => Ok(()),
        }
    }

    /// A payload of exactly four bytes.
    fn four_bytes(&mut self, payload: &[u8]) -> Result<u32, Broken> {
        match <[u8; 4]>::try_from(payload) {
            Ok(bytes) => Ok(u32::from_be_bytes(bytes)),
            Err(_) => Err(self.breaks(Refusal::FrameSize)),
        }
    }

    /// Refuses frames of streams that nobody opened (RFC 9113 section 5.1).
    pub(super) fn check_not_idle(&mut self, stream: u32) -> Result<(), Broken> {
        if stream == 0 {
            return Err(self.breaks(Refusal::StreamZero));
        }
        let is_open = match (self.role, stream % 2) {
            (Role::Server, 1) => stream <= self.last_peer,
            (Role::Client, 1) => stream < self.next_own,
            _ => false,
        };
        match is_open {
            true => Ok(()),
            false => Err(self.breaks(Refusal::StreamIdle)),
        }
    }

    pub(super) fn settings_frame(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        if header.stream != 0 {
            return Err(self.breaks(Refusal::StreamZero));
        }
        if header.has(flag::ACK) {
            return self.settings_acknowledged(payload);
        }
        self.spend(Flood::Settings)?;
        let (parameters, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(self.breaks(Refusal::FrameSize));
        }
        for &[a, b, c, d, e, f] in parameters {
            let name = u16::from_be_bytes([a, b]);
            let value = u32::from_be_bytes([c, d, e, f]);
            if let Err(refusal) = self.apply(name, value) {
                return Err(self.breaks(refusal));
            }
        }
        self.peer.received = true;
        frame::write(&mut self.output.bytes, kind::SETTINGS, flag::ACK, 0, &[]);
        self.notice(Event::Settings);
        Ok(())
    }

    /// Whether the peer has not acknowledged our SETTINGS yet, which it should within a reasonable time (RFC 9113 section 6.5.3).
    #[must_use]
    pub fn awaits_acknowledgement(&self) -> bool {
        self.unacknowledged > 0
    }

    fn settings_acknowledged(&mut self, payload: &[u8]) -> Result<(), Broken> {
        if !payload.is_empty() {
            return Err(self.breaks(Refusal::FrameSize));
        }
        match self.unacknowledged.checked_sub(1) {
            Some(left) => self.unacknowledged = left,
            None => return Err(self.breaks(Refusal::SettingsAck)),
        }
        self.decoder.set_limit(self.settings.header_table as usize);
        Ok(())
    }

    fn apply(&mut self, name: u16, value: u32) -> Result<(), Refusal> {
        match (name, value) {
            (setting::HEADER_TABLE_SIZE, _) => {
                self.peer.header_table = value;
                self.encoder.set_limit(value as usize);
            }
            (setting::ENABLE_PUSH, 0) => {}
            // A client may allow push; a server has nothing to allow (RFC 9113 section 6.5.2).
            (setting::ENABLE_PUSH, 1) if self.role == Role::Server => {}
            (setting::ENABLE_PUSH, _) => return Err(Refusal::SettingInvalid),
            (setting::MAX_CONCURRENT_STREAMS, _) => self.peer.max_streams = value,
            (setting::INITIAL_WINDOW_SIZE, _) => return self.apply_window(value),
            (setting::MAX_FRAME_SIZE, 0x4000..=0xFF_FFFF) => self.peer.max_frame = value,
            (setting::MAX_FRAME_SIZE, _) => return Err(Refusal::SettingInvalid),
            (setting::ENABLE_CONNECT_PROTOCOL, 0) if !self.peer.connect_protocol => {}
            (setting::ENABLE_CONNECT_PROTOCOL, 1) => self.peer.connect_protocol = true,
            (setting::ENABLE_CONNECT_PROTOCOL, _) => return Err(Refusal::SettingInvalid),
            // MAX_HEADER_LIST_SIZE is advice, and what is not known is ignored.
            _ => {}
        }
        Ok(())
    }

    /// A new initial window changes those of all open streams by the difference (RFC 9113 section 6.9.2).
    fn apply_window(&mut self, value: u32) -> Result<(), Refusal> {
        if i64::from(value) > MOST_WINDOW {
            return Err(Refusal::SettingWindow);
        }
        let difference = i64::from(value) - i64::from(self.peer.initial_window);
        self.peer.initial_window = value;
        for place in 0..self.streams.len() {
            let slot = self.streams.slot_of(place);
            let Some(stream) = self.streams.at(slot) else {
                continue;
            };
            stream.window += difference;
            if stream.window > MOST_WINDOW {
                return Err(Refusal::WindowOverflowConnection);
            }
            self.queue_for_room(slot);
        }
        Ok(())
    }

    pub(super) fn ping_frame(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        if header.stream != 0 {
            return Err(self.breaks(Refusal::StreamZero));
        }
        let Ok(opaque) = <[u8; 8]>::try_from(payload) else {
            return Err(self.breaks(Refusal::FrameSize));
        };
        if header.has(flag::ACK) && self.draining.answers(opaque) {
            self.notice(Event::Pong);
            return Ok(());
        }
        self.spend(Flood::Pings)?;
        if !header.has(flag::ACK) {
            frame::write(&mut self.output.bytes, kind::PING, flag::ACK, 0, &opaque);
        }
        Ok(())
    }

    pub(super) fn window_update(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        let increment = i64::from(self.four_bytes(payload)? & 0x7FFF_FFFF);
        if header.stream == 0 {
            if increment == 0 {
                return Err(self.breaks(Refusal::WindowZeroConnection));
            }
            self.window += increment;
            if self.window > MOST_WINDOW {
                return Err(self.breaks(Refusal::WindowOverflowConnection));
            }
            return self.spend(Flood::WindowUpdates);
        }
        self.check_not_idle(header.stream)?;
        self.spend(Flood::WindowUpdates)?;
        let Some(slot) = self.streams.find(header.stream) else {
            // It may have been under way when the stream ended.
            return Ok(());
        };
        self.widen(slot, increment)
    }

    fn widen(&mut self, slot: u32, increment: i64) -> Result<(), Broken> {
        let Some(stream) = self.streams.at(slot).filter(|s| s.reset.is_none()) else {
            return Ok(());
        };
        stream.window += increment;
        if increment == 0 {
            return self.fault(slot, Refusal::WindowZero);
        }
        if stream.window > MOST_WINDOW {
            return self.fault(slot, Refusal::WindowOverflow);
        }
        self.queue_for_room(slot);
        Ok(())
    }
}
