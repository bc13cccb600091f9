//! Texts with variables, and the edits of message heads that are made of them.

mod edits;

use std::fmt;

use portcullis_config::Variable;

use crate::Facts;
use crate::outcome::Outcome;
use crate::variables::write_variable;

pub use edits::{EditCondition, EditGroup, HeaderEdits};

/// A text with variables, ready to be filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written as it is.
    Text(Box<str>),
    /// Replaced by the value of the moment.
    Variable(Variable),
    /// Host and port as the client named them.
    Authority,
    /// The question mark and the query, where there is one.
    Query,
}

impl Part {
    /// Appends the piece, a variable as its value.
    pub fn write(&self, facts: &Facts<'_>, outcome: Option<&Outcome<'_>>, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Variable(variable) => write_variable(variable, facts, outcome, out),
            Self::Authority => out.extend_from_slice(facts.authority),
            Self::Query => {
                if let Some(query) = facts.query {
                    out.push(b'?');
                    out.extend_from_slice(query);
                }
            }
        }
    }
}

impl From<&portcullis_config::Template> for Template {
    fn from(written: &portcullis_config::Template) -> Self {
        Self::new(written.parts().iter().map(|part| match part {
            portcullis_config::Part::Text(text) => Part::Text(text.clone()),
            portcullis_config::Part::Variable(variable) => Part::Variable(variable.clone()),
        }))
    }
}

/// The text as operators write it.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Variable(variable) => write!(f, "{{{variable}}}"),
            Part::Authority => f.write_str("{host}:{port}"),
            Part::Query => f.write_str("?{query}"),
        })
    }
}

impl Template {
    /// A template of these parts.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
        }
    }

    /// A template without variables.
    #[must_use]
    pub fn constant(text: &str) -> Self {
        Self::new([Part::Text(text.into())])
    }

    /// The text, where there are no variables.
    #[must_use]
    pub fn as_constant(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The parts in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the text makes no sense without the request's host.
    #[must_use]
    pub fn needs_host(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Variable(Variable::Host) | Part::Authority))
    }

    /// Appends the text with every variable replaced; a variable without a value leaves nothing. The
    /// values may hold any byte: use [`render_field_value`](Self::render_field_value) for heads.
    pub fn render(&self, facts: &Facts<'_>, outcome: Option<&Outcome<'_>>, out: &mut Vec<u8>) {
        self.parts
            .iter()
            .for_each(|part| part.write(facts, outcome, out));
    }

    /// As [`render`](Self::render), fit for a field value: CR, LF, NUL and other controls become
    /// spaces, and white space around the value is cut, so nothing can inject a field.
    pub fn render_field_value(
        &self,
        facts: &Facts<'_>,
        outcome: Option<&Outcome<'_>>,
        out: &mut Vec<u8>,
    ) {
        let begin = out.len();
        self.render(facts, outcome, out);
        if self.as_constant().is_none() {
            clean(out, begin);
        }
    }
}

/// Makes `out[begin..]` a legal field value (RFC 9110 section 5.5).
fn clean(out: &mut Vec<u8>, begin: usize) {
    let Some(value) = out.get_mut(begin..) else {
        return;
    };
    for byte in value.iter_mut().filter(|byte| byte.is_ascii_control()) {
        *byte = b' ';
    }
    let length = value.trim_ascii_end().len();
    let leading = value.len() - value.trim_ascii_start().len();
    out.truncate(begin + length);
    if leading > 0 {
        out.drain(begin..(begin + leading).min(begin + length));
    }
}

/// Appends `name: value\r\n`, or nothing if the value comes out empty.
pub fn write_field(
    name: &str,
    value: &Template,
    facts: &Facts<'_>,
    outcome: Option<&Outcome<'_>>,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let value_begin = out.len();
    value.render_field_value(facts, outcome, out);
    if out.len() == value_begin {
        out.truncate(begin);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixture::{TestFields, facts, listener};

    fn template(text: &str) -> Template {
        Template::from(&text.parse::<portcullis_config::Template>().unwrap())
    }

    fn written(text: &str, fields: &TestFields) -> String {
        let listener = listener(Vec::new());
        let mut out = Vec::new();
        let facts = facts(&listener, "h", "/x", fields);
        write_field("x", &template(text), &facts, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn constants_are_known_as_such() {
        assert_eq!(template("a{{b").as_constant(), Some("a{b"));
        assert_eq!(template("").as_constant(), Some(""));
        assert_eq!(template("{host}").as_constant(), None);
        assert_eq!(template("a{{b{host}").to_string(), "a{{b{host}");
    }

    #[test]
    fn empty_value_is_not_written() {
        let none = TestFields::new(&[]);
        assert_eq!(written("{host}{path}", &none), "x: h/x\r\n");
        assert_eq!(written("{request_header.x-absent}", &none), "");
    }

    #[test]
    fn values_cannot_inject_a_field() {
        let fields = TestFields::new(&[("x-evil", "\r\na\r\nx-admin: 1\0\n")]);
        let text = written("{request_header.x-evil}", &fields);
        assert_eq!(text, "x: a  x-admin: 1\r\n");
    }
}
