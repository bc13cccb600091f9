//! Requests of ours: HTTP/1 text to a new stream (RFC 9113 section 8.3.1, RFC 8441 section 4).

use super::{Connection, Role};
use crate::head::{Lines, value_of};
use crate::streams::Side;
use crate::{Scheme, StreamId};

/// What of a request is not in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    /// The scheme of the target.
    pub scheme: Scheme,
    /// Nothing follows the head.
    pub end: bool,
    /// The text asks for an upgrade; it is sent as an extended CONNECT for the protocol that its Upgrade names.
    pub extended_connect: bool,
}

/// Why no stream was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The peer allows no more streams at the same time; one may end soon.
    Streams,
    /// The peer or we are going away.
    GoAway,
    /// The numbers of streams are used up.
    Exhausted,
    /// Too much output is unsent.
    NoRoom,
    /// The peer does not know extended CONNECT, the text names no protocol, or we are the server.
    NotAllowed,
}

/// The last number of a stream.
const MOST_NUMBER: u32 = i32::MAX as u32;

impl Connection {
    /// How many streams [`Connection::open`] would open now.
    #[must_use]
    pub fn room_to_open(&self) -> usize {
        match self.may_open() {
            Ok(()) => (self.peer.max_streams as usize).saturating_sub(self.streams.len()),
            Err(_) => 0,
        }
    }

    fn may_open(&self) -> Result<(), Refused> {
        if self.role == Role::Server {
            return Err(Refused::NotAllowed);
        }
        if self.broken.is_some() || self.draining.is_going_away() {
            return Err(Refused::GoAway);
        }
        if self.next_own > MOST_NUMBER {
            return Err(Refused::Exhausted);
        }
        if self.streams.len() >= self.peer.max_streams as usize {
            return Err(Refused::Streams);
        }
        match self.output.len() > self.most_output() {
            true => Err(Refused::NoRoom),
            false => Ok(()),
        }
    }

    /// Opens a stream with the request whose head `text` is. Clients only.
    ///
    /// Host becomes `:authority`, fields of HTTP/1 connections are left out, names become lower case.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub fn open(&mut self, text: &[u8], options: &Open) -> Result<StreamId, Refused> {
        self.may_open()?;
        let (line, lines) = Lines::of_head(text);
        let protocol = lines.clone().find_map(|line| value_of(line, b"upgrade"));
        let protocol = protocol.filter(|_| options.extended_connect);
        if options.extended_connect && (protocol.is_none() || !self.peer.connect_protocol) {
            return Err(Refused::NotAllowed);
        }
        let method = line.split(|&byte| byte == b' ').next().unwrap_or_default();
        let number = self.next_own;
        self.next_own += 2;
        let position = self.output.position();
        self.write_request(line, lines, protocol, options, number);
        Ok(self.opened_stream(number, position, options.end, method == b"HEAD"))
    }

    fn write_request(
        &mut self,
        line: &[u8],
        lines: Lines<'_>,
        protocol: Option<&[u8]>,
        options: &Open,
        number: u32,
    ) {
        let mut words = line.split(|&byte| byte == b' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let host = lines.clone().find_map(|line| value_of(line, b"host"));
        let at = self.output.begin_block();
        let (out, encoder) = (&mut self.output.bytes, &mut self.encoder);
        encoder.begin(out);
        let is_connect = method == b"CONNECT";
        let method = protocol.map_or(method, |_| b"CONNECT");
        encoder.pseudo(out, b":method", method);
        if !is_connect {
            let scheme = match options.scheme {
                Scheme::Http => b"http".as_slice(),
                Scheme::Https => b"https",
            };
            encoder.pseudo(out, b":scheme", scheme);
            encoder.pseudo(out, b":path", target);
        }
        let authority = if is_connect { Some(target) } else { host };
        if let Some(authority) = authority {
            encoder.pseudo(out, b":authority", authority);
        }
        if let Some(protocol) = protocol {
            encoder.pseudo(out, b":protocol", protocol);
        }
        for line in lines {
            let is_key = protocol.is_some() && value_of(line, b"sec-websocket-key").is_some();
            if !is_key && value_of(line, b"host").is_none() {
                encoder.line(out, line);
            }
        }
        self.end_block(at, number, options.end);
    }

    fn opened_stream(&mut self, number: u32, position: u64, end: bool, is_head: bool) -> StreamId {
        self.counters.streams += 1;
        self.floods.earn_stream();
        let credit = self.stream_credit();
        let initial = i64::from(self.peer.initial_window);
        let slot = self.streams.insert(number);
        if let Some(stream) = self.streams.at(slot) {
            stream.credit = credit;
            stream.window = initial;
            stream.last_frame = position;
            stream.is_head = is_head;
            stream.sending = match end {
                true => Side::Ended,
                false => Side::Open,
            };
        }
        StreamId { number, slot }
    }
}
