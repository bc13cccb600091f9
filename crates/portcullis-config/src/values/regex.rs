//! Regular expressions, always for a whole value: a path, a host, a header.
//!
//! They take time linear in the length of what they look at, whatever they say: there are no back-references and no look-around.
//! Bytes are compared, and `\d`, `\w` and `(?i)` know ASCII only, which is all that paths and hosts are made of.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use regex_automata::nfa::thompson;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::Invalid;

/// The longest expression that is taken, in bytes.
const MAX_TEXT: usize = 4096;
/// The most memory its automaton may take: enough for any hand-written one, and what `(a{1000}){1000}` runs into.
const MAX_AUTOMATON: usize = 512 << 10;
/// The most groups that capture.
pub const MAX_GROUPS: usize = 32;

/// A regular expression that a whole value must match. `^` and `$` around it may be written and change nothing.
#[derive(Clone)]
pub struct Regex {
    text: Box<str>,
    hir: Arc<Hir>,
    groups: Arc<[Option<Box<str>>]>,
}

impl Regex {
    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression, bound to both ends of what it is matched with.
    #[must_use]
    pub fn hir(&self) -> &Hir {
        &self.hir
    }

    /// The groups that capture, from number 1 on, with their names.
    #[must_use]
    pub fn groups(&self) -> &[Option<Box<str>>] {
        &self.groups
    }

    /// Whether nothing that begins with `start` could match, as far as that can be seen easily.
    pub(crate) fn never_begins_with(&self, start: u8) -> bool {
        let prefixes = Extractor::new().extract(&self.hir);
        prefixes.literals().is_some_and(|literals| {
            !literals.is_empty()
                && literals.iter().all(|literal| {
                    literal
                        .as_bytes()
                        .first()
                        .is_some_and(|&byte| byte != start)
                })
        })
    }

    /// The text that everything it matches begins with, as far as it is written as such; cut before what is no UTF-8.
    pub(crate) fn fixed_start(&self) -> String {
        let mut bytes = Vec::new();
        fixed_start(&self.hir, &mut bytes);
        let valid = bytes.utf8_chunks().next().map(|chunk| chunk.valid());
        valid.unwrap_or_default().to_owned()
    }

    /// A letter in upper case that a value would have to hold, outside of alternatives that could do without.
    pub(crate) fn upper_case(&self) -> Option<char> {
        upper_case(&self.hir)
    }
}

/// Appends what all matches begin with; whether that is the whole of each.
fn fixed_start(hir: &Hir, start: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            start.extend_from_slice(&literal.0);
            true
        }
        HirKind::Capture(group) => fixed_start(&group.sub, start),
        HirKind::Concat(parts) => parts.iter().all(|part| fixed_start(part, start)),
        HirKind::Repetition(_) | HirKind::Alternation(_) | HirKind::Class(_) => false,
    }
}

fn upper_case(hir: &Hir) -> Option<char> {
    match hir.kind() {
        HirKind::Literal(literal) => literal
            .0
            .iter()
            .find(|byte| byte.is_ascii_uppercase())
            .map(|byte| char::from(*byte)),
        HirKind::Repetition(repeated) => upper_case(&repeated.sub),
        HirKind::Capture(group) => upper_case(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(upper_case),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

impl FromStr for Regex {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(
                "an empty regular expression matches nothing but the empty text",
            ));
        }
        if text.len() > MAX_TEXT {
            return Err(Invalid::new(format!(
                "a regular expression of {} bytes is too long",
                text.len()
            ))
            .help(format!("at most {MAX_TEXT}")));
        }
        let inner = parse(text)?;
        let groups = groups(&inner, text)?;
        let hir = Hir::concat(vec![Hir::look(Look::Start), inner, Hir::look(Look::End)]);
        thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(MAX_AUTOMATON)))
            .build_from_hir(&hir)
            .map_err(|_| {
                Invalid::new("the regular expression is too large").help(
                    "large counts such as `{1000}` multiply; write `*` or `+`, or a smaller count",
                )
            })?;
        Ok(Self {
            text: text.into(),
            hir: Arc::new(hir),
            groups: groups.into(),
        })
    }
}

fn parse(text: &str) -> Result<Hir, Invalid> {
    let parsed = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(100)
        .build()
        .parse(text);
    parsed.map_err(|error| {
        let (what, span) = match &error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), *error.span()),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), *error.span()),
            _ => return Invalid::new("this is not a regular expression"),
        };
        let invalid = Invalid::new(format!("this is not a regular expression: {what}"));
        let invalid = if text.contains("(?=")
            || text.contains("(?!")
            || text.contains("(?<=")
            || text.contains("(?<!")
        {
            invalid.help("look-around is not supported, so that matching always takes linear time")
        } else {
            invalid
        };
        let (start, end) = (span.start.offset, span.end.offset);
        if start < end && end <= text.len() {
            invalid.at(start..end)
        } else {
            invalid
        }
    })
}

/// The capturing groups in the order of their numbers.
fn groups(hir: &Hir, text: &str) -> Result<Vec<Option<Box<str>>>, Invalid> {
    let mut found = Vec::new();
    collect(hir, &mut found);
    found.sort_by_key(|(index, _)| *index);
    if found.len() > MAX_GROUPS {
        return Err(
            Invalid::new(format!("{} groups that capture are too many", found.len())).help(
                format!("at most {MAX_GROUPS}; `(?:...)` groups without capturing"),
            ),
        );
    }
    if let Some(name) = found
        .iter()
        .filter_map(|(_, name)| name.as_deref())
        .find(|name| !is_capture_name(name))
    {
        let invalid = Invalid::new(format!("`{name}` is not a name for a group"))
            .help("a name is made of letters, digits and `_`, and does not begin with a digit");
        return Err(match text.find(name) {
            Some(at) => invalid.at(at..at + name.len()),
            None => invalid,
        });
    }
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

fn collect(hir: &Hir, found: &mut Vec<(u32, Option<Box<str>>)>) {
    match hir.kind() {
        HirKind::Capture(group) => {
            found.push((group.index, group.name.clone()));
            collect(&group.sub, found);
        }
        HirKind::Repetition(repeated) => collect(&repeated.sub, found),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect(part, found));
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

/// Whether `{path.NAME}` can name a capture so: letters, digits and `_`, not beginning with a digit.
pub(super) fn is_capture_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.text)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Regex {}

impl Hash for Regex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for Regex {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Regex {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn invalid(text: &str) -> Invalid {
        text.parse::<Regex>().unwrap_err()
    }

    #[test]
    fn groups_are_numbered_and_named() {
        let regex: Regex = r"^/(?P<tenant>\w+)/(v(\d+))/(?:x|y)$".parse().unwrap();
        assert_eq!(regex.groups(), [Some("tenant".into()), None, None]);
        assert_eq!(regex.as_str(), r"^/(?P<tenant>\w+)/(v(\d+))/(?:x|y)$");
    }

    #[test]
    fn mistakes_are_pointed_at() {
        assert_eq!(invalid("/a(b").at, Some(2..3));
        assert!(invalid("(?=x)").help.unwrap().contains("look-around"));
        assert!(invalid(r"(a)\1").message.contains("backreferences"));
        assert!(invalid("(a{1000}){1000}").message.contains("too large"));
        assert!(invalid("(?P<a.b>x)").message.contains("`a.b`"));
        assert!(invalid(&"(a)".repeat(33)).message.contains("33 groups"));
        assert!(invalid("").message.contains("empty"));
        assert!(invalid(&"a".repeat(5000)).message.contains("too long"));
    }

    #[test]
    fn what_can_never_match_is_seen_when_it_is_plain() {
        let never = |text: &str| text.parse::<Regex>().unwrap().never_begins_with(b'/');
        assert!(never(r"api/\d+"));
        assert!(never("(a|b)/"));
        for may in [
            r"/api/\d+",
            ".*",
            "^/x$",
            "(/a|b)",
            "a?/",
            r"\W",
            "(?i)/API",
        ] {
            assert!(!never(may), "{may}");
        }
        let upper = |text: &str| text.parse::<Regex>().unwrap().upper_case();
        assert_eq!(upper(r"shop-\d+\.Example\.com"), Some('E'));
        assert_eq!(upper(r"(?i)Shop\d\.example\.com"), None);
    }
}
