//! The fixed parts of start lines, compared byte by byte so that a mismatch is known at its first byte.

use crate::Version;

/// How far input agrees with a pattern.
pub(crate) enum Agreement {
    /// All of the pattern is there.
    Whole,
    /// So far so good; there is no more input.
    SoFar,
    /// The byte at this offset is wrong.
    Until(usize),
}

/// Compares `input` with `pattern`, in which `0` stands for any digit.
pub(crate) fn agree(input: &[u8], pattern: &[u8]) -> Agreement {
    for (offset, &expected) in pattern.iter().enumerate() {
        match input.get(offset) {
            None => return Agreement::SoFar,
            Some(byte) if expected == b'0' && byte.is_ascii_digit() => {}
            Some(&byte) if byte == expected => {}
            Some(_) => return Agreement::Until(offset),
        }
    }
    Agreement::Whole
}

/// The version that `text` begins with, when it is one of the two we speak.
#[inline]
pub(crate) fn version(text: &[u8]) -> Option<Version> {
    match text.get(..8) {
        Some(b"HTTP/1.1") => Some(Version::Http11),
        Some(b"HTTP/1.0") => Some(Version::Http10),
        _ => None,
    }
}
