//! The `Location` of redirects: templates filled in so that the result is one address and no other.

use crate::Facts;
use crate::headers::Template;
use crate::outcome::Outcome;
use crate::rewrite::encode;

/// Appends the address of a redirect. Bytes that no address may hold are percent-encoded (RFC 3986 section 2), and slashes at the beginning become
/// one: `//evil.example` would be another host, and the check of the configuration sees to it that values cannot make one otherwise.
pub fn location(
    to: &Template,
    facts: &Facts<'_>,
    outcome: Option<&Outcome<'_>>,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    to.render_field_value(facts, outcome, out);
    encode::encode(out, begin, is_allowed);
    let rendered = out.get(begin..).unwrap_or_default();
    let slashes = rendered.iter().take_while(|&&byte| byte == b'/').count();
    if slashes > 1 {
        out.drain(begin..begin + slashes - 1);
    }
}

/// What may stand in an address: unreserved and reserved characters and the percent sign.
const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixture::{TestFields, facts, listener};

    fn rendered(to: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let listener = listener(Vec::new());
        let fields = TestFields::new(fields);
        let template = Template::from(&to.parse::<portcullis_config::Template>().unwrap());
        let mut out = b"before ".to_vec();
        location(
            &template,
            &facts(&listener, "h", path, &fields),
            None,
            &mut out,
        );
        String::from_utf8(out).unwrap().split_off(7)
    }

    #[test]
    fn slashes_at_the_beginning_never_name_another_host() {
        assert_eq!(
            rendered("{path}", "//evil.example/x", &[]),
            "/evil.example/x"
        );
        assert_eq!(
            rendered("/{request_header.x}", "/", &[("x", "/evil")]),
            "/evil"
        );
        assert_eq!(
            rendered("/{request_header.x}", "/", &[("x", "\\evil")]),
            "/%5Cevil"
        );
        assert_eq!(rendered("https://{host}/{path}", "/a", &[]), "https://h//a");
    }

    #[test]
    fn what_no_address_holds_is_encoded() {
        assert_eq!(
            rendered("/q?x={request_header.x}", "/", &[("x", "a b\"<\u{e4}>%20")]),
            "/q?x=a%20b%22%3C%C3%A4%3E%20"
        );
    }
}
