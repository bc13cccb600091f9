//! Listeners: addresses taken twice, settings that contradict each other, listeners that serve nothing.

use std::collections::HashSet;

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{Listener, Protocol, RedirectHttps, Val};
use crate::source::Span;
use crate::values::Bind;

pub(super) fn check(check: &mut Check<'_>) {
    binds(check);
    let config = check.config;
    for listener in &config.listeners {
        settings(check, listener);
        limits(check, listener);
        super::traffic::maintenance(check, &listener.maintenance);
    }
    served(check);
}

/// Every address that is bound, with whose it is.
fn all_binds<'a>(check: &Check<'a>) -> Vec<(&'a Bind, Option<Span>, String)> {
    let mut binds = Vec::new();
    for listener in &check.config.listeners {
        for bind in &listener.bind.value {
            binds.push((
                &bind.value,
                bind.span,
                format!("the listener `{}`", listener.name.value),
            ));
        }
    }
    if let Some(http) = &check.config.admin.http {
        binds.push((&http.bind.value, http.bind.span, "[admin]".to_owned()));
    }
    binds
}

fn binds(check: &mut Check<'_>) {
    let mut binds = all_binds(check);
    // Comparing all with all; nobody binds more than these, and if so the system says which is taken.
    binds.truncate(1_000);
    for (index, (bind, span, owner)) in binds.iter().enumerate() {
        let earlier = binds
            .iter()
            .take(index)
            .find(|(other, _, _)| other.conflicts_with(bind));
        if let Some((other, first, first_owner)) = earlier {
            let message = match bind == other {
                true => format!("`{bind}` is bound twice: by {first_owner} and by {owner}"),
                false => format!("`{bind}` of {owner} is taken by `{other}` of {first_owner}"),
            };
            check.report(
                Diagnostic::error("duplicate-bind", message)
                    .at(*span, "second one here")
                    .note(*first, "first one here")
                    .help("one address belongs to one listener; hosts are told apart by routes"),
            );
        }
    }
    admin_socket(check, &binds);
}

fn admin_socket(check: &mut Check<'_>, binds: &[(&Bind, Option<Span>, String)]) {
    let Some(socket) = &check.config.admin.socket else {
        return;
    };
    let same = binds
        .iter()
        .find(|(bind, _, _)| matches!(bind, Bind::Unix(path) if *path == socket.path.value));
    if let Some((bind, span, owner)) = same {
        let message = format!("`{bind}` is bound twice: by {owner} and by [admin]");
        check.report(
            Diagnostic::error("duplicate-bind", message)
                .at(socket.path.span, "second one here")
                .note(*span, "first one here"),
        );
    }
}

fn settings(check: &mut Check<'_>, listener: &Val<Listener>) {
    check.not_empty(
        &listener.bind,
        "bind",
        "write at least one address, such as \"0.0.0.0:80\"",
    );
    check.not_empty(
        &listener.protocols,
        "protocols",
        "write [\"h2\", \"http/1.1\"], or leave it out",
    );
    if let Some(proxy) = &listener.proxy_protocol {
        check.not_empty(
            &proxy.from,
            "from",
            "write the networks of the proxies in front, or leave `proxy_protocol` out",
        );
    }
    if let (Some(tls), RedirectHttps::Port(_)) = (&listener.tls, listener.redirect_https.value) {
        check.report(
            Diagnostic::error(
                "contradiction",
                format!(
                    "the listener `{}` is HTTPS already and cannot redirect to it",
                    listener.name.value
                ),
            )
            .at(
                listener.redirect_https.span,
                "every request would be redirected to itself",
            )
            .note(tls.span, "TLS is set up here")
            .help("set `redirect_https` on the plain listener, usually the one on port 80"),
        );
    }
    if let (Some(hsts), None) = (&listener.hsts, &listener.tls) {
        check.report(
            Diagnostic::error(
                "contradiction",
                format!(
                    "`hsts` has no effect on the plain listener `{}`",
                    listener.name.value
                ),
            )
            .at(hsts.span, "sent over TLS only (RFC 6797 section 7.2)")
            .help("set it on the listener that has `tls`"),
        );
    }
    preload(check, listener);
    if let Some(tls) = &listener.tls {
        check.not_empty(
            &tls.certificates,
            "certificates",
            "write at least one: { cert = \"site.pem\", key = \"site.key\" }",
        );
        for certificate in &tls.certificates.value {
            if let Some(names) = &certificate.names {
                check.not_empty(
                    names,
                    "names",
                    "leave it out to use the names in the certificate",
                );
            }
        }
    }
    addresses(check, listener);
    http2(check, listener);
}

fn http2(check: &mut Check<'_>, listener: &Val<Listener>) {
    let http2 = &listener.http2;
    let windows = [
        (
            &http2.stream_window,
            "stream_window",
            16 << 10,
            16 << 20,
            "16KiB and 16MiB",
        ),
        (
            &http2.connection_window,
            "connection_window",
            64 << 10,
            1 << 30,
            "64KiB and 1GiB",
        ),
    ];
    for (size, key, least, most, between) in windows {
        if !(least..=most).contains(&size.value.0) {
            let message = format!("`{key} = \"{}\"` is not between {between}", size.value);
            check.report(Diagnostic::error("out-of-range", message).at(size.span, "out of range"));
        }
    }
    repeated_protocols(check, &listener.protocols);
}

/// A protocol that is listed twice.
pub(super) fn repeated_protocols(check: &mut Check<'_>, protocols: &[Val<Protocol>]) {
    for (index, protocol) in protocols.iter().enumerate() {
        let earlier = protocols.iter().take(index);
        if let Some(first) = earlier.into_iter().find(|one| one.value == protocol.value) {
            check.report(
                Diagnostic::error("duplicate", "a protocol is listed twice")
                    .at(protocol.span, "second one here")
                    .note(first.span, "first one here"),
            );
        }
    }
}

fn preload(check: &mut Check<'_>, listener: &Val<Listener>) {
    let Some(hsts) = &listener.hsts else { return };
    const YEAR: u64 = 365 * 86_400;
    if hsts.preload.value && (!hsts.include_subdomains.value || hsts.max_age.as_secs() < YEAR) {
        check.report(
            Diagnostic::warning(
                "weak-hsts",
                "browsers take `preload` only with a year and all subdomains",
            )
            .at(hsts.preload.span, "has no effect")
            .help("set max_age = \"365d\" and include_subdomains = true, or leave `preload` out"),
        );
    }
}

fn addresses(check: &mut Check<'_>, listener: &Val<Listener>) {
    let has_unix = listener
        .bind
        .iter()
        .any(|bind| matches!(bind.value, Bind::Unix(_)));
    if let Some(mode) = &listener.unix_mode
        && !has_unix
        && check.is_clean(listener.bind.span)
    {
        let message = format!("the listener `{}` has no Unix socket", listener.name.value);
        check.report(
            Diagnostic::warning("no-effect", message)
                .at(mode.span, "has no effect")
                .note(listener.bind.span, "only these"),
        );
    }
    if let Some(request_id) = &listener.request_id.value
        && request_id.trust.value
        && listener.trusted_proxies.is_empty()
    {
        check.report(
            Diagnostic::warning("no-effect", "no proxy is trusted, so no request id is kept")
                .at(request_id.trust.span, "has no effect")
                .help("list the proxies in front in `trusted_proxies`"),
        );
    }
}

fn limits(check: &mut Check<'_>, listener: &Val<Listener>) {
    let limits = &listener.limits;
    for (size, key) in [(&limits.head, "head"), (&limits.target, "target")] {
        if !(1_024..=1_048_576).contains(&size.value.0) {
            let message = format!("`{key} = \"{}\"` is not between 1KiB and 1MiB", size.value);
            check.report(Diagnostic::error("out-of-range", message).at(size.span, "out of range"));
        }
    }
    if limits.target.value > limits.head.value {
        check.report(
            Diagnostic::error(
                "contradiction",
                format!(
                    "a target of {} does not fit a head of {}",
                    limits.target.value, limits.head.value
                ),
            )
            .at(
                limits.target.span.or(limits.head.span),
                "the target is a part of the head",
            )
            .help("raise `head` or lower `target`"),
        );
    }
    if let Some(0) = limits.requests_per_connection.value {
        let diagnostic = Diagnostic::error(
            "out-of-range",
            "a connection must carry at least one request",
        )
        .at(limits.requests_per_connection.span, "");
        check.report(
            diagnostic.help("write 1 to close after every response, or \"off\" for no bound"),
        );
    }
}

/// Whether anything is served, and on every listener.
fn served(check: &mut Check<'_>) {
    let config = check.config;
    if check.declared.listeners.is_empty() {
        let start = Span::new(crate::source::FileId(0), 0..0);
        check.report(
            Diagnostic::error("nothing-served", "the configuration has no listener, so nothing would be served")
                .at(start, "")
                .help("this is the least that serves something:\n[listener.web]\nbind = \":8080\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [\"127.0.0.1:3000\"]"),
        );
        return;
    }
    // An empty list of listeners is reported by itself.
    let lists = || {
        config
            .routes
            .iter()
            .map(|route| route.listeners.as_ref().filter(|own| !own.is_empty()))
    };
    if lists().any(|list| list.is_none()) {
        return;
    }
    let served: HashSet<&str> = lists()
        .flatten()
        .flat_map(|list| list.iter().map(|name| name.value.as_str()))
        .collect();
    for listener in &config.listeners {
        let name = listener.name.value.as_str();
        if listener.redirect_https.value == RedirectHttps::Off && !served.contains(name) {
            check.report(
                Diagnostic::error(
                    "nothing-served",
                    format!("the listener `{name}` has no route, so it would serve nothing"),
                )
                .at(listener.span, "no route for this listener")
                .help(
                    "add a [[route]], name it in the `listeners` of one, or set `redirect_https`",
                ),
            );
        }
    }
}
