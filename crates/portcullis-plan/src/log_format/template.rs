//! A line of the operator's own making. His text stands as it is; values are escaped as in the combined form, an
//! empty one is `-`.

use super::Record;
use super::escape::make_quotable;
use crate::headers::{Part, Template};
use crate::variables::write_variable;

pub(super) fn write(template: &Template, record: &Record<'_>, out: &mut Vec<u8>) {
    for part in template.parts() {
        match part {
            Part::Text(text) => out.extend_from_slice(text.as_bytes()),
            Part::Variable(variable) => {
                let begin = out.len();
                write_variable(variable, record.facts, Some(record.outcome), out);
                if out.len() == begin {
                    out.push(b'-');
                }
                make_quotable(begin, out);
            }
        }
    }
}
