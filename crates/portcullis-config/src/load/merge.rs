//! Several files into one tree. Tables are merged by name; what is written twice is reported with both places.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::tree::{Entry, Kind, Node, Table};

/// Merges in order: the root's entries first.
pub(super) fn merge(trees: Vec<Table>) -> (Table, Vec<Diagnostic>) {
    let mut merged = Table::default();
    let mut clashes = Vec::new();
    for tree in trees {
        for entry in tree.entries {
            add(&mut merged, entry, &mut clashes);
        }
    }
    (merged, clashes)
}

fn add(into: &mut Table, entry: Entry, clashes: &mut Vec<Diagnostic>) {
    let Some(first) = into.entries.iter_mut().find(|known| known.key == entry.key) else {
        into.entries.push(entry);
        return;
    };
    match (entry.key.as_str(), &mut first.node.kind, entry.node.kind) {
        ("include", _, more) => {
            let known = std::mem::replace(&mut first.node.kind, Kind::Boolean(false));
            let span = first.node.span;
            let mut items = items(known, span);
            items.extend(self::items(more, entry.node.span));
            first.node.kind = Kind::Array(items);
        }
        ("route", Kind::Array(known), Kind::Array(more)) => known.extend(more),
        ("listener" | "service", Kind::Table(known), Kind::Table(more)) => {
            for object in more.entries {
                match known.entries.iter().find(|one| one.key == object.key) {
                    Some(one) => clashes.push(twice(&entry.key, one, &object)),
                    None => known.entries.push(object),
                }
            }
        }
        (
            "global" | "admin" | "log" | "errors" | "defaults",
            Kind::Table(known),
            Kind::Table(more),
        ) => {
            fill(known, more, clashes);
        }
        (_, _, kind) => {
            let second = Entry {
                node: Node {
                    span: entry.node.span,
                    kind,
                },
                ..entry
            };
            clashes.push(key_twice(first, &second));
        }
    }
}

/// A list as such, or one value as a list of one.
fn items(kind: Kind, span: Option<Span>) -> Vec<Node> {
    match kind {
        Kind::Array(items) => items,
        kind => vec![Node { span, kind }],
    }
}

/// Adds the keys of a table written in another file; tables below it likewise.
fn fill(known: &mut Table, more: Table, clashes: &mut Vec<Diagnostic>) {
    for entry in more.entries {
        match known.entries.iter_mut().find(|one| one.key == entry.key) {
            None => known.entries.push(entry),
            Some(first) => match (&mut first.node.kind, entry.node.kind) {
                (Kind::Table(known), Kind::Table(more)) => fill(known, more, clashes),
                (_, kind) => {
                    let second = Entry {
                        node: Node {
                            span: entry.node.span,
                            kind,
                        },
                        ..entry
                    };
                    clashes.push(key_twice(first, &second));
                }
            },
        }
    }
}

fn twice(kind: &str, first: &Entry, second: &Entry) -> Diagnostic {
    Diagnostic::error(
        "duplicate-name",
        format!("two {kind}s are named `{}`", first.key),
    )
    .at(second.key_span, "second one here")
    .note(first.key_span, "first one here")
    .help("rename one of them; tables of the same name in two files are not merged")
}

fn key_twice(first: &Entry, second: &Entry) -> Diagnostic {
    Diagnostic::error(
        "duplicate-key",
        format!("`{}` is written in two files", first.key),
    )
    .at(second.key_span, "second time here")
    .note(first.key_span, "first time here")
    .help("no file overrides another; remove one of the two")
}
