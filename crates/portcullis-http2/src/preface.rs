//! The preface of a client's connection (RFC 9113 section 3.4), and telling it from HTTP/1.

/// What a client sends first when it speaks HTTP/2.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniff {
    /// The whole preface is there.
    Http2,
    /// At least one byte differs from the preface: it is HTTP/1, or nothing that we know.
    NotHttp2,
    /// All bytes agree so far and some are missing.
    NeedMore,
}

/// Judges the first bytes of a connection, at the first byte that differs. The preface stays for the connection to read.
///
/// ```
/// use portcullis_http2::{Sniff, preface};
/// assert_eq!(preface(b"PRI * HT"), Sniff::NeedMore);
/// assert_eq!(preface(b"PUT / HT"), Sniff::NotHttp2);
/// ```
#[must_use]
pub fn preface(bytes: &[u8]) -> Sniff {
    let known = bytes.len().min(PREFACE.len());
    match bytes.get(..known) == PREFACE.get(..known) {
        false => Sniff::NotHttp2,
        true if known == PREFACE.len() => Sniff::Http2,
        true => Sniff::NeedMore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9113_3_4_the_first_wrong_byte_decides() {
        for length in 0..PREFACE.len() {
            assert_eq!(preface(&PREFACE[..length]), Sniff::NeedMore);
            let mut wrong = PREFACE[..=length].to_vec();
            wrong[length] ^= 1;
            assert_eq!(preface(&wrong), Sniff::NotHttp2, "{length}");
        }
        let mut whole = PREFACE.to_vec();
        assert_eq!(preface(&whole), Sniff::Http2);
        whole.push(0);
        assert_eq!(preface(&whole), Sniff::Http2);
    }
}
