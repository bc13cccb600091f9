//! The forwarding fields that servers are sent.

use std::io::Write as _;
use std::net::IpAddr;

use super::element::{self, Entry, Kind};
use super::preferred;
use crate::Facts;
use crate::facts::Fields;

/// Appends the forwarding fields that the listener writes as complete `Name: value\r\n` lines; the
/// caller removes every received one. `trusted` is [`Believed::trusted`](super::Believed::trusted):
///
/// - from an untrusted peer, the chain is the peer alone, the host and scheme are the request's;
/// - from a trusted peer, the chain is the one believed and the peer, and a received
///   `X-Forwarded-Host` is kept. Where the believed fields are of the other kind, they are
///   translated address by address (RFC 7239 section 7.4).
///
/// A Unix peer adds nothing to `X-Forwarded-For`, and `for=unknown` to `Forwarded`.
pub fn write_fields(facts: &Facts<'_>, trusted: bool, out: &mut Vec<u8>) {
    let listener = facts.listener;
    let believed = if trusted {
        element::present(preferred(listener), facts.fields)
    } else {
        None
    };
    if listener.x_forwarded {
        x_forwarded_for(facts, believed, out);
        line(
            out,
            b"X-Forwarded-Proto: ",
            facts.scheme.as_str().as_bytes(),
        );
        x_forwarded_host(facts, trusted, out);
    }
    if listener.forwarded {
        forwarded(facts, believed, out);
    }
}

fn x_forwarded_for(facts: &Facts<'_>, believed: Option<Kind>, out: &mut Vec<u8>) {
    const NAME: &[u8] = b"X-Forwarded-For: ";
    let begin = out.len();
    out.extend_from_slice(NAME);
    match believed {
        Some(Kind::XForwarded) => copy_lists(facts.fields, Kind::XForwarded, out),
        Some(Kind::Forwarded) => element::each(Kind::Forwarded, facts.fields, &mut |entry| {
            match entry.ip {
                Some(ip) => address(ip, out),
                None => out.extend_from_slice(b"unknown"),
            }
            out.extend_from_slice(b", ");
        }),
        None => {}
    }
    match facts.peer {
        Some(peer) => address(peer.ip().to_canonical(), out),
        None => cut_separator(out),
    }
    if out.len() == begin + NAME.len() {
        out.truncate(begin);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

fn x_forwarded_host(facts: &Facts<'_>, trusted: bool, out: &mut Vec<u8>) {
    let received = if trusted {
        facts.fields.first("x-forwarded-host")
    } else {
        None
    };
    let host = received.unwrap_or(facts.authority);
    if !host.is_empty() {
        line(out, b"X-Forwarded-Host: ", host);
    }
}

fn forwarded(facts: &Facts<'_>, believed: Option<Kind>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Forwarded: ");
    match believed {
        Some(Kind::Forwarded) => copy_lists(facts.fields, Kind::Forwarded, out),
        Some(Kind::XForwarded) => element::each(
            Kind::XForwarded,
            facts.fields,
            &mut |Entry { ip, .. }| {
                node(ip, out);
                out.extend_from_slice(b", ");
            },
        ),
        None => {}
    }
    node(facts.peer.map(|peer| peer.ip().to_canonical()), out);
    if !facts.authority.is_empty() {
        out.extend_from_slice(b";host=");
        token_or_quoted(facts.authority, out);
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(facts.scheme.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Every received line of a kind as it came, each closed by a separator. A line with an open quote
/// would swallow what we append, so it is passed on as one unknown hop.
fn copy_lists(fields: &dyn Fields, kind: Kind, out: &mut Vec<u8>) {
    fields.each(kind.field(), &mut |value| {
        let value = value.trim_ascii();
        if value.is_empty() {
            return;
        }
        let open =
            kind == Kind::Forwarded && value.iter().filter(|&&byte| byte == b'"').count() % 2 == 1;
        out.extend_from_slice(if open { b"for=unknown" } else { value });
        out.extend_from_slice(b", ");
    });
}

fn cut_separator(out: &mut Vec<u8>) {
    if out.ends_with(b", ") {
        out.truncate(out.len() - 2);
    }
}

/// `for=` with an IPv6 address quoted and in brackets (RFC 7239 section 6).
fn node(ip: Option<IpAddr>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"for=");
    match ip {
        Some(IpAddr::V6(_)) => {
            out.extend_from_slice(b"\"[");
            ip.into_iter().for_each(|ip| address(ip, out));
            out.extend_from_slice(b"]\"");
        }
        Some(ip) => address(ip, out),
        None => out.extend_from_slice(b"unknown"),
    }
}

/// The text of an address; IPv4 by hand, because it is on every request.
fn address(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            octet(a, out);
            for part in [b, c, d] {
                out.push(b'.');
                octet(part, out);
            }
        }
        // Writing into a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

fn octet(value: u8, out: &mut Vec<u8>) {
    if value >= 100 {
        out.push(b'0' + value / 100);
    }
    if value >= 10 {
        out.push(b'0' + value / 10 % 10);
    }
    out.push(b'0' + value % 10);
}

/// The authority was validated by the HTTP engine: it holds no quote and no backslash.
fn token_or_quoted(value: &[u8], out: &mut Vec<u8>) {
    if value.iter().all(|&byte| element::is_token(byte)) {
        out.extend_from_slice(value);
    } else {
        out.push(b'"');
        out.extend(value.iter().filter(|byte| !matches!(byte, b'"' | b'\\')));
        out.push(b'"');
    }
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixture::{self, TestFields};

    struct Case<'a> {
        x_forwarded: bool,
        forwarded: bool,
        trusted: bool,
        peer: Option<&'a str>,
        fields: &'a [(&'a str, &'a str)],
    }

    const PLAIN: Case<'_> = Case {
        x_forwarded: true,
        forwarded: false,
        trusted: false,
        peer: Some("192.0.2.1:4000"),
        fields: &[],
    };

    fn written(case: &Case<'_>) -> Vec<String> {
        let mut listener = fixture::listener(Vec::new());
        (listener.x_forwarded, listener.forwarded) = (case.x_forwarded, case.forwarded);
        let fields = TestFields::new(case.fields);
        let mut facts = fixture::facts(&listener, "h", "/", &fields);
        facts.authority = b"h:8080";
        facts.peer = case.peer.map(|peer| peer.parse().unwrap());
        let mut out = Vec::new();
        write_fields(&facts, case.trusted, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.is_empty() || text.ends_with("\r\n"));
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    const FORGED: &[(&str, &str)] = &[
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil"),
        ("forwarded", "for=6.6.6.6"),
    ];

    #[test]
    fn untrusted_peer_is_told_as_it_is() {
        let expected = [
            "X-Forwarded-For: 192.0.2.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: h:8080",
        ];
        assert_eq!(
            written(&Case {
                fields: FORGED,
                ..PLAIN
            }),
            expected
        );
        let v6 = Case {
            x_forwarded: false,
            forwarded: true,
            peer: Some("[2001:db8::9]:1"),
            fields: FORGED,
            ..PLAIN
        };
        assert_eq!(
            written(&v6),
            ["Forwarded: for=\"[2001:db8::9]\";host=\"h:8080\";proto=http"]
        );
        let mapped = Case {
            peer: Some("[::ffff:10.0.200.37]:1"),
            ..PLAIN
        };
        assert_eq!(written(&mapped)[0], "X-Forwarded-For: 10.0.200.37");
        assert_eq!(
            written(&Case {
                x_forwarded: false,
                ..PLAIN
            }),
            [""; 0]
        );
    }

    #[test]
    fn trusted_peer_is_added_to_the_chain_it_sent() {
        let fields = [
            ("x-forwarded-for", "6.6.6.6, 1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-host", "o"),
        ];
        let lines = written(&Case {
            trusted: true,
            fields: &fields,
            ..PLAIN
        });
        assert_eq!(
            lines[0],
            "X-Forwarded-For: 6.6.6.6, 1.1.1.1, 2.2.2.2, 192.0.2.1"
        );
        assert_eq!(lines[2], "X-Forwarded-Host: o");
    }

    #[test]
    fn believed_chain_is_translated_to_the_other_kind() {
        let fields = [
            ("x-forwarded-for", "2001:db8::1, unknown"),
            ("forwarded", "for=6.6.6.6"),
        ];
        let both = Case {
            forwarded: true,
            trusted: true,
            fields: &fields,
            ..PLAIN
        };
        let lines = written(&both);
        assert_eq!(lines[0], "X-Forwarded-For: 2001:db8::1, unknown, 192.0.2.1");
        let chain = "for=\"[2001:db8::1]\", for=unknown, for=192.0.2.1;host=\"h:8080\";proto=http";
        assert_eq!(
            lines[3],
            format!("Forwarded: {chain}"),
            "the disbelieved Forwarded is not passed on"
        );
        let fields = [("forwarded", "for=1.1.1.1;proto=https, for=_x")];
        let lines = written(&Case {
            trusted: true,
            fields: &fields,
            ..PLAIN
        });
        assert_eq!(lines[0], "X-Forwarded-For: 1.1.1.1, unknown, 192.0.2.1");
    }

    #[test]
    fn open_quotes_of_a_trusted_peer_cannot_swallow_our_element() {
        let fields = [("forwarded", "for=\"1.1.1.1")];
        let case = Case {
            x_forwarded: false,
            forwarded: true,
            trusted: true,
            fields: &fields,
            ..PLAIN
        };
        assert!(written(&case)[0].starts_with("Forwarded: for=unknown, for=192.0.2.1;"));
    }

    #[test]
    fn unix_peers_have_no_address_to_tell() {
        let unix = Case {
            peer: None,
            ..PLAIN
        };
        assert_eq!(
            written(&unix),
            ["X-Forwarded-Proto: http", "X-Forwarded-Host: h:8080"]
        );
        let fields = [("x-forwarded-for", "1.1.1.1")];
        let trusted = Case {
            peer: None,
            trusted: true,
            forwarded: true,
            fields: &fields,
            ..PLAIN
        };
        let lines = written(&trusted);
        assert_eq!(lines[0], "X-Forwarded-For: 1.1.1.1");
        assert_eq!(
            lines[3],
            "Forwarded: for=1.1.1.1, for=unknown;host=\"h:8080\";proto=http"
        );
    }
}
