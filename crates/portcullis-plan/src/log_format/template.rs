//! A line of the operator's own making. His text stands as it is; values are escaped as in the combined form, an
//! empty one is `-`.

use super::Record;
use super::escape::make_quotable;
use crate::headers::{Part, Template};
use crate::variables::write_variable;

pub(super) fn write(template: &Template, record: &Record<'_>, out: &mut Vec<u8>) {
    for part in template.parts() {
        if let Part::Text(text) = part {
            out.extend_from_slice(text.as_bytes());
            continue;
        }
        let begin = out.len();
        write_value(part, record, out);
        if out.len() == begin {
            out.push(b'-');
        }
        make_quotable(begin, out);
    }
}

fn write_value(part: &Part, record: &Record<'_>, out: &mut Vec<u8>) {
    match part {
        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
        Part::Variable(variable) => {
            write_variable(variable, record.facts, Some(record.outcome), out);
        }
        Part::Authority => out.extend_from_slice(record.facts.authority),
        Part::Query => out.extend_from_slice(record.facts.query.unwrap_or_default()),
    }
}
