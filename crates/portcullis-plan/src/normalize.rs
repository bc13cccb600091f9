//! Paths and authorities in the one form that routes compare and servers see.
//!
//! The same path is matched and sent, so no server can understand another path than the one that
//! was decided about. What cannot be made unambiguous is refused, never repaired silently. The
//! functions are total over all bytes, although the HTTP engine has validated them before.

use std::io::Write as _;
use std::net::Ipv6Addr;

/// What to do with paths that are legal but that servers understand differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPolicy {
    /// `//` within a path.
    pub duplicate_slashes: DuplicateSlashes,
    /// `%2F`.
    pub encoded_slashes: Encoded,
    /// `%5C`. A raw backslash is always refused.
    pub encoded_backslashes: Encoded,
    /// `;name=value` at the end of a segment.
    pub parameters: Parameters,
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self {
            duplicate_slashes: DuplicateSlashes::Merge,
            encoded_slashes: Encoded::Refuse,
            encoded_backslashes: Encoded::Refuse,
            parameters: Parameters::Keep,
        }
    }
}

/// What becomes of `//`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateSlashes {
    /// One slash remains.
    Merge,
    /// An empty segment like any other.
    Keep,
    /// The request is refused.
    Refuse,
}

/// What becomes of an encoded separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// The request is refused.
    Refuse,
    /// It stays encoded and separates nothing; dot segments beside it are still refused.
    Keep,
}

/// What becomes of path parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// Part of the segment.
    Keep,
    /// Removed, from `;` to the end of the segment.
    Strip,
    /// The request is refused.
    Refuse,
}

/// Why a path is refused; every one is answered 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathRefusal {
    /// It does not begin with a slash.
    NotAbsolute,
    /// `..` climbs above the root.
    AboveRoot,
    /// `%` without two hexadecimal digits.
    BrokenEncoding,
    /// `%00`.
    EncodedNul,
    /// An encoded control character.
    EncodedControl,
    /// `%2F`, by policy.
    EncodedSlash,
    /// `%5C`, by policy.
    EncodedBackslash,
    /// A raw control, space, backslash, `?`, `#` or byte over 0x7F.
    IllegalByte,
    /// `//`, by policy.
    DuplicateSlash,
    /// `;`, by policy.
    Parameter,
    /// A dot segment with parameters (`/..;x/`), or beside an encoded separator (`/..%2F`).
    DisguisedDots,
}

impl PathRefusal {
    /// Every refusal, for documentation and metrics.
    pub const ALL: [Self; 11] = [
        Self::NotAbsolute,
        Self::AboveRoot,
        Self::BrokenEncoding,
        Self::EncodedNul,
        Self::EncodedControl,
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::IllegalByte,
        Self::DuplicateSlash,
        Self::Parameter,
        Self::DisguisedDots,
    ];

    /// A stable kebab-case word for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path-not-absolute",
            Self::AboveRoot => "path-above-root",
            Self::BrokenEncoding => "path-broken-encoding",
            Self::EncodedNul => "path-encoded-nul",
            Self::EncodedControl => "path-encoded-control",
            Self::EncodedSlash => "path-encoded-slash",
            Self::EncodedBackslash => "path-encoded-backslash",
            Self::IllegalByte => "path-illegal-byte",
            Self::DuplicateSlash => "path-duplicate-slash",
            Self::Parameter => "path-parameter",
            Self::DisguisedDots => "path-disguised-dots",
        }
    }

    /// One plain sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotAbsolute => "the path does not begin with a slash",
            Self::AboveRoot => "the path climbs above the root",
            Self::BrokenEncoding => "a percent sign is not followed by two hexadecimal digits",
            Self::EncodedNul => "the path contains an encoded NUL",
            Self::EncodedControl => "the path contains an encoded control character",
            Self::EncodedSlash => "the path contains an encoded slash",
            Self::EncodedBackslash => "the path contains an encoded backslash",
            Self::IllegalByte => "the path contains a character that must be encoded",
            Self::DuplicateSlash => "the path contains an empty segment",
            Self::Parameter => "the path contains a parameter",
            Self::DisguisedDots => {
                "the path hides a dot segment behind a parameter or an encoded separator"
            }
        }
    }
}

/// The normal form of `raw`, a path without its query: dot segments removed (RFC 3986 section
/// 5.2.4), unreserved characters decoded and the digits of the other encodings upper case
/// (section 6.2.2), the rest by `policy`. Normalising twice gives the same as once.
///
/// An empty path is `/`. A path with nothing unusual is returned as it is, after one scan;
/// otherwise `scratch` is overwritten and keeps its capacity for the next request.
///
/// # Errors
/// The first reason to refuse it.
pub fn path<'a>(
    raw: &'a [u8],
    policy: &PathPolicy,
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], PathRefusal> {
    match raw.first() {
        None => return Ok(b"/"),
        Some(b'/') => {}
        Some(_) => return Err(PathRefusal::NotAbsolute),
    }
    if is_plain(raw) {
        return Ok(raw);
    }
    scratch.clear();
    Rewriter {
        policy,
        out: scratch,
        segment: 0,
    }
    .run(raw)?;
    Ok(scratch)
}

const PLAIN: u8 = 0;
const SLASH: u8 = 1;
const DOT: u8 = 2;
const UNUSUAL: u8 = 3;

/// What the scan must look at: slashes, dots after slashes, and everything that is never plain.
const CLASS: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = match b {
            b'/' => SLASH,
            b'.' => DOT,
            b'%' | b';' => UNUSUAL,
            _ if is_illegal(b) => UNUSUAL,
            _ => PLAIN,
        };
        byte += 1;
    }
    table
};

const fn is_illegal(byte: u8) -> bool {
    byte <= b' ' || byte >= 0x7F || matches!(byte, b'\\' | b'#' | b'?')
}

/// Whether `raw` has no encoding, parameter, empty segment or segment beginning with a dot.
fn is_plain(raw: &[u8]) -> bool {
    let mut last = PLAIN;
    for &byte in raw {
        let class = CLASS[usize::from(byte)];
        if class != PLAIN && (class == UNUSUAL || last == SLASH) {
            return false;
        }
        last = class;
    }
    true
}

/// Builds the normal form segment by segment. `out` always ends in the open segment, which begins at `segment`.
struct Rewriter<'a> {
    policy: &'a PathPolicy,
    out: &'a mut Vec<u8>,
    segment: usize,
}

impl Rewriter<'_> {
    fn run(&mut self, raw: &[u8]) -> Result<(), PathRefusal> {
        self.out.push(b'/');
        self.segment = 1;
        let mut rest = raw.get(1..).unwrap_or_default();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'/' => self.close_segment(true)?,
                b'%' => {
                    let (value, after) = hex_pair(rest).ok_or(PathRefusal::BrokenEncoding)?;
                    self.encoded(value)?;
                    rest = after;
                }
                _ if is_illegal(byte) => return Err(PathRefusal::IllegalByte),
                _ => self.out.push(byte),
            }
        }
        self.close_segment(false)
    }

    fn encoded(&mut self, value: u8) -> Result<(), PathRefusal> {
        match value {
            0 => Err(PathRefusal::EncodedNul),
            1..0x20 | 0x7F => Err(PathRefusal::EncodedControl),
            b'/' if self.policy.encoded_slashes == Encoded::Refuse => {
                Err(PathRefusal::EncodedSlash)
            }
            b'\\' if self.policy.encoded_backslashes == Encoded::Refuse => {
                Err(PathRefusal::EncodedBackslash)
            }
            _ if is_unreserved(value) => {
                self.out.push(value);
                Ok(())
            }
            _ => {
                let digit = |nibble: u8| HEX[usize::from(nibble & 0xF)];
                self.out
                    .extend_from_slice(&[b'%', digit(value >> 4), digit(value)]);
                Ok(())
            }
        }
    }

    /// Ends the open segment at a slash, or (`slash` false) at the end of the path.
    fn close_segment(&mut self, slash: bool) -> Result<(), PathRefusal> {
        self.check_disguise()?;
        self.apply_parameters()?;
        match self.out.get(self.segment..).unwrap_or_default() {
            b"." => self.out.truncate(self.segment),
            b".." => self.climb()?,
            b"" if slash => self.empty_segment()?,
            _ if slash => self.out.push(b'/'),
            _ => {}
        }
        self.segment = self.out.len();
        Ok(())
    }

    /// Servers that strip parameters or decode separators before they resolve dots would climb; so `..;x` and `..%2F` are refused.
    fn check_disguise(&self) -> Result<(), PathRefusal> {
        let segment = self.out.get(self.segment..).unwrap_or_default();
        let mut parts = 0;
        let mut dots = false;
        let mut rest = segment;
        loop {
            let end = separator(rest);
            parts += 1;
            dots |= matches!(rest.get(..end.unwrap_or(rest.len())), Some(b"." | b".."));
            let Some(end) = end else { break };
            let width = if rest.get(end) == Some(&b'%') { 3 } else { 1 };
            rest = rest.get(end + width..).unwrap_or_default();
        }
        if dots && parts > 1 {
            Err(PathRefusal::DisguisedDots)
        } else {
            Ok(())
        }
    }

    fn apply_parameters(&mut self) -> Result<(), PathRefusal> {
        let segment = self.out.get(self.segment..).unwrap_or_default();
        let Some(at) = segment.iter().position(|&byte| byte == b';') else {
            return Ok(());
        };
        match self.policy.parameters {
            Parameters::Keep => {}
            Parameters::Strip => self.out.truncate(self.segment + at),
            Parameters::Refuse => return Err(PathRefusal::Parameter),
        }
        Ok(())
    }

    fn empty_segment(&mut self) -> Result<(), PathRefusal> {
        match self.policy.duplicate_slashes {
            DuplicateSlashes::Merge => Ok(()),
            DuplicateSlashes::Keep => {
                self.out.push(b'/');
                Ok(())
            }
            DuplicateSlashes::Refuse => Err(PathRefusal::DuplicateSlash),
        }
    }

    fn climb(&mut self) -> Result<(), PathRefusal> {
        let parent = self.segment.saturating_sub(1);
        let above = self
            .out
            .get(..parent)
            .and_then(|kept| kept.iter().rposition(|&byte| byte == b'/'));
        self.out.truncate(above.ok_or(PathRefusal::AboveRoot)? + 1);
        Ok(())
    }
}

/// Position of the first `;`, `%3B`, `%2F` or `%5C` of a segment whose encodings are upper case already.
fn separator(segment: &[u8]) -> Option<usize> {
    let encoded = |at: usize| matches!(segment.get(at..at + 3), Some(b"%3B" | b"%2F" | b"%5C"));
    (0..segment.len()).find(|&at| match segment.get(at) {
        Some(b';') => true,
        Some(b'%') => encoded(at),
        _ => false,
    })
}

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// The value of two hexadecimal digits, and what follows them.
fn hex_pair(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = bytes else {
        return None;
    };
    Some((hex(*high)? << 4 | hex(*low)?, rest))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The host of an authority, lower case, without port and without one closing dot; and the port,
/// if one from 0 to 65535 is written. An IPv6 literal keeps its brackets and takes its shortest
/// form (RFC 5952). Borrows `authority` unless it has upper-case letters or is an IPv6 literal.
/// Text that is not UTF-8 gives an empty host.
pub fn host<'a>(authority: &'a [u8], scratch: &'a mut Vec<u8>) -> (&'a str, Option<u16>) {
    let (name, port) = split_port(authority);
    let name = name.strip_suffix(b".").unwrap_or(name);
    let name = if let Some(ip) = ipv6_literal(name) {
        scratch.clear();
        // Writing into a Vec cannot fail.
        drop(write!(scratch, "[{ip}]"));
        scratch.as_slice()
    } else if name.iter().any(u8::is_ascii_uppercase) {
        scratch.clear();
        scratch.extend(name.iter().map(u8::to_ascii_lowercase));
        scratch.as_slice()
    } else {
        name
    };
    (std::str::from_utf8(name).unwrap_or_default(), port)
}

/// Whether `bytes` are a host that can be sent, with or without a port: a name of letters, digits, `-`, `.`, `_` and `~`, or an IPv6
/// literal (RFC 3986 section 3.2.2, as strict as for received ones).
#[must_use]
pub fn is_authority(bytes: &[u8]) -> bool {
    let name = match split_port(bytes) {
        (name, None) if name.len() == bytes.len() => name,
        (_, None) => return false,
        (name, Some(_)) => name,
    };
    match name {
        [] => false,
        [b'[', ..] => ipv6_literal(name).is_some(),
        _ => name.len() <= 255 && name.iter().all(|&byte| is_unreserved(byte)),
    }
}

fn ipv6_literal(name: &[u8]) -> Option<Ipv6Addr> {
    let inside = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inside).ok()?.parse().ok()
}

/// Cuts `host:port` at the colon that is not within an IPv6 literal.
fn split_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    let colon = authority
        .iter()
        .rposition(|&byte| byte == b':' || byte == b']');
    let Some((name, [b':', digits @ ..])) = colon.and_then(|at| authority.split_at_checked(at))
    else {
        return (authority, None);
    };
    (name, parse_port(digits))
}

/// A port of one to five digits.
pub(crate) fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    u16::try_from(value).ok()
}

#[cfg(test)]
mod tests;
