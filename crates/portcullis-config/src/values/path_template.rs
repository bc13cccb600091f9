//! Paths with names for some of their segments: `/users/{id}/posts/{rest...}`.

use std::fmt;
use std::str::FromStr;

use super::path::normal;
use super::regex::is_capture_name;
use super::{Invalid, quoted};

/// The most segments of a template.
const MAX_SEGMENTS: usize = 64;

/// A path in which `{name}` stands for one whole segment that is not empty, and a last `{name...}` for everything that is
/// left after its slash, be it nothing: `/files/{path...}` takes `/files/`, `/files/a` and `/files/a/b`, not `/files`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathTemplate {
    text: Box<str>,
    segments: Box<[Segment]>,
}

/// One segment of a [`PathTemplate`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// This text; empty only at the end, where it stands for a closing slash.
    Literal(Box<str>),
    /// Any one segment but an empty one, under this name.
    One(Box<str>),
    /// All that is left, under this name; only at the end.
    Rest(Box<str>),
}

impl PathTemplate {
    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands between the slashes, in order; at least one.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it takes this normalised path.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        let Some(mut rest) = path.strip_prefix('/') else {
            return false;
        };
        let mut segments = self.segments.iter().peekable();
        while let Some(segment) = segments.next() {
            let (part, after) = match rest.split_once('/') {
                Some((part, after)) => (part, Some(after)),
                None => (rest, None),
            };
            match segment {
                Segment::Rest(_) => return true,
                Segment::Literal(text) if **text != *part => return false,
                Segment::One(_) if part.is_empty() => return false,
                _ => {}
            }
            match (after, segments.peek()) {
                (Some(after), Some(_)) => rest = after,
                (None, None) => return true,
                _ => return false,
            }
        }
        false
    }

    /// The text without the names: equal for templates that take the same paths.
    #[must_use]
    pub(crate) fn shape(&self) -> String {
        let segment = |segment: &Segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::One(_) => "/{}".to_owned(),
            Segment::Rest(_) => "/{...}".to_owned(),
        };
        self.segments.iter().map(segment).collect()
    }

    /// The names of its captures in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }
}

impl Segment {
    /// The name of what it captures.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::One(name) | Self::Rest(name) => Some(name),
        }
    }
}

impl FromStr for PathTemplate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(
                Invalid::new(format!("{} does not begin with `/`", quoted(text)))
                    .help(format!("write \"/{text}\"")),
            );
        };
        let mut segments = Vec::new();
        let mut at = 1;
        for part in rest.split('/') {
            segments.push(segment(part, at, at + part.len() == text.len())?);
            at += part.len() + 1;
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(Invalid::new(format!(
                "a template of {} segments is too long",
                segments.len()
            ))
            .help(format!("at most {MAX_SEGMENTS}")));
        }
        check(text, &segments)?;
        Ok(Self {
            text: text.into(),
            segments: segments.into(),
        })
    }
}

fn segment(part: &str, at: usize, last: bool) -> Result<Segment, Invalid> {
    let whole = at..at + part.len();
    let Some(inner) = part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'))
    else {
        return match part.find(['{', '}']) {
            Some(_) => Err(Invalid::new(format!(
                "{} is neither a name in braces nor plain text",
                quoted(part)
            ))
            .help("a name stands for a whole segment: \"/v/{version}\"; use { regex = '...' } for parts of one")
            .at(whole)),
            None => Ok(Segment::Literal(part.into())),
        };
    };
    let (name, is_rest) = match inner.strip_suffix("...") {
        Some(name) => (name, true),
        None => (inner, false),
    };
    if !is_capture_name(name) {
        return Err(
            Invalid::new(format!("{} is not a name for a segment", quoted(name)))
                .help("a name is made of letters, digits and `_`, and does not begin with a digit")
                .at(whole),
        );
    }
    match (is_rest, last) {
        (true, false) => Err(Invalid::new(format!(
            "{} takes everything that is left, so nothing can follow it",
            quoted(part)
        ))
        .at(whole)),
        (true, true) => Ok(Segment::Rest(name.into())),
        (false, _) => Ok(Segment::One(name.into())),
    }
}

/// Checks what all segments together must be: in normal form, with a name, and no name twice.
fn check(text: &str, segments: &[Segment]) -> Result<(), Invalid> {
    // A name stands for something, so for the check of the form it gives way to a letter of the same length.
    let plain: String = segments
        .iter()
        .zip(text.get(1..).unwrap_or_default().split('/'))
        .map(|(segment, part)| match segment {
            Segment::Literal(text) => format!("/{text}"),
            _ => format!("/{}", "x".repeat(part.len())),
        })
        .collect();
    normal(&plain).map_err(|error| Invalid {
        message: error.message.replace(&quoted(&plain), &quoted(text)),
        ..error
    })?;
    let names: Vec<&str> = segments.iter().filter_map(Segment::name).collect();
    if names.is_empty() {
        return Err(
            Invalid::new(format!("{} has no name in braces", quoted(text)))
                .help(format!("write {{ exact = \"{text}\" }}")),
        );
    }
    let twice = names
        .iter()
        .enumerate()
        .find(|(index, name)| names.iter().take(*index).any(|other| other == *name));
    match twice {
        Some((_, name)) => Err(Invalid::new(format!("the name `{name}` is written twice"))
            .help("give each segment a name of its own")),
        None => Ok(()),
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn segments_are_text_names_and_a_rest() {
        let template: PathTemplate = "/users/{id}/posts/{rest...}".parse().unwrap();
        assert_eq!(
            template.segments(),
            [
                Segment::Literal("users".into()),
                Segment::One("id".into()),
                Segment::Literal("posts".into()),
                Segment::Rest("rest".into()),
            ]
        );
        assert_eq!(template.names().collect::<Vec<_>>(), ["id", "rest"]);
        let closing: PathTemplate = "/users/{id}/".parse().unwrap();
        assert_eq!(
            closing.segments().last(),
            Some(&Segment::Literal("".into()))
        );
    }

    #[test]
    fn a_name_is_one_segment_and_a_rest_what_is_left_after_its_slash() {
        let takes =
            |template: &str, path: &str| template.parse::<PathTemplate>().unwrap().takes(path);
        assert!(takes("/users/{id}", "/users/7"));
        for path in ["/users", "/users/", "/users/7/", "/users/7/x", "/user/7"] {
            assert!(!takes("/users/{id}", path), "{path}");
        }
        for path in ["/files/", "/files/a", "/files/a/b/"] {
            assert!(takes("/files/{path...}", path), "{path}");
        }
        assert!(!takes("/files/{path...}", "/files"));
        assert!(takes("/users/{id}/", "/users/7/") && !takes("/users/{id}/", "/users/7"));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for bad in [
            "",
            "users/{id}",
            "/users",
            "/users/{}",
            "/users/{1d}",
            "/u{id}",
            "/{id}x",
            "/{a}/{a}",
            "/{rest...}/x",
            "/{a}//b",
            "/{a}/../b",
            "/{a}/ä",
            "/{a}/%41",
            "/{a}?x",
            "/{a b}",
            "/{a",
        ] {
            assert!(bad.parse::<PathTemplate>().is_err(), "{bad}");
        }
        let error = "/users/{id}/caf%c3%a9".parse::<PathTemplate>().unwrap_err();
        assert!(error.message.contains("/users/{id}/"), "{}", error.message);
        assert!(
            "/a/b"
                .parse::<PathTemplate>()
                .unwrap_err()
                .help
                .unwrap()
                .contains("exact")
        );
    }
}
