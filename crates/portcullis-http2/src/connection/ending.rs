//! Letting go of streams, and of the connection (RFC 9113 sections 5.4.1, 6.7, 6.8).

use super::{Connection, Role};
use crate::closed::Ending;
use crate::frame::{self, Header, kind};
use crate::streams::Side;
use crate::{Broken, Cause, ErrorCode, Event, Refusal, StreamId};

/// A GOAWAY that ends nothing yet (RFC 9113 section 6.8).
const NOTHING_YET: u32 = i32::MAX as u32;

/// How far the connection is on its way to its end.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// The last stream that our GOAWAY lets in.
    announced: Option<u32>,
    /// The last stream of ours that the peer's GOAWAY lets live.
    received: Option<u32>,
    /// The PING that is not answered.
    ping: Option<u64>,
    pings: u64,
}

impl Draining {
    /// Whether a stream that the peer opens is served.
    pub(super) fn accepts(&self, number: u32) -> bool {
        self.announced.is_none_or(|last| number <= last)
    }

    pub(super) fn is_going_away(&self) -> bool {
        self.announced.is_some() || self.received.is_some()
    }

    /// Whether this is the answer to our PING.
    pub(super) fn answers(&mut self, opaque: [u8; 8]) -> bool {
        let is_ours = self.ping == Some(u64::from_be_bytes(opaque));
        if is_ours {
            self.ping = None;
        }
        is_ours
    }
}

impl Connection {
    /// The owner has let go of a stream. To be called for every stream, once; from then on it counts no more.
    ///
    /// A stream that is not over is reset: by NO_ERROR when our side has ended, so that the peer may stop sending, by CANCEL otherwise.
    pub fn release(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id) else {
            return;
        };
        let (sent, received) = (stream.sending, stream.receiving);
        let is_whole = (sent, received) == (Side::Ended, Side::Ended);
        if stream.reset.is_none() && is_whole {
            self.floods.earn_completed();
        } else if stream.reset.is_none() {
            let is_answered = sent == Side::Ended && self.role == Role::Server;
            self.reset(
                id,
                if is_answered {
                    ErrorCode::NO_ERROR
                } else {
                    ErrorCode::CANCEL
                },
            );
        }
        let reset_sent = self.streams.get(id).is_some_and(|stream| stream.reset_sent);
        if !reset_sent {
            self.closed.push(id.number, Ending::Known);
        }
        self.forget(id.slot);
    }

    /// Why a stream is over before its end.
    #[must_use]
    pub fn reset_cause(&self, id: StreamId) -> Option<Cause> {
        self.streams.get(id)?.reset
    }

    /// Begins a graceful end. A server tells that it will go away and sends a PING: once [`Event::Pong`] comes, every request that
    /// the client sent before it knew has arrived, and [`Connection::finish_drain`] loses none. A client opens no more streams.
    pub fn drain(&mut self) {
        if self.draining.announced.is_some() {
            return;
        }
        self.draining.announced = Some(NOTHING_YET);
        if self.role == Role::Server {
            self.write_go_away(NOTHING_YET, ErrorCode::NO_ERROR);
            self.ping();
        }
    }

    /// Ends the graceful end: requests that have arrived are served, later ones are not looked at.
    pub fn finish_drain(&mut self) {
        if self
            .draining
            .announced
            .is_some_and(|last| last < NOTHING_YET)
        {
            return;
        }
        self.draining.announced = Some(self.last_peer);
        self.write_go_away(self.last_peer, ErrorCode::NO_ERROR);
    }

    /// Ends the connection now. Nothing is received any more; write the output, then close.
    pub fn close(&mut self, code: ErrorCode) {
        if self.broken.is_none() && !self.is_closed {
            self.is_closed = true;
            self.write_go_away(self.last_served(), code);
        }
    }

    /// The last stream of the peer that was looked at.
    pub(super) fn last_served(&self) -> u32 {
        let announced = self.draining.announced.unwrap_or(NOTHING_YET);
        self.last_peer.min(announced)
    }

    pub(super) fn write_go_away(&mut self, last: u32, code: ErrorCode) {
        frame::go_away(&mut self.output.bytes, last, code);
    }

    /// Sends a PING, whose answer is [`Event::Pong`]. One at a time; a second before the answer is not sent.
    pub fn ping(&mut self) {
        if self.draining.ping.is_none() {
            self.draining.pings += 1;
            self.draining.ping = Some(self.draining.pings);
            let opaque = self.draining.pings.to_be_bytes();
            frame::write(&mut self.output.bytes, kind::PING, 0, 0, &opaque);
        }
    }

    /// Whether nothing is left to be done but to close the socket.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let is_over = match self.role {
            Role::Server => self
                .draining
                .announced
                .is_some_and(|last| last < NOTHING_YET),
            Role::Client => self.draining.is_going_away(),
        };
        let is_over = is_over || self.is_closed || self.broken.is_some();
        is_over && self.streams.len() == 0 && self.output.len() == 0
    }

    pub(super) fn go_away(&mut self, header: Header, payload: &[u8]) -> Result<(), Broken> {
        if header.stream != 0 {
            return Err(self.breaks(Refusal::StreamZero));
        }
        let Some(&[a, b, c, d, e, f, g, h]) = payload.first_chunk::<8>() else {
            return Err(self.breaks(Refusal::FrameSize));
        };
        self.spend(crate::budget::Flood::Settings)?;
        let last = u32::from_be_bytes([a & 0x7F, b, c, d]);
        let code = ErrorCode(u32::from_be_bytes([e, f, g, h]));
        let last = self
            .draining
            .received
            .map_or(last, |before| before.min(last));
        self.draining.received = Some(last);
        self.notice(Event::GoAway { last, code });
        if self.role == Role::Client {
            self.fail_above(last);
        }
        Ok(())
    }
}
