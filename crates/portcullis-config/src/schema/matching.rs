//! What a part of a request must be for a route: hosts, paths, and the values of headers, parameters and cookies.

use super::{
    Context, Description, Field, Out, Reader, Shape, Text, Value, key_literal, text_literal,
};
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node, Table};
use crate::values::{CookieValue, FieldValue, HostMatch, HostPattern, Invalid, PathPattern, Regex};

/// What the values of one name must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueMatch<T> {
    /// There, and each with exactly this value.
    Value(T),
    /// There, and each matching this expression as a whole.
    Regex(Regex),
    /// There, whatever the value.
    Present,
    /// Not there.
    Absent,
}

/// What a header of the request must be.
pub type HeaderMatch = ValueMatch<FieldValue>;
/// What a parameter of the query must be, decoded.
pub type QueryMatch = ValueMatch<String>;
/// What a cookie of the request must be.
pub type CookieMatch = ValueMatch<CookieValue>;

impl<T: Text + Value> Value for ValueMatch<T> {
    fn shape() -> Shape {
        Shape::AnyOf(vec![T::shape(), Shape::Boolean, regex_shape()])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Boolean(true) => Some(Self::Present),
            Kind::Boolean(false) => Some(Self::Absent),
            Kind::Text(_) => T::decode(node, cx).map(Self::Value),
            Kind::Table(table) => {
                one_text(table, node, &["regex"], cx, |_, text| text.parse()).map(Self::Regex)
            }
            _ => cx.wrong_type(
                node,
                "a value, true (present), false (absent) or an expression",
                Some("\"blue\", true, false or { regex = '...' }"),
            ),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Value(value) => value.write(),
            Self::Regex(regex) => one_key("regex", regex.as_str()),
            Self::Present => Out::Inline("true".to_owned()),
            Self::Absent => Out::Inline("false".to_owned()),
        }
    }
}

impl Value for HostMatch {
    fn shape() -> Shape {
        Shape::AnyOf(vec![HostPattern::shape(), regex_shape()])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Table(table) => {
                one_text(table, node, &["regex"], cx, |_, text| Self::regex(text))
            }
            _ => HostPattern::decode(node, cx).map(Self::Name),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Name(pattern) => pattern.write(),
            Self::Regex(regex) => one_key("regex", regex.as_str()),
        }
    }
}

impl Value for PathPattern {
    fn shape() -> Shape {
        let fields = vec![
            text_field("exact", "This path alone.", "a path", "/v1"),
            text_field(
                "prefix",
                "This path and everything below it; the same as the path alone.",
                "a path",
                "/v1",
            ),
            text_field(
                "template",
                "Paths of these segments: `{name}` is any one segment, a last `{name...}` all that is left.",
                "a path with names",
                "/users/{id}",
            ),
            text_field(
                "regex",
                "Paths that match this expression as a whole.",
                "a regular expression",
                "/users/(?<id>\\d+)",
            ),
        ];
        Shape::AnyOf(vec![
            Shape::Text {
                what: "a path",
                example: "/v1",
            },
            Shape::Table(Description {
                doc: "One of `exact`, `prefix`, `template` and `regex`.",
                fields,
            }),
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => {
                Self::prefix(text).map_or_else(|error| cx.invalid(node, text, error), Some)
            }
            Kind::Table(table) => one_text(
                table,
                node,
                &["exact", "prefix", "template", "regex"],
                cx,
                |key, text| match key {
                    "exact" => Self::exact(text),
                    "template" => Self::template(text),
                    "regex" => Self::regex(text),
                    _ => Self::prefix(text),
                },
            ),
            _ => cx.wrong_type(node, "a path", Some("\"/v1\" or { exact = \"/v1\" }")),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Prefix(path) => Out::Inline(text_literal(path)),
            Self::Exact(path) => one_key("exact", path),
            Self::Template(template) => one_key("template", template.as_str()),
            Self::Regex(regex) => one_key("regex", regex.as_str()),
        }
    }
}

fn text_field(
    key: &'static str,
    doc: &'static str,
    what: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        doc,
        default: None,
        required: false,
        shape: Shape::Text { what, example },
    }
}

fn regex_shape() -> Shape {
    Shape::Table(Description {
        doc: "An expression that the whole value must match.",
        fields: vec![text_field(
            "regex",
            "The expression.",
            "a regular expression",
            "v\\d+",
        )],
    })
}

/// `{ key = 'text' }`, in quotes that need no escapes where that is possible.
fn one_key(key: &str, text: &str) -> Out {
    let plain = !text.contains('\'') && !text.contains(char::is_control);
    let literal = if text.contains('\\') && plain {
        format!("'{text}'")
    } else {
        text_literal(text)
    };
    Out::Inline(format!("{{ {} = {literal} }}", key_literal(key)))
}

/// Reads a table that has exactly one of some keys, a text.
fn one_text<T>(
    table: &Table,
    node: &Node,
    keys: &[&'static str],
    cx: &mut Context<'_>,
    make: impl Fn(&str, &str) -> Result<T, Invalid>,
) -> Option<T> {
    let mut reader = Reader::new(table, node.span);
    let mut found = Vec::new();
    for key in keys {
        found.extend(reader.entry(key).map(|entry| match &entry.node.kind {
            Kind::Text(text) => {
                make(key, text).map_or_else(|error| cx.invalid(&entry.node, text, error), Some)
            }
            _ => cx.wrong_type(&entry.node, "a string", Some("'...'")),
        }));
    }
    reader.finish(cx);
    let list = || {
        let names: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
        names.join(" or ")
    };
    if found.len() > 1 {
        let message = format!("only one of {} can be given", list());
        cx.report(Diagnostic::error("invalid-value", message).at(node.span, "several are given"));
        return None;
    }
    if table.entries.is_empty() {
        let diagnostic = Diagnostic::error("missing-key", "the table is empty");
        cx.report(diagnostic.at(node.span, format!("needs {}", list())));
    }
    found.pop().flatten()
}
