//! Paths as routes name them, in the one form the data plane compares.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, character, quoted};

/// The paths a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathPattern {
    /// This path alone.
    Exact(Box<str>),
    /// This path and everything below it by whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v10`.
    /// Written without a final slash, except `/`, which takes everything.
    Prefix(Box<str>),
}

impl PathPattern {
    /// An exact path.
    ///
    /// # Errors
    /// When it is not in normal form.
    pub fn exact(text: &str) -> Result<Self, Invalid> {
        normal(text)?;
        Ok(Self::Exact(text.into()))
    }

    /// A prefix of whole segments; a final slash makes no difference.
    ///
    /// # Errors
    /// When it is not in normal form.
    pub fn prefix(text: &str) -> Result<Self, Invalid> {
        if let Some(front) = text.strip_suffix("/*").or_else(|| text.strip_suffix('*')) {
            let front = if front.is_empty() { "/" } else { front };
            return Err(Invalid::new(format!(
                "{} has a `*`, which is an ordinary character in a path",
                quoted(text)
            ))
            .help(format!(
                "a path matches everything below it; write \"{front}\""
            )));
        }
        normal(text)?;
        Ok(Self::Prefix(without_final_slash(text).into()))
    }

    /// The path as compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path,
        }
    }

    /// Whether every path that `other` takes is one of this pattern too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Exact(_), Self::Prefix(_)) => false,
            (Self::Prefix(a), Self::Exact(b) | Self::Prefix(b)) => is_under(b, a),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_under(path: &str, prefix: &str) -> bool {
    prefix == "/"
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn without_final_slash(text: &str) -> &str {
    if text.len() > 1 {
        text.strip_suffix('/').unwrap_or(text)
    } else {
        text
    }
}

/// A path to put in front of another or take away: in normal form, without a final slash (`/` itself is empty).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// The prefix: empty, or beginning with a slash and not ending with one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        normal(text)?;
        Ok(Self(text.strip_suffix('/').unwrap_or(text).into()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// Checks that a path is written exactly as requests are compared: after normalisation (RFC 3986 section 6.2.2).
fn normal(text: &str) -> Result<(), Invalid> {
    if !text.starts_with('/') {
        return Err(
            Invalid::new(format!("{} does not begin with `/`", quoted(text)))
                .help(format!("write \"/{}\"", text.trim_start_matches("./"))),
        );
    }
    if let Some(at) = text.find(['?', '#']) {
        return Err(
            Invalid::new(format!("{} is more than a path", quoted(text)))
                .help("routes match the path only; a query is never part of it")
                .at(at..text.len()),
        );
    }
    if let Some(at) = text.find("//") {
        return Err(
            Invalid::new(format!("{} has an empty segment", quoted(text)))
                .help("double slashes are merged before matching, so this would never match")
                .at(at..at + 2),
        );
    }
    if text
        .split('/')
        .any(|segment| segment == "." || segment == "..")
    {
        return Err(Invalid::new(format!("{} has a dot segment", quoted(text)))
            .help("dot segments are resolved before matching, so this would never match"));
    }
    characters(text)
}

fn characters(text: &str) -> Result<(), Invalid> {
    let bytes = text.as_bytes();
    for (at, c) in text.char_indices() {
        if c == '%' {
            escape(text, bytes, at)?;
        } else if !c.is_ascii() || !is_path_byte(c as u8) {
            let encoded: String = c.to_string().bytes().map(|b| format!("%{b:02X}")).collect();
            return Err(
                Invalid::new(format!("{} cannot be in a path as it is", character(c)))
                    .help(format!(
                        "requests carry it percent-encoded; write `{encoded}`"
                    ))
                    .at(at..at + c.len_utf8()),
            );
        }
    }
    Ok(())
}

/// Checks one percent-encoding: two upper-case digits, and not of a character that needs none.
fn escape(text: &str, bytes: &[u8], at: usize) -> Result<(), Invalid> {
    let digits = bytes
        .get(at + 1..at + 3)
        .and_then(|pair| std::str::from_utf8(pair).ok());
    let Some(byte) = digits
        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|d| u8::from_str_radix(d, 16).ok())
    else {
        return Err(Invalid::new(format!(
            "{} has a `%` without two hexadecimal digits",
            quoted(text)
        ))
        .help("a percent sign itself is written `%25`")
        .at(at..at + 1));
    };
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        return Err(Invalid::new(format!(
            "{} encodes a character that needs no encoding",
            quoted(text)
        ))
        .help(format!(
            "it is decoded before matching; write `{}`",
            char::from(byte)
        ))
        .at(at..at + 3));
    }
    if digits.is_some_and(|d| d.bytes().any(|b| b.is_ascii_lowercase())) {
        return Err(Invalid::new(format!(
            "{} has a percent-encoding in lower case",
            quoted(text)
        ))
        .help(format!("it is compared in upper case; write `%{byte:02X}`"))
        .at(at..at + 3));
    }
    Ok(())
}

/// `pchar` and `/` of RFC 3986, without `%`.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_prefix_covers_whole_segments() {
        let v1 = PathPattern::prefix("/v1/").unwrap();
        assert_eq!(v1, PathPattern::Prefix("/v1".into()));
        assert!(v1.covers(&PathPattern::exact("/v1").unwrap()));
        assert!(v1.covers(&PathPattern::prefix("/v1/x").unwrap()));
        assert!(!v1.covers(&PathPattern::prefix("/v10").unwrap()));
        assert!(PathPattern::prefix("/").unwrap().covers(&v1));
        assert!(!v1.covers(&PathPattern::prefix("/").unwrap()));
    }

    #[test]
    fn paths_that_could_never_match_are_refused() {
        for bad in [
            "", "v1", "/a//b", "/a/../b", "/.", "/a?b", "/a#b", "/ä", "/a b", "/%", "/%4", "/%zz",
            "/%41", "/%2f", "/v1/*",
        ] {
            assert!(PathPattern::prefix(bad).is_err(), "{bad}");
        }
        for good in [
            "/", "/v1", "/a/", "/%C3%A4", "/a%20b", "/a;b=c", "/...", "/a.b",
        ] {
            assert!(PathPattern::prefix(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn help_says_how_to_write_it() {
        let help = |text: &str| PathPattern::prefix(text).unwrap_err().help.unwrap();
        assert!(help("v1").contains("\"/v1\""));
        assert!(help("/ä").contains("%C3%A4"));
        assert!(help("/v1/*").contains("\"/v1\""));
        assert!(help("/%2f").contains("%2F"));
        assert!(help("/%41").contains("`A`"));
    }

    #[test]
    fn a_prefix_to_put_in_front_never_ends_with_a_slash() {
        assert_eq!("/".parse::<PathPrefix>().unwrap().as_str(), "");
        assert_eq!("/v2/".parse::<PathPrefix>().unwrap().as_str(), "/v2");
    }
}
