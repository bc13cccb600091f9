//! Names that lead nowhere, names given twice, services nobody asks.

use std::collections::{HashMap, HashSet};

use super::Check;
use crate::diagnostic::{Diagnostic, nearest};
use crate::schema::{Name, RouteAction, Val};
use crate::source::Span;

pub(super) fn check(check: &mut Check<'_>) {
    dangling_listeners(check);
    dangling_services(check);
    repeated_routes(check);
    repeated_servers(check);
    unused_services(check);
}

fn dangling_listeners(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        let Some(listeners) = &route.listeners else {
            continue;
        };
        let mut seen: Vec<&Val<String>> = Vec::new();
        for name in &listeners.value {
            if let Some(first) = seen.iter().find(|first| first.value == name.value) {
                let message = format!("the listener `{}` is named twice", name.value);
                check.report(
                    Diagnostic::error("duplicate-name", message)
                        .at(name.span, "second time here")
                        .note(first.span, "first time here"),
                );
            }
            seen.push(name);
            if !check.declared.listeners.contains(&name.value) {
                let diagnostic = dangling(
                    "listener",
                    &name.value,
                    name.span,
                    &check.declared.listeners,
                );
                check.report(diagnostic);
            }
        }
        check.not_empty(listeners, "listeners", "leave it out for all listeners");
    }
}

fn dangling_services(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        if let RouteAction::Service(name) = &route.action
            && !check.declared.services.contains(&name.value)
        {
            let diagnostic = dangling("service", &name.value, name.span, &check.declared.services);
            check.report(diagnostic);
        }
    }
}

fn dangling(kind: &'static str, name: &str, span: Option<Span>, declared: &[String]) -> Diagnostic {
    let code = if kind == "service" {
        "unknown-service"
    } else {
        "unknown-listener"
    };
    let diagnostic = Diagnostic::error(code, format!("there is no {kind} `{name}`"))
        .at(span, "not defined anywhere");
    if let Some(near) = nearest(name, declared.iter().map(String::as_str)) {
        return diagnostic.help(format!("did you mean `{near}`?"));
    }
    match declared {
        [] => diagnostic.help(format!("define it: [{kind}.{name}]")),
        some if some.len() <= 8 => diagnostic.help(format!("the {kind}s are {}", some.join(", "))),
        some => diagnostic.help(format!(
            "none of the {} {kind}s has a similar name",
            some.len()
        )),
    }
}

fn repeated_routes(check: &mut Check<'_>) {
    let config = check.config;
    let mut seen: HashMap<&str, &Val<String>> = HashMap::new();
    for route in &config.routes {
        check_name(check, &route.name);
        if let Some(first) = seen.insert(&route.name.value, &route.name) {
            let (span, note) = (route.name.span.or(route.span), first.span);
            let message = format!("two routes are named `{}`", route.name.value);
            let diagnostic = Diagnostic::error("duplicate-name", message)
                .at(span, "second one here")
                .note(note, "first one here");
            check.report(
                diagnostic.help(
                    "names tell routes apart in logs, metrics and commands; give each its own",
                ),
            );
        }
    }
}

fn repeated_servers(check: &mut Check<'_>) {
    let config = check.config;
    for service in &config.services {
        let mut seen: HashMap<&str, &Val<String>> = HashMap::new();
        for server in &service.servers.value {
            check_name(check, &server.name);
            if let Some(first) = seen.insert(&server.name.value, &server.name) {
                let message = format!(
                    "two servers of the service `{}` are named `{}`",
                    service.name.value, server.name.value
                );
                let span = server.name.span.or(server.span);
                check.report(
                    Diagnostic::error("duplicate-name", message)
                        .at(span, "second one here")
                        .note(first.span, "first one here"),
                );
            }
        }
    }
}

fn check_name(check: &mut Check<'_>, name: &Val<String>) {
    if name.is_written()
        && let Err(error) = name.value.parse::<Name>()
    {
        let span = match error.at {
            Some(range) => check.inside(name.span, &name.value, range),
            None => name.span,
        };
        let diagnostic = Diagnostic::error("invalid-value", error.message).at(span, "");
        check.report(match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

fn unused_services(check: &mut Check<'_>) {
    let config = check.config;
    let used: HashSet<&str> = config
        .routes
        .iter()
        .filter_map(|route| match &route.action {
            RouteAction::Service(name) => Some(name.value.as_str()),
            RouteAction::Redirect(_) | RouteAction::Respond(_) => None,
        })
        .collect();
    for service in &config.services {
        if !used.contains(service.name.value.as_str()) {
            let message = format!("no route forwards to the service `{}`", service.name.value);
            let diagnostic =
                Diagnostic::warning("unused-service", message).at(service.name.span, "unused");
            check.report(diagnostic.help("add a route, or remove the service"));
        }
    }
}
