//! Routes by themselves: rewriting that needs a prefix, answers that cannot be, settings without effect.

use std::fmt::Display;
use std::hash::Hash;

use super::{Check, location, rewrite as changes, template, traffic};
use crate::diagnostic::Diagnostic;
use crate::schema::{Redirect, Respond, Rewrite, Route, RouteAction, StripPrefix, Val};
use crate::source::Span;
use crate::values::{PathPattern, Scope};

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        check.route = Some(route);
        lists(check, route);
        match &route.action {
            RouteAction::Redirect(to) => redirect(check, to),
            RouteAction::Respond(with) => respond(check, with),
            RouteAction::Service(_) | RouteAction::Split(_) => {}
        }
        if let Some(rewriting) = &route.rewrite {
            rewrite(check, rewriting, route);
        }
        traffic::check(check, route);
        without_effect(check, route);
    }
    check.route = None;
}

fn lists(check: &mut Check<'_>, route: &Route) {
    if let Some(hosts) = &route.hosts {
        check.not_empty(hosts, "hosts", "leave it out for any host");
        repeated(check, &hosts.value, "host");
    }
    if let Some(methods) = &route.methods {
        check.not_empty(methods, "methods", "leave it out for any method");
        repeated(check, &methods.value, "method");
    }
    if let Some(clients) = &route.clients {
        check.not_empty(clients, "clients", "leave it out for any client");
        repeated(check, &clients.value, "network");
    }
    if let Some(names) = &route.tls_names {
        check.not_empty(names, "tls_names", "leave it out for any name, and none");
        repeated(check, &names.value, "name");
    }
    let key = "leave it out, or say what it must be";
    check.not_empty(&route.headers, "headers", key);
    check.not_empty(&route.query, "query", key);
    check.not_empty(&route.cookies, "cookies", key);
}

pub(super) fn repeated<T: Hash + Eq + Display>(
    check: &mut Check<'_>,
    items: &[Val<T>],
    what: &str,
) {
    check.repeated(items, |item, first| {
        Diagnostic::error(
            "duplicate-value",
            format!("the {what} `{}` is written twice", item.value),
        )
        .at(item.span, "second time here")
        .note(first.span, "first time here")
    });
}

fn redirect(check: &mut Check<'_>, redirect: &Val<Redirect>) {
    let parts: Vec<(&str, Option<Span>)> = [
        redirect.scheme.as_ref().map(|part| ("scheme", part.span)),
        redirect.host.as_ref().map(|part| ("host", part.span)),
        redirect.path.as_ref().map(|part| ("path", part.span)),
        redirect.query.as_ref().map(|part| ("query", part.span)),
    ]
    .into_iter()
    .flatten()
    .collect();
    match (&redirect.to, parts.first()) {
        (None, None) if check.is_clean(redirect.span) => check.report(
            Diagnostic::error("missing-key", "the redirect does not say where to").at(redirect.span, "needs `to`, or one of `scheme`, `host`, `path`, `query`"),
        ),
        (Some(to), Some((key, span))) => check.report(
            Diagnostic::error("contradiction", format!("the redirect has both `to` and `{key}`"))
                .at(*span, "a part")
                .note(to.span, "the whole")
                .help("`to` is the whole address; `scheme`, `host`, `path` and `query` replace parts of the request's own"),
        ),
        _ => {}
    }
    for part in [
        &redirect.to,
        &redirect.host,
        &redirect.path,
        &redirect.query,
    ]
    .into_iter()
    .flatten()
    {
        template::scope(check, part, Scope::Request);
    }
    whole_address(check, redirect);
    location::check(check, redirect);
    if let Some(query) = &redirect.query {
        changes::question_mark(check, query);
    }
    let path = redirect.path.as_ref().filter(|path| {
        !path.as_str().starts_with('/')
            && !path.as_str().starts_with("{path}")
            && !path.as_str().starts_with("{uri}")
    });
    if let Some(path) = path {
        let diagnostic = Diagnostic::error(
            "invalid-value",
            format!("the path `{}` does not begin with `/`", path.as_str()),
        )
        .at(path.span, "");
        check.report(diagnostic.help(format!("write \"/{}\"", path.as_str())));
    }
}

fn whole_address(check: &mut Check<'_>, redirect: &Redirect) {
    let Some(to) = &redirect.to else { return };
    let text = to.as_str();
    let begins = ["http://", "https://", "/", "{scheme}://", "{path}", "{uri}"]
        .iter()
        .any(|start| text.starts_with(start));
    if !begins || text.starts_with("//") {
        let diagnostic = Diagnostic::error(
            "invalid-value",
            format!("`{text}` is not an address to redirect to"),
        )
        .at(to.span, "");
        check.report(
            diagnostic.help(
                "write a URL such as \"https://{host}{uri}\", or a path such as \"/new{uri}\"",
            ),
        );
    }
}

fn respond(check: &mut Check<'_>, respond: &Val<Respond>) {
    let status = respond.status.value.code();
    let body = respond
        .body
        .as_ref()
        .map(|body| body.span)
        .or(respond.body_file.as_ref().map(|file| file.span));
    if let (Some(body), 204 | 304) = (body, status) {
        check.report(
            Diagnostic::error(
                "contradiction",
                format!("a response with status {status} has no body (RFC 9110)"),
            )
            .at(body, "would never be sent")
            .note(respond.status.span, "because of this status"),
        );
    }
    if let (Some(body), Some(file)) = (&respond.body, &respond.body_file) {
        let diagnostic = Diagnostic::error(
            "contradiction",
            "the response has both `body` and `body_file`",
        );
        check.report(
            diagnostic
                .at(file.span, "second body")
                .note(body.span, "first body"),
        );
    }
    for (name, _) in respond.headers.iter() {
        if matches!(
            name.as_str(),
            "connection"
                | "content-length"
                | "transfer-encoding"
                | "te"
                | "trailer"
                | "upgrade"
                | "keep-alive"
        ) {
            let message = format!(
                "`{}` belongs to the connection and cannot be set",
                name.value
            );
            check.report(
                Diagnostic::error("forbidden-field", message)
                    .at(name.span, "set by the proxy itself"),
            );
        }
    }
}

fn rewrite(check: &mut Check<'_>, rewrite: &Val<Rewrite>, route: &Route) {
    if let (Some(strip), Some(replace)) = (&rewrite.strip_prefix, &rewrite.replace_prefix) {
        check.report(
            Diagnostic::error(
                "contradiction",
                "the rewrite has both `strip_prefix` and `replace_prefix`",
            )
            .at(replace.span, "replaces the prefix")
            .note(strip.span, "takes it away")
            .help("`replace_prefix` takes the old prefix away by itself"),
        );
    }
    if rewrite.is_empty() {
        check.nothing(rewrite.span, "rewrite", "changes");
    }
    prefix(check, rewrite, route);
    changes::check(check, rewrite);
    if let Some(host) = &rewrite.host {
        template::scope(check, host, Scope::Request);
    }
    if let Some(edits) = &rewrite.request_headers {
        template::all_edits(check, edits, "request_headers", Scope::Request);
    }
    if let Some(edits) = &rewrite.response_headers {
        template::all_edits(check, edits, "response_headers", Scope::Response);
    }
}

fn prefix(check: &mut Check<'_>, rewrite: &Rewrite, route: &Route) {
    let (key, span, own) = match (&rewrite.strip_prefix, &rewrite.replace_prefix) {
        (Some(strip), _) => match &strip.value {
            StripPrefix::Matched => ("strip_prefix", strip.span, None),
            StripPrefix::Path(path) => ("strip_prefix", strip.span, Some(path.as_str())),
        },
        (None, Some(replace)) => ("replace_prefix", replace.span, None),
        (None, None) => return,
    };
    match (
        route.path.as_ref().map(|path| (&path.value, path.span)),
        own,
    ) {
        (None, None) => check.report(
            Diagnostic::error("no-prefix", format!("`{key}` needs a route with a path"))
                .at(span, "no prefix to take away")
                .help("give the route a `path`"),
        ),
        (Some((PathPattern::Exact(path), at)), None) => check.report(
            Diagnostic::error(
                "no-prefix",
                format!("`{key}` needs a route by prefix, not by an exact path"),
            )
            .at(span, "no prefix to take away")
            .note(at, "this path is exact")
            .help(format!("write path = \"{path}\" to match by prefix")),
        ),
        (Some((PathPattern::Template(_) | PathPattern::Regex(_), at)), None) => check.report(
            Diagnostic::error(
                "no-prefix",
                format!("`{key}` needs a route by prefix, not by a template or an expression"),
            )
            .at(span, "no prefix to take away")
            .note(at, "this path has none of its own"),
        ),
        (path, Some(own)) => {
            let matched = path.map_or("/", |(path, _)| path.fixed_prefix());
            let under = matched
                .strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || own.is_empty());
            if !under {
                check.report(
                    Diagnostic::error(
                        "no-prefix",
                        format!("the route takes paths that do not begin with `{own}`"),
                    )
                    .at(span, "not a prefix of every path of the route")
                    .note(path.and_then(|(_, at)| at), "the paths of the route")
                    .help("strip_prefix = true takes the route's own prefix"),
                );
            }
        }
        (Some((PathPattern::Prefix(_), _)), None) => {}
    }
}

/// Settings about servers in a route that asks none.
fn without_effect(check: &mut Check<'_>, route: &Route) {
    let action = match &route.action {
        RouteAction::Service(_) | RouteAction::Split(_) => return,
        RouteAction::Redirect(redirect) => redirect.span,
        RouteAction::Respond(respond) => respond.span,
    };
    if action.is_none() {
        return;
    }
    let rewrite = route.rewrite.as_ref();
    let settings = [
        (
            route.upgrade.is_written().then_some(route.upgrade.span),
            "upgrade",
        ),
        (
            rewrite
                .and_then(|r| r.strip_prefix.as_ref())
                .map(|v| v.span),
            "strip_prefix",
        ),
        (
            rewrite
                .and_then(|r| r.replace_prefix.as_ref())
                .map(|v| v.span),
            "replace_prefix",
        ),
        (route.mirror.as_ref().map(|v| v.span), "mirror"),
        (
            rewrite.and_then(|r| r.path.as_ref()).map(|v| v.span),
            "rewrite.path",
        ),
        (
            rewrite.and_then(|r| r.query.as_ref()).map(|v| v.span),
            "rewrite.query",
        ),
        (
            rewrite.and_then(|r| r.host.as_ref()).map(|v| v.span),
            "rewrite.host",
        ),
        (
            rewrite
                .map(|r| &r.map_back)
                .filter(|v| v.is_written())
                .map(|v| v.span),
            "map_back",
        ),
        (
            rewrite
                .and_then(|r| r.request_headers.as_ref())
                .map(|v| v.span),
            "request_headers",
        ),
        (
            route.timeouts.connect.as_ref().map(|v| v.span),
            "timeouts.connect",
        ),
        (
            route.timeouts.response_header.as_ref().map(|v| v.span),
            "timeouts.response_header",
        ),
        (
            route.timeouts.response_idle.as_ref().map(|v| v.span),
            "timeouts.response_idle",
        ),
    ];
    for (span, key) in settings {
        if let Some(span) = span {
            let message = format!("`{key}` has no effect in a route that answers by itself");
            check.report(
                Diagnostic::warning("no-effect", message)
                    .at(span, "no server is asked")
                    .note(action, "the route's answer"),
            );
        }
    }
}
