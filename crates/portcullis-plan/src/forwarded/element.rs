//! The entries of `X-Forwarded-For` and of `Forwarded` (RFC 7239), one hop each.

use std::net::{IpAddr, Ipv6Addr};

use crate::Scheme;
use crate::facts::Fields;
use crate::normalize::parse_port;

/// A kind of forwarding field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `X-Forwarded-For`, with `-Proto` and `-Host` beside it.
    XForwarded,
    /// `Forwarded`.
    Forwarded,
}

impl Kind {
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::XForwarded => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::XForwarded => Self::Forwarded,
            Self::Forwarded => Self::XForwarded,
        }
    }
}

/// One hop as a proxy described it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its address, if one is given.
    pub(super) ip: Option<IpAddr>,
    /// Its port, if one is given.
    pub(super) port: Option<u16>,
    /// The scheme it used, in `Forwarded` only.
    pub(super) scheme: Option<Scheme>,
}

/// The kind to believe: `first` if the request has it, else the other if it has that.
pub(super) fn present(first: Kind, fields: &dyn Fields) -> Option<Kind> {
    [first, first.other()]
        .into_iter()
        .find(|kind| fields.first(kind.field()).is_some())
}

/// Every entry of a kind, from left to right over all lines. Empty list elements are no entries (RFC 9110 section 5.6.1).
pub(super) fn each(kind: Kind, fields: &dyn Fields, each: &mut dyn FnMut(Entry)) {
    fields.each(kind.field(), &mut |value| match kind {
        Kind::XForwarded => list(value).for_each(|word| each(node(word, true))),
        Kind::Forwarded => each_element(value, each),
    });
}

/// The words of a comma-separated list without empty ones.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

pub(super) fn scheme(word: &[u8]) -> Option<Scheme> {
    if word.eq_ignore_ascii_case(b"https") {
        Some(Scheme::Https)
    } else if word.eq_ignore_ascii_case(b"http") {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// An address with or without port; a bare IPv6 address is legal in X-Forwarded-For only.
fn node(word: &[u8], bare_v6: bool) -> Entry {
    let found = match word {
        [b'[', ..] => bracketed(word),
        _ => bare(word, bare_v6),
    };
    let Some((ip, port)) = found else {
        return Entry::default();
    };
    Entry {
        ip: Some(ip.to_canonical()),
        port,
        scheme: None,
    }
}

fn bracketed(word: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let inside = word.strip_prefix(b"[")?;
    let close = inside.iter().position(|&byte| byte == b']')?;
    let ip: Ipv6Addr = parse(inside.get(..close)?)?;
    match inside.get(close + 1..)? {
        [] => Some((ip.into(), None)),
        [b':', port @ ..] => Some((ip.into(), Some(parse_port(port)?))),
        _ => None,
    }
}

fn bare(word: &[u8], bare_v6: bool) -> Option<(IpAddr, Option<u16>)> {
    let mut colons = word
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b':')
        .map(|(at, _)| at);
    match (colons.next(), colons.next()) {
        (None, _) => Some((IpAddr::V4(parse(word)?), None)),
        (Some(at), None) => Some((
            IpAddr::V4(parse(word.get(..at)?)?),
            Some(parse_port(word.get(at + 1..)?)?),
        )),
        (Some(_), Some(_)) if bare_v6 => Some((IpAddr::V6(parse(word)?), None)),
        _ => None,
    }
}

fn parse<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The elements of one `Forwarded` line. A malformed element says nothing, and reading goes on behind
/// the first comma after its start, quoted or not: so a quote that a client left open cannot swallow
/// the elements that proxies appended.
fn each_element(line: &[u8], each: &mut dyn FnMut(Entry)) {
    let mut rest = line;
    loop {
        let start = rest.trim_ascii_start();
        match element(start) {
            Some((entry, after)) => {
                if let Some(entry) = entry {
                    each(entry);
                }
                rest = after;
            }
            None => {
                each(Entry::default());
                let comma = start
                    .iter()
                    .position(|&byte| byte == b',')
                    .unwrap_or(start.len());
                rest = start.get(comma..).unwrap_or_default();
            }
        }
        let Some((_comma, after)) = rest.split_first() else {
            return;
        };
        rest = after;
    }
}

/// One element up to its comma or the end: `None` if malformed, an inner `None` if empty.
fn element(start: &[u8]) -> Option<(Option<Entry>, &[u8])> {
    let (mut rest, mut seen_pair) = (start, false);
    let (mut node_found, mut scheme_found) = (None, None);
    loop {
        rest = rest.trim_ascii_start();
        if !matches!(rest.first(), None | Some(b',' | b';')) {
            let (name, value, after) = pair(rest)?;
            seen_pair = true;
            if name.eq_ignore_ascii_case(b"for") {
                set_once(&mut node_found, node(value, false))?;
            } else if name.eq_ignore_ascii_case(b"proto") {
                set_once(&mut scheme_found, scheme(value))?;
            }
            rest = after.trim_ascii_start();
        }
        match rest.first() {
            None | Some(b',') => break,
            Some(b';') => rest = rest.get(1..).unwrap_or_default(),
            Some(_) => return None,
        }
    }
    let entry = Entry {
        scheme: scheme_found.flatten(),
        ..node_found.unwrap_or_default()
    };
    Some((seen_pair.then_some(entry), rest))
}

/// A parameter given twice makes the element ambiguous, so it is malformed (RFC 7239 section 4).
fn set_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    *slot = Some(value);
    Some(())
}

/// `token=token` or `token="quoted"`, and what follows. Escapes within quotes are left in: no address or scheme has any.
fn pair(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = bytes
        .iter()
        .position(|&byte| !is_token(byte))
        .filter(|&at| at > 0)?;
    let (name, rest) = bytes.split_at_checked(equals)?;
    let value = rest.strip_prefix(b"=")?;
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        return Some((name, quoted.get(..end)?, quoted.get(end + 1..)?));
    }
    let ends = |byte: u8| matches!(byte, b',' | b';' | b' ' | b'\t' | b'"');
    let end = value
        .iter()
        .position(|&byte| ends(byte))
        .unwrap_or(value.len());
    Some((name, value.get(..end)?, value.get(end..)?))
}

fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Token characters of RFC 9110 section 5.6.2.
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixture::TestFields;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_total_and_bounded(value in "[ -~]{0,64}") {
            for kind in [Kind::XForwarded, Kind::Forwarded] {
                let mut count = 0;
                each(kind, &TestFields::new(&[(kind.field(), &value)]), &mut |_| count += 1);
                prop_assert!(count <= value.len() + 1);
            }
        }

        #[test]
        fn an_appended_element_is_always_seen(garbage in "[ -~]{0,32}") {
            let value = format!("{garbage}, for=192.0.2.1");
            let mut last = Entry::default();
            each(Kind::Forwarded, &TestFields::new(&[("forwarded", &value)]), &mut |entry| last = entry);
            prop_assert_eq!(last.ip, Some("192.0.2.1".parse().unwrap()), "{}", value);
        }
    }
}
