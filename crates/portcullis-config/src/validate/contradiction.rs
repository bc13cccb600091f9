//! Routes whose own conditions exclude one another: what `when` demands against what the route or another part of `when` does.
//!
//! Only what must hold is compared: a route's keys, its `when`, and what lies in `all` or behind a name; and what lies in `not` where it is
//! the same. What `any` leaves open, and expressions, are believed.

use super::Check;
use super::conjunction::{Conjunction, Demand, List};
use crate::diagnostic::Diagnostic;
use crate::schema::{Val, ValueMatch};
use crate::source::Span;
use crate::values::{CookieName, FieldName, HostMatch, HostPattern, Network, ParameterName};
use crate::values::{PathPattern, quoted};

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for route in &config.routes {
        if route.when.is_none() {
            continue;
        }
        let all = Conjunction::of_route(check, route);
        let found = all.demands.iter().enumerate().find_map(|(index, demand)| {
            let mut earlier = all.demands.iter().take(index);
            earlier.find_map(|other| clash(other, demand))
        });
        if let Some((what, first, second)) = found.or_else(|| negated(check, &all)) {
            let message = format!("the route `{}` can never match: {what}", route.name.value);
            check.report(
                Diagnostic::error("contradiction", message)
                    .at(second, "this and")
                    .note(first, "this exclude each other"),
            );
        }
    }
}

/// Why two demands exclude each other, and where.
type Clash = (String, Option<Span>, Option<Span>);

fn clash(one: &Demand<'_>, other: &Demand<'_>) -> Option<Clash> {
    match (one, other) {
        (Demand::Hosts(a), Demand::Hosts(b)) => lists("hosts", a, b, hosts_meet),
        (Demand::Path(a), Demand::Path(b)) => paths(a, b),
        (Demand::Methods(a), Demand::Methods(b)) => lists("methods", a, b, |a, b| a == b),
        (Demand::Header(name, a), Demand::Header(again, b)) => {
            values("header", (name, a), (again, b), FieldName::as_str)
        }
        (Demand::Query(name, a), Demand::Query(again, b)) => {
            values("parameter", (name, a), (again, b), ParameterName::as_str)
        }
        (Demand::Cookie(name, a), Demand::Cookie(again, b)) => {
            values("cookie", (name, a), (again, b), CookieName::as_str)
        }
        (Demand::Clients(a), Demand::Clients(b)) => lists("clients", a, b, networks_meet),
        (Demand::TlsNames(a), Demand::TlsNames(b)) => lists("tls_names", a, b, names_meet),
        (Demand::Listeners(a), Demand::Listeners(b)) => lists("listeners", a, b, |a, b| a == b),
        _ => None,
    }
}

/// A condition under `not` that holds whenever all the rest does.
fn negated(check: &Check<'_>, all: &Conjunction<'_>) -> Option<Clash> {
    all.demands.iter().find_map(|demand| {
        let Demand::Not(condition) = demand else {
            return None;
        };
        let excluded = Conjunction::of_condition(check, condition);
        // Where a part could not be read, the condition looks wider than it is.
        let is_known = !excluded.demands.is_empty() && check.is_clean(condition.span);
        let first = excluded.demands.first()?;
        let holds = is_known && all.implies(&excluded);
        let place = all.demands.iter().find(|own| own.implies(first))?.span();
        let what = "what must hold is what must not".to_owned();
        holds.then_some((what, place, condition.span))
    })
}

/// Two single paths or prefixes that no path has both of.
fn paths(one: &Val<PathPattern>, other: &Val<PathPattern>) -> Option<Clash> {
    let exclude = match (&one.value, &other.value) {
        (PathPattern::Exact(path), pattern) | (pattern, PathPattern::Exact(path)) => {
            pattern.takes(path) == Some(false)
        }
        (PathPattern::Prefix(_), PathPattern::Prefix(_)) => {
            !one.covers(other) && !other.covers(one)
        }
        _ => false,
    };
    let (a, b) = (quoted(one.as_str()), quoted(other.as_str()));
    exclude.then(|| {
        let what = format!("no path is both {a} and {b}");
        (what, one.span, other.span)
    })
}

/// Two lists of which one of each must hold, and no two can.
fn lists<T>(
    key: &str,
    one: &List<T>,
    other: &List<T>,
    meet: impl Fn(&T, &T) -> bool,
) -> Option<Clash> {
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
    (name, one): (&Val<K>, &ValueMatch<V>),
    (again, other): (&Val<K>, &ValueMatch<V>),
    text: fn(&K) -> &str,
) -> Option<Clash> {
    let exclude = match (one, other) {
        (ValueMatch::Absent, ValueMatch::Absent) => false,
        (ValueMatch::Absent, _) | (_, ValueMatch::Absent) => true,
        (ValueMatch::Value(a), ValueMatch::Value(b)) => a != b,
        _ => false,
    };
    (name == again && exclude).then(|| {
        let what = format!("no {kind} `{}` can be both", text(&name.value));
        (what, name.span, again.span)
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
