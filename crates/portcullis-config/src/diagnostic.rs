//! What is wrong with an operator's text, as a value: level, code, message, places, help.
//!
//! A diagnostic never stops anything by itself; they are collected and shown together.

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably does not say what was meant.
    Warning,
}

/// One finding in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// A stable name in kebab-case, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong: lower case, no full stop, naming the thing and the value.
    pub message: String,
    /// Where; `None` when no text is to blame, such as a file that is not there.
    pub span: Option<Span>,
    /// A few words written under the place; may be empty.
    pub label: String,
    /// Other places that matter, such as `first defined here`.
    pub notes: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message.into())
    }

    /// A warning without a place yet.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message.into())
    }

    fn new(level: Level, code: &'static str, message: String) -> Self {
        Self {
            level,
            code,
            message,
            span: None,
            label: String::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Sets the place and the words written under it.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Span>>, label: impl Into<String>) -> Self {
        self.span = span.into();
        self.label = label.into();
        self
    }

    /// Adds a second place; ignored when there is none to show.
    #[must_use]
    pub fn note(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        if let Some(span) = span.into() {
            self.notes.push((span, text.into()));
        }
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the configuration cannot be used because of this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

/// Diagnostics up to a bound: a file of nonsense has millions of them, and nobody reads the second thousand.
///
/// Errors and warnings have a bound each, so that many warnings never hide that there is an error.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    errors: usize,
}

impl Findings {
    const MOST: usize = 1_000;

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let warnings = self.list.len() - self.errors;
        let so_far = if diagnostic.is_error() {
            self.errors
        } else {
            warnings
        };
        if so_far < Self::MOST {
            self.errors += usize::from(diagnostic.is_error());
            self.list.push(diagnostic);
        }
    }

    /// Whether more errors would be dropped.
    pub(crate) fn is_full(&self) -> bool {
        self.errors >= Self::MOST
    }

    pub(crate) fn into_vec(self) -> Vec<Diagnostic> {
        self.list
    }
}

/// The candidate nearest to what was written, if any is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Comparing costs the product of both lengths: a name of a megabyte is not a typing mistake.
    if written.len() > 100 {
        return None;
    }
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    // And a thousand candidates are enough to look at.
    candidates
        .into_iter()
        .take(1_000)
        .filter(|candidate| candidate.len() <= 100)
        .map(|candidate| (distance(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between two names; a difference in `-`, `_` or case alone counts as one, and so does a missing plural.
fn distance(written: &str, candidate: &str) -> usize {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    if plain(written) == plain(candidate) {
        return usize::from(written != candidate);
    }
    strsim::osa_distance(&plain(written), &plain(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_not_other_words() {
        assert_eq!(nearest("servce", ["service", "redirect"]), Some("service"));
        assert_eq!(
            nearest("Max-Connections", ["max_connections"]),
            Some("max_connections")
        );
        assert_eq!(nearest("path", ["bath_house", "name"]), None);
        assert_eq!(
            nearest("b", ["bind"]),
            None,
            "a single letter is near to nothing"
        );
        assert_eq!(nearest("ap", ["api", "web"]), Some("api"));
    }

    #[test]
    fn no_number_of_warnings_hides_an_error() {
        let mut findings = Findings::default();
        (0..5_000).for_each(|_| findings.push(Diagnostic::warning("a", "")));
        findings.push(Diagnostic::error("b", ""));
        let list = findings.into_vec();
        assert_eq!(list.len(), 1_001);
        assert!(list.iter().any(Diagnostic::is_error));
    }

    #[test]
    fn nearest_is_not_asked_to_compare_megabytes() {
        assert_eq!(nearest(&"x".repeat(1 << 20), ["x"]), None);
    }
}
