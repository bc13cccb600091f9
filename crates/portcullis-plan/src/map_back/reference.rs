//! Addresses: absolute, without scheme, or a path alone. Relative ones are resolved by the client against its own address and stay.

use super::Mapping;
use crate::Scheme;

/// An address cut into its parts; the path is what follows the authority, query and fragment included.
struct Address<'v> {
    scheme: Option<Scheme>,
    authority: &'v [u8],
    path: &'v [u8],
}

impl Mapping<'_> {
    /// Appends an address, mapped if it leads through the same route.
    pub(super) fn reference(&self, value: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        let mapped = match Address::cut(value) {
            Some(address) => self.absolute(&address, out),
            None if value.first() == Some(&b'/') => self.path(value, out),
            None => false,
        };
        if !mapped {
            out.truncate(begin);
            out.extend_from_slice(value);
        }
    }

    /// Appends `5; url=...` with its address mapped; other forms as they came.
    pub(super) fn refresh(&self, value: &[u8], out: &mut Vec<u8>) {
        let Some((before, address, after)) = refresh_parts(value) else {
            return out.extend_from_slice(value);
        };
        out.extend_from_slice(before);
        self.reference(address, out);
        out.extend_from_slice(after);
    }

    fn absolute(&self, address: &Address<'_>, out: &mut Vec<u8>) -> bool {
        let known = [self.inner, self.address];
        if !known
            .into_iter()
            .any(|known| is_same(address, known, self.scheme))
        {
            return false;
        }
        if !self.outer.is_empty() {
            if let Some(written) = address.scheme {
                out.extend_from_slice(self.scheme_for(written).as_str().as_bytes());
                out.push(b':');
            }
            out.extend_from_slice(b"//");
            out.extend_from_slice(self.outer);
        }
        match address.path.first() {
            Some(b'/') => self.path(address.path, out),
            // Browsers take it for a slash, others do not.
            Some(b'\\') => false,
            // Nothing, or a query or fragment right behind the authority: the path is `/`.
            _ => {
                let mapped = self.path(b"/", out);
                out.extend_from_slice(address.path);
                mapped
            }
        }
    }

    /// The client's own scheme; but a server that knows the client's host and says `https` of it means it, and would be asked for ever
    /// if its answer were made `http` again.
    fn scheme_for(&self, written: Scheme) -> Scheme {
        if self.keeps_host() && written == Scheme::Https {
            Scheme::Https
        } else {
            self.scheme
        }
    }

    /// Appends a path that begins with a slash, with whatever follows it; `false` if it is not under the server's prefix.
    pub(super) fn path(&self, value: &[u8], out: &mut Vec<u8>) -> bool {
        let end = value
            .iter()
            .position(|byte| matches!(byte, b'?' | b'#'))
            .unwrap_or(value.len());
        let Some((prefix, cut)) = self.rule.prefix(value.get(..end).unwrap_or_default()) else {
            return false;
        };
        out.extend_from_slice(prefix.as_bytes());
        let rest = value.get(cut..).unwrap_or_default();
        if prefix.is_empty() && rest.first() != Some(&b'/') {
            out.push(b'/');
        }
        out.extend_from_slice(rest);
        true
    }
}

impl<'v> Address<'v> {
    /// The parts of `http://...`, `https://...` or `//...`; `None` for everything else.
    fn cut(value: &'v [u8]) -> Option<Self> {
        let (scheme, rest) = match value.iter().position(|&byte| byte == b':') {
            Some(4) if begins(value, b"http://") => (Some(Scheme::Http), value.get(7..)?),
            Some(5) if begins(value, b"https://") => (Some(Scheme::Https), value.get(8..)?),
            _ => (None, value.strip_prefix(b"//")?),
        };
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        Some(Self {
            scheme,
            authority,
            path,
        })
    }
}

fn begins(value: &[u8], start: &[u8]) -> bool {
    value
        .get(..start.len())
        .is_some_and(|own| own.eq_ignore_ascii_case(start))
}

/// Whether an address is on `known`, a host with or without a port. A port that is not written is the scheme's own; one that is not
/// written in `known` is that of any scheme.
fn is_same(address: &Address<'_>, known: &[u8], default: Scheme) -> bool {
    let ((host, port), (known, known_port)) = (split(address.authority), split(known));
    let port = match port {
        Some([]) | None => None,
        Some(digits) => match crate::normalize::parse_port(digits) {
            Some(port) => Some(port),
            None => return false,
        },
    };
    let own = address.scheme.unwrap_or(default).default_port();
    let known_port = known_port.and_then(crate::normalize::parse_port);
    let same_port = match known_port {
        Some(known) => port.unwrap_or(own) == known,
        None => matches!(port, None | Some(80 | 443)),
    };
    !host.is_empty() && host.eq_ignore_ascii_case(known) && same_port
}

/// Host and the digits behind its colon. What has user information keeps it in the host, and is nobody's.
pub(super) fn split(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = authority
        .iter()
        .rposition(|&byte| byte == b':' || byte == b']');
    match colon.and_then(|at| authority.split_at_checked(at)) {
        Some((host, [b':', digits @ ..])) => (host, Some(digits)),
        _ => (authority, None),
    }
}

/// What stands before the address of a Refresh, the address, and a closing quotation mark with what follows it.
fn refresh_parts(value: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let semicolon = value.iter().position(|byte| matches!(byte, b';' | b','))?;
    let mut at = semicolon + 1;
    let skip = |at: usize| {
        let rest = value.get(at..).unwrap_or_default();
        at + rest.len() - rest.trim_ascii_start().len()
    };
    at = skip(at);
    if value
        .get(at..at + 3)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"url"))
        && value.get(skip(at + 3)) == Some(&b'=')
    {
        at = skip(skip(at + 3) + 1);
    }
    let end = match value.get(at) {
        Some(&quote @ (b'"' | b'\'')) => {
            at += 1;
            let inside = value.get(at..)?;
            at + inside.iter().position(|&byte| byte == quote)?
        }
        _ => value.trim_ascii_end().len(),
    };
    Some((value.get(..at)?, value.get(at..end)?, value.get(end..)?))
}
