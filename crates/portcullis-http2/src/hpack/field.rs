//! A decoded field: its line as HTTP/1 writes it, and what is known of it without looking at it again.

use memchr::memchr3;
use portcullis_http1::Known;

/// What a field is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Method,
    Scheme,
    Authority,
    Path,
    Status,
    Protocol,
    /// A name that begins with a colon and means nothing to us.
    UnknownPseudo,
    /// Any field that may be in a head and, when `late` is true, in trailers.
    Plain {
        late: bool,
    },
    Cookie,
    Host,
    ContentLength,
    Te,
    /// `sec-websocket-key`, which an extended CONNECT has no use for.
    WebSocketKey,
    /// About one HTTP/1 connection (RFC 9113 section 8.2.2).
    Forbidden,
    /// No valid name.
    Invalid,
}

/// One field as the decoder shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// `name: value` and CRLF.
    pub(crate) line: &'a [u8],
    /// The bytes of the name.
    pub(crate) name: usize,
    pub(crate) kind: Kind,
    /// Whether the value may stand in an HTTP/1 line.
    pub(crate) sound: bool,
}

/// Bytes of a line that are neither name nor value.
pub(crate) const LINE_OVERHEAD: usize = 4;

impl<'a> Field<'a> {
    #[inline]
    pub(crate) fn value(&self) -> &'a [u8] {
        let end = self.line.len().saturating_sub(2);
        self.line.get(self.name + 2..end).unwrap_or_default()
    }

    /// What it counts in a list of fields (RFC 9113 section 6.5.2).
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.line.len() - LINE_OVERHEAD + super::ENTRY_OVERHEAD
    }
}

/// What a name makes of its field.
#[inline]
pub(crate) fn kind_of(name: &[u8]) -> Kind {
    match name {
        b"cookie" => Kind::Cookie,
        b"host" => Kind::Host,
        b"content-length" => Kind::ContentLength,
        b"te" => Kind::Te,
        b"sec-websocket-key" => Kind::WebSocketKey,
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
            Kind::Forbidden
        }
        [b':', ..] => pseudo(name),
        [] => Kind::Invalid,
        _ if name.iter().all(|&byte| NAME[byte as usize]) => Kind::Plain {
            late: matches!(Known::of(name), Known::Other | Known::ETag),
        },
        _ => Kind::Invalid,
    }
}

fn pseudo(name: &[u8]) -> Kind {
    match name {
        b":method" => Kind::Method,
        b":scheme" => Kind::Scheme,
        b":authority" => Kind::Authority,
        b":path" => Kind::Path,
        b":status" => Kind::Status,
        b":protocol" => Kind::Protocol,
        _ => Kind::UnknownPseudo,
    }
}

/// Whether a value cannot change the meaning of an HTTP/1 line (RFC 9113 section 8.2.1).
#[inline]
pub(crate) fn is_sound(value: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !is_blank(value.first()) && !is_blank(value.last()) && memchr3(0, b'\r', b'\n', value).is_none()
}

/// Whether `bytes` is a token (RFC 9110 section 5.6.2), in any case.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let is_token = |byte: &u8| NAME[byte.to_ascii_lowercase() as usize];
    !bytes.is_empty() && bytes.iter().all(is_token)
}

/// Token characters without capital letters (RFC 9113 section 8.2.1).
static NAME: [bool; 256] = names();

const fn names() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        byte += 1;
    }
    let signs = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < signs.len() {
        table[signs[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9113_8_2_1_names_are_lower_case_tokens() {
        assert_eq!(kind_of(b"x-a_1!"), Kind::Plain { late: true });
        assert_eq!(kind_of(b"date"), Kind::Plain { late: false });
        for name in [
            b"X-a".as_slice(),
            b"",
            b"a b",
            b"a:b",
            b"a\r\nb",
            b"\xe4",
            b"a\0",
        ] {
            assert_eq!(kind_of(name), Kind::Invalid, "{name:?}");
        }
        assert_eq!(kind_of(b":x"), Kind::UnknownPseudo);
        assert_eq!(kind_of(b":"), Kind::UnknownPseudo);
    }

    #[test]
    fn rfc9113_8_2_1_values_cannot_break_a_line() {
        for value in [b" a".as_slice(), b"a\t", b"a\rb", b"a\n", b"\0", b" "] {
            assert!(!is_sound(value), "{value:?}");
        }
        for value in [b"".as_slice(), b"a b", b"\xe4\xff", b"a\x01b"] {
            assert!(is_sound(value), "{value:?}");
        }
    }
}
