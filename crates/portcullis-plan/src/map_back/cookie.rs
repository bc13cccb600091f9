//! The Domain and Path of `Set-Cookie`: a browser drops a cookie whose Domain it is not on, and never sends one whose Path it never asks for.

use super::Mapping;
use super::reference::split;

impl Mapping<'_> {
    /// Appends the value of a Set-Cookie with its Domain and Path mapped.
    pub(super) fn set_cookie(&self, value: &[u8], out: &mut Vec<u8>) {
        let mut attributes = value.split(|&byte| byte == b';');
        let pair = attributes.next().unwrap_or_default();
        out.extend_from_slice(pair);
        // A `__Host-` cookie without Path=/ is refused by browsers.
        let pinned = begins(pair.trim_ascii_start(), b"__Host-");
        for attribute in attributes {
            let mut halves = attribute.splitn(2, |&byte| byte == b'=');
            let name = halves.next().unwrap_or_default().trim_ascii();
            let content = halves.next().unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"domain") && self.is_inner_domain(content) {
                self.domain(out);
            } else if name.eq_ignore_ascii_case(b"path")
                && !pinned
                && content.first() == Some(&b'/')
            {
                out.extend_from_slice(b"; Path=");
                self.cookie_path(content, out);
            } else {
                out.push(b';');
                out.extend_from_slice(attribute);
            }
        }
    }

    /// The client's host; nothing where that is an address or unknown: the cookie is that host's alone then.
    fn domain(&self, out: &mut Vec<u8>) {
        let host = self.outer_host;
        let is_name = !host.is_empty()
            && !host.starts_with('[')
            && host.parse::<std::net::Ipv4Addr>().is_err();
        if is_name {
            out.extend_from_slice(b"; Domain=");
            out.extend_from_slice(host.as_bytes());
        }
    }

    /// Whether a Domain is that of the host which the server was told (or one above it), and not one of the client's.
    fn is_inner_domain(&self, domain: &[u8]) -> bool {
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        let (inner, _) = split(self.inner);
        let (address, _) = split(self.address);
        !domain.is_empty()
            && !is_within(self.outer_host.as_bytes(), domain)
            && (is_within(inner, domain) || is_within(address, domain))
    }

    /// `/` of the server is the route's prefix itself: without a closing slash, so that the prefix alone has the cookie too.
    fn cookie_path(&self, path: &[u8], out: &mut Vec<u8>) {
        let path = match path {
            b"/" if self.rule.inner.is_empty() && !self.rule.outer.is_empty() => b"",
            path => path,
        };
        let begin = out.len();
        if !self.path(path, out) {
            out.truncate(begin);
            out.extend_from_slice(path);
        }
    }
}

/// Whether `host` is `domain` or below it (RFC 6265 section 5.1.3).
fn is_within(host: &[u8], domain: &[u8]) -> bool {
    let Some(at) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    let (above, end) = host.split_at(at);
    end.eq_ignore_ascii_case(domain) && (above.is_empty() || above.ends_with(b"."))
}

fn begins(value: &[u8], start: &[u8]) -> bool {
    value
        .get(..start.len())
        .is_some_and(|own| own.eq_ignore_ascii_case(start))
}
