//! `host[:port]`, the value of Host and the authority of a request target.

use crate::bytes::is_host;

/// Longer than any DNS name may be (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;

/// A valid `uri-host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 section 3.2.2), split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host as sent: a registered name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a [u8],
    /// The port, when one was sent.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `bytes` to the last byte; `None` when they are no authority.
    ///
    /// Stricter than the grammar, where two readers could disagree: names are letters, digits, `-`, `.`, `_` and `~`
    /// (no percent-encoding, comma or other delimiter, which no DNS name has); no user information, no empty host, no colon
    /// without a port, no port of more than five digits, no zone, no `IPvFuture`, at most 255 bytes of host.
    ///
    /// ```
    /// use portcullis_http1::Authority;
    /// let split = Authority::parse(b"[::1]:8080").unwrap();
    /// assert_eq!((split.host, split.port), (b"[::1]".as_slice(), Some(8080)));
    /// assert!(Authority::parse(b"user@example.com").is_none());
    /// ```
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = match bytes.first()? {
            b'[' => address_length(bytes)?,
            _ => name_length(bytes)?,
        };
        let (host, rest) = bytes.split_at_checked(length)?;
        let port = match rest {
            [] => None,
            [b':', digits @ ..] => Some(port(digits)?),
            _ => return None,
        };
        Some(Self { host, port })
    }

    /// Whether both name the same place when a missing port means `default` (RFC 9110 section 4.2.3).
    #[must_use]
    pub fn is_same(&self, other: &Authority<'_>, default: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

/// The bytes of `[address]`, brackets included.
fn address_length(bytes: &[u8]) -> Option<usize> {
    let close = bytes.iter().position(|&byte| byte == b']')?;
    let address = std::str::from_utf8(bytes.get(1..close)?).ok()?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    Some(close + 1)
}

/// The bytes of a name or an IPv4 address.
fn name_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes
        .iter()
        .position(|&byte| !is_host(byte))
        .unwrap_or(bytes.len());
    (1..=MAX_HOST).contains(&length).then_some(length)
}

fn port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    let mut port = 0u32;
    for &digit in digits {
        port = port * 10 + char::from(digit).to_digit(10)?;
    }
    u16::try_from(port).ok()
}

#[cfg(test)]
mod tests {
    use super::Authority;

    #[test]
    fn rfc3986_3_2_2_hosts_that_are_accepted() {
        for (text, port) in [
            ("example.com", None),
            ("EXAMPLE.com:80", Some(80)),
            ("127.0.0.1:0", Some(0)),
            ("[::1]", None),
            ("[2001:db8::1]:65535", Some(65535)),
            ("a_b-c.d~e", None),
        ] {
            let parsed = Authority::parse(text.as_bytes());
            assert_eq!(parsed.map(|a| a.port), Some(port), "{text}");
        }
    }

    #[test]
    fn rfc3986_3_2_2_hosts_that_are_refused() {
        for text in [
            "",
            ":80",
            "a b",
            "a/evil",
            "u@a",
            "a:",
            "a:65536",
            "a:123456",
            "a:8x",
            "a:+8",
            "a:80:80",
            "a?b",
            "a#b",
            "a\\b",
            "[::1",
            "[]",
            "[::1]x",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "::1",
            "a%4",
            "a%41",
            "a,b",
            "a;b",
            "a!b",
            "(a)",
            "a=b",
            "a*",
            "*",
            "a%zz",
            "a\u{e4}",
            "a\"b",
            "<a>",
            "[127.0.0.1]",
        ] {
            assert!(Authority::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(
            Authority::parse(&[b'a'; 256]).is_none(),
            "a host over 255 bytes"
        );
    }

    #[test]
    fn rfc9110_4_2_3_case_and_default_port_do_not_matter() {
        let same = |a: &str, b: &str, port| {
            let (a, b) = (
                Authority::parse(a.as_bytes()),
                Authority::parse(b.as_bytes()),
            );
            a.zip(b).is_some_and(|(a, b)| a.is_same(&b, port))
        };
        assert!(same("Example.com", "example.COM:80", 80));
        assert!(!same("example.com", "example.com:80", 443));
        assert!(!same("example.com:81", "example.com:80", 80));
        assert!(!same("example.com", "example.org", 80));
    }
}
