//! TOML text to a plain spanned tree, with every syntax error in it.
//!
//! The tree is ours rather than the parser's so that files can be merged, defaults can be nodes too, and written
//! order is kept. It is never deeper than [`MAX_DEPTH`], so nothing after this module needs to fear recursion.

use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// Tables and arrays inside each other beyond this are refused; the layout needs 7.
pub(crate) const MAX_DEPTH: usize = 64;

/// The most syntax errors reported for one file: after a few, the rest are echoes of the first.
const MAX_SYNTAX_ERRORS: usize = 20;

/// A value and where it was written (`None` for the text of a default).
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Option<Span>,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text(String),
    /// `None` when the number does not fit.
    Integer(Option<i64>),
    Float,
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

impl Kind {
    /// The type in words, with an article.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys and values in written order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// One key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Option<Span>,
    pub(crate) node: Node,
}

/// Parses one file. The tree holds whatever could be understood, even when there are errors.
pub(crate) fn parse(text: &str, file: FileId) -> (Table, Vec<Diagnostic>) {
    if let Some(at) = too_deep(text) {
        let diagnostic = Diagnostic::error(
            "too-deep",
            format!("values nested deeper than {MAX_DEPTH} levels"),
        )
        .at(Span::new(file, at..at + 1), "one level too many opens here");
        return (Table::default(), vec![diagnostic]);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut converter = Converter {
        file,
        diagnostics: Vec::new(),
    };
    let tree = converter.table(table.into_inner(), 0);
    let mut diagnostics = syntax::describe(text, file, &errors, &tree);
    diagnostics.truncate(MAX_SYNTAX_ERRORS);
    diagnostics.extend(converter.diagnostics);
    (tree, diagnostics)
}

/// Where brackets outside strings and comments nest beyond [`MAX_DEPTH`].
///
/// The parser bounds its own recursion too, but differently for dotted keys and inline tables; a bound of our own in front of it
/// keeps a hundred thousand `[` from costing anything but one pass.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at = bytes[at..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(bytes.len(), |n| at + n);
            }
            b'"' | b'\'' => at = after_string(bytes, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last byte of the string that opens at `at`; an unclosed one-line string ends with its line.
fn after_string(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let quote = rest.first().copied().unwrap_or(b'"');
    let triple = rest.starts_with(&[quote; 3]);
    let mut index = if triple { 3 } else { 1 };
    while let Some(&byte) = rest.get(index) {
        match byte {
            b'\\' if quote == b'"' => index += 1,
            b'\n' if !triple => return at + index,
            _ if byte == quote && !triple => return at + index,
            _ if byte == quote
                && rest
                    .get(index..)
                    .unwrap_or_default()
                    .starts_with(&[quote; 3]) =>
            {
                return at + index + 2;
            }
            _ => {}
        }
        index += 1;
    }
    bytes.len()
}

/// From the parser's tree to ours.
struct Converter {
    file: FileId,
    diagnostics: Vec<Diagnostic>,
}

impl Converter {
    /// Takes the parser's tree apart, so that of a large file there are never two whole ones.
    fn table(&mut self, table: DeTable<'_>, depth: usize) -> Table {
        // The parser puts an empty value where it could not read one; the error is reported, the value never written.
        let is_real = |value: &DeValue<'_>, span: std::ops::Range<usize>| {
            !span.is_empty() || matches!(value, DeValue::Table(_) | DeValue::Array(_))
        };
        let mut entries: Vec<Entry> = table
            .into_iter()
            .filter(|(_, value)| is_real(value.get_ref(), value.span()))
            .map(|(key, value)| {
                let span = value.span();
                Entry {
                    key_span: Some(Span::new(self.file, key.span())),
                    key: key.into_inner().into_owned(),
                    node: self.node(value.into_inner(), span, depth + 1),
                }
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span);
        Table { entries }
    }

    fn node(&mut self, value: DeValue<'_>, span: std::ops::Range<usize>, depth: usize) -> Node {
        let span = Span::new(self.file, span);
        let kind = match value {
            DeValue::String(text) => Kind::Text(text.into_owned()),
            DeValue::Integer(number) => {
                Kind::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(_) => Kind::Float,
            DeValue::Boolean(value) => Kind::Boolean(value),
            DeValue::Datetime(_) => Kind::Datetime,
            DeValue::Array(_) | DeValue::Table(_) if depth > MAX_DEPTH => {
                let message = format!("values nested deeper than {MAX_DEPTH} levels");
                self.diagnostics
                    .push(Diagnostic::error("too-deep", message).at(span, "one level too many"));
                Kind::Boolean(false)
            }
            DeValue::Array(items) => Kind::Array(
                items
                    .into_iter()
                    .map(|item| {
                        let span = item.span();
                        self.node(item.into_inner(), span, depth + 1)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Kind::Table(self.table(table, depth)),
        };
        Node {
            span: Some(span),
            kind,
        }
    }
}

mod syntax;

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        parse(text, FileId(0)).1.iter().map(|d| d.code).collect()
    }

    #[test]
    fn any_number_of_brackets_is_one_error() {
        for count in [65, 1_000, 100_000] {
            assert_eq!(codes(&format!("a = {}", "[".repeat(count))), ["too-deep"]);
            assert_eq!(codes(&format!("a = {}", "{b=".repeat(count))), ["too-deep"]);
        }
    }

    #[test]
    fn deep_dotted_keys_and_headers_are_refused() {
        let path = vec!["a"; 70].join(".");
        assert!(codes(&format!("{path} = 1")).contains(&"too-deep"));
        assert!(codes(&format!("[{path}]")).contains(&"too-deep"));
        let path = vec!["a"; 100_000].join(".");
        assert!(!codes(&format!("[{path}]")).is_empty());
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "[".repeat(200);
        assert!(
            codes(&format!(
                "# {many}\na = \"{many}\"\nb = '''{many}'''\nc = '\\'\n"
            ))
            .is_empty()
        );
    }

    #[test]
    fn entries_keep_written_order() {
        let (table, _) = parse("z = 1\na = 2\n[m]\n", FileId(0));
        let keys: Vec<_> = table
            .entries
            .iter()
            .map(|entry| entry.key.as_str())
            .collect();
        assert_eq!(keys, ["z", "a", "m"]);
    }

    #[test]
    fn all_syntax_errors_are_found() {
        assert_eq!(codes("a = \nb = 1\nc = ]\n").len(), 2);
    }
}
