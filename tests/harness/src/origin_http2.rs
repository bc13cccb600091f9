//! A server that sends HTTP/2 frames as a script says, over clear text or TLS.

use crate::frames::{FieldBlocks, Frame, PREFACE, flag, kind};
use crate::http::{Fields, Request};
use crate::origin::Peer;
use std::collections::BTreeMap;
use std::io;

/// What has come on one stream.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The head, pseudo-fields included.
    pub fields: Fields,
    /// The data.
    pub body: Vec<u8>,
    /// Fields after the data.
    pub trailers: Fields,
    /// The proxy has ended its side.
    pub ended: bool,
    /// The code of its RST_STREAM.
    pub reset: Option<u32>,
    taken: bool,
}

impl Call {
    /// The value of `:path`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.fields.one(":path").unwrap_or_default()
    }

    fn as_request(&self) -> Request {
        let one = |name| self.fields.one(name).unwrap_or_default().to_owned();
        Request {
            method: one(":method"),
            target: one(":path"),
            version: "HTTP/2".to_owned(),
            fields: self.fields.clone(),
            body: self.body.clone(),
            trailers: self.trailers.clone(),
            head: Vec::new(),
        }
    }
}

/// The origin's end of a connection that speaks HTTP/2.
pub struct Http2Peer<'a> {
    peer: &'a mut Peer,
    blocks: FieldBlocks,
    /// Give back the room that received data took.
    pub credits: bool,
    /// Acknowledge the proxy's settings.
    pub acknowledges: bool,
    /// What has come, by stream.
    pub calls: BTreeMap<u32, Call>,
    /// The code of the proxy's GOAWAY.
    pub goaway: Option<u32>,
    /// Room for data that the proxy gave, by stream; 0 is the connection.
    pub room: BTreeMap<u32, i64>,
    window: i64,
    /// PINGs that came.
    pub pings: usize,
    /// Answers to our PINGs that came.
    pub echoes: usize,
    /// Answer PINGs.
    pub pongs: bool,
    /// The proxy has closed.
    pub closed: bool,
}

impl std::fmt::Debug for Http2Peer<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Http2Peer")
            .field("calls", &self.calls)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// Expects HTTP/2 on this connection and announces these settings; none when the proxy closes first.
    pub fn http2(&mut self, settings: &[(u16, u32)]) -> Option<Http2Peer<'_>> {
        let preface = self.exactly(PREFACE.len());
        if preface.is_empty() {
            return None;
        }
        assert_eq!(preface, PREFACE, "HTTP/2 begins with its preface");
        let mut http2 = Http2Peer {
            peer: self,
            blocks: FieldBlocks::default(),
            credits: true,
            acknowledges: true,
            calls: BTreeMap::new(),
            goaway: None,
            room: BTreeMap::from([(0, 65_535)]),
            window: 65_535,
            pings: 0,
            echoes: 0,
            pongs: true,
            closed: false,
        };
        http2.frame(kind::SETTINGS, 0, 0, Frame::settings(settings));
        Some(http2)
    }
}

impl Http2Peer<'_> {
    /// Sends a frame as it is. That the proxy may have closed does not matter.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) {
        let frame = Frame {
            kind,
            flags,
            stream,
            payload: payload.into(),
        };
        self.peer.send(frame.bytes());
    }

    /// The next request whose head has come; none when the proxy closes.
    pub fn begun(&mut self) -> Option<u32> {
        self.next_that(|_| true)
    }

    /// The next request that is whole; none when the proxy closes.
    pub fn whole(&mut self) -> Option<u32> {
        let stream = self.next_that(|call| call.ended)?;
        self.record(stream);
        Some(stream)
    }

    fn next_that(&mut self, suits: impl Fn(&Call) -> bool) -> Option<u32> {
        loop {
            let next = self
                .calls
                .iter_mut()
                .find(|(_, call)| !call.taken && !call.fields.0.is_empty() && suits(call));
            if let Some((stream, call)) = next {
                call.taken = true;
                return Some(*stream);
            }
            self.receive()?;
        }
    }

    /// Keeps a request for [`crate::Origin::requests`].
    pub fn record(&mut self, stream: u32) {
        let request = self.calls[&stream].as_request();
        self.peer.record(request);
    }

    /// Answers every whole request until the proxy closes.
    pub fn answer_all(&mut self, answer: impl Fn(&Call) -> (u16, Vec<u8>)) {
        while let Some(stream) = self.whole() {
            let (status, body) = answer(&self.calls[&stream]);
            self.answer(stream, status, &body);
        }
    }

    /// A whole answer.
    pub fn answer(&mut self, stream: u32, status: u16, body: &[u8]) {
        let length = body.len().to_string();
        let fields = [("content-length", length.as_str())];
        self.head(stream, status, &fields, body.is_empty());
        if !body.is_empty() {
            self.data(stream, body, true);
        }
    }

    /// The head of an answer; `end` says that nothing follows.
    pub fn head(&mut self, stream: u32, status: u16, fields: &[(&str, &str)], end: bool) {
        let status = status.to_string();
        let mut all = vec![(":status", status.as_str())];
        all.extend_from_slice(fields);
        self.fields(stream, &all, end);
    }

    /// Trailers, which end the stream.
    pub fn trailers(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.fields(stream, fields, true);
    }

    fn fields(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) {
        let block = self.blocks.encode(fields);
        let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { 0 };
        self.frame(kind::HEADERS, flags, stream, block);
    }

    /// Data, as the proxy's windows allow; waits for room. Gives how much went before the proxy closed or reset the stream.
    pub fn data(&mut self, stream: u32, data: &[u8], end: bool) -> usize {
        let mut sent = 0;
        while sent < data.len() {
            let room = self.room_for(stream).clamp(0, 16_384);
            let n = usize::try_from(room).unwrap_or(0).min(data.len() - sent);
            let over = self
                .calls
                .get(&stream)
                .is_some_and(|call| call.reset.is_some());
            if over || n == 0 && self.receive().is_none() {
                return sent;
            }
            if n > 0 {
                sent += n;
                let flags = if end && sent == data.len() {
                    flag::END_STREAM
                } else {
                    0
                };
                self.frame(kind::DATA, flags, stream, &data[sent - n..sent]);
                for window in [0, stream] {
                    *self.room.entry(window).or_insert(self.window) -= n as i64;
                }
            }
        }
        sent
    }

    /// Bytes that may be sent on a stream now.
    #[must_use]
    pub fn room_for(&self, stream: u32) -> i64 {
        let own = self.room.get(&stream).copied().unwrap_or(self.window);
        own.min(self.room[&0])
    }

    /// Resets a stream.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.frame(kind::RST_STREAM, 0, stream, code.to_be_bytes());
    }

    /// Says that streams above `last` are not looked at.
    pub fn go_away(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.frame(kind::GOAWAY, 0, 0, payload);
    }

    /// Reads until something holds, or the connection is over.
    pub fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        while !self.closed && !holds(self) {
            self.receive();
        }
    }

    /// The peer below, for what frames cannot say.
    pub fn peer(&mut self) -> &mut Peer {
        self.peer
    }

    fn receive(&mut self) -> Option<()> {
        let exactly = |length| match self.peer.exactly(length) {
            bytes if bytes.len() == length => Ok(bytes),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let Ok(frame) = Frame::read(exactly) else {
            self.closed = true;
            return None;
        };
        self.keep(&frame);
        Some(())
    }

    fn keep(&mut self, frame: &Frame) {
        let (flags, stream) = (frame.flags, frame.stream);
        match frame.kind {
            kind::SETTINGS if flags & flag::ACK == 0 => {
                let window = frame.each_setting().filter(|(name, _)| *name == 4).last();
                self.window = window.map_or(self.window, |(_, value)| i64::from(value));
                if self.acknowledges {
                    self.frame(kind::SETTINGS, flag::ACK, 0, []);
                }
            }
            kind::PING if flags & flag::ACK == 0 => {
                self.pings += 1;
                if self.pongs {
                    self.frame(kind::PING, flag::ACK, 0, frame.payload.clone());
                }
            }
            kind::PING => self.echoes += 1,
            kind::GOAWAY => self.goaway = Some(frame.number(4)),
            kind::RST_STREAM => {
                self.calls.entry(stream).or_default().reset = Some(frame.number(0));
            }
            kind::WINDOW_UPDATE => {
                *self.room.entry(stream).or_insert(self.window) += i64::from(frame.number(0));
            }
            kind::DATA => self.keep_data(frame),
            kind::HEADERS | kind::CONTINUATION => {
                if let Some((stream, end, fields)) = self.blocks.take(frame) {
                    self.keep_fields(stream, end, fields);
                }
            }
            _ => {}
        }
    }

    fn keep_data(&mut self, frame: &Frame) {
        let call = self.calls.entry(frame.stream).or_default();
        call.body.extend(&frame.payload);
        call.ended |= frame.ends_stream();
        if self.credits {
            for (stream, credit) in frame.credits() {
                self.frame(kind::WINDOW_UPDATE, 0, stream, credit);
            }
        }
    }

    fn keep_fields(&mut self, stream: u32, end: bool, fields: Fields) {
        let call = self.calls.entry(stream).or_default();
        call.ended |= end;
        if call.fields.0.is_empty() {
            call.fields = fields;
        } else {
            assert!(end, "trailers end the stream");
            call.trailers = fields;
        }
    }
}
