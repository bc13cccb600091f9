//! Escaping: JSON strings, `\xHH` as nginx writes it, `#HH` as HAProxy does.

use crate::digits::push_hex;

/// Appends `bytes` as a JSON string with its quotes. Controls (C1 too, which terminals obey) are escaped; bytes
/// that are not UTF-8 become U+FFFD.
pub(super) fn push_json(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    // Looking at every byte without a way out lets the compiler look at many at once.
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\');
    if bytes.iter().fold(true, |all, byte| all & is_plain(*byte)) {
        out.extend_from_slice(bytes);
    } else {
        push_special_json(bytes, out);
    }
    out.push(b'"');
}

#[cold]
fn push_special_json(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        push_json_text(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn push_json_text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(special) = rest.bytes().position(|byte| !is_plain_json(byte)) {
        let (plain, from_special) = rest.split_at(special);
        out.extend_from_slice(plain.as_bytes());
        let Some(character) = from_special.chars().next() else {
            return;
        };
        push_json_char(character, out);
        rest = from_special.get(character.len_utf8()..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Bytes that stand as they are. 0xC2 begins the C1 controls, so it needs a closer look.
const fn is_plain_json(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f && byte != 0xc2
}

fn push_json_char(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        control if control.is_control() => {
            // Every control character is below U+00A0.
            out.extend_from_slice(b"\\u00");
            push_hex(control as u8, out);
        }
        other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Appends `bytes` with quotes, backslashes, controls and everything beyond ASCII as `\xHH`.
pub(super) fn push_quotable(bytes: &[u8], out: &mut Vec<u8>) {
    push_escaped(bytes, |byte| matches!(byte, b'"' | b'\\'), b"\\x", out);
}

/// Appends `bytes` with quotes, hashes, controls and everything beyond ASCII as `#HH`.
pub(super) fn push_hashed(bytes: &[u8], out: &mut Vec<u8>) {
    push_escaped(bytes, |byte| matches!(byte, b'"' | b'#'), b"#", out);
}

fn push_escaped(bytes: &[u8], is_special: fn(u8) -> bool, mark: &[u8], out: &mut Vec<u8>) {
    let needs_mark = |byte: u8| !(0x20..0x7f).contains(&byte) || is_special(byte);
    let mut rest = bytes;
    while let Some(position) = rest.iter().position(|byte| needs_mark(*byte)) {
        let (plain, from_special) = rest.split_at(position);
        out.extend_from_slice(plain);
        let Some((special, after)) = from_special.split_first() else {
            return;
        };
        out.extend_from_slice(mark);
        push_hex(*special, out);
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Escapes `out` from `begin` on as [`push_quotable`] does; costs nothing but a look where nothing is special.
pub(super) fn make_quotable(begin: usize, out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\');
    if out
        .get(begin..)
        .is_some_and(|added| added.iter().all(is_plain))
    {
        return;
    }
    let raw = out.split_off(begin);
    push_quotable(&raw, out);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_escapes_what_it_must() {
        let escaped = text(|out| push_json(b"a\"b\\c\n\r\t\x00\x7f\xc2\x85\xc3\xa9\xff!", out));
        assert_eq!(escaped, r#""a\"b\\c\n\r\t\u0000\u007F\u0085é\ufffd!""#);
    }

    #[test]
    fn quotable_text_cannot_close_its_quotes() {
        assert_eq!(
            text(|out| push_quotable(b"\" \\ \n\xe9~", out)),
            r"\x22 \x5C \x0A\xE9~"
        );
        assert_eq!(text(|out| push_hashed(b"/\"#\x1b", out)), "/#22#23#1B");
    }

    #[test]
    fn a_plain_tail_is_left_alone() {
        let mut out = b"\"kept\" plain".to_vec();
        make_quotable(7, &mut out);
        assert_eq!(out, b"\"kept\" plain");
        out.push(b'"');
        make_quotable(7, &mut out);
        assert_eq!(out, b"\"kept\" plain\\x22");
    }

    proptest! {
        #[test]
        fn no_bytes_leave_their_line_or_quotes(bytes: Vec<u8>) {
            for push in [push_json, push_quotable, push_hashed] {
                let escaped = text(|out| push(&bytes, out));
                prop_assert!(!escaped.contains(char::is_control));
            }
            let inner = text(|out| push_quotable(&bytes, out)) + &text(|out| push_hashed(&bytes, out));
            prop_assert!(!inner.contains('"'));
        }
    }
}
