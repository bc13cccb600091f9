//! Variables used where they have no value yet, and headers that must not be edited.

use std::ops::Range;

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{HeaderEdits, Val};
use crate::values::{FieldName, Scope, Template, Variable};

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

/// Reports every variable of a template that has no value at `scope`, or never in this route.
pub(super) fn scope(check: &mut Check<'_>, template: &Val<Template>, scope: Scope) {
    let moment = if scope == Scope::Request {
        "when the request is sent on"
    } else {
        "when the response is sent"
    };
    for (range, variable) in template.variables() {
        if let Variable::PathCapture(name) = variable {
            capture(check, template, range.clone(), name);
        }
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

/// Reports a capture that the path of the route does not have.
fn capture(check: &mut Check<'_>, template: &Val<Template>, at: Range<usize>, name: &str) {
    let Some(route) = check.route else { return };
    let path = route.path.as_ref();
    if path.is_some_and(|path| path.has_capture(name)) || !check.is_clean(route.span) {
        return;
    }
    let captures = path.map_or_else(Vec::new, |path| path.captures());
    let span = check.inside(template.span, template.as_str(), at);
    let diagnostic = Diagnostic::error(
        "no-capture",
        format!("the path of this route captures no `{name}`"),
    )
    .at(span, "always empty");
    let diagnostic = match path {
        Some(path) => diagnostic.note(path.span, "its path"),
        None => diagnostic,
    };
    check.report(if captures.is_empty() {
        diagnostic.help("captures come from path = { template = \"/users/{id}\" } and from groups of path = { regex = '...' }")
    } else {
        let names: Vec<_> = captures.iter().map(|name| format!("{{path.{name}}}")).collect();
        diagnostic.help(format!("it has {}", names.join(", ")))
    });
}

/// The most changes in one list: each request keeps in mind which of them it gets.
const MOST_EDITS: usize = 64;

/// Checks the changes to the headers of one direction.
pub(super) fn all_edits(
    check: &mut Check<'_>,
    list: &Val<Vec<Val<HeaderEdits>>>,
    key: &str,
    direction: Scope,
) {
    if list.value.len() > MOST_EDITS {
        check.report(
            Diagnostic::error(
                "too-many",
                format!("more than {MOST_EDITS} changes in one list"),
            )
            .at(list.span, ""),
        );
    }
    check.not_empty(list, key, "leave it out, or say what it changes");
    for one in &list.value {
        if one.changes_nothing() {
            check.nothing(one.span, key, "changes");
        }
        edits(check, one, direction);
        conditions(check, one, direction);
    }
}

/// Checks when a change is made.
fn conditions(check: &mut Check<'_>, edits: &HeaderEdits, direction: Scope) {
    if let Some(when) = &edits.when {
        super::traffic::conditions(check, when, "when");
    }
    if let Some(types) = &edits.content_type {
        check.not_empty(types, "content_type", "leave it out for any");
        for one in types.iter() {
            let text = one.as_str();
            let whole = text.split_once('/').is_some_and(|(kind, rest)| {
                !kind.is_empty()
                    && !kind.contains('*')
                    && !rest.is_empty()
                    && (rest == "*" || !rest.contains(['*', ';']))
            });
            if !whole {
                check.report(
                    Diagnostic::error("invalid-value", format!("`{text}` is not a content type"))
                        .at(one.span, "")
                        .help(
                            "write one such as \"text/html\", without parameters, or \"image/*\"",
                        ),
                );
            }
        }
    }
    if direction == Scope::Request {
        let spans = [
            (edits.status.as_ref().map(|key| key.span), "status"),
            (
                edits.content_type.as_ref().map(|key| key.span),
                "content_type",
            ),
        ];
        for (span, key) in spans {
            if let Some(span) = span {
                check.report(
                    Diagnostic::error(
                        "no-value-yet",
                        format!("a request has no `{key}` of a response"),
                    )
                    .at(span, "not known at this time")
                    .help("it can be used in `response_headers`"),
                );
            }
        }
    }
}

/// Checks one change to the headers of one direction.
fn edits(check: &mut Check<'_>, edits: &Val<HeaderEdits>, direction: Scope) {
    let written = [&edits.set, &edits.add, &edits.set_if_absent];
    for (name, template) in written.into_iter().flat_map(|list| list.iter()) {
        owned(check, name, direction);
        scope(check, template, direction);
    }
    for (name, one) in edits.replace.iter() {
        owned(check, name, direction);
        super::rewrite::substitution(check, one);
        let other = edits
            .set
            .iter()
            .map(|(other, _)| other)
            .chain(edits.remove.iter());
        if let Some(other) = other.into_iter().find(|other| other.value == name.value) {
            check.report(
                Diagnostic::error(
                    "contradiction",
                    format!("`{}` is changed and then gone", name.value),
                )
                .at(name.span, "its values are changed here")
                .note(other.span, "and dropped here"),
            );
        }
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
