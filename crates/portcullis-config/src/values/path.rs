//! Paths as routes name them, in the one form the data plane compares.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, PathTemplate, Regex, character, quoted};

/// The paths a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathPattern {
    /// This path alone.
    Exact(Box<str>),
    /// This path and everything below it by whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v10`.
    /// Written without a final slash, except `/`, which takes everything.
    Prefix(Box<str>),
    /// Paths made of these segments: `/users/{id}`.
    Template(PathTemplate),
    /// Paths that match this expression as a whole.
    Regex(Regex),
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

    /// A template.
    ///
    /// # Errors
    /// When it is not one.
    pub fn template(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self::Template)
    }

    /// A regular expression.
    ///
    /// # Errors
    /// When it is not one, or one that no path can match.
    pub fn regex(text: &str) -> Result<Self, Invalid> {
        let regex: Regex = text.parse()?;
        if regex.never_begins_with(b'/') {
            return Err(Invalid::new(format!("`{text}` matches no path: paths begin with `/`"))
                .help(format!("an expression is for the whole path; write '.*{text}' if it may stand anywhere in it")));
        }
        expression_start(&regex)?;
        Ok(Self::Regex(regex))
    }

    /// The path as compared, or the template or expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path,
            Self::Template(template) => template.as_str(),
            Self::Regex(regex) => regex.as_str(),
        }
    }

    /// The bytes that every path it takes begins with; whole segments, without a closing slash.
    #[must_use]
    pub fn fixed_prefix(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => {
                without_final_slash(path).trim_end_matches('/')
            }
            Self::Template(template) => {
                let text = template.as_str();
                let brace = text.find('{').unwrap_or(text.len());
                text.get(..brace).unwrap_or_default().trim_end_matches('/')
            }
            Self::Regex(_) => "",
        }
    }

    /// Whether it takes this normalised path; `None` for an expression, which is not compiled here.
    #[must_use]
    pub fn takes(&self, path: &str) -> Option<bool> {
        match self {
            Self::Exact(own) => Some(**own == *path),
            Self::Prefix(prefix) => Some(is_under(path, prefix)),
            Self::Template(template) => Some(template.takes(path)),
            Self::Regex(_) => None,
        }
    }

    /// Whether a capture of this name, or (for an expression) of this number, has a value in every path it takes.
    #[must_use]
    pub fn has_capture(&self, name: &str) -> bool {
        match self {
            Self::Exact(_) | Self::Prefix(_) => false,
            Self::Template(template) => template.names().any(|own| own == name),
            Self::Regex(regex) => match name.parse::<usize>() {
                Ok(number) => (1..=regex.groups().len()).contains(&number),
                Err(_) => regex.groups().iter().flatten().any(|own| **own == *name),
            },
        }
    }

    /// The names of its captures as `{path.NAME}` takes them.
    #[must_use]
    pub fn captures(&self) -> Vec<String> {
        match self {
            Self::Exact(_) | Self::Prefix(_) => Vec::new(),
            Self::Template(template) => template.names().map(str::to_owned).collect(),
            Self::Regex(regex) => regex
                .groups()
                .iter()
                .zip(1..)
                .map(|(name, number)| {
                    name.as_deref()
                        .map_or_else(|| number.to_string(), str::to_owned)
                })
                .collect(),
        }
    }

    /// Whether every path that `other` takes is one of this pattern too; `false` where that cannot be told.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Prefix(a), Self::Exact(b) | Self::Prefix(b)) => is_under(b, a),
            (Self::Prefix(a), Self::Template(_)) => is_under(other.fixed_prefix(), a),
            (Self::Prefix(a), Self::Regex(_)) => **a == *"/",
            (Self::Template(a), Self::Exact(b)) => a.takes(b),
            (Self::Template(a), Self::Template(b)) => a.shape() == b.shape(),
            (Self::Regex(a), Self::Regex(b)) => a == b,
            (Self::Exact(_) | Self::Template(_) | Self::Regex(_), _) => false,
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
pub(super) fn normal(text: &str) -> Result<(), Invalid> {
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

/// Checks that the plain text an expression begins with can stand in a normalised path.
fn expression_start(regex: &Regex) -> Result<(), Invalid> {
    let start = regex.fixed_start();
    let bytes = start.as_bytes();
    for (at, c) in start.char_indices() {
        if c == '%' && at + 3 <= bytes.len() {
            escape(&start, bytes, at).map_err(|error| Invalid { at: None, ..error })?;
        }
        if matches!(c, '?' | '#') {
            return Err(Invalid::new(format!(
                "`{regex}` matches no path: it needs {}",
                character(c)
            ))
            .help("routes match the path only; a query is never part of it"));
        }
        if c.is_control() || c == ' ' || c == '\\' || !c.is_ascii() {
            let encoded: String = c.to_string().bytes().map(|b| format!("%{b:02X}")).collect();
            return Err(Invalid::new(format!(
                "`{regex}` matches no path: {} cannot be in one as it is",
                character(c)
            ))
            .help(format!(
                "requests carry it percent-encoded; write `{encoded}`"
            )));
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
    fn captures_are_known_by_name_and_by_number() {
        let regex = PathPattern::regex(r"^/(?<tenant>\w+)/(\d+)$").unwrap();
        assert_eq!(regex.captures(), ["tenant", "2"]);
        for (name, there) in [
            ("tenant", true),
            ("1", true),
            ("2", true),
            ("3", false),
            ("0", false),
            ("x", false),
        ] {
            assert_eq!(regex.has_capture(name), there, "{name}");
        }
        let template = PathPattern::template("/users/{id}").unwrap();
        assert!(template.has_capture("id") && !template.has_capture("1"));
        assert_eq!(template.fixed_prefix(), "/users");
    }

    #[test]
    fn an_expression_for_no_path_is_refused() {
        let help = PathPattern::regex(r"\.php$").unwrap_err().help.unwrap();
        assert!(help.contains(r"'.*\.php$'"), "{help}");
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
