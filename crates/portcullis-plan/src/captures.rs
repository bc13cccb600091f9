//! What the pattern of a route's path captured in the path of a request.
//!
//! Nothing is stored between matching and use: the path is taken apart again when a template asks for a capture.

use std::fmt;

use portcullis_config::{MAX_GROUPS, PathPattern, Segment};
use regex_automata::Input;
use regex_automata::meta::Regex;

/// The captures of one pattern.
#[derive(Clone)]
pub struct Captures {
    pattern: PathPattern,
    /// For expressions.
    regex: Option<Regex>,
}

/// The pattern says all.
impl PartialEq for Captures {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Captures {
    /// The captures of `pattern`; `None` where it has none.
    #[must_use]
    pub fn of(pattern: &PathPattern) -> Option<Box<Self>> {
        let regex = match pattern {
            PathPattern::Exact(_) | PathPattern::Prefix(_) => return None,
            PathPattern::Template(_) => None,
            PathPattern::Regex(regex) if regex.groups().is_empty() => return None,
            PathPattern::Regex(regex) => {
                let config = Regex::config().utf8_empty(false);
                Some(
                    Regex::builder()
                        .configure(config)
                        .build_from_hir(regex.hir())
                        .ok()?,
                )
            }
        };
        Some(Box::new(Self {
            pattern: pattern.clone(),
            regex,
        }))
    }

    /// What is captured under a name, or under a number from 1 on, in `path`; `None` when there is nothing of that name or
    /// that group took no part.
    #[must_use]
    pub fn value<'p>(&self, path: &'p [u8], name: &str) -> Option<&'p [u8]> {
        match (&self.pattern, &self.regex) {
            (PathPattern::Template(template), _) => segment(template.segments(), path, name),
            (PathPattern::Regex(written), Some(regex)) => {
                let named = || {
                    let mut groups = written.groups().iter();
                    groups
                        .position(|own| own.as_deref() == Some(name))
                        .map(|at| at + 1)
                };
                let group = name.parse().ok().or_else(named)?;
                group_of(regex, path, group)
            }
            _ => None,
        }
    }
}

/// The group of this number.
fn group_of<'p>(regex: &Regex, path: &'p [u8], group: usize) -> Option<&'p [u8]> {
    let mut slots = [None; 2 * (MAX_GROUPS + 1)];
    regex.search_slots(&Input::new(path), &mut slots)?;
    let (start, end) = (
        slots.get(2 * group)?.as_ref()?,
        slots.get(2 * group + 1)?.as_ref()?,
    );
    path.get(start.get()..end.get())
}

/// The part of the path at the segment of this name.
fn segment<'p>(segments: &[Segment], path: &'p [u8], name: &str) -> Option<&'p [u8]> {
    let mut rest = path.strip_prefix(b"/")?;
    for segment in segments {
        let end = rest
            .iter()
            .position(|&byte| byte == b'/')
            .unwrap_or(rest.len());
        match segment {
            Segment::Rest(own) if **own == *name => return Some(rest),
            Segment::One(own) if **own == *name => return rest.get(..end),
            _ => rest = rest.get(end + 1..).unwrap_or_default(),
        }
    }
    None
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Captures").field(&self.pattern).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn value<'p>(pattern: &PathPattern, path: &'p str, name: &str) -> Option<&'p str> {
        let found = Captures::of(pattern)?.value(path.as_bytes(), name)?;
        Some(std::str::from_utf8(found).unwrap())
    }

    #[test]
    fn templates_capture_segments_and_the_rest() {
        let template = PathPattern::template("/users/{id}/posts/{rest...}").unwrap();
        assert_eq!(value(&template, "/users/7/posts/a/b", "id"), Some("7"));
        assert_eq!(value(&template, "/users/7/posts/a/b", "rest"), Some("a/b"));
        assert_eq!(value(&template, "/users/7/posts/", "rest"), Some(""));
        assert_eq!(value(&template, "/users/7/posts/", "other"), None);
    }

    #[test]
    fn expressions_capture_groups_by_name_and_number() {
        let regex = PathPattern::regex(r"/(?<tenant>\w+)/v(\d+)(?:/(x)|/y)?").unwrap();
        assert_eq!(value(&regex, "/acme/v2/x", "tenant"), Some("acme"));
        assert_eq!(value(&regex, "/acme/v2/x", "1"), Some("acme"));
        assert_eq!(value(&regex, "/acme/v2/x", "2"), Some("2"));
        assert_eq!(value(&regex, "/acme/v2/x", "3"), Some("x"));
        assert_eq!(value(&regex, "/acme/v2/y", "3"), None, "took no part");
        assert_eq!(value(&regex, "/acme/v2/x", "9"), None);
    }
}
