//! A peer that sends whatever it is told to, and reads what comes back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    missing_docs
)]

use portcullis_http2::{
    Broken, Connection, ErrorCode, Event, HeadInfo, Open, PREFACE, Scheme, Settings, StreamId,
};
use std::collections::HashMap;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const NONE: u8 = 0;
pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 0x20;
pub const WHOLE: u8 = END_HEADERS | END_STREAM;

/// One frame as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        frames.push(Frame {
            kind: bytes[3],
            flags: bytes[4],
            stream: u32::from_be_bytes(bytes[5..9].try_into().unwrap()),
            payload: bytes[9..9 + length].to_vec(),
        });
        bytes = &bytes[9 + length..];
    }
    frames
}

/// Literals without indexing and without Huffman coding; lengths below 127.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

pub const GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "a.example"),
];

pub fn get_and(more: &[(&'static str, &'static str)]) -> Vec<u8> {
    let mut fields = GET.to_vec();
    fields.extend_from_slice(more);
    block(&fields)
}

pub fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, &block(GET))
}

pub fn post(stream: u32) -> Vec<u8> {
    let mut fields = GET.to_vec();
    fields[0].1 = "POST";
    frame(HEADERS, END_HEADERS, stream, &block(&fields))
}

pub fn setting(name: u16, value: u32) -> Vec<u8> {
    let mut bytes = name.to_be_bytes().to_vec();
    bytes.extend_from_slice(&value.to_be_bytes());
    bytes
}

/// A connection of ours, and the peer's view of it.
pub struct Peer {
    pub connection: Connection,
    pub broken: Option<Broken>,
    pub events: Vec<Event>,
    pub heads: HashMap<u32, (StreamId, String, HeadInfo)>,
    pub sent: Vec<Frame>,
    pub now: u64,
}

impl Peer {
    /// A server whose handshake is done.
    pub fn of_server() -> Self {
        Self::of_server_with(&Settings::default())
    }

    pub fn of_server_with(settings: &Settings) -> Self {
        let mut peer = Self::new(Connection::server(settings, 0));
        peer.send(PREFACE);
        peer.send(&frame(SETTINGS, NONE, 0, &[]));
        peer.send(&frame(SETTINGS, ACK, 0, &[]));
        assert_eq!(peer.broken, None);
        peer.sent.clear();
        peer.events.clear();
        peer
    }

    /// A client of ours, whose handshake is done.
    pub fn of_client(settings: &[u8]) -> Self {
        let mut peer = Self::new(Connection::client(&Settings::default(), 0));
        assert!(peer.connection.output().starts_with(PREFACE));
        peer.connection.sent(PREFACE.len());
        peer.send(&frame(SETTINGS, NONE, 0, settings));
        peer.send(&frame(SETTINGS, ACK, 0, &[]));
        peer.sent.clear();
        peer.events.clear();
        peer
    }

    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            broken: None,
            events: Vec::new(),
            heads: HashMap::new(),
            sent: Vec::new(),
            now: 0,
        }
    }

    /// Sends bytes, takes heads and reads all that comes back.
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        if let Err(broken) = self.connection.receive(bytes, self.now) {
            self.broken = Some(broken);
        }
        self.poll()
    }

    pub fn poll(&mut self) -> &mut Self {
        while let Some(event) = self.connection.next_event() {
            self.events.push(event);
            let mut text = Vec::new();
            if let Event::Head(id) = event {
                while let Some(info) = self.connection.take_head(id, &mut text) {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    self.heads.insert(id.number(), (id, text, info));
                }
            }
        }
        self.sent.extend(frames(self.connection.output()));
        let count = self.connection.output().len();
        self.connection.sent(count);
        self
    }

    pub fn id(&self, stream: u32) -> StreamId {
        self.heads[&stream].0
    }

    pub fn text(&self, stream: u32) -> &str {
        &self.heads[&stream].1
    }

    pub fn info(&self, stream: u32) -> HeadInfo {
        self.heads[&stream].2
    }

    /// Answers a request with a head alone.
    pub fn answer(&mut self, stream: u32) -> &mut Self {
        let id = self.id(stream);
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        self.connection.send_head(id, head, true).unwrap();
        self.poll()
    }

    /// A request of our client; its stream.
    pub fn open(&mut self, text: &str, end: bool) -> StreamId {
        let options = Open {
            scheme: Scheme::Https,
            end,
            extended_connect: false,
        };
        let id = self.connection.open(text.as_bytes(), &options).unwrap();
        self.poll();
        id
    }

    /// The code of the GOAWAY that was sent.
    pub fn went_away(&self) -> Option<ErrorCode> {
        let last = self.sent.iter().rfind(|frame| frame.kind == GOAWAY)?;
        Some(ErrorCode(u32::from_be_bytes(
            last.payload[4..8].try_into().unwrap(),
        )))
    }

    /// The code of the RST_STREAM that was sent for a stream.
    pub fn was_reset(&self, stream: u32) -> Option<ErrorCode> {
        let is_reset = |frame: &&Frame| frame.kind == RST_STREAM && frame.stream == stream;
        let reset = self.sent.iter().find(is_reset)?;
        Some(ErrorCode(u32::from_be_bytes(
            reset.payload[..].try_into().unwrap(),
        )))
    }

    pub fn expect_end(&self, code: ErrorCode, case: &str) {
        assert_eq!(self.broken.map(|broken| broken.code), Some(code), "{case}");
        assert_eq!(self.went_away(), Some(code), "{case}");
    }

    pub fn expect_reset(&self, stream: u32, code: ErrorCode, case: &str) {
        assert_eq!(
            self.was_reset(stream),
            Some(code),
            "{case}: {:?}",
            self.broken
        );
        assert_eq!(self.broken, None, "{case}");
    }

    /// Whether the connection still answers.
    pub fn expect_alive(&mut self, case: &str) {
        self.sent.clear();
        self.send(&frame(PING, NONE, 0, b"8 bytes."));
        let answer = Frame {
            kind: PING,
            flags: ACK,
            stream: 0,
            payload: b"8 bytes.".to_vec(),
        };
        assert!(self.sent.contains(&answer), "{case}: {:?}", self.broken);
    }
}
