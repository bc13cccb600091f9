//! Where a body ends (RFC 9112 section 6): the two fields that say it, read strictly.

use crate::Reject;
use crate::bytes::{is_token_word, trim};

/// How the body of a message is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFraming {
    /// There is no body.
    #[default]
    None,
    /// Exactly this many bytes, at most `i64::MAX`. `Length(0)` was said; [`BodyFraming::None`] was not.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// All bytes until the connection ends. Responses only.
    UntilClose,
}

impl BodyFraming {
    /// Whether at least one byte of framing or data may follow the head.
    #[must_use]
    pub const fn has_body(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }
}

/// Reads a Content-Length: digits only, no leading zero, at most `i64::MAX`.
///
/// RFC 9110 section 8.6 would allow leading zeros; nobody sends them, and a recipient that reads them as octal would see
/// another end of the message.
pub(crate) fn content_length(value: &[u8]) -> Result<u64, Reject> {
    if value.contains(&b',') {
        return Err(Reject::ContentLengthList);
    }
    let leading_zero = value.len() > 1 && value.first() == Some(&b'0');
    if value.is_empty() || leading_zero || !value.iter().all(u8::is_ascii_digit) {
        return Err(Reject::ContentLengthInvalid);
    }
    if value.len() > 19 {
        return Err(Reject::ContentLengthTooLarge);
    }
    // Nineteen digits fit u64.
    let number = value.iter().fold(0u64, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
    });
    match i64::try_from(number) {
        Ok(_) => Ok(number),
        Err(_) => Err(Reject::ContentLengthTooLarge),
    }
}

/// Accepts a Transfer-Encoding that is exactly `chunked`; otherwise says what is wrong with it.
pub(crate) fn transfer_encoding(value: &[u8]) -> Result<(), Reject> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut unknown = false;
    let mut chunked = false;
    for coding in value.split(|&byte| byte == b',') {
        let name = trim(
            coding
                .split(|&byte| byte == b';')
                .next()
                .unwrap_or_default(),
        );
        // Nothing may follow chunked, and identity has been no coding since RFC 7230.
        if chunked || !is_token_word(name) || name.eq_ignore_ascii_case(b"identity") {
            return Err(Reject::TransferEncodingInvalid);
        }
        chunked = name.eq_ignore_ascii_case(b"chunked");
        unknown |= !chunked;
    }
    Err(if unknown {
        Reject::TransferEncodingUnknown
    } else {
        Reject::TransferEncodingInvalid
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_8_6_content_length_is_plain_digits() {
        assert_eq!(content_length(b"0"), Ok(0));
        assert_eq!(content_length(b"9223372036854775807"), Ok(i64::MAX as u64));
        for (value, reject) in [
            ("", Reject::ContentLengthInvalid),
            ("+3", Reject::ContentLengthInvalid),
            ("-1", Reject::ContentLengthInvalid),
            ("0x3", Reject::ContentLengthInvalid),
            ("3 3", Reject::ContentLengthInvalid),
            ("1e3", Reject::ContentLengthInvalid),
            ("007", Reject::ContentLengthInvalid),
            ("3.0", Reject::ContentLengthInvalid),
            ("3,3", Reject::ContentLengthList),
            ("3, 4", Reject::ContentLengthList),
            ("9223372036854775808", Reject::ContentLengthTooLarge),
            ("18446744073709551619", Reject::ContentLengthTooLarge),
            ("99999999999999999999999", Reject::ContentLengthTooLarge),
        ] {
            assert_eq!(content_length(value.as_bytes()), Err(reject), "{value}");
        }
    }

    #[test]
    fn rfc9112_6_1_only_chunked_is_a_transfer_coding() {
        assert_eq!(transfer_encoding(b"Chunked"), Ok(()));
        for (value, reject) in [
            ("", Reject::TransferEncodingInvalid),
            ("identity", Reject::TransferEncodingInvalid),
            ("chunked, chunked", Reject::TransferEncodingInvalid),
            ("chunked, identity", Reject::TransferEncodingInvalid),
            ("chunked, gzip", Reject::TransferEncodingInvalid),
            ("chunked,", Reject::TransferEncodingInvalid),
            (",chunked", Reject::TransferEncodingInvalid),
            ("chunked;a=b", Reject::TransferEncodingInvalid),
            ("\"chunked\"", Reject::TransferEncodingInvalid),
            ("chunked foo", Reject::TransferEncodingInvalid),
            ("gzip", Reject::TransferEncodingUnknown),
            ("xchunked", Reject::TransferEncodingUnknown),
            ("gzip, chunked", Reject::TransferEncodingUnknown),
        ] {
            assert_eq!(transfer_encoding(value.as_bytes()), Err(reject), "{value}");
        }
    }
}
