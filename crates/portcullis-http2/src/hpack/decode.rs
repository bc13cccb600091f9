//! Header blocks to fields (RFC 7541 section 6).

use super::field::{Field, Kind, is_sound, kind_of};
use super::lines::{Lines, size_of};
use super::{Invalid, huffman, integer, statics};

/// Takes the fields of a block, in order.
pub(crate) trait Sink {
    /// One field; its line lives only during the call.
    fn field(&mut self, field: &Field<'_>);
}

/// Takes no notice: for blocks that are decoded only to keep the table right.
pub(crate) struct Ignore;

impl Sink for Ignore {
    fn field(&mut self, _: &Field<'_>) {}
}

/// What is remembered of a line, so that a repeated field is not looked at again.
#[derive(Debug, Clone, Copy)]
struct Note {
    name: u32,
    kind: Kind,
    sound: bool,
}

/// At most two updates make sense: down to a minimum and up to the final size (RFC 7541 section 4.2).
const MOST_UPDATES: usize = 2;

/// The decoding end of one direction.
#[derive(Debug)]
pub(crate) struct Decoder {
    lines: Lines<Note>,
    /// The largest table that the peer may ask for.
    limit: usize,
    /// Whether the limit fell under the table's size, so that the next block has to begin with an update.
    must_shrink: bool,
    line: Vec<u8>,
}

impl Decoder {
    /// A table of `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            lines: Lines::new(max),
            limit: max,
            must_shrink: false,
            line: Vec::new(),
        }
    }

    /// The peer has acknowledged that tables are of `limit` bytes at most.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.must_shrink = self.lines.max() > limit;
    }

    /// Decodes a whole block. After an error the connection has to end.
    #[inline]
    pub(crate) fn decode(&mut self, block: &[u8], sink: &mut impl Sink) -> Result<(), Invalid> {
        let mut rest = self.size_updates(block)?;
        while let Some(&first) = rest.first() {
            rest = match first {
                0x80.. => self.indexed(rest, sink)?,
                0x40..0x80 => self.literal(rest, 6, sink)?,
                0x20..0x40 => return Err(Invalid),
                _ => self.literal(rest, 4, sink)?,
            };
        }
        Ok(())
    }

    #[inline]
    fn size_updates<'b>(&mut self, block: &'b [u8]) -> Result<&'b [u8], Invalid> {
        let mut rest = block;
        let mut updates = 0;
        while let Some(0x20..0x40) = rest.first() {
            let (size, after) = integer::read(rest, 5)?;
            updates += 1;
            if size > self.limit || updates > MOST_UPDATES {
                return Err(Invalid);
            }
            self.lines.resize(size);
            self.must_shrink = false;
            rest = after;
        }
        match self.must_shrink {
            true => Err(Invalid),
            false => Ok(rest),
        }
    }

    #[inline]
    fn indexed<'b>(&self, block: &'b [u8], sink: &mut impl Sink) -> Result<&'b [u8], Invalid> {
        let (index, rest) = integer::read(block, 7)?;
        sink.field(&self.field(index)?);
        Ok(rest)
    }

    #[inline]
    fn field(&self, index: usize) -> Result<Field<'_>, Invalid> {
        if let Some(field) = statics::get(index) {
            return Ok(field);
        }
        let dynamic = index.checked_sub(statics::COUNT + 1).ok_or(Invalid)?;
        let (line, note) = self.lines.get(dynamic).ok_or(Invalid)?;
        Ok(Field {
            line,
            name: note.name as usize,
            kind: note.kind,
            sound: note.sound,
        })
    }

    /// A literal whose index has `prefix` bits; the one with six goes into the table.
    fn literal<'b>(
        &mut self,
        block: &'b [u8],
        prefix: u32,
        sink: &mut impl Sink,
    ) -> Result<&'b [u8], Invalid> {
        let (index, rest) = integer::read(block, prefix)?;
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let read = self.read_literal(index, rest, &mut line);
        if let Ok((_, note)) = read {
            let name = note.name as usize;
            sink.field(&Field {
                line: &line,
                name,
                kind: note.kind,
                sound: note.sound,
            });
            if prefix == 6 {
                let value = line.len() - name - super::field::LINE_OVERHEAD;
                self.lines.insert(&line, size_of(name, value), note);
            }
        }
        self.line = line;
        read.map(|(rest, _)| rest)
    }

    /// Writes the line and tells what it is.
    fn read_literal<'b>(
        &self,
        index: usize,
        block: &'b [u8],
        line: &mut Vec<u8>,
    ) -> Result<(&'b [u8], Note), Invalid> {
        let (rest, kind) = if index == 0 {
            let rest = string(block, line)?;
            (rest, kind_of(line))
        } else {
            let named = self.field(index)?;
            line.extend_from_slice(named.line.get(..named.name).ok_or(Invalid)?);
            (block, named.kind)
        };
        let name = line.len();
        line.extend_from_slice(b": ");
        let rest = string(rest, line)?;
        let sound = is_sound(line.get(name + 2..).unwrap_or_default());
        line.extend_from_slice(b"\r\n");
        let name = name as u32;
        Ok((rest, Note { name, kind, sound }))
    }
}

/// Appends a string literal (RFC 7541 section 5.2) and gives what follows it.
#[inline]
fn string<'b>(block: &'b [u8], out: &mut Vec<u8>) -> Result<&'b [u8], Invalid> {
    let is_coded = block.first().ok_or(Invalid)? & 0x80 != 0;
    let (length, rest) = integer::read(block, 7)?;
    let (text, rest) = rest.split_at_checked(length).ok_or(Invalid)?;
    if is_coded {
        huffman::decode(text, out)?;
    } else {
        out.extend_from_slice(text);
    }
    Ok(rest)
}
