//! Rewrites of path and query: what contradicts itself, what could never be sent, what has no way back.

use super::{Check, template};
use crate::diagnostic::Diagnostic;
use crate::schema::{PathChange, QueryEdits, Rewrite, Substitution, Val};
use crate::source::Span;
use crate::values::{Invalid, Part, ReplacementPart, Scope, Template, Variable, character, quoted};

pub(super) fn check(check: &mut Check<'_>, rewrite: &Rewrite) {
    if let Some(path) = &rewrite.path {
        prefix_too(check, rewrite, path.span);
        match &path.value {
            PathChange::Template(text) => path_template(check, text, path.span),
            PathChange::Substitution(one) => path_substitution(check, one),
        }
    }
    if let Some(edits) = &rewrite.query {
        query(check, edits);
    }
    if let Some(host) = &rewrite.host {
        constant_host(check, host);
    }
    let changes_prefix = rewrite.strip_prefix.is_some() || rewrite.replace_prefix.is_some();
    if rewrite.map_back.value && !changes_prefix && rewrite.host.is_none() {
        let message = "`map_back` has nothing to map back";
        let diagnostic = Diagnostic::warning("no-effect", message).at(
            rewrite.map_back.span,
            "neither a prefix nor the host is changed",
        );
        check.report(match &rewrite.path {
            Some(path) => diagnostic.note(path.span, "a path as a whole has no way back"),
            None => diagnostic,
        });
    }
}

fn prefix_too(check: &mut Check<'_>, rewrite: &Rewrite, path: Option<Span>) {
    let prefix = [
        rewrite
            .strip_prefix
            .as_ref()
            .map(|one| ("strip_prefix", one.span)),
        rewrite
            .replace_prefix
            .as_ref()
            .map(|one| ("replace_prefix", one.span)),
    ];
    if let Some((key, span)) = prefix.into_iter().flatten().next() {
        check.report(
            Diagnostic::error(
                "contradiction",
                format!("the rewrite has both `path` and `{key}`"),
            )
            .at(path, "the whole path")
            .note(span, "a prefix of it")
            .help("`path` makes the whole path; the prefix is gone with it"),
        );
    }
}

fn path_template(check: &mut Check<'_>, text: &Template, span: Option<Span>) {
    let written = Val::written(text.clone(), span);
    template::scope(check, &written, Scope::Request);
    for (range, variable) in text.variables() {
        let instead = match variable {
            Variable::Uri | Variable::Target => "path",
            _ => continue,
        };
        let at = check.inside(span, text.as_str(), range);
        check.report(
            Diagnostic::error(
                "invalid-value",
                format!("`{{{variable}}}` is more than a path"),
            )
            .at(at, "has a query in it")
            .help(format!(
                "write {{{instead}}}; the query goes along by itself"
            )),
        );
    }
    let begins = match text.parts().first() {
        Some(Part::Text(text)) => text.starts_with('/'),
        Some(Part::Variable(Variable::Path | Variable::Uri | Variable::Target)) => true,
        _ => false,
    };
    if !begins {
        check.report(not_absolute(text.as_str(), span));
    }
    let shape: String = text
        .parts()
        .iter()
        .map(|part| match part {
            Part::Text(text) => text,
            // What stands for a value is no dot and no slash.
            Part::Variable(_) => "x",
        })
        .collect();
    if let Err(error) = path_text(&shape) {
        check.report(invalid(error, span));
    }
}

fn path_substitution(check: &mut Check<'_>, one: &Substitution) {
    substitution(check, one);
    if !one.to.as_str().starts_with(['/', '$']) {
        check.report(not_absolute(one.to.as_str(), one.to.span));
    }
    let shape: String = one
        .to
        .parts()
        .iter()
        .map(|part| match part {
            ReplacementPart::Text(text) => text,
            _ => "x",
        })
        .collect();
    if let Err(error) = path_text(&shape) {
        check.report(invalid(error, one.to.span));
    }
}

/// Checks that a replacement names only groups that its expression has.
pub(super) fn substitution(check: &mut Check<'_>, one: &Substitution) {
    if let Err(error) = one.to.fits(&one.regex) {
        let note = "the expression";
        check.report(invalid(error, one.to.span).note(one.regex.span, note));
    }
}

fn not_absolute(text: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(
        "invalid-value",
        format!("the path {} does not begin with `/`", quoted(text)),
    )
    .at(span, "")
    .help(format!("write \"/{text}\""))
}

fn invalid(error: Invalid, span: Option<Span>) -> Diagnostic {
    let diagnostic = Diagnostic::error("invalid-value", error.message).at(span, "");
    match error.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// What the operator's own text of a path must be: characters of a path (RFC 3986 section 3.3), no empty and no dot segments.
fn path_text(text: &str) -> Result<(), Invalid> {
    if let Some(c) = text.chars().find(|c| matches!(c, '?' | '#')) {
        return Err(
            Invalid::new(format!("a path must not hold {}", character(c)))
                .help("the query goes along by itself; `query` changes it"),
        );
    }
    uri_text(text, "a path")?;
    if text.contains("//") {
        return Err(Invalid::new(format!(
            "{} has an empty segment",
            quoted(text)
        )));
    }
    let dots = |segment: &str| {
        matches!(
            segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
            "." | ".."
        )
    };
    if text.split('/').any(dots) {
        return Err(
            Invalid::new("the path has a dot segment").help("write the path that it leads to")
        );
    }
    Ok(())
}

/// Characters that may stand in a path or a query as they are; a percent sign only before two hexadecimal digits.
fn uri_text(text: &str, what: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?%".contains(c);
    if let Some(c) = text.chars().find(|c| !allowed(*c)) {
        return Err(
            Invalid::new(format!("{what} must not hold {}", character(c)))
                .help("write it percent-encoded, such as `%20` for a space"),
        );
    }
    let broken = text.split('%').skip(1).any(|rest| {
        !rest
            .get(..2)
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    if broken {
        return Err(Invalid::new(format!(
            "{} has a `%` without two hexadecimal digits",
            quoted(text)
        ))
        .help("a percent sign itself is written `%25`"));
    }
    Ok(())
}

fn query(check: &mut Check<'_>, edits: &Val<QueryEdits>) {
    let parts = [
        (edits.keep.as_ref().map(|keep| keep.span), "keep"),
        (
            edits.remove.is_written().then_some(edits.remove.span),
            "remove",
        ),
        (edits.set.is_written().then_some(edits.set.span), "set"),
        (edits.add.is_written().then_some(edits.add.span), "add"),
    ];
    let edit = parts
        .into_iter()
        .find_map(|(span, key)| span.map(|span| (span, key)));
    match (&edits.to, edit) {
        (Some(to), Some((span, key))) => check.report(
            Diagnostic::error(
                "contradiction",
                format!("the query has both `to` and `{key}`"),
            )
            .at(span, "changes the received query")
            .note(to.span, "replaces it"),
        ),
        (None, None) if check.is_clean(edits.span) => check.report(
            Diagnostic::error("missing-key", "the query is not changed by anything").at(
                edits.span,
                "needs one of `set`, `add`, `remove`, `keep`, or a text",
            ),
        ),
        _ => {}
    }
    if let (Some(keep), true) = (&edits.keep, edits.remove.is_written()) {
        check.report(
            Diagnostic::error("contradiction", "the query has both `keep` and `remove`")
                .at(edits.remove.span, "takes parameters away")
                .note(keep.span, "takes all others away"),
        );
    }
    if let Some(to) = &edits.to {
        template::scope(check, to, Scope::Request);
        question_mark(check, to);
        for part in to.parts() {
            if let Part::Text(text) = part
                && let Err(error) = uri_text(text, "a query")
            {
                check.report(invalid(error, to.span));
            }
        }
    }
    let written = || edits.set.iter().chain(edits.add.iter());
    for (name, value) in written() {
        template::scope(check, value, Scope::Request);
        if name.value.is_empty() {
            check.report(
                Diagnostic::error("invalid-value", "a parameter needs a name").at(name.span, ""),
            );
        }
    }
    for name in edits.remove.iter() {
        if let Some((other, _)) = written().find(|(other, _)| other.value == name.value) {
            check.report(
                Diagnostic::error(
                    "contradiction",
                    format!("the parameter `{}` is removed and written", name.value),
                )
                .at(name.span, "removed here")
                .note(other.span, "written here")
                .help("`set` replaces what was there; no need to remove it first"),
            );
        }
    }
}

/// Reports a query that begins with the question mark that is put before it anyway.
pub(super) fn question_mark(check: &mut Check<'_>, query: &Val<Template>) {
    if query.as_str().starts_with('?') {
        let at = check.inside(query.span, query.as_str(), 0..1);
        check.report(
            Diagnostic::error("invalid-value", "the query begins with `?`")
                .at(at, "would be sent as `??`")
                .help("leave it out; it is put before the query by itself"),
        );
    }
}

/// A host without variables can be checked now.
fn constant_host(check: &mut Check<'_>, host: &Val<Template>) {
    if !host.variables().is_empty() {
        return;
    }
    if !is_authority(host.as_str()) {
        let message = format!("{} is not a host", quoted(host.as_str()));
        check.report(
            Diagnostic::error("invalid-value", message)
                .at(host.span, "")
                .help("write a name or an address, with a port where it needs one"),
        );
    }
}

/// Whether a text is a host, with or without a port.
pub(super) fn is_authority(text: &str) -> bool {
    let name = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || port.parse::<u16>().is_err() {
                return false;
            }
            name
        }
        _ => text,
    };
    match name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            (1..=255).contains(&name.len()) && name.bytes().all(allowed)
        }
    }
}
