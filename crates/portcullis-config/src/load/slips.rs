//! Mistakes in the overall shape that would otherwise be reported many times over: objects without names, routes with them.

use crate::diagnostic::Diagnostic;
use crate::tree::{Entry, Kind, Table};

/// Takes entries of the wrong shape out of the root and explains each once.
pub(super) fn take(root: &mut Table) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    root.entries.retain(|entry| match entry.key.as_str() {
        "listener" => keep(unnamed(entry, "web"), &mut found),
        "service" => keep(unnamed(entry, "app"), &mut found),
        "route" => keep(named_route(entry), &mut found),
        _ => true,
    });
    found
}

fn keep(slip: Option<Diagnostic>, found: &mut Vec<Diagnostic>) -> bool {
    let is_right = slip.is_none();
    found.extend(slip);
    is_right
}

/// `[[listener]]`, or `[listener]` with keys of a listener in it.
fn unnamed(entry: &Entry, example: &str) -> Option<Diagnostic> {
    let kind = &entry.key;
    let span = match &entry.node.kind {
        Kind::Array(items) => items.first().map_or(entry.key_span, |item| item.span),
        Kind::Table(table) if !table.entries.is_empty() && !table.entries.iter().any(is_table) => {
            entry.node.span
        }
        _ => return None,
    };
    let article = if kind == "listener" {
        "a listener"
    } else {
        "a service"
    };
    let diagnostic = Diagnostic::error("no-name", format!("{article} has a name in its header"))
        .at(span, "without a name");
    Some(diagnostic.help(format!(
        "write [{kind}.{example}], with a name of your choice for `{example}`"
    )))
}

/// `[route.api]` where `[[route]]` is meant.
fn named_route(entry: &Entry) -> Option<Diagnostic> {
    const TABLES: [&str; 6] = [
        "path",
        "headers",
        "redirect",
        "respond",
        "rewrite",
        "rate_limit",
    ];
    let Kind::Table(table) = &entry.node.kind else {
        return None;
    };
    let first = table.entries.first()?;
    let all_named = table
        .entries
        .iter()
        .all(|one| is_table(one) && !TABLES.contains(&one.key.as_str()) && one.key != "timeouts");
    all_named.then(|| {
        Diagnostic::error("no-name", "routes are a list; their names are a key")
            .at(first.node.span, "a route as a named table")
            .help(format!(
                "write [[route]], and name = \"{}\" below it",
                first.key
            ))
    })
}

fn is_table(entry: &Entry) -> bool {
    matches!(entry.node.kind, Kind::Table(_))
}
