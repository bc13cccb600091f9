//! Field lines (RFC 9112 section 5): a resumable scan and an index of what was found.
//!
//! The scan goes over every byte once, however the bytes arrive: it stops where the input stops and goes on
//! from there. Each refusal depends only on the bytes before it, so no split changes which one is given.

use crate::bytes::{skip_text, skip_token};
use crate::framing::{BodyFraming, content_length, transfer_encoding};
use crate::head::{Field, Version};
use crate::known::{COUNT, Known, KnownSet};
use crate::{Reject, Span};

/// The fields of one head or trailer section.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// The set of what `first` is valid for, so that clearing is clearing this word.
    set: KnownSet,
    /// Where in `list` the first field of each kind is.
    first: [u32; COUNT],
    /// Where the line begins that is being scanned.
    line: usize,
    /// The first byte not scanned yet.
    at: usize,
    /// Where the colon of that line is; 0 while its name is being scanned.
    colon: usize,
    length: Option<u64>,
    chunked: bool,
}

/// What the scan has come to.
enum Line {
    /// The input ends within the line.
    Unfinished,
    Field(Field),
    /// The empty line; this many bytes were taken.
    Empty(usize),
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self {
            list: Vec::new(),
            set: KnownSet::EMPTY,
            first: [0; COUNT],
            line: 0,
            at: 0,
            colon: 0,
            length: None,
            chunked: false,
        }
    }

    /// Forgets everything and begins at `offset`.
    #[inline]
    pub(crate) fn restart(&mut self, offset: usize) {
        self.list.clear();
        self.set = KnownSet::EMPTY;
        self.line = offset;
        self.at = offset;
        self.colon = 0;
        self.length = None;
        self.chunked = false;
    }

    /// Goes on scanning; `Some(n)` when the section ended at offset `n`. `most` bounds the number of fields.
    #[inline]
    pub(crate) fn scan(&mut self, buf: &[u8], most: usize) -> Result<Option<usize>, Reject> {
        loop {
            match self.line(buf)? {
                Line::Unfinished => return Ok(None),
                Line::Empty(end) => return Ok(Some(end)),
                Line::Field(_) if self.list.len() >= most => return Err(Reject::FieldsTooMany),
                Line::Field(field) => self.add(buf, field)?,
            }
        }
    }

    #[inline]
    fn line(&mut self, buf: &[u8]) -> Result<Line, Reject> {
        if self.colon == 0 {
            let end = skip_token(buf, self.at);
            match buf.get(end) {
                Some(b':') if end > self.line => {
                    self.colon = end;
                    self.at = end + 1;
                }
                Some(b'\r') if end == self.line => return self.end_of_section(buf),
                Some(&byte) => return Err(self.refuse_name(end, byte)),
                None => {
                    self.at = end;
                    return Ok(Line::Unfinished);
                }
            }
        }
        self.value(buf)
    }

    #[inline]
    fn value(&mut self, buf: &[u8]) -> Result<Line, Reject> {
        self.at = skip_text(buf, self.at);
        match (buf.get(self.at), buf.get(self.at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Ok(Line::Field(self.take_line(buf))),
            (Some(b'\r'), Some(_)) => Err(Reject::BareCr),
            (Some(b'\r'), None) | (None, _) => Ok(Line::Unfinished),
            (Some(b'\n'), _) => Err(Reject::BareLf),
            (Some(_), _) => Err(Reject::ControlCharacter),
        }
    }

    /// The finished line as a field; the scan stands at the next line.
    #[inline]
    fn take_line(&mut self, buf: &[u8]) -> Field {
        let (line, colon, mut end) = (self.line, self.colon, self.at);
        let next = end + 2;
        let mut start = colon + 1;
        while start < end && is_blank(buf, start) {
            start += 1;
        }
        while start < end && is_blank(buf, end - 1) {
            end -= 1;
        }
        let name = Span::new(line, colon);
        self.line = next;
        self.at = next;
        self.colon = 0;
        Field {
            name,
            value: Span::new(start, end),
            line: Span::new(line, next),
            known: Known::of_token(name.of(buf)),
            nominated: false,
        }
    }

    fn end_of_section(&mut self, buf: &[u8]) -> Result<Line, Reject> {
        match buf.get(self.line + 1) {
            Some(b'\n') => Ok(Line::Empty(self.line + 2)),
            Some(_) => Err(Reject::BareCr),
            None => Ok(Line::Unfinished),
        }
    }

    #[cold]
    fn refuse_name(&self, at: usize, byte: u8) -> Reject {
        let at_start = at == self.line;
        match byte {
            b' ' | b'\t' if at_start && self.list.is_empty() => Reject::LeadingSpace,
            b' ' | b'\t' if at_start => Reject::LineFolding,
            b' ' | b'\t' => Reject::NameSpace,
            b':' => Reject::NameEmpty,
            b'\n' => Reject::BareLf,
            b'\r' => Reject::ColonMissing,
            _ => Reject::NameInvalid,
        }
    }

    /// Indexes a field, and reads the two that frame a body.
    #[inline]
    fn add(&mut self, buf: &[u8], field: Field) -> Result<(), Reject> {
        const FRAMING: KnownSet = KnownSet::of(&[Known::ContentLength, Known::TransferEncoding]);
        let is_first = !self.set.contains(field.known);
        if FRAMING.contains(field.known) {
            self.read_framing(field.value.of(buf), field.known, is_first)?;
        }
        if is_first {
            self.set = self.set.with(field.known);
            if let Some(slot) = self.first.get_mut(field.known as usize) {
                *slot = self.list.len() as u32;
            }
        }
        self.list.push(field);
        Ok(())
    }

    fn read_framing(&mut self, value: &[u8], known: Known, is_first: bool) -> Result<(), Reject> {
        match (known, is_first) {
            (Known::ContentLength, true) => self.length = Some(content_length(value)?),
            (Known::ContentLength, false) => return Err(Reject::ContentLengthRepeated),
            (_, false) => return Err(Reject::TransferEncodingRepeated),
            (_, true) => {
                transfer_encoding(value)?;
                self.chunked = true;
            }
        }
        Ok(())
    }

    /// The framing that the fields state, if any (RFC 9112 section 6.3, rules 3, 4 and 6).
    pub(crate) fn framing(&self, version: Version) -> Result<Option<BodyFraming>, Reject> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Reject::ContentLengthWithTransferEncoding),
            (true, None) if version == Version::Http10 => Err(Reject::TransferEncodingVersion),
            (true, None) => Ok(Some(BodyFraming::Chunked)),
            (false, Some(length)) => Ok(Some(BodyFraming::Length(length))),
            (false, None) => Ok(None),
        }
    }

    /// The Content-Length, when there was one.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    #[inline]
    pub(crate) fn list(&self) -> &[Field] {
        &self.list
    }

    pub(crate) fn list_mut(&mut self) -> &mut [Field] {
        &mut self.list
    }

    #[inline]
    pub(crate) fn set(&self) -> KnownSet {
        self.set
    }

    /// The first field of this kind.
    #[inline]
    pub(crate) fn first(&self, known: Known) -> Option<&Field> {
        if !self.set.contains(known) {
            return None;
        }
        let index = *self.first.get(known as usize)?;
        self.list.get(index as usize)
    }

    /// The value of the first field of this kind.
    pub(crate) fn value_of<'b>(&self, known: Known, buf: &'b [u8]) -> Option<&'b [u8]> {
        self.first(known).map(|field| field.value.of(buf))
    }

    /// All fields of this kind, in order.
    pub(crate) fn all(&self, known: Known) -> impl Iterator<Item = &Field> {
        let from = self
            .first(known)
            .and_then(|_| self.first.get(known as usize))
            .map_or(self.list.len(), |&index| index as usize);
        self.list
            .iter()
            .skip(from)
            .filter(move |field| field.known == known)
    }
}

#[inline]
fn is_blank(buf: &[u8], at: usize) -> bool {
    matches!(buf.get(at), Some(b' ' | b'\t'))
}
