//! Routes whose own conditions exclude one another: what `when` demands against what the route or another part of `when` does.
//!
//! Only what must hold is compared: a route's keys, its `when`, and what lies in `all` or behind a name. What `any` and
//! `not` leave open, and expressions, are believed.

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{Condition, CookieMatch, HeaderMatch, QueryMatch, Route, Val, ValueMatch};
use crate::source::Span;
use crate::values::{
    CookieName, FieldName, HostMatch, HostPattern, MethodName, Network, ParameterName,
};

/// The most parts of one route that are compared with each other.
const MOST_PARTS: usize = 32;

/// What must hold together, in one place.
struct Part<'a> {
    hosts: Option<&'a Val<Vec<Val<HostMatch>>>>,
    methods: Option<&'a Val<Vec<Val<MethodName>>>>,
    headers: &'a [(Val<FieldName>, Val<HeaderMatch>)],
    query: &'a [(Val<ParameterName>, Val<QueryMatch>)],
    cookies: &'a [(Val<CookieName>, Val<CookieMatch>)],
    clients: Option<&'a Val<Vec<Val<Network>>>>,
    tls_names: Option<&'a Val<Vec<Val<HostPattern>>>>,
    listeners: Option<&'a Val<Vec<Val<String>>>>,
}

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        let Some(when) = &route.when else { continue };
        let mut parts = vec![of_route(route)];
        gather(check, when, &mut parts, &mut Vec::new());
        let found = parts.iter().enumerate().find_map(|(index, part)| {
            let earlier = parts.iter().take(index);
            earlier.filter_map(|other| clash(other, part)).next()
        });
        if let Some((what, first, second)) = found {
            let message = format!("the route `{}` can never match: {what}", route.name.value);
            check.report(
                Diagnostic::error("contradiction", message)
                    .at(second, "this and")
                    .note(first, "this exclude each other"),
            );
        }
    }
}

fn of_route(route: &Route) -> Part<'_> {
    Part {
        hosts: route.hosts.as_ref(),
        methods: route.methods.as_ref(),
        headers: &route.headers,
        query: &route.query,
        cookies: &route.cookies,
        clients: route.clients.as_ref(),
        tls_names: route.tls_names.as_ref(),
        listeners: route.listeners.as_ref(),
    }
}

/// The parts of a condition that must hold. Names that lead in a circle are told elsewhere.
fn gather<'a>(
    check: &Check<'a>,
    condition: &'a Condition,
    parts: &mut Vec<Part<'a>>,
    path: &mut Vec<&'a str>,
) {
    if parts.len() >= MOST_PARTS {
        return;
    }
    parts.push(Part {
        hosts: condition.hosts.as_ref(),
        methods: condition.methods.as_ref(),
        headers: &condition.headers,
        query: &condition.query,
        cookies: &condition.cookies,
        clients: condition.clients.as_ref(),
        tls_names: condition.tls_names.as_ref(),
        listeners: condition.listeners.as_ref(),
    });
    if let Some(name) = &condition.named
        && !path.contains(&name.value.as_str())
        && let Some(target) = check.config.condition(&name.value)
    {
        path.push(&name.value);
        gather(check, &target.value, parts, path);
        path.pop();
    }
    for inner in condition.all.iter().flat_map(|all| all.0.iter()) {
        gather(check, &inner.value, parts, path);
    }
}

/// Why two parts exclude each other, and where.
type Clash = (String, Option<Span>, Option<Span>);

fn clash(one: &Part<'_>, other: &Part<'_>) -> Option<Clash> {
    lists("hosts", one.hosts, other.hosts, hosts_meet)
        .or_else(|| lists("methods", one.methods, other.methods, |a, b| a == b))
        .or_else(|| values("header", one.headers, other.headers, FieldName::as_str))
        .or_else(|| values("parameter", one.query, other.query, ParameterName::as_str))
        .or_else(|| values("cookie", one.cookies, other.cookies, CookieName::as_str))
        .or_else(|| lists("clients", one.clients, other.clients, networks_meet))
        .or_else(|| lists("tls_names", one.tls_names, other.tls_names, names_meet))
        .or_else(|| lists("listeners", one.listeners, other.listeners, |a, b| a == b))
}

/// Two lists of which one of each must hold, and no two can.
fn lists<T>(
    key: &str,
    one: Option<&Val<Vec<Val<T>>>>,
    other: Option<&Val<Vec<Val<T>>>>,
    meet: impl Fn(&T, &T) -> bool,
) -> Option<Clash> {
    let (one, other) = (one?, other?);
    let any = one
        .iter()
        .any(|a| other.iter().any(|b| meet(&a.value, &b.value)));
    let is_whole = !one.is_empty() && !other.is_empty();
    (is_whole && !any).then(|| {
        (
            format!("its `{key}` have nothing in common"),
            one.span,
            other.span,
        )
    })
}

/// Two conditions on the values of one name that no value satisfies.
fn values<K: PartialEq, V: PartialEq>(
    kind: &str,
    one: &[(Val<K>, Val<ValueMatch<V>>)],
    other: &[(Val<K>, Val<ValueMatch<V>>)],
    text: fn(&K) -> &str,
) -> Option<Clash> {
    one.iter().find_map(|(name, wanted)| {
        let (again, also) = other.iter().find(|(again, _)| again.value == name.value)?;
        let excluded = match (&wanted.value, &also.value) {
            (ValueMatch::Absent, ValueMatch::Absent) => false,
            (ValueMatch::Absent, _) | (_, ValueMatch::Absent) => true,
            (ValueMatch::Value(a), ValueMatch::Value(b)) => a != b,
            _ => false,
        };
        excluded.then(|| {
            let what = format!("no {kind} `{}` can be both", text(&name.value));
            (what, name.span, again.span)
        })
    })
}

fn hosts_meet(one: &HostMatch, other: &HostMatch) -> bool {
    match (one, other) {
        (HostMatch::Name(one), HostMatch::Name(other)) => names_meet(one, other),
        _ => true,
    }
}

fn names_meet(one: &HostPattern, other: &HostPattern) -> bool {
    one.covers(other) || other.covers(one)
}

fn networks_meet(one: &Network, other: &Network) -> bool {
    match (one, other) {
        // An IPv4-mapped network means an IPv4 network, so nothing is said about different families.
        (Network::Ip(one), Network::Ip(other)) => {
            one.addr().is_ipv4() != other.addr().is_ipv4()
                || one.contains(other)
                || other.contains(one)
        }
        (one, other) => one == other,
    }
}
