//! Several files into one tree. Tables are merged by name; what is written twice is reported with both places.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Findings};
use crate::source::Span;
use crate::tree::{Entry, Kind, Node, Table};

/// Merges in order: the root's entries first.
pub(super) fn merge(trees: Vec<Table>) -> (Table, Vec<Diagnostic>) {
    let mut trees = trees.into_iter();
    let mut merged = trees.next().unwrap_or_default();
    let mut clashes = Findings::default();
    for tree in trees {
        merge_into(&mut merged, tree, &mut clashes, add);
    }
    (merged, clashes.into_vec())
}

/// Adds entries; `clash` decides about those that are there already.
fn merge_into(
    into: &mut Table,
    more: Table,
    clashes: &mut Findings,
    clash: fn(&mut Entry, Entry, &mut Findings),
) {
    let known = into.entries.iter().zip(0..);
    let mut places: HashMap<String, usize> =
        known.map(|(entry, at)| (entry.key.clone(), at)).collect();
    for entry in more.entries {
        match places
            .get(&entry.key)
            .and_then(|at| into.entries.get_mut(*at))
        {
            Some(first) => clash(first, entry, clashes),
            None => {
                places.insert(entry.key.clone(), into.entries.len());
                into.entries.push(entry);
            }
        }
    }
}

fn add(first: &mut Entry, entry: Entry, clashes: &mut Findings) {
    match (entry.key.as_str(), &mut first.node.kind, entry.node.kind) {
        ("include", _, more) => {
            let known = std::mem::replace(&mut first.node.kind, Kind::Boolean(false));
            let span = first.node.span;
            let mut items = items(known, span);
            items.extend(self::items(more, entry.node.span));
            first.node.kind = Kind::Array(items);
        }
        ("route", Kind::Array(known), Kind::Array(more)) => known.extend(more),
        ("listener" | "service" | "condition", Kind::Table(known), Kind::Table(more)) => {
            merge_into(
                known,
                more,
                clashes,
                match entry.key.as_str() {
                    "listener" => two_listeners,
                    "condition" => two_conditions,
                    _ => two_services,
                },
            );
        }
        (
            "global" | "admin" | "log" | "errors" | "defaults",
            Kind::Table(known),
            Kind::Table(more),
        ) => {
            merge_into(known, more, clashes, fill);
        }
        _ => clashes.push(key_twice(first, entry.key_span)),
    }
}

/// A list as such, or one value as a list of one.
fn items(kind: Kind, span: Option<Span>) -> Vec<Node> {
    match kind {
        Kind::Array(items) => items,
        kind => vec![Node { span, kind }],
    }
}

/// A key of a table written in another file; tables below it likewise.
fn fill(first: &mut Entry, entry: Entry, clashes: &mut Findings) {
    match (&mut first.node.kind, entry.node.kind) {
        (Kind::Table(known), Kind::Table(more)) => merge_into(known, more, clashes, fill),
        _ => clashes.push(key_twice(first, entry.key_span)),
    }
}

fn two_listeners(first: &mut Entry, second: Entry, clashes: &mut Findings) {
    clashes.push(twice("listener", first, &second));
}

fn two_services(first: &mut Entry, second: Entry, clashes: &mut Findings) {
    clashes.push(twice("service", first, &second));
}

fn two_conditions(first: &mut Entry, second: Entry, clashes: &mut Findings) {
    clashes.push(twice("condition", first, &second));
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

fn key_twice(first: &Entry, second: Option<Span>) -> Diagnostic {
    Diagnostic::error(
        "duplicate-key",
        format!("`{}` is written in two files", first.key),
    )
    .at(second, "second time here")
    .note(first.key_span, "first time here")
    .help("no file overrides another; remove one of the two")
}
