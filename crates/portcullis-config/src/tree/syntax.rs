//! The parser's errors in our words: lower case, one per place, with help for the slips people make.

use toml::de::Error;

use super::{Kind, Table};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// Turns the parser's errors into diagnostics, dropping repeats for the same place.
pub(super) fn describe(
    text: &str,
    file: FileId,
    errors: &[Error],
    tree: &Table,
) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for error in errors.iter().take(1_000) {
        let range = error.span().unwrap_or(text.len()..text.len());
        let span = Span::new(file, visible(text, range));
        let same_line = |other: &Diagnostic| {
            other
                .span
                .is_some_and(|s| on_one_line(text, s.start, span.start))
        };
        if found.iter().any(same_line) {
            continue;
        }
        found.push(one(error.message(), span, text, tree));
    }
    found
}

fn one(message: &str, span: Span, text: &str, tree: &Table) -> Diagnostic {
    let written = text
        .get(span.start as usize..span.end as usize)
        .unwrap_or_default();
    if message == "duplicate key" {
        return duplicate(written, span, tree);
    }
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let label = expected
        .filter(|e| *e != "nothing")
        .map(|e| format!("expected {e}"))
        .unwrap_or_default();
    let diagnostic = Diagnostic::error("syntax", lower(what)).at(span, label);
    match hint(what, written, text, span.start as usize) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn duplicate(written: &str, span: Span, tree: &Table) -> Diagnostic {
    let key = written.trim_matches(['"', '\'']);
    let mut first = None;
    last_before(tree, key, span.start, &mut first);
    Diagnostic::error("duplicate-key", format!("`{key}` is written twice"))
        .at(span, "second time here")
        .note(first, "first time here")
        .help("remove one of the two; TOML does not merge repeated keys or tables")
}

/// The nearest key of this name written before `limit`, which is the one the parser kept.
fn last_before(table: &Table, key: &str, limit: u32, best: &mut Option<Span>) {
    for entry in &table.entries {
        if let Some(span) = entry
            .key_span
            .filter(|span| entry.key == key && span.start < limit)
            && best.is_none_or(|b| b.start < span.start)
        {
            *best = Some(span);
        }
        match &entry.node.kind {
            Kind::Table(inner) => last_before(inner, key, limit, best),
            Kind::Array(items) => {
                for item in items {
                    if let Kind::Table(inner) = &item.kind {
                        last_before(inner, key, limit, best);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Help for what people who come from other formats write.
fn hint(what: &str, written: &str, text: &str, at: usize) -> Option<String> {
    let line_start = text.get(..at)?.rfind('\n').map_or(0, |n| n + 1);
    let line = text
        .get(line_start..)?
        .lines()
        .next()
        .unwrap_or_default()
        .trim();
    if line.ends_with(';') {
        return Some("TOML has no `;` at the end of a line".to_owned());
    }
    if line.ends_with('{') && !line.contains('=') {
        return Some(
            "TOML has no blocks in braces; write `[section]` on a line of its own".to_owned(),
        );
    }
    if line.starts_with("//") {
        return Some("comments begin with `#`".to_owned());
    }
    if !line.contains('=') && line.split_once(':').is_some_and(|(key, _)| !key.is_empty()) {
        return Some("keys and values are joined by `=`: write `key = value`".to_owned());
    }
    let unquoted = what.contains("string values must be quoted")
        || what.contains("invalid")
        || what.contains("missing");
    let bare = |w: &str| {
        !w.is_empty()
            && w.chars()
                .all(|c| c.is_ascii_alphanumeric() || "./:-_".contains(c))
    };
    (unquoted && bare(written) && line.contains('='))
        .then(|| format!("text is written in quotes: \"{written}\""))
}

fn lower(message: &str) -> String {
    let mut chars = message.chars();
    chars
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(chars)
        .collect()
}

fn on_one_line(text: &str, a: u32, b: u32) -> bool {
    let (a, b) = (a.min(b) as usize, a.max(b) as usize);
    text.get(a..b)
        .is_some_and(|between| !between.contains('\n'))
}

/// An error at the end of a line points at the last character of it, so that there is something to show.
fn visible(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let end = range.end.max(range.start).min(text.len());
    range.start.min(text.len())..end
}
