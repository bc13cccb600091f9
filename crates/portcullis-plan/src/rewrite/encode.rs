//! Percent-encoding (RFC 3986 section 2.1) of the values that templates put into paths and queries.

use super::is_encoded_path;
use crate::Facts;
use crate::headers::{Part, Template};

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// Appends a template as a path: its own text as it is, values encoded, those that are paths already as they are.
pub(super) fn path(template: &Template, facts: &Facts<'_>, out: &mut Vec<u8>) {
    for part in template.parts() {
        let begin = out.len();
        part.write(facts, None, out);
        match part {
            Part::Variable(variable) if !is_encoded_path(variable) => {
                encode(out, begin, is_unreserved);
            }
            _ => {}
        }
    }
}

/// Appends a template as a query, or as part of one: `{query}` stays as it came, of a path what would separate parameters is encoded, and
/// of other values everything but unreserved characters.
pub(super) fn query(template: &Template, facts: &Facts<'_>, out: &mut Vec<u8>) {
    use portcullis_config::Variable;
    for part in template.parts() {
        let begin = out.len();
        part.write(facts, None, out);
        match part {
            Part::Variable(Variable::Query) | Part::Text(_) | Part::Query => {}
            Part::Variable(variable) if is_encoded_path(variable) => {
                encode(out, begin, |byte| !b"&=+#;?".contains(&byte));
            }
            Part::Variable(_) | Part::Authority => encode(out, begin, is_unreserved),
        }
    }
}

/// The name of a parameter, encoded.
pub(super) fn name(text: &str) -> Box<[u8]> {
    let mut out = text.as_bytes().to_vec();
    encode(&mut out, 0, is_unreserved);
    out.into()
}

/// Percent-encodes the bytes of `out[begin..]` that `keep` does not want.
pub(crate) fn encode(out: &mut Vec<u8>, begin: usize, keep: impl Fn(u8) -> bool) {
    let value = out.get(begin..).unwrap_or_default();
    if value.iter().all(|&byte| keep(byte)) {
        return;
    }
    let value = value.to_vec();
    out.truncate(begin);
    for byte in value {
        if keep(byte) {
            out.push(byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble & 0xF)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
        }
    }
}

/// RFC 3986 section 2.3.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
