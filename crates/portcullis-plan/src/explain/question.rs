//! A request as an operator describes it, and the listener that would get it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::numbered;
use crate::ListenerId;
use crate::normalize;
use crate::plan::{Bind, Listener, Plan};

/// A request to explain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'q> {
    /// Its method, case-sensitive.
    pub method: &'q str,
    /// `http://host[:port]/path?query`, the same with `https`, `host/path`, or a path alone. `host:port` for CONNECT.
    pub url: &'q str,
    /// Its other fields, names in any case. A Host here is what the client sends, whatever the URL says.
    pub fields: &'q [(String, String)],
    /// Where it comes from; `None` is an address of no meaning (192.0.2.1).
    pub from: Option<IpAddr>,
    /// The listener, by name, where the URL does not tell.
    pub listener: Option<&'q str>,
    /// Whether the client speaks HTTP/2: over TLS it offers `h2` and `http/1.1`, in clear text it begins with HTTP/2. `None`
    /// speaks HTTP/1.1, and HTTP/2 to a listener that speaks nothing else.
    pub http2: Option<bool>,
    /// The name that the client asks for in its TLS handshake, empty for none; `None` is the host it asks for.
    pub tls_name: Option<&'q str>,
}

/// The protocol that a client and a listener settle on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// It is HTTP/2.
    pub http2: bool,
    /// How they came to it; empty where there was nothing to choose.
    pub why: &'static str,
}

/// The parts of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) https: Option<bool>,
    pub(super) authority: String,
    pub(super) port: Option<u16>,
    /// The target as a client sends it.
    pub(super) raw: String,
}

impl Question<'_> {
    /// The listener that gets it, of those of `plan`.
    ///
    /// # Errors
    /// When the question is no request, or no listener would get it: the reason, in words for the operator.
    pub fn listener<'p>(&self, plan: &'p Plan) -> Result<(ListenerId, &'p Listener), String> {
        self.find_listener(plan, &self.target()?)
    }

    /// The protocol it comes by.
    #[must_use]
    pub fn spoken(&self, listener: &Listener) -> Spoken {
        let over_tls = listener.tls.is_some();
        let (http2, why) = match (listener.http2.is_some(), self.http2) {
            (_, Some(false)) => (false, ""),
            (_, None) if listener.http1 => (false, ""),
            (_, None) => (true, "the listener speaks nothing else"),
            (_, Some(true)) if !over_tls => (true, "by its first bytes"),
            (false, Some(true)) => (false, "by ALPN: the listener does not offer h2"),
            (true, Some(true)) if listener.prefers_http1 => {
                (false, "by ALPN: the listener prefers it")
            }
            (true, Some(true)) => (true, "by ALPN, of h2 and http/1.1"),
        };
        Spoken { http2, why }
    }

    /// The host with its port, empty if none is named, and the target, as a client sends them.
    ///
    /// # Errors
    /// When the question is no request: the reason, in words for the operator.
    pub fn authority_and_target(&self) -> Result<(String, String), String> {
        let target = self.target()?;
        Ok((target.authority, target.raw))
    }

    /// Its head as a client sends it over HTTP/1.1; over HTTP/1.0 when it names no host, which only that allows.
    ///
    /// # Errors
    /// When the question is no request: the reason, in words for the operator.
    pub fn head(&self) -> Result<Vec<u8>, String> {
        let target = self.target()?;
        let mut head = format!("{} {} ", self.method, target.raw);
        match target.authority.as_str() {
            "" => head.push_str("HTTP/1.0\r\n"),
            authority => head.push_str(&format!("HTTP/1.1\r\nHost: {authority}\r\n")),
        }
        let others = |(name, _): &&(String, String)| !name.eq_ignore_ascii_case("host");
        for (name, value) in self.fields.iter().filter(others) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Ok(head.into_bytes())
    }

    /// The address it comes from.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        Some(
            (
                self.from.unwrap_or(Ipv4Addr::new(192, 0, 2, 1).into()),
                40_000,
            )
                .into(),
        )
    }

    /// The address of ours that it comes to, as far as that is told by what the listener is bound to and by an address in the URL.
    #[must_use]
    pub fn local(&self, listener: &Listener) -> Option<SocketAddr> {
        let target = self.target().ok()?;
        let bound = listener.binds.iter().filter_map(|bind| match bind {
            Bind::Tcp { address, .. } => Some(*address),
            _ => None,
        });
        let bound: Vec<SocketAddr> = bound.collect();
        let asked = bound.iter().find(|one| Some(one.port()) == target.port);
        let bound = asked.or(bound.first())?;
        if !bound.ip().is_unspecified() {
            return Some(*bound);
        }
        let mut scratch = Vec::new();
        let (host, _) = normalize::host(target.authority.as_bytes(), &mut scratch);
        let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
        Some((ip, bound.port()).into())
    }

    pub(super) fn target(&self) -> Result<Target, String> {
        if self.method.is_empty() || self.method.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(format!(
                "`{}` is not a method",
                self.method.escape_default()
            ));
        }
        let mut target = self.parse()?;
        let host = self
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"));
        if let Some((_, host)) = host {
            target.authority = host.trim().to_owned();
        }
        Ok(target)
    }

    fn parse(&self) -> Result<Target, String> {
        let url = self
            .url
            .split_once('#')
            .map_or(self.url, |(url, _fragment)| url);
        if url.is_empty() || url.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(format!(
                "`{}` is not a URL: spaces and non-ASCII characters must be encoded",
                url.escape_default()
            ));
        }
        let (https, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(true), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(false), rest),
            Some((scheme, _)) if !scheme.contains(['/', '?']) => {
                return Err(format!("`{scheme}` is not http or https"));
            }
            _ => (None, url),
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = if rest == "*" {
            ("", rest)
        } else {
            rest.split_at_checked(at).unwrap_or((rest, ""))
        };
        let raw = match target {
            "" if self.method == "CONNECT" => authority.to_owned(),
            target if target.is_empty() || target.starts_with('?') => format!("/{target}"),
            target => target.to_owned(),
        };
        Ok(Target {
            https,
            authority: authority.to_owned(),
            port: normalize::host(authority.as_bytes(), &mut Vec::new()).1,
            raw,
        })
    }

    /// The listener that gets the request: the named one; else one of the URL's scheme, best on the URL's port.
    pub(super) fn find_listener<'p>(
        &self,
        plan: &'p Plan,
        target: &Target,
    ) -> Result<(ListenerId, &'p Listener), String> {
        if let Some(name) = self.listener {
            let found = numbered(plan).find(|(_, listener)| &*listener.name == name);
            return found.ok_or_else(|| {
                format!("there is no listener `{name}`; there are {}", names(plan))
            });
        }
        let fits = |listener: &Listener| {
            target
                .https
                .is_none_or(|https| listener.tls.is_some() == https)
        };
        let fitting = || numbered(plan).filter(|(_, listener)| fits(listener));
        let default = if target.https == Some(true) { 443 } else { 80 };
        let port = target.port.unwrap_or(default);
        if let Some(found) = fitting().find(|(_, listener)| is_bound(listener, port)) {
            return Ok(found);
        }
        if let Some(port) = target.port {
            return Err(format!(
                "no listener for this URL is bound to port {port}; there are {}",
                names(plan)
            ));
        }
        fitting().next().ok_or_else(|| {
            format!(
                "no listener speaks the scheme of this URL; there are {}",
                names(plan)
            )
        })
    }
}

fn is_bound(listener: &Listener, port: u16) -> bool {
    listener
        .binds
        .iter()
        .any(|bind| matches!(bind, Bind::Tcp { address, .. } if address.port() == port))
}

fn names(plan: &Plan) -> String {
    let names: Vec<_> = plan
        .listeners
        .iter()
        .map(|listener| format!("`{}`", listener.name))
        .collect();
    names.join(", ")
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}
