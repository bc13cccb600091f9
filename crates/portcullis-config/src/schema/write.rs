//! A configuration as lines of TOML, before they are laid out by `dump`.

use super::{Origin, Val};
use crate::source::Span;

/// One key of a table and its value.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) out: Out,
    pub(crate) origin: Origin,
    pub(crate) span: Option<Span>,
}

/// A value in TOML.
#[derive(Debug)]
pub(crate) enum Out {
    /// Text that fits behind `key = `.
    Inline(String),
    /// A table of its own.
    Table(Vec<Line>),
    /// Several tables under one key.
    Tables(Vec<(Option<Span>, Vec<Line>)>),
    /// Nothing to write.
    Nothing,
}

impl Line {
    pub(crate) fn of<T>(key: impl Into<String>, value: &Val<T>, out: Out) -> Self {
        Self {
            key: key.into(),
            out,
            origin: value.origin,
            span: value.span,
        }
    }
}

impl Out {
    /// The value on one line, however large it is.
    pub(crate) fn inline(self) -> Option<String> {
        match self {
            Self::Inline(text) => Some(text),
            Self::Table(lines) => Some(inline_table(lines)),
            Self::Tables(tables) => {
                let items: Vec<String> = tables
                    .into_iter()
                    .map(|(_, lines)| inline_table(lines))
                    .collect();
                Some(format!("[{}]", items.join(", ")))
            }
            Self::Nothing => None,
        }
    }
}

fn inline_table(lines: Vec<Line>) -> String {
    let entries = lines.into_iter().filter_map(|line| {
        Some(format!(
            "{} = {}",
            key_literal(&line.key),
            line.out.inline()?
        ))
    });
    let entries: Vec<String> = entries.collect();
    if entries.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", entries.join(", "))
    }
}

/// A TOML string literal for any text.
pub(crate) fn text_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            '\r' => literal.push_str("\\r"),
            c if c.is_control() => literal.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// A TOML key, quoted when it must be.
pub(crate) fn key_literal(key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare {
        key.to_owned()
    } else {
        text_literal(key)
    }
}
