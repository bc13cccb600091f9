//! TLS and HTTP/2 towards servers: keys that need each other, names that can be verified, what clear text can speak.

use super::Check;
use super::listener::repeated_protocols;
use super::service::blame;
use crate::diagnostic::Diagnostic;
use crate::schema::{Protocol, Service, ServiceTls, Val};
use crate::values::{Address, HostPattern, Invalid};

pub(super) fn check(check: &mut Check<'_>, service: &Val<Service>) {
    protocols(check, service);
    let Some(tls) = &service.tls else { return };
    pair(check, tls);
    if let Some(sni) = &tls.sni {
        blame(check, sni, check_sni(&sni.value));
    }
    if tls.verify.value {
        nameless_servers(check, service, tls);
    } else {
        unverified(check, service, tls);
    }
}

/// Only TLS lets the two sides agree on a protocol; in clear text we begin to speak without asking.
fn protocols(check: &mut Check<'_>, service: &Service) {
    let protocols = &service.protocols;
    check.not_empty(
        protocols,
        "protocols",
        "write [\"h2\"] or [\"http/1.1\"], or leave it out",
    );
    repeated_protocols(check, protocols);
    if service.tls.is_none() && protocols.len() > 1 {
        check.report(
            Diagnostic::error(
                "contradiction",
                "servers without TLS can be spoken to by one protocol only",
            )
            .at(protocols.span, "which of them?")
            .help("write [\"h2\"] or [\"http/1.1\"]; over TLS both are possible, and the server chooses"),
        );
    }
    let window = &service.http2.stream_window;
    if !(16 << 10..=16 << 20).contains(&window.value.0) {
        let message = format!(
            "`stream_window = \"{}\"` is not between 16KiB and 16MiB",
            window.value
        );
        check.report(Diagnostic::error("out-of-range", message).at(window.span, "out of range"));
    }
    let speaks_http2 = protocols.iter().any(|one| one.value == Protocol::Http2);
    if service.http2.is_written() && !speaks_http2 {
        check.report(
            Diagnostic::warning("no-effect", "`http2` has no effect, since it is not spoken")
                .at(service.http2.span, "")
                .help("write protocols = [\"h2\", \"http/1.1\"], or [\"h2\"] without TLS"),
        );
    }
}

/// A certificate is of no use without its key, nor the other way round.
fn pair(check: &mut Check<'_>, tls: &ServiceTls) {
    let (present, missing, span) = match (&tls.cert, &tls.key) {
        (Some(cert), None) => ("cert", "key", cert.span),
        (None, Some(key)) => ("key", "cert", key.span),
        _ => return,
    };
    check.report(
        Diagnostic::error(
            "missing-key",
            format!("`{present}` is there, but `{missing}` is missing"),
        )
        .at(span, format!("needs `{missing}` beside it"))
        .help("a client certificate is given by `cert` and `key` together"),
    );
}

/// A name, or an IP address, that a certificate can carry.
fn check_sni(text: &str) -> Result<(), Invalid> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    match text.parse::<HostPattern>()? {
        HostPattern::Exact(_) => Ok(()),
        HostPattern::Wildcard(_) => Err(Invalid::new(format!(
            "`{text}` is a pattern; a server is asked for one name"
        ))),
    }
}

/// A Unix socket has no name that a certificate could carry.
fn nameless_servers(check: &mut Check<'_>, service: &Service, tls: &Val<ServiceTls>) {
    if tls.sni.is_some() {
        return;
    }
    let is_unix = |address: &Address| matches!(address, Address::Unix(_));
    for server in service.servers.value.iter() {
        if is_unix(&server.address.value) {
            check.report(
                Diagnostic::error(
                    "missing-key",
                    "a Unix socket has no name to verify its certificate by",
                )
                .at(server.address.span, "which name must its certificate have?")
                .note(tls.span, "TLS is asked for here")
                .help("write `sni = \"app.internal\"` under `tls`"),
            );
        }
    }
}

/// `verify = false` is heard, and said aloud.
fn unverified(check: &mut Check<'_>, service: &Service, tls: &ServiceTls) {
    let message = format!(
        "servers of the service `{}` are not verified",
        service.name.value
    );
    check.report(
        Diagnostic::warning("unverified-servers", message)
            .at(
                tls.verify.span,
                "whoever answers at their addresses is believed, and can read and change everything",
            )
            .help("for certificates of your own, name their authority: `ca = \"internal-ca.pem\"`"),
    );
    if let Some(ca) = &tls.ca {
        check.report(
            Diagnostic::warning("no-effect", "`ca` has no effect without verification")
                .at(ca.span, "")
                .note(tls.verify.span, "verification is switched off here"),
        );
    }
}
