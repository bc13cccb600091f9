//! Drops findings that only repeat another one in different words.
//!
//! What could not be parsed is missing afterwards; saying that too would hide the cause among its effects.

use crate::diagnostic::Diagnostic;
use crate::source::{SourceMap, Span};

/// Codes that say something is not there.
const ABSENCES: [&str; 4] = ["missing-key", "no-action", "nothing-served", "empty-list"];

/// Codes about single values, which a line that could not be parsed has by accident.
const VALUES: [&str; 4] = [
    "wrong-type",
    "invalid-value",
    "missing-unit",
    "out-of-range",
];

/// Codes that say a name leads nowhere.
const DANGLING: [&str; 3] = ["unknown-listener", "unknown-service", "unknown-condition"];

pub(super) fn drop_echoes(diagnostics: &mut Vec<Diagnostic>, sources: &SourceMap) {
    let broken: Vec<Span> = diagnostics
        .iter()
        .filter(|d| matches!(d.code, "syntax" | "duplicate-key" | "too-deep"))
        .filter_map(|d| d.span)
        .collect();
    let broken_header = broken
        .iter()
        .any(|span| line_of(sources, *span).trim_start().starts_with('['));
    let fatal = diagnostics
        .iter()
        .any(|d| d.code == "too-deep" || d.code == "not-utf8");
    let unread = diagnostics.iter().any(|d| {
        matches!(
            d.code,
            "unreadable-file" | "too-large" | "duplicate-name" | "no-name" | "not-utf8"
        )
    });
    let is_echo = |d: &Diagnostic| {
        VALUES.contains(&d.code)
            && d.span
                .is_some_and(|span| broken.iter().any(|b| same_line(sources, span, *b)))
    };
    diagnostics.retain(|d| {
        if is_echo(d) {
            return false;
        }
        if ABSENCES.contains(&d.code) {
            let whole_file = d.code == "nothing-served" && (!broken.is_empty() || unread);
            return !(fatal
                || whole_file
                || d.span
                    .is_some_and(|span| broken.iter().any(|b| same_table(sources, span, *b))));
        }
        !(DANGLING.contains(&d.code) && (fatal || broken_header || unread))
    });
    if diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.retain(|d| !matches!(d.code, "unused-service" | "unused-condition"));
    }
}

fn line_of(sources: &SourceMap, span: Span) -> &str {
    let text = sources
        .file(span.file)
        .map_or("", |file| file.text.as_str());
    let start = text
        .get(..span.start as usize)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    text.get(start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default()
}

fn same_line(sources: &SourceMap, a: Span, b: Span) -> bool {
    let text = sources.file(a.file).map_or("", |file| file.text.as_str());
    let between = text.get(a.start.min(b.start) as usize..a.start.max(b.start) as usize);
    a.file == b.file && between.is_some_and(|between| !between.contains('\n'))
}

/// Whether a broken place lies between a table's header and the next one.
fn same_table(sources: &SourceMap, header: Span, broken: Span) -> bool {
    if header.file != broken.file || broken.start < header.start {
        return false;
    }
    let text = sources
        .file(header.file)
        .map_or("", |file| file.text.as_str());
    let between = text
        .get(header.end as usize..broken.start as usize)
        .unwrap_or_default();
    !between.contains("\n[")
}
