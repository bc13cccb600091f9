//! Writing heads and chunk framing into a byte vector.
//!
//! Fields are copied from the buffer they were parsed from; what has to go is left out on the way, so that no map of
//! fields ever exists. Nothing here checks bytes: callers pass what was parsed, or what was checked at compile time.

use crate::Field;
use crate::known::{Known, KnownSet};

/// The end of a line.
pub const CRLF: &[u8] = b"\r\n";

/// Fields of a request that end at this hop (RFC 9110 section 7.6.1), besides nominated ones.
///
/// Content-Length is not among them: it stays true when the body is forwarded with the same framing.
pub const HOP_BY_HOP_REQUEST: KnownSet = HOP_BY_HOP.with(Known::Te).with(Known::Http2Settings);

/// Fields of a response that end at this hop (RFC 9110 section 7.6.1), besides nominated ones.
pub const HOP_BY_HOP_RESPONSE: KnownSet = HOP_BY_HOP.with(Known::Te);

const HOP_BY_HOP: KnownSet = KnownSet::of(&[
    Known::Connection,
    Known::KeepAlive,
    Known::TransferEncoding,
    Known::Trailer,
    Known::Upgrade,
    Known::ProxyConnection,
    Known::ProxyAuthenticate,
    Known::ProxyAuthorization,
    Known::ProxyOther,
]);

/// `GET /path HTTP/1.1` and CRLF.
#[inline]
pub fn request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8]) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// The status line of 1.1 with the standard reason. `status` is of three digits.
#[inline]
pub fn status_line(out: &mut Vec<u8>, status: u16) {
    status_line_with(out, status, reason(status).as_bytes());
}

/// The status line of 1.1 with this reason. `status` is of three digits.
#[inline]
pub fn status_line_with(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    let digit = |value: u16| b'0' + (value % 10) as u8;
    let digits = [digit(status / 100), digit(status / 10), digit(status), b' '];
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&digits);
    out.extend_from_slice(reason);
    out.extend_from_slice(CRLF);
}

/// `name: value` and CRLF.
#[inline]
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(CRLF);
}

/// A field whose value is a number.
#[inline]
pub fn number_field(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    decimal(out, value);
    out.extend_from_slice(CRLF);
}

/// `Content-Length: ` and the number of bytes.
#[inline]
pub fn content_length(out: &mut Vec<u8>, length: u64) {
    number_field(out, b"Content-Length", length);
}

/// `Transfer-Encoding: chunked`.
#[inline]
pub fn transfer_encoding_chunked(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
}

/// The empty line that ends a head.
#[inline]
pub fn end_of_head(out: &mut Vec<u8>) {
    out.extend_from_slice(CRLF);
}

/// Decimal digits, without allocation.
#[inline]
pub fn decimal(out: &mut Vec<u8>, value: u64) {
    digits::<10>(out, value);
}

/// Hexadecimal digits, without allocation.
#[inline]
fn hexadecimal(out: &mut Vec<u8>, value: u64) {
    digits::<16>(out, value);
}

#[inline]
fn digits<const BASE: u64>(out: &mut Vec<u8>, mut value: u64) {
    // u64::MAX has twenty decimal digits.
    let mut text = [0u8; 20];
    let mut length = 0;
    for slot in text.iter_mut().rev() {
        let digit = (value % BASE) as u8;
        *slot = if digit < 10 {
            b'0' + digit
        } else {
            b'a' - 10 + digit
        };
        length += 1;
        value /= BASE;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(text.len() - length..).unwrap_or_default());
}

/// Copies fields, except those whose kind is in `drop`, those that Connection nominates, and those for which
/// `also_drop` says true (it is asked last).
///
/// Every line comes out as `name: value` and CRLF. Lines that have that form already - nearly all - are copied as
/// they are, and adjoining ones in one go.
#[inline]
pub fn copy_fields(
    out: &mut Vec<u8>,
    buf: &[u8],
    fields: &[Field],
    drop: KnownSet,
    mut also_drop: impl FnMut(&Field) -> bool,
) {
    let mut run = 0..0;
    for kept in fields {
        if kept.nominated || drop.contains(kept.known) || also_drop(kept) {
            continue;
        }
        let (start, end) = (kept.line.start as usize, kept.line.end as usize);
        if !is_normal(buf, kept) {
            out.extend_from_slice(buf.get(run).unwrap_or_default());
            field(out, kept.name.of(buf), kept.value.of(buf));
            run = 0..0;
        } else if run.end == start {
            run.end = end;
        } else {
            out.extend_from_slice(buf.get(run).unwrap_or_default());
            run = start..end;
        }
    }
    out.extend_from_slice(buf.get(run).unwrap_or_default());
}

/// Whether a line is its name, a colon, one space, its value and CRLF.
#[inline]
fn is_normal(buf: &[u8], field: &Field) -> bool {
    field.value.start.wrapping_sub(field.name.end) == 2
        && field.line.end.wrapping_sub(field.value.end) == 2
        && buf.get(field.name.end as usize + 1) == Some(&b' ')
}

/// The line before `length` bytes of data; [`CRLF`] has to follow the data. `length` is not 0, which would end the body.
#[inline]
pub fn chunk_header(out: &mut Vec<u8>, length: usize) {
    debug_assert!(length > 0, "a chunk of no bytes is the last one");
    hexadecimal(out, length as u64);
    out.extend_from_slice(CRLF);
}

/// A whole chunk; nothing for no data.
#[inline]
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunk_header(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(CRLF);
    }
}

/// The last chunk, the trailers (whole lines, as [`crate::Body::trailers`] gives them; mostly none), and the final empty line.
#[inline]
pub fn last_chunk(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(CRLF);
}

/// The standard reason phrase of a status (RFC 9110 section 15 and the IANA registry); that of its class otherwise.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => class_reason(status),
    }
}

const fn class_reason(status: u16) -> &'static str {
    match status {
        100..=199 => "Informational",
        200..=299 => "Success",
        300..=399 => "Redirection",
        400..=499 => "Client Error",
        500..=599 => "Server Error",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn start_lines_are_of_http_1_1() {
        assert_eq!(
            written(|out| request_line(out, b"GET", b"/a")),
            "GET /a HTTP/1.1\r\n"
        );
        assert_eq!(
            written(|out| status_line(out, 404)),
            "HTTP/1.1 404 Not Found\r\n"
        );
        assert_eq!(
            written(|out| status_line_with(out, 299, b"")),
            "HTTP/1.1 299 \r\n"
        );
    }

    #[test]
    fn numbers_are_written_whole() {
        for value in [0, 9, 10, 255, 65_536, u64::MAX] {
            assert_eq!(written(|out| decimal(out, value)), format!("{value}"));
            assert_eq!(written(|out| hexadecimal(out, value)), format!("{value:x}"));
        }
        assert_eq!(
            written(|out| content_length(out, 12)),
            "Content-Length: 12\r\n"
        );
    }

    #[test]
    fn rfc9112_7_1_chunks_and_the_last_one() {
        assert_eq!(
            written(|out| chunk(out, b"0123456789abcdefX")),
            "11\r\n0123456789abcdefX\r\n"
        );
        assert_eq!(
            written(|out| chunk(out, b"")),
            "",
            "an empty chunk would end the body"
        );
        assert_eq!(written(|out| last_chunk(out, b"")), "0\r\n\r\n");
        assert_eq!(
            written(|out| last_chunk(out, b"A: b\r\n")),
            "0\r\nA: b\r\n\r\n"
        );
    }
}
