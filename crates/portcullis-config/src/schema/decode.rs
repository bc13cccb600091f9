//! From the tree to typed values, reporting everything that is wrong on the way and going on.
//!
//! A value that cannot be read yields `None` after a diagnostic; its default or nothing takes its place, so that the
//! rest can still be checked. No caller ever sees such a configuration, because there was an error.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::{Description, Line, Out, Reader, Shape};
use crate::diagnostic::{Diagnostic, Findings};
use crate::source::{FileId, Loader, SourceMap, Span};
use crate::tree::{Entry, Kind, Node, Table};
use crate::values::Invalid;

/// A type that a key can have.
pub(crate) trait Value: Sized {
    /// For schema and reference.
    fn shape() -> Shape;

    /// Reads it; `None` after at least one diagnostic.
    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self>;

    /// Writes it so that it reads back.
    fn write(&self) -> Out;
}

/// A table with declared keys. Implemented by `section!`.
pub(crate) trait Section: Sized {
    fn description() -> Description;

    fn read(reader: &mut Reader<'_>, cx: &mut Context<'_>) -> Option<Self>;

    fn lines(&self) -> Vec<Line>;

    /// What may be written instead of the table.
    fn shorthand() -> Option<Shorthand<Self>> {
        None
    }
}

/// The shape of a shorthand, and how it is read.
pub(crate) type Shorthand<T> = (Shape, fn(&Node, &mut Context<'_>) -> Option<T>);

impl<T: Section> Value for T {
    fn shape() -> Shape {
        let table = Shape::Table(T::description());
        match T::shorthand() {
            Some((shape, _)) => Shape::AnyOf(vec![shape, table]),
            None => table,
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match (&node.kind, T::shorthand()) {
            (Kind::Table(table), _) => {
                let mut reader = Reader::new(table, node.span);
                let value = T::read(&mut reader, cx);
                reader.finish(cx);
                value
            }
            (_, Some((_, read))) => read(node, cx),
            (_, None) => {
                let first = T::description()
                    .fields
                    .first()
                    .map(|field| format!("a table: {{ {} = ... }}", field.key));
                cx.wrong_type(node, "a table", first.as_deref())
            }
        }
    }

    fn write(&self) -> Out {
        Out::Table(self.lines())
    }
}

/// What decoding needs to know and what it finds.
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a SourceMap,
    pub(crate) loader: &'a dyn Loader,
    pub(crate) diagnostics: Findings,
}

impl<'a> Context<'a> {
    pub(crate) fn new(sources: &'a SourceMap, loader: &'a dyn Loader) -> Self {
        Self {
            sources,
            loader,
            diagnostics: Findings::default(),
        }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports that a value has the wrong type.
    pub(crate) fn wrong_type<T>(
        &mut self,
        node: &Node,
        expected: &str,
        example: Option<&str>,
    ) -> Option<T> {
        let message = format!("expected {expected}, found {}", node.kind.describe());
        let diagnostic = Diagnostic::error("wrong-type", message)
            .at(node.span, format!("this is {}", node.kind.describe()));
        self.report(match example {
            Some(example) => diagnostic.help(format!("write it as {example}")),
            None => diagnostic,
        });
        None
    }

    /// Reports that a text is not what it should be, at the part that is to blame.
    pub(crate) fn invalid<T>(&mut self, node: &Node, text: &str, error: Invalid) -> Option<T> {
        let span = match (error.at, node.span) {
            (Some(range), Some(span)) => Some(self.inside(span, text, range)),
            (_, span) => span,
        };
        let diagnostic = Diagnostic::error("invalid-value", error.message).at(span, "");
        self.report(match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
        None
    }

    /// The span of some bytes of a string; of all of it when escapes make that unknowable.
    pub(crate) fn inside(&self, span: Span, text: &str, range: std::ops::Range<usize>) -> Span {
        let plain = self
            .sources
            .text(span)
            .get(1..)
            .is_some_and(|rest| rest.starts_with(text));
        let start = span.start as usize + 1;
        if plain && !range.is_empty() && text.get(range.clone()).is_some() {
            Span::new(span.file, start + range.start..start + range.end)
        } else {
            span
        }
    }

    /// The path a text means: relative ones start from the directory of the file that names them.
    pub(crate) fn path(&self, span: Option<Span>, text: &str) -> PathBuf {
        let directory = span
            .and_then(|span| self.sources.file(span.file))
            .map(|file| file.directory.as_path());
        directory.unwrap_or(Path::new("")).join(text)
    }
}

/// The error for what a later version will have.
pub(crate) fn not_yet(what: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(
        "not-yet",
        format!("{what} is not supported by this version"),
    )
    .at(span, "not supported yet")
    .help("remove it; what has no effect is refused rather than ignored")
}

/// Reads `key = default` as if the operator had written it, but without a place.
pub(crate) fn default_value<T: Value>(text: &str) -> T {
    let sources = SourceMap::default();
    let mut cx = Context::new(&sources, &crate::load::NoLoader);
    let (mut table, _) = crate::tree::parse(&format!("default = {text}"), FileId(0));
    let node = table.entries.pop().map(|entry| forget_places(entry.node));
    let value = node.and_then(|node| T::decode(&node, &mut cx));
    #[allow(
        clippy::expect_used,
        reason = "defaults are literals of this crate; a test decodes every one of them"
    )]
    value.expect("a default reads as its type")
}

fn forget_places(node: Node) -> Node {
    let kind = match node.kind {
        Kind::Array(items) => Kind::Array(items.into_iter().map(forget_places).collect()),
        Kind::Table(table) => Kind::Table(Table {
            entries: table
                .entries
                .into_iter()
                .map(|entry| Entry {
                    key: entry.key,
                    key_span: None,
                    node: forget_places(entry.node),
                })
                .collect(),
        }),
        other => other,
    };
    Node { span: None, kind }
}

/// A section that is not written at all.
pub(crate) fn absent<T: Section>(cx: &mut Context<'_>) -> Option<T> {
    let table = Table::default();
    let mut reader = Reader::new(&table, None);
    let value = T::read(&mut reader, cx);
    reader.finish(cx);
    value
}

pub(crate) fn in_range<T: TryInto<u64> + Copy>(
    value: T,
    range: &RangeInclusive<u64>,
    node: &Node,
    cx: &mut Context<'_>,
) -> Option<T> {
    let number = value.try_into().unwrap_or(u64::MAX);
    if range.contains(&number) {
        return Some(value);
    }
    let message = format!(
        "{number} is not between {} and {}",
        range.start(),
        range.end()
    );
    cx.report(Diagnostic::error("out-of-range", message).at(node.span, "out of range"));
    None
}
