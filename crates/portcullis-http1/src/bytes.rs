//! Character classes of RFC 9110 and RFC 3986 as tables, and the scans over them.

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether `bytes` is a token: one or more token characters.
pub(crate) fn is_token_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token(byte))
}

/// Whether a byte may stand in a host name: unreserved in RFC 3986 section 2.3.
#[inline]
pub(crate) fn is_host(byte: u8) -> bool {
    HOST[byte as usize]
}

/// The offset of the first byte from `from` on that is no token character, or the end of `buf`.
///
/// Names are letters and hyphens nearly always: those go eight at a time, anything else by the table.
#[inline]
pub(crate) fn skip_token(buf: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        if let Some(word) = buf.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let plain = letter_or_hyphen_bits(u64::from_le_bytes(*word));
            at += (!plain & HIGHS).trailing_zeros() as usize / 8;
            if plain & HIGHS == HIGHS {
                continue;
            }
        }
        match buf.get(at) {
            Some(&byte) if TOKEN[byte as usize] => at += 1,
            _ => return at,
        }
    }
}

/// Eight bytes at once: the high bit of each byte says whether it is a letter or a hyphen. No carry leaves a byte.
#[inline]
fn letter_or_hyphen_bits(word: u64) -> u64 {
    let low = word & !HIGHS;
    let folded = low | (ONES * 0x20);
    let from_a = folded + ONES * (0x80 - b'a' as u64);
    let above_z = folded + ONES * (0x7F - b'z' as u64);
    let is_other = (low ^ (ONES * b'-' as u64)) + ONES * 0x7F;
    ((from_a & !above_z) | !is_other) & !word & HIGHS
}

/// The offset of the first control character other than HTAB from `from` on, or the end of `buf`.
///
/// Everything before it may stand in a field value or a reason phrase.
#[inline]
pub(crate) fn skip_text(buf: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        at = find_control(buf, at);
        if buf.get(at) != Some(&b'\t') {
            return at;
        }
        at += 1;
    }
}

/// The offset of the first byte below 0x20 or equal to 0x7F from `from` on, or the end of `buf`.
#[inline]
fn find_control(buf: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = buf.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let hit = control_bits(u64::from_le_bytes(*word));
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = buf.get(at) {
        if byte < 0x20 || byte == 0x7F {
            break;
        }
        at += 1;
    }
    at
}

/// Eight bytes at once: the lowest set bit belongs to the first control character. (Bits above it may be
/// wrong, because a borrow runs upwards; only the lowest one is used.)
#[inline]
fn control_bits(word: u64) -> u64 {
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7F);
    let is_delete = delete.wrapping_sub(ONES) & !delete;
    (below_space | is_delete) & HIGHS
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// What the bytes of a request target are made of, joined by OR.
pub(crate) mod target_class {
    /// A character that may stand anywhere in a target.
    pub(crate) const PLAIN: u8 = 1;
    /// `%`: two hexadecimal digits must follow.
    pub(crate) const PERCENT: u8 = 2;
    /// `[` or `]`: only in an address or a query.
    pub(crate) const BRACKET: u8 = 4;
}

/// Scans target characters from `from` on; gives the offset of the first other byte and the classes met.
#[inline]
pub(crate) fn skip_target(buf: &[u8], from: usize) -> (usize, u8) {
    let mut classes = 0;
    let mut at = from;
    while let Some(&byte) = buf.get(at) {
        let class = TARGET[byte as usize];
        if class == 0 {
            break;
        }
        classes |= class;
        at += 1;
    }
    (at, classes)
}

/// Whether every `%` is followed by two hexadecimal digits (RFC 3986 section 2.1).
pub(crate) fn percents_are_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next(), rest.next()];
            if !digits.iter().all(|d| d.is_some_and(u8::is_ascii_hexdigit)) {
                return false;
            }
        }
    }
    true
}

/// Without leading and trailing spaces and tabs (OWS, RFC 9110 section 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
const HOST: [bool; 256] = table(b"-._~");
const TARGET: [u8; 256] = target_table();

/// Letters, digits and `others`.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize] = true;
        i += 1;
    }
    table
}

/// RFC 3986: unreserved, sub-delims, `:`, `@`, `/`, `?` are plain. `#` is a fragment and not sent.
const fn target_table() -> [u8; 256] {
    let plain = table(b"-._~!$&'()*+,;=:@/?");
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if plain[byte] {
            classes[byte] = target_class::PLAIN;
        }
        byte += 1;
    }
    classes[b'%' as usize] = target_class::PERCENT;
    classes[b'[' as usize] = target_class::BRACKET;
    classes[b']' as usize] = target_class::BRACKET;
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        for length in 0..40 {
            for place in 0..length {
                for control in (0..0x20).chain([0x7F]) {
                    for filler in [b' ', b'~', 0x80, 0xFF, 0x9F, 0xA0] {
                        let mut text = vec![filler; length];
                        text[place] = control;
                        let expected = if control == b'\t' { length } else { place };
                        assert_eq!(skip_text(&text, 0), expected, "{control:#x} at {place}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_byte_that_is_no_token_is_found_wherever_it_stands() {
        for byte in 0..=255u8 {
            for place in 0..24 {
                let mut text = *b"abc-XYZ-0_9~aAzZ-`{@[Q!x";
                text.iter_mut()
                    .for_each(|b| *b = if is_token(*b) { *b } else { b'-' });
                text[place] = byte;
                let expected = if is_token(byte) { 24 } else { place };
                assert_eq!(skip_token(&text, 0), expected, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn rfc9110_5_6_2_token_characters() {
        let tokens = (0..=255u8).filter(|&byte| is_token(byte)).count();
        assert_eq!(tokens, 26 + 26 + 10 + 15);
        assert!(!is_token_word(b"") && !is_token_word(b"a b") && is_token_word(b"x-y"));
    }

    #[test]
    fn rfc3986_2_1_a_percent_needs_two_digits() {
        assert!(percents_are_whole(b"/a%20b%Ff"));
        for broken in [b"%".as_slice(), b"%2", b"%2g", b"a%%20", b"%-1"] {
            assert!(!percents_are_whole(broken), "{broken:?}");
        }
    }
}
