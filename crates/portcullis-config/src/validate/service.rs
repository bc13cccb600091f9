//! Services: servers, weights and health checks that fit together.

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{Health, Service, Val, check_host, check_target};
use crate::source::Span;
use crate::values::Invalid;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for service in &config.services {
        servers(check, service);
        super::service_tls::check(check, service);
        if let Some(checks) = &service.health {
            health(check, checks);
        }
    }
}

fn servers(check: &mut Check<'_>, service: &Val<Service>) {
    check.not_empty(
        &service.servers,
        "servers",
        "write at least one address, such as \"127.0.0.1:8080\"",
    );
    let servers = &service.servers.value;
    if !servers.is_empty() && servers.iter().all(|server| server.weight.value == 0) {
        let message = format!(
            "all servers of the service `{}` have weight 0, so none gets a request",
            service.name.value
        );
        let span = servers.first().and_then(|server| server.weight.span);
        check.report(
            Diagnostic::warning("no-weight", message)
                .at(span, "every request would be answered with 503"),
        );
    }
    check.repeated(
        servers.iter().map(|server| &server.address),
        |address, first| {
            let message = format!(
                "two servers of the service `{}` have the address `{}`",
                service.name.value, address.value
            );
            Diagnostic::warning("duplicate-server", message)
                .at(address.span, "second one here")
                .note(first.span, "first one here")
                .help("to give a server a larger share, use `weight`")
        },
    );
    if service.resolve.value.as_secs() < 1 {
        let diagnostic = Diagnostic::error(
            "out-of-range",
            "names cannot be looked up more than once a second",
        )
        .at(service.resolve.span, "");
        check.report(diagnostic.help("write \"1s\" or more"));
    }
}

fn health(check: &mut Check<'_>, health: &Val<Health>) {
    match (&health.http, &health.tcp) {
        (Some(http), Some(tcp)) => check.report(
            Diagnostic::error("contradiction", "a health check is by `http` or by `tcp`")
                .at(tcp.span, "second kind")
                .note(http.span, "first kind"),
        ),
        (None, None) if check.is_clean(health.span) => check.report(
            Diagnostic::error("missing-key", "the health check does not say how to check")
                .at(health.span, "needs `http` or `tcp`")
                .help("write http = \"/health\", or tcp = true"),
        ),
        (None, Some(tcp)) if !tcp.value => check.report(
            Diagnostic::error("invalid-value", "`tcp = false` checks nothing")
                .at(tcp.span, "")
                .help("write tcp = true, or http = \"/health\""),
        ),
        _ => {}
    }
    if let Some(http) = &health.http {
        blame(check, http, check_target(&http.value));
    }
    if let Some(host) = &health.host {
        blame(check, host, check_host(&host.value));
    }
    if health.tcp.is_some() && health.http.is_none() {
        for (span, key) in [
            (health.expect.span, "expect"),
            (health.host.as_ref().and_then(|h| h.span), "host"),
        ] {
            if span.is_some() {
                check.report(
                    Diagnostic::warning(
                        "no-effect",
                        format!("`{key}` has no effect on a check by TCP"),
                    )
                    .at(span, "no request is sent"),
                );
            }
        }
    }
    times(check, health);
}

fn times(check: &mut Check<'_>, health: &Health) {
    for (time, key) in [(&health.interval, "interval"), (&health.timeout, "timeout")] {
        if time.value.as_millis() < 10 {
            zero(check, time.span, key);
        }
    }
    if health.timeout.value > health.interval.value {
        let message = format!(
            "a check may take {}, but the next one is due after {}",
            crate::values::format_duration(health.timeout.value),
            crate::values::format_duration(health.interval.value)
        );
        check.report(
            Diagnostic::warning("contradiction", message)
                .at(
                    health.timeout.span.or(health.interval.span),
                    "checks would overlap",
                )
                .help("make `timeout` no longer than `interval`"),
        );
    }
}

fn zero(check: &mut Check<'_>, span: Option<Span>, key: &str) {
    check.report(
        Diagnostic::error("out-of-range", format!("`{key}` is shorter than 10ms"))
            .at(span, "too short"),
    );
}

pub(super) fn blame(check: &mut Check<'_>, text: &Val<String>, result: Result<(), Invalid>) {
    let Err(error) = result else { return };
    let span = match error.at {
        Some(range) => check.inside(text.span, &text.value, range),
        None => text.span,
    };
    let diagnostic = Diagnostic::error("invalid-value", error.message).at(span, "");
    check.report(match error.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    });
}
