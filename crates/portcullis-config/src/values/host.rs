//! Host names as routes name them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Invalid, Regex, character, quoted};

/// The hosts a route is for: one name, or all names below one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// A name or IP address in lower case; IPv6 in brackets and in its shortest form.
    Exact(Box<str>),
    /// `*.example.com`, kept without `*.`: any name that ends in `.example.com`, however many labels are in front.
    Wildcard(Box<str>),
}

impl FromStr for HostPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Err(
                Invalid::new("`*` is not a host").help("leave `hosts` out to match any host")
            );
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            let suffix = dns_name(suffix).map_err(|error| Invalid {
                at: error.at.map(|at| at.start + 2..at.end + 2),
                ..error
            })?;
            return Ok(Self::Wildcard(suffix));
        }
        if text.contains('*') {
            return Err(
                Invalid::new(format!("{} has a `*` inside a label", quoted(text)))
                    .help("a wildcard stands for whole labels at the front: \"*.example.com\""),
            );
        }
        if let Some(inner) = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            && let Ok(IpAddr::V6(ip)) = inner.parse()
        {
            return Ok(Self::Exact(format!("[{ip}]").into()));
        }
        dns_name(text).map(Self::Exact)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl HostPattern {
    /// Whether it takes this host, which is in lower case and without port.
    #[must_use]
    pub fn takes(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => is_below(host, suffix),
        }
    }

    /// Whether every host that `other` takes is one of this pattern too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Exact(_), Self::Wildcard(_)) => false,
            (Self::Wildcard(suffix), Self::Exact(name)) => is_below(name, suffix),
            (Self::Wildcard(a), Self::Wildcard(b)) => a == b || is_below(b, a),
        }
    }
}

/// One of the hosts of a route: a name, all names below one, or those that match an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostMatch {
    /// By name.
    Name(HostPattern),
    /// As a whole, in lower case and without port.
    Regex(Regex),
}

impl HostMatch {
    /// A regular expression for hosts.
    ///
    /// # Errors
    /// When it is not one, or one that no host can match.
    pub fn regex(text: &str) -> Result<Self, Invalid> {
        let regex: Regex = text.parse()?;
        match regex.upper_case() {
            Some(letter) => Err(Invalid::new(format!(
                "`{text}` wants the upper-case letter `{letter}`, and hosts are compared in lower case"
            ))
            .help("write it in lower case")),
            None => Ok(Self::Regex(regex)),
        }
    }

    /// Whether every host that `other` takes is one of this too; `false` where that cannot be told.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.covers(b),
            (Self::Regex(a), Self::Regex(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for HostMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(pattern) => write!(f, "{pattern}"),
            Self::Regex(regex) => write!(f, "{regex}"),
        }
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

/// A DNS name or IPv4 address in lower case, checked by the rules of RFC 1123; an underscore is allowed because internal names have them.
pub(super) fn dns_name(text: &str) -> Result<Box<str>, Invalid> {
    if let Some(at) = text.find("://") {
        return Err(
            Invalid::new(format!("{} is a URL, not a host", quoted(text))).help(format!(
                "write the host alone: \"{}\"",
                text.get(at + 3..).unwrap_or_default().trim_end_matches('/')
            )),
        );
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return Err(Invalid::new(format!("{} names a port", quoted(text)))
            .help(format!(
                "a host is matched whatever its port; write \"{host}\""
            ))
            .at(host.len()..text.len()));
    }
    if let Some(slash) = text.find('/') {
        return Err(Invalid::new(format!("{} has a path", quoted(text)))
            .help("hosts and paths are separate keys: `hosts` and `path`")
            .at(slash..text.len()));
    }
    if !text.is_ascii() {
        return Err(Invalid::new(format!("{} is not in ASCII", quoted(text)))
            .help("write internationalised names in their `xn--` form, as clients send them"));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.is_empty() || name.len() > 253 {
        return Err(Invalid::new(if name.is_empty() {
            "an empty string is not a host name".to_owned()
        } else {
            format!(
                "a host name of {} bytes is longer than DNS allows (253)",
                name.len()
            )
        }));
    }
    if let Some(label) = name.split('.').find(|label| !is_label(label)) {
        return Err(Invalid::new(format!(
            "{} is not a host name: {}",
            quoted(text),
            label_fault(label)
        )));
    }
    let all_digits = name
        .split('.')
        .next_back()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if all_digits && name.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(Invalid::new(format!(
            "{} is neither an IPv4 address nor a host name",
            quoted(text)
        ))
        .help("an IPv4 address has four numbers from 0 to 255"));
    }
    Ok(name.into())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn label_fault(label: &str) -> String {
    match label {
        "" => "a label is empty".to_owned(),
        _ if label.len() > 63 => "a label is longer than 63 bytes".to_owned(),
        _ => match label
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_')
        {
            Some(c) => format!("{} is not allowed in one", character(c)),
            None => format!("the label {} begins or ends with `-`", quoted(label)),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn host(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_are_lower_case_and_without_final_dot() {
        assert_eq!(
            host("API.Example.com."),
            HostPattern::Exact("api.example.com".into())
        );
        assert_eq!(
            host("*.Example.com"),
            HostPattern::Wildcard("example.com".into())
        );
        assert_eq!(host("[0:0::1]"), HostPattern::Exact("[::1]".into()));
        assert_eq!(host("127.0.0.1"), HostPattern::Exact("127.0.0.1".into()));
    }

    #[test]
    fn what_is_no_host_is_refused_with_help() {
        let help = |text: &str| {
            text.parse::<HostPattern>()
                .unwrap_err()
                .help
                .unwrap_or_default()
        };
        assert!(help("example.com:443").contains("\"example.com\""));
        assert!(help("https://example.com/").contains("\"example.com\""));
        assert!(help("bücher.example").contains("xn--"));
        assert!(help("*").contains("leave `hosts` out"));
        assert!(help("api.*.com").contains("*.example.com"));
        assert!(help("example.com/api").contains("`path`"));
        for bad in [
            "",
            ".",
            "a..b",
            "-a.com",
            "a b",
            "1.2.3",
            "256.1.1.1",
            "a\0b",
        ] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_what_is_below_it_and_not_itself() {
        assert!(host("*.example.com").covers(&host("a.example.com")));
        assert!(host("*.example.com").covers(&host("*.a.example.com")));
        assert!(!host("*.example.com").covers(&host("example.com")));
        assert!(!host("*.example.com").covers(&host("badexample.com")));
        assert!(!host("a.example.com").covers(&host("*.example.com")));
    }
}
