//! Routes that nothing of what their listeners take can reach: every request is redirected before, no TLS name comes in, or paths like
//! theirs are refused or changed.

use super::Check;
use super::conjunction::{Conjunction, Demand};
use crate::diagnostic::Diagnostic;
use crate::schema::{EscapePolicy, Listener, PathParameters, RedirectHttps, Route, Val};
use crate::values::PathPattern;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        let Some(listeners) = offering(check, route) else {
            continue;
        };
        redirected(check, route, &listeners);
        // A listener that could not be read as a whole may have what is missed here.
        if check.before.is_empty() {
            in_clear_text(check, route, &listeners);
            path_policy(check, route, &listeners);
        }
    }
}

/// The listeners that have a route; `None` when one of them is not known, or there are none.
fn offering<'a>(check: &Check<'a>, route: &Route) -> Option<Vec<&'a Val<Listener>>> {
    let config = check.config;
    let found: Vec<_> = match &route.listeners {
        Some(names) => names
            .iter()
            .map(|name| config.listener(&name.value))
            .collect::<Option<_>>()?,
        None => config.listeners.iter().collect(),
    };
    (!found.is_empty()).then_some(found)
}

/// A route on listeners that only redirect. A trusted proxy can say that a request came by HTTPS, which is then not redirected.
fn redirected(check: &mut Check<'_>, route: &Val<Route>, listeners: &[&Val<Listener>]) {
    let all = listeners.iter().all(|listener| {
        listener.redirect_https.value != RedirectHttps::Off && listener.trusted_proxies.is_empty()
    });
    if let (true, Some(names), Some(listener)) = (all, &route.listeners, listeners.first()) {
        check.report(
            never(route)
                .at(names.span, "no request gets past these listeners")
                .note(
                    listener.redirect_https.span,
                    format!("`{}` redirects every request", listener.name.value),
                )
                .help("name the HTTPS listener instead, or take `redirect_https` away"),
        );
    }
}

/// A route that needs a name from a TLS handshake, where there is none.
fn in_clear_text(check: &mut Check<'_>, route: &Val<Route>, listeners: &[&Val<Listener>]) {
    let all = Conjunction::of_route(check, route);
    let names = all.demands.iter().find_map(|demand| match demand {
        Demand::TlsNames(names) if !names.is_empty() => Some(*names),
        _ => None,
    });
    if let (Some(names), Some(listener)) = (names, listeners.first())
        && listeners.iter().all(|listener| listener.tls.is_none())
    {
        check.report(
            never(route)
                .at(names.span, "no client asks for a name without TLS")
                .note(
                    listener.span,
                    format!("`{}` has no `tls`", listener.name.value),
                )
                .help("write `hosts` for the host of the request"),
        );
    }
}

/// A route by a path that is refused, or never comes out of the normalisation, on all of its listeners.
fn path_policy(check: &mut Check<'_>, route: &Val<Route>, listeners: &[&Val<Listener>]) {
    let Some(path) = &route.path else { return };
    let (PathPattern::Exact(text) | PathPattern::Prefix(text)) = &path.value else {
        return;
    };
    let reasons: Option<Vec<_>> = listeners
        .iter()
        .map(|listener| kept_from(text, listener))
        .collect();
    if let (Some(reasons), Some(listener)) = (reasons, listeners.first())
        && let Some((what, key)) = reasons.first()
    {
        check.report(
            never(route)
                .at(path.span, format!("no path with {what} gets so far"))
                .note(
                    listener.span,
                    format!(
                        "`paths.{key}` of `{}` does not keep it",
                        listener.name.value
                    ),
                )
                .help(format!(
                    "write paths = {{ {key} = \"keep\" }} in the listener"
                )),
        );
    }
}

/// What of a path a listener does not keep, and the key that says so.
fn kept_from(path: &str, listener: &Listener) -> Option<(&'static str, &'static str)> {
    let paths = &listener.paths;
    if path.contains("%2F") && paths.encoded_slashes.value == EscapePolicy::Refuse {
        Some(("`%2F`", "encoded_slashes"))
    } else if path.contains("%5C") && paths.backslashes.value == EscapePolicy::Refuse {
        Some(("`%5C`", "backslashes"))
    } else if path.contains(';') && paths.parameters.value != PathParameters::Keep {
        Some(("`;`", "parameters"))
    } else {
        None
    }
}

fn never(route: &Val<Route>) -> Diagnostic {
    let message = format!("the route `{}` can never match", route.name.value);
    Diagnostic::error("shadowed-route", message)
}
