//! Variables used where they have no value yet, and headers that must not be edited.

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{HeaderEdits, Val};
use crate::values::{FieldName, Scope, Template};

/// Fields that belong to the connection or to the framing of the message (RFC 9110 section 7.6.1): the engine sets them.
const OWNED: [&str; 9] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "http2-settings",
];

/// Reports every variable of a template that has no value at `scope`.
pub(super) fn scope(check: &mut Check<'_>, template: &Val<Template>, scope: Scope) {
    let moment = if scope == Scope::Request {
        "when the request is sent on"
    } else {
        "when the response is sent"
    };
    for (range, variable) in template.variables() {
        if variable.scope() > scope {
            let span = check.inside(template.span, template.as_str(), range);
            let allowed = match variable.scope() {
                Scope::Response => "it can be used in response headers and in the access log",
                _ => "it can be used in the access log",
            };
            check.report(
                Diagnostic::error(
                    "no-value-yet",
                    format!("`{{{variable}}}` has no value yet {moment}"),
                )
                .at(span, "not known at this time")
                .help(allowed),
            );
        }
    }
}

/// Checks the edits of the headers of one direction.
pub(super) fn edits(check: &mut Check<'_>, edits: &Val<HeaderEdits>, direction: Scope) {
    for (name, template) in edits.set.iter().chain(edits.add.iter()) {
        owned(check, name, direction);
        scope(check, template, direction);
    }
    for name in edits.remove.iter() {
        owned(check, name, direction);
        let set = edits
            .set
            .iter()
            .chain(edits.add.iter())
            .find(|(other, _)| other.value == name.value);
        if let Some((other, _)) = set {
            check.report(
                Diagnostic::error(
                    "contradiction",
                    format!("`{}` is removed and written", name.value),
                )
                .at(name.span, "removed here")
                .note(other.span, "written here")
                .help("`set` replaces what was there; no need to remove it first"),
            );
        }
    }
}

fn owned(check: &mut Check<'_>, name: &Val<FieldName>, direction: Scope) {
    let field = name.as_str();
    if field == "host" && direction == Scope::Request {
        check.report(
            Diagnostic::error(
                "forbidden-field",
                "the Host of a request is not edited as a header",
            )
            .at(name.span, "")
            .help("write rewrite = { host = \"...\" }"),
        );
    } else if OWNED.contains(&field) {
        let message = format!("`{field}` belongs to the connection and cannot be edited");
        check.report(
            Diagnostic::error("forbidden-field", message)
                .at(name.span, "set by the proxy itself")
                .help("it tells where messages end or how connections are kept; editing it would make two parties disagree"),
        );
    }
}
