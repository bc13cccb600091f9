//! What can only be checked with more than one value in hand.
//!
//! Runs even when values were wrong, on what could be read, and stays silent about consequences of what was reported already.

mod listener;
mod names;
mod observe;
mod route;
mod service;
mod shadow;
mod template;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::schema::Val;
use crate::source::{SourceMap, Span};

/// The names that are written, even of what could not be read.
pub(crate) struct Declared {
    pub(crate) listeners: Vec<String>,
    pub(crate) services: Vec<String>,
}

/// One run over a configuration.
struct Check<'a> {
    config: &'a Config,
    declared: &'a Declared,
    sources: &'a SourceMap,
    /// What was wrong before.
    before: &'a [Diagnostic],
    found: Vec<Diagnostic>,
}

/// Finds everything that does not fit together.
pub(crate) fn validate(
    config: &Config,
    declared: &Declared,
    sources: &SourceMap,
    before: &[Diagnostic],
) -> Vec<Diagnostic> {
    let mut check = Check {
        config,
        declared,
        sources,
        before,
        found: Vec::new(),
    };
    names::check(&mut check);
    listener::check(&mut check);
    route::check(&mut check);
    service::check(&mut check);
    observe::check(&mut check);
    shadow::check(&mut check);
    check.found
}

impl Check<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Whether nothing inside this place has been reported before.
    fn is_clean(&self, span: Option<Span>) -> bool {
        let inside = |found: Span, span: Span| {
            found.file == span.file
                && span.start <= found.start
                && found.start < span.end.max(span.start + 1)
        };
        span.is_none_or(|span| {
            !self
                .before
                .iter()
                .filter_map(|d| d.span)
                .any(|found| inside(found, span))
        })
    }

    /// Reports a list without anything in it where that cannot be meant.
    fn not_empty<T>(&mut self, list: &Val<Vec<T>>, key: &str, help: &str) {
        if list.value.is_empty() && list.is_written() && self.is_clean(list.span) {
            self.report(
                Diagnostic::error("empty-list", format!("`{key}` is empty"))
                    .at(list.span, "nothing in it")
                    .help(help),
            );
        }
    }

    /// The place of a few bytes of a written text.
    fn inside(
        &self,
        span: Option<Span>,
        text: &str,
        range: std::ops::Range<usize>,
    ) -> Option<Span> {
        let cx = crate::schema::Context::new(self.sources, &crate::load::NoLoader);
        span.map(|span| cx.inside(span, text, range))
    }
}
