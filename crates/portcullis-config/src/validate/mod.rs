//! What can only be checked with more than one value in hand.
//!
//! Runs even when values were wrong, on what could be read, and stays silent about consequences of what was reported already.

mod condition;
mod conjunction;
mod contradiction;
mod listener;
mod location;
mod names;
mod observe;
mod rewrite;
mod route;
mod service;
mod service_tls;
mod shadow;
mod template;
mod traffic;
mod unreachable;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Findings};
use crate::schema::{Route, Val};
use crate::source::{SourceMap, Span};

/// The names that are written, even of what could not be read.
pub(crate) struct Declared {
    pub(crate) listeners: HashSet<String>,
    pub(crate) services: HashSet<String>,
    pub(crate) conditions: HashSet<String>,
}

/// One run over a configuration.
struct Check<'a> {
    config: &'a Config,
    declared: &'a Declared,
    sources: &'a SourceMap,
    /// Where something was wrong before, in order.
    before: Vec<Span>,
    /// The route whose texts are looked at: its path's captures are variables there.
    route: Option<&'a Val<Route>>,
    found: Findings,
}

/// Finds everything that does not fit together.
pub(crate) fn validate(
    config: &Config,
    declared: &Declared,
    sources: &SourceMap,
    before: &[Diagnostic],
) -> Vec<Diagnostic> {
    let mut before: Vec<Span> = before.iter().filter_map(|found| found.span).collect();
    before.sort_unstable();
    let found = Findings::default();
    let mut check = Check {
        config,
        declared,
        sources,
        before,
        route: None,
        found,
    };
    names::check(&mut check);
    listener::check(&mut check);
    route::check(&mut check);
    condition::check(&mut check);
    contradiction::check(&mut check);
    service::check(&mut check);
    observe::check(&mut check);
    shadow::check(&mut check);
    unreachable::check(&mut check);
    check.found.into_vec()
}

impl Check<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Whether nothing inside this place has been reported before.
    fn is_clean(&self, span: Option<Span>) -> bool {
        let Some(span) = span else { return true };
        let next = self
            .before
            .partition_point(|found| (found.file, found.start) < (span.file, span.start));
        let end = span.end.max(span.start + 1);
        self.before
            .get(next)
            .is_none_or(|found| found.file != span.file || found.start >= end)
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

    /// Reports a table that says nothing, unless what it says could not be read.
    fn nothing(&mut self, span: Option<Span>, key: &str, says: &str) {
        if self.is_whole(span) {
            self.report(
                Diagnostic::error("empty-list", format!("`{key}` {says} nothing"))
                    .at(span, "nothing in it")
                    .help(format!("leave it out, or say what it {says}")),
            );
        }
    }

    /// Whether nothing was reported inside a table and the tables that follow it and belong to the same route.
    fn is_whole(&self, span: Option<Span>) -> bool {
        let Some(start) = span else {
            return false;
        };
        let file = self.sources.file(start.file);
        let text = file.map_or("", |file| file.text.as_str());
        let rest = text.get(start.end as usize..).unwrap_or_default();
        let next = rest.match_indices("\n[").find(|(at, _)| {
            !rest
                .get(at + 2..)
                .is_some_and(|header| header.starts_with("route."))
        });
        let length = next.map_or(rest.len(), |(at, _)| at);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let end = start.end.saturating_add(length);
        self.is_clean(Some(Span { end, ..start }))
    }

    /// Gives every value that occurred before to `report`, with the place of its first occurrence.
    fn repeated<'v, T: Hash + Eq + 'v>(
        &mut self,
        values: impl IntoIterator<Item = &'v Val<T>>,
        report: impl Fn(&'v Val<T>, &'v Val<T>) -> Diagnostic,
    ) {
        let mut seen: HashMap<&T, &Val<T>> = HashMap::new();
        for value in values {
            match seen.get(&value.value) {
                Some(first) => self.report(report(value, first)),
                None => {
                    seen.insert(&value.value, value);
                }
            }
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
