//! Numbers, booleans, paths, and what is made of other values: `"off"` or one, lists, tables by name.

use std::collections::HashMap;
use std::path::PathBuf;

use super::decode::{Context, Value};
use super::text::Text;
use super::{Line, Out, Shape, Val, text_literal};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::tree::{Kind, Node};
use crate::values::{Invalid, quoted};

impl Value for u64 {
    fn shape() -> Shape {
        Shape::Integer {
            min: 0,
            max: i64::MAX,
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match node.kind {
            Kind::Integer(Some(number)) => u64::try_from(number).ok().or_else(|| {
                cx.report(
                    Diagnostic::error("out-of-range", format!("{number} is negative"))
                        .at(node.span, "must not be negative"),
                );
                None
            }),
            Kind::Integer(None) => {
                cx.report(
                    Diagnostic::error("out-of-range", "the number is too large")
                        .at(node.span, "out of range"),
                );
                None
            }
            _ => {
                let digits = match &node.kind {
                    Kind::Text(text) if text.len() < 20 && text.parse::<u64>().is_ok() => {
                        Some(format!("{text}, without quotes"))
                    }
                    _ => None,
                };
                cx.wrong_type(node, "an integer", digits.as_deref())
            }
        }
    }

    fn write(&self) -> Out {
        Out::Inline(self.to_string())
    }
}

/// A number that may be negative.
impl Value for i32 {
    fn shape() -> Shape {
        Shape::Integer {
            min: Self::MIN.into(),
            max: Self::MAX.into(),
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Kind::Integer(number) = node.kind else {
            return cx.wrong_type(node, "an integer", None);
        };
        let small = number.and_then(|number| Self::try_from(number).ok());
        if small.is_none() {
            let message = format!("the number is not between {} and {}", Self::MIN, Self::MAX);
            cx.report(Diagnostic::error("out-of-range", message).at(node.span, "out of range"));
        }
        small
    }

    fn write(&self) -> Out {
        Out::Inline(self.to_string())
    }
}

impl Value for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Boolean(value) => Some(*value),
            Kind::Text(text) => {
                let meant = match text.as_str() {
                    "true" | "on" | "yes" => Some("true, without quotes"),
                    "false" | "off" | "no" => Some("false, without quotes"),
                    _ => None,
                };
                cx.wrong_type(node, "true or false", meant)
            }
            _ => cx.wrong_type(node, "true or false", None),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(self.to_string())
    }
}

impl Value for PathBuf {
    fn shape() -> Shape {
        Shape::Text {
            what: "a file path",
            example: "site.pem",
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text.is_empty() => {
                cx.invalid(node, text, Invalid::new("an empty string is not a path"))
            }
            Kind::Text(text) if text.contains('\0') => {
                cx.invalid(node, text, Invalid::new("a path must not hold a NUL"))
            }
            Kind::Text(text) => Some(cx.path(node.span, text)),
            _ => cx.wrong_type(node, "a file path", Some("\"site.pem\"")),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(text_literal(&self.display().to_string()))
    }
}

/// `"off"`, or a value.
impl<T: Value> Value for Option<T> {
    fn shape() -> Shape {
        Shape::AnyOf(vec![T::shape(), Shape::Words(vec![("off", "None.")])])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "off" => Some(None),
            Kind::Boolean(false) => cx.wrong_type(node, "a value or \"off\"", Some("\"off\"")),
            _ => T::decode(node, cx).map(Some),
        }
    }

    fn write(&self) -> Out {
        self.as_ref()
            .map_or_else(|| Out::Inline("\"off\"".to_owned()), T::write)
    }
}

/// A list; one value alone stands for a list of one.
impl<T: Value> Value for Vec<Val<T>> {
    fn shape() -> Shape {
        Shape::AnyOf(vec![T::shape(), Shape::List(Box::new(T::shape()))])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let item = |node: &Node, cx: &mut Context<'_>| {
            T::decode(node, cx).map(|value| match node.span {
                Some(span) => Val::written(value, Some(span)),
                None => Val::default_value(value),
            })
        };
        match &node.kind {
            // Broken items are left out, not the list: the others still want checking.
            Kind::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for node in items {
                    if cx.diagnostics.is_full() {
                        break;
                    }
                    list.extend(item(node, cx));
                }
                Some(list)
            }
            _ => item(node, cx).map(|value| vec![value]),
        }
    }

    fn write(&self) -> Out {
        let mut tables = Vec::new();
        let mut inline = Vec::new();
        for item in self {
            match item.value.write() {
                Out::Table(lines) => tables.push((item.span, lines)),
                other => inline.extend(other.inline()),
            }
        }
        if tables.is_empty() {
            Out::Inline(format!("[{}]", inline.join(", ")))
        } else {
            Out::Tables(tables)
        }
    }
}

/// A table whose keys are the operator's.
impl<K: Text, V: Value> Value for Vec<(Val<K>, Val<V>)> {
    fn shape() -> Shape {
        Shape::Map {
            key: K::WHAT,
            value: Box::new(V::shape()),
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Kind::Table(table) = &node.kind else {
            let example = format!("a table: {{ {} = ... }}", K::EXAMPLE);
            return cx.wrong_type(node, "a table", Some(&example));
        };
        let mut found: Self = Vec::new();
        // Keys that print alike are the same key, such as a header in two cases.
        let mut places: HashMap<String, Option<Span>> = HashMap::new();
        for entry in &table.entries {
            let key_node = Node {
                span: entry.key_span,
                kind: Kind::Text(entry.key.clone()),
            };
            let key = K::parse(&entry.key)
                .map_or_else(|error| cx.invalid(&key_node, &entry.key, error), Some);
            let value = V::decode(&entry.node, cx);
            let (Some(key), Some(value)) = (key, value) else {
                continue;
            };
            if let Some(first) = places.get(&key.print()) {
                let message = format!("{} is written twice", quoted(&key.print()));
                cx.report(
                    Diagnostic::error("duplicate-key", message)
                        .at(entry.key_span, "second time here")
                        .note(*first, "first time here"),
                );
                continue;
            }
            places.insert(key.print(), entry.key_span);
            found.push((
                Val::written(key, entry.key_span),
                Val::written(value, entry.node.span),
            ));
        }
        Some(found)
    }

    fn write(&self) -> Out {
        Out::Table(
            self.iter()
                .map(|(key, value)| Line::of(key.print(), value, value.value.write()))
                .collect(),
        )
    }
}
