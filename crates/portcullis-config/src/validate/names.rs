//! Names that lead nowhere, names given twice, services nobody asks.

use std::collections::HashSet;

use super::Check;
use crate::diagnostic::{Diagnostic, nearest};
use crate::schema::{Name, Val};
use crate::source::Span;
use crate::values::quoted;

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
        check.repeated(&listeners.value, |name, first| {
            let message = format!("the listener `{}` is named twice", name.value);
            Diagnostic::error("duplicate-name", message)
                .at(name.span, "second time here")
                .note(first.span, "first time here")
        });
        for name in listeners
            .iter()
            .filter(|name| !check.declared.listeners.contains(&name.value))
        {
            check.report(dangling(
                "listener",
                &name.value,
                name.span,
                &check.declared.listeners,
            ));
        }
        check.not_empty(listeners, "listeners", "leave it out for all listeners");
    }
}

fn dangling_services(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        for name in route.services() {
            if !check.declared.services.contains(&name.value) {
                let diagnostic =
                    dangling("service", &name.value, name.span, &check.declared.services);
                check.report(diagnostic);
            }
        }
    }
}

pub(super) fn dangling(
    kind: &'static str,
    name: &str,
    span: Option<Span>,
    declared: &HashSet<String>,
) -> Diagnostic {
    let code = match kind {
        "service" => "unknown-service",
        "condition" => "unknown-condition",
        _ => "unknown-listener",
    };
    let diagnostic = Diagnostic::error(code, format!("there is no {kind} {}", quoted(name)))
        .at(span, "not defined anywhere");
    if let Some(near) = nearest(name, declared.iter().map(String::as_str)) {
        return diagnostic.help(format!("did you mean `{near}`?"));
    }
    let mut names: Vec<&str> = declared.iter().map(String::as_str).collect();
    names.sort_unstable();
    match names.len() {
        0 => diagnostic.help(format!("define it: [{kind}.{name}]")),
        1..=8 => diagnostic.help(format!("the {kind}s are {}", names.join(", "))),
        count => diagnostic.help(format!("none of the {count} {kind}s has a similar name")),
    }
}

fn repeated_routes(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        check_name(check, &route.name);
    }
    check.repeated(
        config.routes.iter().map(|route| &route.name),
        |name, first| {
            Diagnostic::error(
                "duplicate-name",
                format!("two routes are named `{}`", name.value),
            )
            .at(name.span.or(first.span), "second one here")
            .note(first.span.filter(|_| name.span.is_some()), "first one here")
            .help("names tell routes apart in logs, metrics and commands; give each its own")
        },
    );
}

fn repeated_servers(check: &mut Check<'_>) {
    let config = check.config;
    for service in &config.services {
        service
            .servers
            .iter()
            .for_each(|server| check_name(check, &server.name));
        check.repeated(
            service.servers.iter().map(|server| &server.name),
            |name, first| {
                let service = &service.name.value;
                let message = format!(
                    "two servers of the service `{service}` are named `{}`",
                    name.value
                );
                Diagnostic::error("duplicate-name", message)
                    .at(name.span.or(first.span), "second one here")
                    .note(first.span.filter(|_| name.span.is_some()), "first one here")
                    .help("servers without a name are called s1, s2, ... by position")
            },
        );
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
        .flat_map(|route| route.services())
        .map(|name| name.value.as_str())
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
