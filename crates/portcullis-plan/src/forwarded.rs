//! Who the client is when trusted proxies stand in between, and what the server is told about it.
//!
//! Forwarding fields are believed only from a peer in `trusted_proxies`. The chain is walked from
//! the right - from the hop nearest to us - over trusted addresses; the first address that is not
//! trusted is the client. An entry that is no address (`unknown`, `_hidden`, garbage) ends the
//! walk at the last address before it.
//!
//! When both `X-Forwarded-For` and `Forwarded` are there, one of them may have come from the client
//! through a proxy that knows only the other. So one alone is believed: the kind the listener itself
//! writes (`Forwarded` if it writes only that, else `X-Forwarded-For`); the other kind counts only
//! where the first is absent. What is not believed is not passed on either.

mod element;
mod write;

use std::net::{IpAddr, SocketAddr};

use crate::facts::Fields;
use crate::plan::Listener;
use crate::{Networks, Scheme};
use element::{Entry, Kind};

pub use write::write_fields;

/// What a peer's forwarding fields make us believe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Believed {
    /// The client, IPv4 addresses always as such. `None` for a Unix peer of which nothing else is known.
    pub client: Option<IpAddr>,
    /// The client's port, where known.
    pub client_port: Option<u16>,
    /// The scheme the client used, if a trusted peer says so; else that of the connection holds.
    pub scheme: Option<Scheme>,
    /// Whether the peer's forwarding fields (and request id) are believed.
    pub trusted: bool,
}

/// Finds the client behind `peer` (`None` is the peer of a Unix socket).
#[must_use]
pub fn client(listener: &Listener, peer: Option<SocketAddr>, fields: &dyn Fields) -> Believed {
    let rules = Rules {
        trusted: &listener.trusted_proxies,
        kind: preferred(listener),
    };
    rules.client(peer, fields)
}

/// The kind of field that a listener believes first.
fn preferred(listener: &Listener) -> Kind {
    if listener.forwarded && !listener.x_forwarded {
        Kind::Forwarded
    } else {
        Kind::XForwarded
    }
}

/// The part of a listener that decides about belief.
struct Rules<'a> {
    trusted: &'a Networks,
    kind: Kind,
}

impl Rules<'_> {
    fn client(&self, peer: Option<SocketAddr>, fields: &dyn Fields) -> Believed {
        let direct = Believed {
            client: peer.map(|peer| peer.ip().to_canonical()),
            client_port: peer.map(|peer| peer.port()),
            scheme: None,
            trusted: self.trusts(peer),
        };
        if !direct.trusted {
            return direct;
        }
        match element::present(self.kind, fields) {
            Some(Kind::Forwarded) => self.by_forwarded(direct, fields),
            Some(Kind::XForwarded) => self.by_x_forwarded(direct, fields),
            None => Believed {
                scheme: proto_at(fields, 1),
                ..direct
            },
        }
    }

    fn trusts(&self, peer: Option<SocketAddr>) -> bool {
        match peer {
            Some(peer) => self.trusted.contains(peer.ip()),
            None => self.trusted.contains_unix(),
        }
    }

    fn by_x_forwarded(&self, direct: Believed, fields: &dyn Fields) -> Believed {
        let walk = self.walk(Kind::XForwarded, fields);
        let depth = walk.count - walk.found.map_or(walk.count, |(at, _)| at);
        Believed {
            scheme: proto_at(fields, depth.max(1)),
            ..walk.believed(direct)
        }
    }

    fn by_forwarded(&self, direct: Believed, fields: &dyn Fields) -> Believed {
        let walk = self.walk(Kind::Forwarded, fields);
        let scheme = walk
            .found
            .map_or(walk.last_scheme, |(_, entry)| entry.scheme);
        Believed {
            scheme,
            ..walk.believed(direct)
        }
    }

    /// The walk from the right, done from the left in one pass, because fields are only visited in
    /// order: what is to the left of an untrusted address, or of no address, cannot be reached.
    fn walk(&self, kind: Kind, fields: &dyn Fields) -> Walk {
        let mut walk = Walk::default();
        element::each(kind, fields, &mut |entry| {
            let reachable = match entry.ip {
                None => None,
                Some(ip) if self.trusted.contains(ip) => walk.found.or(Some((walk.count, entry))),
                Some(_) => Some((walk.count, entry)),
            };
            walk.found = reachable;
            walk.last_scheme = entry.scheme;
            walk.count += 1;
        });
        walk
    }
}

#[derive(Default)]
struct Walk {
    /// The client's position from the left, and its entry.
    found: Option<(usize, Entry)>,
    /// The scheme that the nearest hop stated.
    last_scheme: Option<Scheme>,
    /// Entries seen.
    count: usize,
}

impl Walk {
    fn believed(&self, direct: Believed) -> Believed {
        let Some((_, entry)) = self.found else {
            return direct;
        };
        Believed {
            client: entry.ip,
            client_port: entry.port,
            ..direct
        }
    }
}

/// The `X-Forwarded-Proto` entry `depth` places from the right, where the hop that named the client
/// stated its scheme too; proxies that replace the field leave fewer entries, then the leftmost.
fn proto_at(fields: &dyn Fields, depth: usize) -> Option<Scheme> {
    let mut count = 0_usize;
    fields.each("x-forwarded-proto", &mut |value| {
        count += element::list(value).count();
    });
    let wanted = count.saturating_sub(depth);
    let (mut at, mut found) = (0, None);
    fields.each("x-forwarded-proto", &mut |value| {
        for word in element::list(value) {
            if at == wanted {
                found = element::scheme(word);
            }
            at += 1;
        }
    });
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixture::TestFields;

    fn believed(peer: &str, trusted: &[&str], kind: Kind, fields: &[(&str, &str)]) -> Believed {
        let trusted = Networks::new(trusted.iter().map(|net| net.parse().unwrap()), true);
        let peer = (peer != "unix").then(|| peer.parse().unwrap());
        Rules {
            trusted: &trusted,
            kind,
        }
        .client(peer, &TestFields::new(fields))
    }

    fn client_of(fields: &[(&str, &str)]) -> String {
        let found = believed("10.0.0.1:4000", &["10.0.0.0/8"], Kind::XForwarded, fields);
        found.client.unwrap().to_string()
    }

    #[test]
    fn untrusted_peers_are_the_client_whatever_they_say() {
        let fields = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.1.1.1"),
        ];
        let found = believed(
            "[::ffff:192.0.2.1]:4000",
            &["10.0.0.0/8"],
            Kind::XForwarded,
            &fields,
        );
        let expected = Believed {
            client: Some("192.0.2.1".parse().unwrap()),
            client_port: Some(4000),
            scheme: None,
            trusted: false,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn chain_is_walked_from_the_right_over_all_lines() {
        assert_eq!(
            client_of(&[("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.2")]),
            "192.0.2.7"
        );
        assert_eq!(
            client_of(&[
                ("x-forwarded-for", "6.6.6.6"),
                ("x-forwarded-for", "10.0.0.3,10.0.0.2")
            ]),
            "6.6.6.6"
        );
        assert_eq!(
            client_of(&[("x-forwarded-for", "10.0.0.9, 10.0.0.2")]),
            "10.0.0.9",
            "all trusted: the farthest"
        );
    }

    #[test]
    fn walk_ends_at_the_first_entry_that_is_no_address() {
        assert_eq!(
            client_of(&[("x-forwarded-for", "1.1.1.1, unknown, 10.0.0.3, 10.0.0.2")]),
            "10.0.0.3"
        );
        assert_eq!(
            client_of(&[("x-forwarded-for", "1.1.1.1, garbage")]),
            "10.0.0.1"
        );
        assert_eq!(
            client_of(&[("x-forwarded-for", "1.1.1.1, 010.0.0.2")]),
            "10.0.0.1",
            "octal look-alike"
        );
        assert_eq!(client_of(&[("x-forwarded-for", "")]), "10.0.0.1");
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        for (value, client, port) in [
            ("192.0.2.1:99", "192.0.2.1", Some(99)),
            ("[2001:db8::1]:99", "2001:db8::1", Some(99)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8::1", None),
            ("::ffff:192.0.2.1", "192.0.2.1", None),
        ] {
            let found = believed(
                "10.0.0.1:1",
                &["10.0.0.0/8"],
                Kind::XForwarded,
                &[("x-forwarded-for", value)],
            );
            assert_eq!(
                (
                    found.client.unwrap().to_string().as_str(),
                    found.client_port
                ),
                (client, port),
                "{value}"
            );
        }
    }

    #[test]
    fn forwarded_is_understood_quoted_and_bracketed() {
        for (value, client) in [
            ("for=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
            ("For=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            (
                "for=6.6.6.6, proto=https;FOR=\"192.0.2.1:80\" , for=10.0.0.2",
                "192.0.2.1",
            ),
            ("for=6.6.6.6, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=6.6.6.6, for=unknown", "10.0.0.1"),
            ("host=\"a,b\";for=192.0.2.1", "192.0.2.1"),
            ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1"),
            ("for=2001:db8::1", "10.0.0.1"),
        ] {
            assert_eq!(client_of(&[("forwarded", value)]), client, "{value}");
        }
    }

    #[test]
    fn open_quotes_cannot_swallow_what_a_proxy_appended() {
        for value in [
            "for=\"x, for=192.0.2.1",
            "a=\", for=\"192.0.2.1\"",
            "a=\", for=192.0.2.1;host=\"h\"",
        ] {
            assert_eq!(client_of(&[("forwarded", value)]), "192.0.2.1", "{value}");
        }
    }

    #[test]
    fn the_kind_the_listener_writes_is_believed_first() {
        let both = [
            ("forwarded", "for=6.6.6.6;proto=https"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        let by = |kind| {
            believed("10.0.0.1:1", &["10.0.0.0/8"], kind, &both)
                .client
                .unwrap()
                .to_string()
        };
        assert_eq!(by(Kind::XForwarded), "192.0.2.1");
        assert_eq!(by(Kind::Forwarded), "6.6.6.6");
    }

    #[test]
    fn scheme_comes_from_the_hop_that_named_the_client() {
        let scheme = |fields: &[(&str, &str)]| {
            believed("10.0.0.1:1", &["10.0.0.0/8"], Kind::XForwarded, fields).scheme
        };
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        let chain = ("x-forwarded-for", "192.0.2.1, 10.0.0.2");
        assert_eq!(scheme(&[chain, ("x-forwarded-proto", "https")]), https);
        assert_eq!(
            scheme(&[chain, ("x-forwarded-proto", "https, http")]),
            https
        );
        assert_eq!(
            scheme(&[
                chain,
                ("x-forwarded-proto", "https"),
                ("x-forwarded-proto", "http, http")
            ]),
            http
        );
        assert_eq!(scheme(&[("x-forwarded-proto", "HTTPS")]), https);
        assert_eq!(scheme(&[("x-forwarded-proto", "gopher")]), None);
        assert_eq!(
            scheme(&[(
                "forwarded",
                "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http"
            )]),
            https
        );
    }

    #[test]
    fn unix_peers_are_believed_only_when_listed() {
        let fields = TestFields::new(&[("x-forwarded-for", "192.0.2.1")]);
        let by = |unix| {
            let trusted = Networks::new([], unix);
            Rules {
                trusted: &trusted,
                kind: Kind::XForwarded,
            }
            .client(None, &fields)
        };
        assert_eq!(by(true).client, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(by(false), Believed::default());
    }
}
