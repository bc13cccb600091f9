//! What is put in place of what a regular expression matches.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, Regex, quoted};
use crate::diagnostic::nearest;

/// What is put in place of a match: text in which `$1` and `${name}` stand for groups of the expression, `$$` for a dollar sign.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replacement {
    text: Box<str>,
    parts: Vec<ReplacementPart>,
}

/// A piece of a replacement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReplacementPart {
    /// Text as it is; never empty.
    Text(Box<str>),
    /// The group of this number; 0 is the whole match.
    Number(usize),
    /// The group of this name.
    Name(Box<str>),
}

impl Replacement {
    /// The pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[ReplacementPart] {
        &self.parts
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Why the replacement does not fit `regex`: the group it names that the expression does not have.
    ///
    /// # Errors
    /// When a group is not there.
    pub fn fits(&self, regex: &Regex) -> Result<(), Invalid> {
        let groups = regex.groups();
        let names = || groups.iter().flatten().map(|name| &**name);
        for part in &self.parts {
            match part {
                ReplacementPart::Number(number) if *number > groups.len() => {
                    return Err(Invalid::new(format!(
                        "`${number}` has no group: the expression has {}",
                        groups.len()
                    ))
                    .help("groups are counted by their opening parenthesis, from 1; `$0` is the whole match"));
                }
                ReplacementPart::Name(name) if !names().any(|own| own == &**name) => {
                    let error = Invalid::new(format!("the expression has no group `{name}`"));
                    return Err(match nearest(name, names()) {
                        Some(near) => error.help(format!("did you mean `{near}`?")),
                        None => error.help(format!("name a group: `(?<{name}>...)`")),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl FromStr for Replacement {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        super::http::check_field_value(text)?;
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                plain.push('$');
                rest = after;
                continue;
            }
            let at = text.len() - after.len() - 1;
            let (part, length) = group(after).ok_or_else(|| {
                Invalid::new(format!("{} has a `$` that names no group", quoted(text)))
                    .help("write `$1` or `${name}` for a group, `$$` for a dollar sign")
                    .at(at..at + 1)
            })?;
            if !plain.is_empty() {
                parts.push(ReplacementPart::Text(std::mem::take(&mut plain).into()));
            }
            parts.push(part);
            rest = after.get(length..).unwrap_or_default();
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(ReplacementPart::Text(plain.into()));
        }
        Ok(Self {
            text: text.into(),
            parts,
        })
    }
}

/// The group that stands behind a dollar sign, and how long its name is.
fn group(text: &str) -> Option<(ReplacementPart, usize)> {
    if let Some(inside) = text.strip_prefix('{') {
        let (name, _) = inside.split_once('}')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let part = match name.parse() {
            Ok(number) => ReplacementPart::Number(number),
            Err(_) => ReplacementPart::Name(name.into()),
        };
        return Some((part, name.len() + 2));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text.get(..digits)?.parse().ok()?;
    Some((ReplacementPart::Number(number), digits))
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn replacement(text: &str) -> Replacement {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_groups_alternate() {
        let parts = replacement("/new/$1-${name}${2}x$$5");
        assert_eq!(
            parts.parts(),
            [
                ReplacementPart::Text("/new/".into()),
                ReplacementPart::Number(1),
                ReplacementPart::Text("-".into()),
                ReplacementPart::Name("name".into()),
                ReplacementPart::Number(2),
                ReplacementPart::Text("x$5".into()),
            ]
        );
        for bad in ["$", "a$b", "${}", "${a", "${a-b}", "$x", "a\nb"] {
            assert!(bad.parse::<Replacement>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_group_must_be_in_the_expression() {
        let regex: Regex = "^/(?<name>[^/]+)/(.*)$".parse().unwrap();
        assert!(replacement("/${name}/$2/$0").fits(&regex).is_ok());
        assert!(replacement("$3").fits(&regex).is_err());
        let error = replacement("${nam}").fits(&regex).unwrap_err();
        assert_eq!(error.help.as_deref(), Some("did you mean `name`?"));
    }
}
