//! A regular expression, and what is put in place of what it matches.

use std::fmt;

use portcullis_config::{Regex, Replacement, ReplacementPart};
use regex_automata::Input;
use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;

/// Places for the ends of the whole match and of every group an expression may have.
const SLOTS: usize = 2 * (portcullis_config::values::MAX_GROUPS + 1);

/// An expression for a whole value, and what the value becomes where it matches.
#[derive(Clone)]
pub struct Substitution {
    regex: meta::Regex,
    /// As written: the expression, the replacement.
    text: (Box<str>, Box<str>),
    pieces: Box<[Piece]>,
}

#[derive(Clone)]
enum Piece {
    Text(Box<str>),
    Group(usize),
}

impl Substitution {
    /// The substitution; `None` if the expression cannot be built, which its own check rules out.
    #[must_use]
    pub fn new(regex: &Regex, to: &Replacement) -> Option<Self> {
        let compiled = meta::Regex::builder()
            .configure(meta::Config::new().utf8_empty(false))
            .build_from_hir(regex.hir())
            .ok()?;
        let named = |name: &str| {
            regex
                .groups()
                .iter()
                .position(|own| own.as_deref() == Some(name))
                .map_or(0, |at| at + 1)
        };
        let pieces = to.parts().iter().map(|part| match part {
            ReplacementPart::Text(text) => Piece::Text(text.clone()),
            ReplacementPart::Number(number) => Piece::Group(*number),
            ReplacementPart::Name(name) => Piece::Group(named(name)),
        });
        Some(Self {
            regex: compiled,
            text: (regex.as_str().into(), to.as_str().into()),
            pieces: pieces.collect(),
        })
    }

    /// Appends what becomes of `value`; `false`, and nothing appended, if the expression does not match it. A group that took no part
    /// leaves nothing.
    pub fn write(&self, value: &[u8], out: &mut Vec<u8>) -> bool {
        let mut slots: [Option<NonMaxUsize>; SLOTS] = [None; SLOTS];
        if self
            .regex
            .search_slots(&Input::new(value), &mut slots)
            .is_none()
        {
            return false;
        }
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Group(group) => {
                    let end = |at: usize| slots.get(at).copied().flatten().map(|at| at.get());
                    if let (Some(start), Some(end)) = (end(2 * group), end(2 * group + 1)) {
                        out.extend_from_slice(value.get(start..end).unwrap_or_default());
                    }
                }
            }
        }
        true
    }
}

/// As operators write it.
impl fmt::Display for Substitution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.text.0, self.text.1)
    }
}

impl fmt::Debug for Substitution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Substitution({self})")
    }
}

impl PartialEq for Substitution {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Substitution {}
