//! Lines to header blocks (RFC 7541 section 6).
//!
//! A line that was inserted before is found by its bytes as they stand, name and value at once, and costs one byte. A line
//! goes into the table the second time it is seen: one that never comes again (an ETag, a request id) would only drive out others.
//! Secrets are sent as literals that nobody may index (section 7.1).

use super::lines::{Lines, size_of};
use super::{huffman, integer, statics};
use memchr::memchr;

/// The largest table that we fill, whatever the peer offers.
const MOST_TABLE: usize = 4096;
/// Lines larger than this would drive out too many others.
const MOST_INDEXED: usize = MOST_TABLE / 4;
const SLOTS: usize = 256;
const SEEN: usize = 128;

/// The encoding end of one direction.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// The lines as they were given, in whatever case.
    lines: Lines<()>,
    /// By hash: the number of the insertion that a line may be found at. Made with the first line.
    slots: Vec<u32>,
    /// By hash: what was seen last, so that it is known the second time.
    seen: Vec<u32>,
    /// The least size since the last block, when the size changed.
    update: Option<usize>,
    name: Vec<u8>,
    pseudo: Vec<u8>,
}

/// How a line is to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Not at all: it is about one HTTP/1 connection.
    Drop,
    /// So that it may be indexed.
    Plain,
    /// So that nobody may index it.
    Secret,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::new(MOST_TABLE),
            slots: Vec::new(),
            seen: Vec::new(),
            update: None,
            name: Vec::new(),
            pseudo: Vec::new(),
        }
    }

    /// The peer has announced how large its table may be.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        let size = limit.min(MOST_TABLE);
        if size != self.lines.max() {
            self.lines.resize(size);
            self.update = Some(self.update.map_or(size, |least| least.min(size)));
        }
    }

    /// Has to come first in every block.
    #[inline]
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(least) = self.update.take() {
            if least < self.lines.max() {
                integer::write(out, 0x20, 5, least);
            }
            integer::write(out, 0x20, 5, self.lines.max());
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
            self.seen.resize(SEEN, 0);
        }
    }

    /// `:status`
    #[inline]
    pub(crate) fn status(&mut self, out: &mut Vec<u8>, digits: [u8; 3]) {
        let index = match &digits {
            b"200" => 8,
            b"204" => 9,
            b"206" => 10,
            b"304" => 11,
            b"400" => 12,
            b"404" => 13,
            b"500" => 14,
            _ => {
                out.extend_from_slice(&[0x08, 3]);
                out.extend_from_slice(&digits);
                return;
            }
        };
        out.push(0x80 | index);
    }

    /// A pseudo-field other than `:status`; `name` with its colon in front.
    #[inline]
    pub(crate) fn pseudo(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        let index = match (name, value) {
            (b":method", b"GET") => 2,
            (b":method", b"POST") => 3,
            (b":path", b"/") => 4,
            (b":scheme", b"http") => 6,
            (b":scheme", b"https") => 7,
            _ => {
                let mut line = std::mem::take(&mut self.pseudo);
                line.clear();
                line.extend_from_slice(name);
                line.extend_from_slice(b": ");
                line.extend_from_slice(value);
                self.line(out, &line);
                self.pseudo = line;
                return;
            }
        };
        out.push(0x80 | index);
    }

    /// A line without its CRLF. Fields of one HTTP/1 connection are left out; names become lower case.
    #[inline]
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, line: &[u8]) {
        let hash = hash(line);
        match self.find(hash, line) {
            Some(index) => integer::write(out, 0x80, 7, index),
            None => self.literal(out, line, hash),
        }
    }

    /// The index of a line in the table.
    #[inline]
    fn find(&self, hash: u32, line: &[u8]) -> Option<usize> {
        let number = *self.slots.get(hash as usize % SLOTS)?;
        let back = self.lines.inserted().wrapping_sub(number) as usize;
        let (found, ()) = self.lines.get(back.checked_sub(1)?)?;
        (found == line).then_some(statics::COUNT + back)
    }

    fn literal(&mut self, out: &mut Vec<u8>, line: &[u8], hash: u32) {
        // The colon that begins the name of a pseudo-field does not end it.
        let after_first = line.get(1..).unwrap_or_default();
        let Some(colon) = memchr(b':', after_first).map(|at| at + 1) else {
            return;
        };
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        self.name.clear();
        self.name
            .extend(line.iter().take(colon).map(u8::to_ascii_lowercase));
        match way(&self.name, value) {
            Way::Drop => {}
            Way::Secret => write_literal(out, 0x10, 4, &self.name, value),
            Way::Plain if self.is_repeated(hash, value) => {
                write_coded(out, &self.name, value);
                self.insert(line, hash, value);
            }
            Way::Plain => write_literal(out, 0x00, 4, &self.name, value),
        }
    }

    /// Whether the line was seen before, and is worth a place; it is remembered.
    fn is_repeated(&mut self, hash: u32, value: &[u8]) -> bool {
        let Some(seen) = self.seen.get_mut((hash >> 8) as usize % SEEN) else {
            return false;
        };
        let before = std::mem::replace(seen, hash);
        let size = size_of(self.name.len(), value.len());
        before == hash && size <= MOST_INDEXED.min(self.lines.max())
    }

    fn insert(&mut self, line: &[u8], hash: u32, value: &[u8]) {
        if let Some(slot) = self.slots.get_mut(hash as usize % SLOTS) {
            *slot = self.lines.inserted();
        }
        let size = size_of(self.name.len(), value.len());
        self.lines.insert(line, size, ());
    }
}

fn way(name: &[u8], value: &[u8]) -> Way {
    match name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade"
        | b"http2-settings" => Way::Drop,
        b"te" if !value.eq_ignore_ascii_case(b"trailers") => Way::Drop,
        b"cookie" | b"set-cookie" | b"authorization" | b"proxy-authorization" => Way::Secret,
        _ => Way::Plain,
    }
}

/// A literal that is not coded: it is read once, and bytes are cheaper than the work.
fn write_literal(out: &mut Vec<u8>, pattern: u8, prefix: u32, name: &[u8], value: &[u8]) {
    let index = statics::name_index(name);
    integer::write(out, pattern, prefix, index);
    if index == 0 {
        integer::write(out, 0, 7, name.len());
        out.extend_from_slice(name);
    }
    integer::write(out, 0, 7, value.len());
    out.extend_from_slice(value);
}

/// A literal for the table, coded where that is shorter.
fn write_coded(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let index = statics::name_index(name);
    integer::write(out, 0x40, 6, index);
    if index == 0 {
        write_string(out, name);
    }
    write_string(out, value);
}

fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    let coded = huffman::encoded_length(text);
    if coded < text.len() {
        integer::write(out, 0x80, 7, coded);
        huffman::encode(text, out);
    } else {
        integer::write(out, 0, 7, text.len());
        out.extend_from_slice(text);
    }
}

/// Eight bytes at a time. What collides costs bytes on the wire, nothing else: every hit is compared.
#[inline]
fn hash(line: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(FACTOR).rotate_left(23);
    let (words, rest) = line.as_chunks::<8>();
    let mut hash = words.iter().fold(line.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    });
    hash = match line.last_chunk::<8>() {
        Some(last) => mix(hash, u64::from_le_bytes(*last)),
        None => rest
            .iter()
            .fold(hash, |hash, &byte| mix(hash, u64::from(byte))),
    };
    (hash >> 32) as u32 | 1
}
