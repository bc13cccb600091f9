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
    for error in errors.iter().take(200) {
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
        return duplicate(written, span, text, tree);
    }
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let line = line_at(text, span.start as usize);
    if let Some(value) = unquoted(what, &line) {
        let start = line.start + line.text.find(value).unwrap_or(0);
        return Diagnostic::error(
            "syntax",
            format!("{} is not quoted", crate::values::quoted(value)),
        )
        .at(
            Span::new(span.file, start..start + value.len()),
            "text is written in quotes",
        )
        .help(format!("write \"{value}\""));
    }
    let label = expected
        .filter(|e| *e != "nothing")
        .map(|e| format!("expected {e}"));
    let diagnostic = Diagnostic::error("syntax", lower(what)).at(span, label.unwrap_or_default());
    match hint(line.text) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// One line and where it starts.
struct Line<'a> {
    start: usize,
    text: &'a str,
}

fn line_at(text: &str, at: usize) -> Line<'_> {
    let start = text
        .get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |n| n + 1);
    Line {
        start,
        text: text
            .get(start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default(),
    }
}

/// The value of `key = value` when it is plain text that only lacks its quotes.
fn unquoted<'a>(what: &str, line: &Line<'a>) -> Option<&'a str> {
    let about_value = [
        "string values must be quoted",
        "invalid float",
        "invalid integer",
        "invalid datetime",
        "invalid boolean",
    ];
    if !about_value.iter().any(|about| what.contains(about)) && !what.contains("date") {
        return None;
    }
    let (_, value) = line.text.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "./:-_*@%+".contains(c);
    (!value.is_empty() && value.chars().all(plain)).then_some(value)
}

fn duplicate(written: &str, span: Span, text: &str, tree: &Table) -> Diagnostic {
    let line = line_at(text, span.start as usize);
    let header = line.text.split('#').next().unwrap_or_default().trim();
    if header.starts_with('[') {
        let message = format!("{} is written twice", crate::values::quoted(header));
        return Diagnostic::error("duplicate-key", message)
            .at(span, "second time here")
            .note(
                first_header(text, header, line.start, span),
                "first time here",
            )
            .help("put all keys of a table under one header");
    }
    let key = written.trim_matches(['"', '\'']);
    let mut first = None;
    last_before(tree, key, span.start, &mut first);
    Diagnostic::error(
        "duplicate-key",
        format!("{} is written twice", crate::values::quoted(key)),
    )
    .at(span, "second time here")
    .note(first, "first time here")
    .help("remove one of the two")
}

/// The line before `limit` with the same header.
fn first_header(text: &str, header: &str, limit: usize, span: Span) -> Option<Span> {
    let mut start = 0;
    for line in text.get(..limit)?.split_inclusive('\n') {
        if line.split('#').next().unwrap_or_default().trim() == header {
            return Some(Span::new(span.file, start..start + line.trim_end().len()));
        }
        start += line.len();
    }
    None
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
fn hint(line: &str) -> Option<String> {
    let line = line.trim();
    if line.ends_with(';') {
        return Some("TOML has no `;` at the end of a line; write `key = value`".to_owned());
    }
    if (line.ends_with('{') && !line.contains('=')) || line == "}" {
        return Some(
            "TOML has no blocks in braces; write `[section]` on a line of its own".to_owned(),
        );
    }
    if line.starts_with("//") || line.starts_with(';') {
        return Some("comments begin with `#`".to_owned());
    }
    if !line.contains('=') && !line.starts_with('[') {
        let colon = line.split_once(':').is_some_and(|(key, _)| !key.is_empty());
        let space = line.split_once(' ').is_some();
        return (colon || space)
            .then(|| "keys and values are joined by `=`: write `key = value`".to_owned());
    }
    None
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
