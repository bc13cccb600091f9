//! Frames of HTTP/2 and their field blocks, for both ends of a connection.
//!
//! It shares no code with the proxy: field blocks are read and written by another implementation.

use crate::http::Fields;
use std::io;

/// Types of frames (RFC 9113 section 6).
pub mod kind {
    /// Data of a message.
    pub const DATA: u8 = 0;
    /// A field block, or its beginning.
    pub const HEADERS: u8 = 1;
    /// A deprecated hint.
    pub const PRIORITY: u8 = 2;
    /// The end of a stream at once.
    pub const RST_STREAM: u8 = 3;
    /// What a peer announces.
    pub const SETTINGS: u8 = 4;
    /// A stream that a server begins.
    pub const PUSH_PROMISE: u8 = 5;
    /// A question that is answered at once.
    pub const PING: u8 = 6;
    /// The end of a connection.
    pub const GOAWAY: u8 = 7;
    /// Room for more data.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a field block.
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    /// Nothing follows on this side of the stream.
    pub const END_STREAM: u8 = 1;
    /// SETTINGS or PING were received.
    pub const ACK: u8 = 1;
    /// The field block is whole.
    pub const END_HEADERS: u8 = 4;
    /// Padding follows.
    pub const PADDED: u8 = 8;
}

/// The 24 bytes that a client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type, of [`kind`] or any other.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame is short");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The four bytes at `at`, as a number.
    #[must_use]
    pub fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    /// The bytes of a frame, taken as `exactly` gives them.
    pub(crate) fn read(mut exactly: impl FnMut(usize) -> io::Result<Vec<u8>>) -> io::Result<Self> {
        let header = exactly(9)?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        Ok(Self {
            kind: header[3],
            flags: header[4],
            stream: u32::from_be_bytes([header[5], header[6], header[7], header[8]]),
            payload: exactly(length)?,
        })
    }

    /// SETTINGS of these numbers and values.
    #[must_use]
    pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
        let parts = settings
            .iter()
            .map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
        parts.collect::<Vec<_>>().concat()
    }

    /// The numbers and values of SETTINGS.
    pub(crate) fn each_setting(&self) -> impl Iterator<Item = (u16, u32)> {
        self.payload.chunks(6).map(|setting| {
            let value = setting[2..6].try_into().expect("six bytes");
            (
                u16::from_be_bytes([setting[0], setting[1]]),
                u32::from_be_bytes(value),
            )
        })
    }

    /// The windows to widen for data that came: of the connection, and of its stream.
    pub(crate) fn credits(&self) -> Vec<(u32, [u8; 4])> {
        let length = u32::try_from(self.payload.len()).expect("a frame is short");
        let windows = [0, self.stream].map(|stream| (stream, length.to_be_bytes()));
        windows.into_iter().filter(|_| length > 0).collect()
    }

    pub(crate) fn ends_stream(&self) -> bool {
        self.flags & flag::END_STREAM != 0
    }
}

/// Field blocks of both directions, by another implementation than the proxy's.
pub(crate) struct FieldBlocks {
    encoder: fluke_hpack::Encoder<'static>,
    decoder: fluke_hpack::Decoder<'static>,
    /// One that goes on: stream, END_STREAM, bytes.
    open: Option<(u32, bool, Vec<u8>)>,
}

impl Default for FieldBlocks {
    fn default() -> Self {
        Self {
            encoder: fluke_hpack::Encoder::new(),
            decoder: fluke_hpack::Decoder::new(),
            open: None,
        }
    }
}

impl FieldBlocks {
    /// A field block of these fields.
    pub(crate) fn encode(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.encoder.encode(fields)
    }

    /// Takes HEADERS or CONTINUATION. Gives stream, END_STREAM and fields once the block is whole.
    pub(crate) fn take(&mut self, frame: &Frame) -> Option<(u32, bool, Fields)> {
        let (stream, end, block) = if frame.kind == kind::HEADERS {
            (frame.stream, frame.ends_stream(), frame.payload.clone())
        } else {
            let (stream, end, begun) = self.open.take().expect("a block goes on");
            (stream, end, [begun, frame.payload.clone()].concat())
        };
        if frame.flags & flag::END_HEADERS == 0 {
            self.open = Some((stream, end, block));
            return None;
        }
        let decoded = self.decoder.decode(&block).expect("a field block is right");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let fields = decoded
            .into_iter()
            .map(|(name, value)| (text(name), text(value)));
        Some((stream, end, Fields(fields.collect())))
    }
}
