//! What changes about listeners.

use std::sync::Arc;

use super::{Change, Effect, Object, Plans, by_name, changed, differing};
use crate::plan::{Certificate, ClientAuth, Listener, Tls};

pub(super) fn changes(plans: Plans<'_>) -> Vec<Change> {
    by_name(
        plans.old.listeners.iter(),
        plans.new.listeners.iter(),
        |listener| &listener.name,
        |listener| Object::Listener(Arc::clone(&listener.name)),
        |old, new| compare(plans, old, new),
    )
}

fn compare(plans: Plans<'_>, old: &Listener, new: &Listener) -> Option<Change> {
    let (limit_before, limit_now) = plans.limits(old.rate_limit, new.rate_limit);
    let keys = differing(&[
        ("bind", old.binds == new.binds),
        ("backlog", old.backlog == new.backlog),
        (
            "max_connections",
            old.max_connections == new.max_connections,
        ),
        ("tls", same_tls(old.tls.as_ref(), new.tls.as_ref())),
        ("proxy_protocol", old.proxy_protocol == new.proxy_protocol),
        (
            "trusted_proxies",
            old.trusted_proxies == new.trusted_proxies,
        ),
        ("protocols", protocols(old) == protocols(new)),
        (
            "http2",
            old.http2 == new.http2 || old.http2.is_none() || new.http2.is_none(),
        ),
        ("limits", old.limits == new.limits),
        ("timeouts", old.timeouts == new.timeouts),
        ("paths", old.paths == new.paths),
        (
            "forwarded_headers",
            (old.x_forwarded, old.forwarded) == (new.x_forwarded, new.forwarded),
        ),
        ("request_id", old.request_id == new.request_id),
        ("via", old.via == new.via),
        ("date", old.date == new.date),
        ("server_header", old.server_header == new.server_header),
        ("hsts", old.hsts == new.hsts),
        ("redirect_https", old.redirect_https == new.redirect_https),
        ("rate_limit", limit_before == limit_now),
        (
            "maintenance",
            super::route::same_maintenance(old.maintenance.as_deref(), new.maintenance.as_deref()),
        ),
    ]);
    let effect = if limit_before == limit_now {
        Effect::Kept
    } else {
        Effect::LimitReset
    };
    changed(Object::Listener(Arc::clone(&new.name)), keys, effect)
}

fn same_tls(old: Option<&Tls>, new: Option<&Tls>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return old.is_none() == new.is_none();
    };
    (old.only_tls13, old.strict_names, old.tickets)
        == (new.only_tls13, new.strict_names, new.tickets)
        && old
            .certificates
            .iter()
            .map(certificate)
            .eq(new.certificates.iter().map(certificate))
        && old
            .policies
            .iter()
            .map(rule)
            .eq(new.policies.iter().map(rule))
}

/// Which protocols are spoken, and which is preferred.
fn protocols(listener: &Listener) -> (bool, bool, bool) {
    let http2 = listener.http2.is_some();
    (listener.http1, http2, listener.prefers_http1 && http2)
}

/// What matters of a certificate: all but its place.
fn certificate(one: &Certificate) -> impl PartialEq {
    (&one.cert, &one.key, &one.names, one.policy)
}

fn rule(auth: &ClientAuth) -> impl PartialEq {
    match auth {
        ClientAuth::None => (0, None),
        ClientAuth::Optional { ca, .. } => (1, Some(ca)),
        ClientAuth::Required { ca, .. } => (2, Some(ca)),
    }
}
