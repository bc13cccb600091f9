//! A client that sends HTTP/2 frames as they are told and keeps what it receives, by stream.

use crate::client::Client;
use crate::frames::FieldBlocks;
pub use crate::frames::{Frame, PREFACE, flag, kind};
use crate::http::Fields;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;

/// What has come on one stream.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Heads before the final one.
    pub interim: Vec<Fields>,
    /// The final head, `:status` included.
    pub fields: Fields,
    /// The data.
    pub body: Vec<u8>,
    /// Fields after the data.
    pub trailers: Fields,
    /// The server has ended its side.
    pub ended: bool,
    /// END_STREAM came with the head.
    pub ended_with_head: bool,
    /// The code of its RST_STREAM.
    pub reset: Option<u32>,
}

impl Answer {
    /// Its status; 0 while there is no final head.
    #[must_use]
    pub fn status(&self) -> u16 {
        let text = self.fields.one(":status").unwrap_or("0");
        text.parse().expect("a status is a number")
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn is_over(&self) -> bool {
        self.ended || self.reset.is_some()
    }
}

/// One connection that speaks HTTP/2.
pub struct Http2 {
    client: Client,
    blocks: FieldBlocks,
    next: u32,
    /// Give back the room that received data took.
    pub credits: bool,
    /// Acknowledge the server's settings.
    pub acknowledges: bool,
    /// What has come, by stream.
    pub answers: BTreeMap<u32, Answer>,
    /// The server's settings, by number.
    pub settings: BTreeMap<u16, u32>,
    /// Every GOAWAY: last stream and code.
    pub goaways: Vec<(u32, u32)>,
    /// PINGs that were answered.
    pub pongs: Vec<Vec<u8>>,
    /// Room that WINDOW_UPDATE gave, by stream; 0 is the connection.
    pub room: BTreeMap<u32, i64>,
    /// The server has closed.
    pub closed: bool,
}

impl Debug for Http2 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Http2")
            .field("answers", &self.answers)
            .field("goaways", &self.goaways)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Begins HTTP/2 on this connection: the preface and empty SETTINGS.
    #[must_use]
    pub fn http2(self) -> Http2 {
        self.http2_with(&[])
    }

    /// The same with these settings.
    #[must_use]
    pub fn http2_with(mut self, settings: &[(u16, u32)]) -> Http2 {
        self.send(PREFACE);
        let mut http2 = self.frames();
        http2.frame(kind::SETTINGS, 0, 0, Frame::settings(settings));
        http2
    }

    /// Frames on this connection, without any beginning.
    #[must_use]
    pub fn frames(self) -> Http2 {
        Http2 {
            client: self,
            blocks: FieldBlocks::default(),
            next: 1,
            credits: true,
            acknowledges: true,
            answers: BTreeMap::new(),
            settings: BTreeMap::new(),
            goaways: Vec::new(),
            pongs: Vec::new(),
            room: BTreeMap::from([(0, 65_535)]),
            closed: false,
        }
    }
}

impl Http2 {
    /// Sends a frame as it is. That the server may have closed does not matter.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) {
        let frame = Frame {
            kind,
            flags,
            stream,
            payload: payload.into(),
        };
        let _ = self.client.try_send(frame.bytes());
    }

    /// Sends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.client.try_send(bytes);
    }

    /// A field block of these fields.
    pub fn fields(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        self.blocks.encode(fields)
    }

    /// The next stream's number.
    pub fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Opens a stream with these fields; `end` says that no data follows.
    pub fn open(&mut self, fields: &[(&str, &str)], end: bool) -> u32 {
        let stream = self.stream();
        let block = self.fields(fields);
        let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { 0 };
        self.frame(kind::HEADERS, flags, stream, block);
        stream
    }

    /// Opens a stream for a GET.
    pub fn get(&mut self, host: &str, path: &str) -> u32 {
        self.open(&request("GET", host, path), true)
    }

    /// Opens a stream for a POST whose data follows.
    pub fn post(&mut self, host: &str, path: &str) -> u32 {
        self.open(&request("POST", host, path), false)
    }

    /// Sends data, whatever the windows say.
    pub fn data(&mut self, stream: u32, data: &[u8], end: bool) {
        let flags = if end { flag::END_STREAM } else { 0 };
        self.frame(kind::DATA, flags, stream, data);
    }

    /// Resets a stream.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.frame(kind::RST_STREAM, 0, stream, code.to_be_bytes());
    }

    /// The next frame, after what it means was kept; none once the server has closed.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Frame> {
        let frame = match Frame::read(|length| self.client.try_exactly(length)) {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("nothing came for too long; so far {self:#?}")
            }
            Err(_) => {
                self.closed = true;
                return None;
            }
        };
        self.keep(&frame);
        Some(frame)
    }

    fn keep(&mut self, frame: &Frame) {
        let (flags, stream) = (frame.flags, frame.stream);
        match frame.kind {
            kind::SETTINGS if flags & flag::ACK == 0 => {
                self.settings.extend(frame.each_setting());
                if self.acknowledges {
                    self.frame(kind::SETTINGS, flag::ACK, 0, []);
                }
            }
            kind::PING if flags & flag::ACK == 0 => {
                self.frame(kind::PING, flag::ACK, 0, frame.payload.clone());
            }
            kind::PING => self.pongs.push(frame.payload.clone()),
            kind::GOAWAY => self.goaways.push((frame.number(0), frame.number(4))),
            kind::RST_STREAM => self.answer_mut(stream).reset = Some(frame.number(0)),
            kind::WINDOW_UPDATE => {
                *self.room.entry(stream).or_default() += i64::from(frame.number(0));
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
        let answer = self.answer_mut(frame.stream);
        answer.body.extend(&frame.payload);
        answer.ended |= frame.ends_stream();
        if self.credits {
            for (stream, credit) in frame.credits() {
                self.frame(kind::WINDOW_UPDATE, 0, stream, credit);
            }
        }
    }

    fn keep_fields(&mut self, stream: u32, end: bool, fields: Fields) {
        let answer = self.answer_mut(stream);
        if fields
            .one(":status")
            .is_some_and(|status| status.starts_with('1'))
        {
            assert!(!end, "an interim response ends nothing");
            answer.interim.push(fields);
            return;
        }
        answer.ended = end;
        if answer.fields.0.is_empty() {
            answer.fields = fields;
            answer.ended_with_head = end;
        } else {
            assert!(end, "trailers end the stream");
            answer.trailers = fields;
        }
    }

    fn answer_mut(&mut self, stream: u32) -> &mut Answer {
        self.answers.entry(stream).or_default()
    }

    /// What has come on a stream so far.
    #[must_use]
    pub fn so_far(&self, stream: u32) -> Answer {
        self.answers.get(&stream).cloned().unwrap_or_default()
    }

    /// Reads until a stream is over, or the connection is.
    #[track_caller]
    pub fn answer(&mut self, stream: u32) -> Answer {
        self.until(|http2| http2.so_far(stream).is_over());
        self.so_far(stream)
    }

    /// Reads until something holds, or the connection is over.
    #[track_caller]
    pub fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        while !self.closed && !holds(self) {
            self.receive();
        }
    }

    /// Reads to the end of the connection; gives the code of its last GOAWAY.
    #[track_caller]
    pub fn until_closed(&mut self) -> Option<u32> {
        self.until(|_| false);
        self.goaways.last().map(|(_, code)| *code)
    }

    /// Whether the connection still serves: a PING is answered.
    #[track_caller]
    pub fn is_alive(&mut self) -> bool {
        let before = self.pongs.len();
        self.frame(kind::PING, 0, 0, *b"alive???");
        self.until(|http2| http2.pongs.len() > before);
        !self.closed
    }
}

/// The fields of a request without others.
#[must_use]
pub fn request<'a>(method: &'a str, host: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", host),
    ]
}
