//! The chunked coding (RFC 9112 section 7.1): sizes and extensions, byte by byte; data in ranges.
//!
//! Extensions are checked by the grammar and dropped. A size is followed by `;` or CRLF and nothing else: the
//! white space that the grammar would allow there is where recipients have disagreed on the size.

use std::ops::Range;

use crate::Reject;
use crate::bytes::is_token;

/// Bytes of extensions in one chunk line.
const LINE_EXTENSIONS: u16 = 256;
/// Bytes of extensions in one body.
const BODY_EXTENSIONS: u16 = 4096;
const MAX_DIGITS: u8 = 16;

/// The place in the sequence of chunks.
#[derive(Debug, Clone)]
pub(crate) struct Chunks {
    place: Place,
    digits: u8,
    /// The size being read, then the bytes of data left.
    left: u64,
    line_extensions: u16,
    body_extensions: u16,
}

/// What is expected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    Extension(Extension),
    SizeLf,
    Data,
    DataCr,
    DataLf,
}

/// Within `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// After `;`.
    BeforeName,
    Name,
    /// White space after a name.
    AfterName,
    /// After `=`.
    BeforeValue,
    Value,
    Quoted,
    /// After a backslash in quotes.
    Escaped,
    /// After the closing quote.
    AfterQuote,
    /// White space after a value.
    AfterValue,
}

/// What an input gave.
pub(crate) enum Step {
    More,
    Data(Range<usize>),
    /// The line of the last chunk is complete; it ended at this offset.
    Last(usize),
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Size,
            digits: 0,
            left: 0,
            line_extensions: 0,
            body_extensions: 0,
        }
    }

    /// Reads up to the next data, the last chunk, or the end of the input.
    #[inline]
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Step, Reject> {
        for (at, &byte) in input.iter().enumerate() {
            match self.place {
                Place::Size => self.size(byte)?,
                Place::Extension(place) => self.extension(place, byte)?,
                Place::SizeLf => {
                    expect(byte, b'\n', Reject::BareCr)?;
                    if self.left == 0 {
                        return Ok(Step::Last(at + 1));
                    }
                    self.place = Place::Data;
                }
                Place::Data => return Ok(self.data(at, input.len())),
                Place::DataCr => {
                    expect(byte, b'\r', Reject::ChunkEndInvalid)?;
                    self.place = Place::DataLf;
                }
                Place::DataLf => {
                    expect(byte, b'\n', Reject::ChunkEndInvalid)?;
                    self.begin_line();
                }
            }
        }
        Ok(Step::More)
    }

    fn begin_line(&mut self) {
        self.place = Place::Size;
        self.digits = 0;
        self.left = 0;
        self.line_extensions = 0;
    }

    #[inline]
    fn data(&mut self, at: usize, end: usize) -> Step {
        let room = end - at;
        let taken = usize::try_from(self.left).map_or(room, |left| left.min(room));
        self.left -= taken as u64;
        if self.left == 0 {
            self.place = Place::DataCr;
        }
        Step::Data(at..at + taken)
    }

    #[inline]
    fn size(&mut self, byte: u8) -> Result<(), Reject> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return self.end_of_size(byte),
        };
        if self.digits == MAX_DIGITS {
            return Err(Reject::ChunkSizeTooLarge);
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(())
    }

    #[inline]
    fn end_of_size(&mut self, byte: u8) -> Result<(), Reject> {
        let place = match byte {
            b'\r' => Place::SizeLf,
            b';' => Place::Extension(Extension::BeforeName),
            b'\n' => return Err(Reject::BareLf),
            _ => return Err(Reject::ChunkSizeInvalid),
        };
        if self.digits == 0 {
            return Err(Reject::ChunkSizeInvalid);
        }
        if i64::try_from(self.left).is_err() {
            return Err(Reject::ChunkSizeTooLarge);
        }
        self.place = place;
        if byte == b';' {
            self.count_extension_byte()?;
        }
        Ok(())
    }

    fn count_extension_byte(&mut self) -> Result<(), Reject> {
        self.line_extensions += 1;
        self.body_extensions += 1;
        if self.line_extensions > LINE_EXTENSIONS || self.body_extensions > BODY_EXTENSIONS {
            return Err(Reject::ChunkExtensionTooLong);
        }
        Ok(())
    }

    fn extension(&mut self, place: Extension, byte: u8) -> Result<(), Reject> {
        self.place = match (place, byte) {
            (_, b'\n') => return Err(Reject::BareLf),
            (_, b'\r') if place.may_end() => Place::SizeLf,
            _ => Place::Extension(place.after(byte).ok_or(Reject::ChunkExtensionInvalid)?),
        };
        if byte == b'\r' {
            return Ok(());
        }
        self.count_extension_byte()
    }
}

impl Extension {
    /// Whether the line may end here.
    fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::AfterQuote)
    }

    /// Where one more byte leads; `None` when it may not stand here.
    fn after(self, byte: u8) -> Option<Self> {
        let is_blank = byte == b' ' || byte == b'\t';
        Some(match self {
            Self::BeforeName if is_blank => self,
            Self::BeforeName | Self::Name if is_token(byte) => Self::Name,
            Self::Name | Self::AfterName if byte == b'=' => Self::BeforeValue,
            Self::Name | Self::AfterName if is_blank => Self::AfterName,
            Self::BeforeValue if is_blank => self,
            Self::BeforeValue if byte == b'"' => Self::Quoted,
            Self::BeforeValue | Self::Value if is_token(byte) => Self::Value,
            Self::Quoted if byte == b'"' => Self::AfterQuote,
            Self::Quoted if byte == b'\\' => Self::Escaped,
            Self::Quoted | Self::Escaped if is_text(byte) => Self::Quoted,
            Self::Value | Self::AfterQuote | Self::AfterValue if is_blank => Self::AfterValue,
            Self::Name | Self::AfterName | Self::Value | Self::AfterQuote | Self::AfterValue
                if byte == b';' =>
            {
                Self::BeforeName
            }
            _ => return None,
        })
    }
}

/// What a quoted string may hold, escaped or not: no controls but HTAB.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7F)
}

fn expect(byte: u8, expected: u8, otherwise: Reject) -> Result<(), Reject> {
    match byte {
        _ if byte == expected => Ok(()),
        b'\n' => Err(Reject::BareLf),
        _ => Err(otherwise),
    }
}
