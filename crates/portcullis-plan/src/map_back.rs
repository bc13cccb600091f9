//! Addresses in answers, brought back to what the client knows, where a route changed host or prefix on the way there.
//!
//! `Location`, `Content-Location` and `Refresh` (RFC 9110 sections 10.2.2 and 8.7) and the Domain and Path of `Set-Cookie` (RFC 6265
//! section 4.1.2). Only addresses that lead through the same route are changed: those on the host that the server was
//! told, or on its own address, with a path under the prefix that it was told. Everything else goes through as it came.

mod cookie;
mod reference;

use crate::facts::Fields;
use crate::{Facts, Scheme};

/// Fields that are mapped, lower case.
const FIELDS: [&str; 4] = ["location", "content-location", "refresh", "set-cookie"];

/// How the paths of one route lie on both sides: a prefix, empty or without a closing slash, of the client's side and of the server's. Equal where
/// the route changes no prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapBack {
    /// As clients see it.
    pub outer: Box<str>,
    /// As the server sees it.
    pub inner: Box<str>,
}

impl MapBack {
    /// Whether a received field of this name, in whatever case, is one that [`write_fields`](Self::write_fields) writes.
    #[must_use]
    pub fn takes(name: &[u8]) -> bool {
        FIELDS
            .iter()
            .any(|own| own.len() == name.len() && own.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Appends the fields of an answer that may have to be mapped, as complete `name: value\r\n` lines, mapped or not.
    pub fn write_fields(&self, received: &dyn Fields, facts: &Facts<'_>, out: &mut Vec<u8>) {
        // Most answers have none of these fields, and nothing is rendered for them.
        let mut inner = None;
        for name in &FIELDS {
            received.each(name, &mut |value| {
                let inner = inner.get_or_insert_with(|| sent(facts));
                let mapping = Mapping::new(self, facts, inner);
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b": ");
                match *name {
                    "set-cookie" => mapping.set_cookie(value, out),
                    "refresh" => mapping.refresh(value, out),
                    _ => mapping.reference(value, out),
                }
                out.extend_from_slice(b"\r\n");
            });
        }
    }

    /// What stands in the client's side for the beginning of a path, and how long that is; `None` if the path is not under the server's prefix.
    fn prefix(&self, path: &[u8]) -> Option<(&str, usize)> {
        let rest = path.strip_prefix(self.inner.as_bytes())?;
        let whole = rest.is_empty() || rest.first() == Some(&b'/');
        whole.then_some((&*self.outer, self.inner.len()))
    }
}

/// The Host that the server was sent.
fn sent(facts: &Facts<'_>) -> Vec<u8> {
    let mut host = Vec::new();
    match facts.route.and_then(|route| route.host.as_ref()) {
        Some(template) => template.render_field_value(facts, None, &mut host),
        None => host.extend_from_slice(facts.authority),
    }
    host
}

/// One request's way, there and back.
struct Mapping<'a> {
    rule: &'a MapBack,
    /// Host and port as the client named them; empty if it named none.
    outer: &'a [u8],
    outer_host: &'a str,
    scheme: Scheme,
    /// Host and port as the server was told.
    inner: &'a [u8],
    /// Where the server listens, if that can stand in an address.
    address: &'a [u8],
}

impl<'a> Mapping<'a> {
    fn new(rule: &'a MapBack, facts: &'a Facts<'a>, inner: &'a [u8]) -> Self {
        let address = facts.server.map_or("", |server| &*server.address_text);
        Self {
            rule,
            outer: facts.authority,
            outer_host: facts.host,
            scheme: facts.scheme,
            inner,
            address: if address.starts_with("unix:") {
                b""
            } else {
                address.as_bytes()
            },
        }
    }

    /// Whether the server was told the host that the client named, so that it speaks of it by its own will.
    fn keeps_host(&self) -> bool {
        self.inner.eq_ignore_ascii_case(self.outer)
    }
}

#[cfg(test)]
mod tests;
