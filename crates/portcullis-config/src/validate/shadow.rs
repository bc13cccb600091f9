//! Routes that can never match.
//!
//! Which route wins is told in the routing chapter of the book: host, path, methods, the number of other conditions, order in
//! the file. So a route is dead for a host when earlier ones with the same host and path take all its methods under conditions
//! that are as many and hold whenever its own do. Where that cannot be told, as with expressions that overlap, nothing is said.

use std::collections::HashMap;

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{RedirectHttps, Route, Val, ValueMatch};
use crate::source::Span;
use crate::values::{HostMatch, HostPattern, Network, PathPattern};

/// Where routes compete: the same priority, host (`None` is any) and path.
type Place<'a> = (i32, Option<&'a HostMatch>, &'a PathPattern);

/// A host for which a route never matches, and the routes that take its requests.
struct Dead<'a> {
    host: Option<&'a HostMatch>,
    span: Option<Span>,
    winners: Vec<&'a Val<Route>>,
}

/// How many routes of one host and path are compared with each other; beyond, a dead route goes unnoticed rather than a check
/// of a generated file taking minutes.
const MOST_RIVALS: usize = 500;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    let everything = PathPattern::Prefix("/".into());
    let mut earlier: HashMap<Place<'_>, Vec<&Val<Route>>> = HashMap::new();
    for route in &config.routes {
        if !is_whole(check, route) {
            continue;
        }
        let path = route.path.as_ref().map_or(&everything, |path| &path.value);
        let mut dead = Vec::new();
        for (host, span) in hosts(route) {
            let place = earlier
                .entry((route.priority.value, host, path))
                .or_default();
            let winners = winners(check, place, route);
            if !winners.is_empty() {
                dead.push(Dead {
                    host,
                    span,
                    winners,
                });
            }
            if place.len() < MOST_RIVALS {
                place.push(route);
            }
        }
        if !dead.is_empty() && dead.len() == hosts(route).len() {
            shadowed(check, route, &dead);
        } else {
            dead.iter()
                .for_each(|dead| duplicate_host(check, route, dead));
        }
        redirected(check, route);
    }
    by_priority(check);
}

/// How many routes of higher priority each route is compared with.
const MOST_ABOVE: usize = 100;

/// Routes that one of higher priority takes everything from, wherever both stand.
fn by_priority(check: &mut Check<'_>) {
    let config = check.config;
    let mut by_priority: Vec<&Val<Route>> = config.routes.iter().collect();
    by_priority.sort_by_key(|route| std::cmp::Reverse(route.priority.value));
    let lowest = by_priority.last().map_or(0, |route| route.priority.value);
    let above: Vec<&Val<Route>> = by_priority
        .into_iter()
        .take(MOST_ABOVE)
        .filter(|route| route.priority.value > lowest)
        .collect();
    for route in &config.routes {
        let outranks = |rival: &&&Val<Route>| rival.priority.value > route.priority.value;
        let mut rivals = above.iter().filter(outranks).copied();
        let Some(winner) = rivals.find(|rival| takes_all(check, rival, route)) else {
            continue;
        };
        if !is_whole(check, route) || !is_whole(check, winner) {
            continue;
        }
        let message = format!("the route `{}` can never match", route.name.value);
        let help = format!(
            "its priority is {} and that of `{}` is {}",
            route.priority.value, winner.name.value, winner.priority.value
        );
        check.report(
            Diagnostic::error("shadowed-route", message)
                .at(route.span, "never reached")
                .note(
                    winner.span,
                    format!("`{}` takes all of its requests", winner.name.value),
                )
                .help(help),
        );
    }
}

/// Whether the rival takes every request that the route could.
fn takes_all(check: &Check<'_>, rival: &Route, route: &Route) -> bool {
    let path = match (&rival.path, &route.path) {
        (None, _) => true,
        (Some(rival), Some(own)) => rival.covers(own),
        // A route without path also takes requests that have none.
        (Some(_), None) => false,
    };
    let methods = match (&rival.methods, &route.methods) {
        (None, None) => true,
        (None, Some(own)) => !own
            .iter()
            .any(|own| matches!(own.as_str(), "CONNECT" | "TRACE")),
        (Some(_), None) => false,
        (Some(rivals), Some(own)) => own
            .iter()
            .all(|own| rivals.iter().any(|rival| rival.value == own.value)),
    };
    path && methods
        && within(
            rival.hosts.as_ref(),
            route.hosts.as_ref(),
            HostMatch::covers,
        )
        && on_all_listeners(check, rival, route)
        && holds_too(rival, route)
}

fn hosts(route: &Route) -> Vec<(Option<&HostMatch>, Option<Span>)> {
    match &route.hosts {
        Some(hosts) => hosts
            .iter()
            .map(|host| (Some(&host.value), host.span))
            .collect(),
        None => vec![(None, None)],
    }
}

/// Whether all conditions of a route could be read; without one of them it looks wider than it is.
fn is_whole(check: &Check<'_>, route: &Val<Route>) -> bool {
    let Some(start) = route.span else {
        return false;
    };
    let text = check
        .sources
        .file(start.file)
        .map_or("", |file| file.text.as_str());
    let rest = text.get(start.end as usize..).unwrap_or_default();
    let next = rest.match_indices("\n[").find(|(at, _)| {
        !rest
            .get(at + 2..)
            .is_some_and(|header| header.starts_with("route."))
    });
    let length = next.map_or(rest.len(), |(at, _)| at);
    let end = start
        .end
        .saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
    check.is_clean(Some(Span { end, ..start }))
}

/// The routes that together take everything this one could, among those of the same place before it; none when something is left.
fn winners<'a>(
    check: &Check<'_>,
    earlier: &[&'a Val<Route>],
    route: &Route,
) -> Vec<&'a Val<Route>> {
    let rivals = earlier
        .iter()
        .copied()
        .filter(|rival| on_all_listeners(check, rival, route) && implied(rival, route));
    let Some(methods) = &route.methods else {
        return rivals
            .filter(|rival| rival.methods.is_none())
            .take(1)
            .collect();
    };
    let mut left: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    let mut winners = Vec::new();
    for rival in rivals {
        let Some(taken) = &rival.methods else {
            continue;
        };
        if left.is_empty() {
            break;
        }
        let before = left.len();
        left.retain(|method| !taken.iter().any(|taken| taken.as_str() == *method));
        if left.len() < before {
            winners.push(rival);
        }
    }
    if left.is_empty() { winners } else { Vec::new() }
}

fn on_all_listeners(check: &Check<'_>, rival: &Route, route: &Route) -> bool {
    let Some(rivals) = &rival.listeners else {
        return true;
    };
    let serves = |name: &String| rivals.iter().any(|one| one.value == *name);
    match &route.listeners {
        Some(own) => own.iter().all(|name| serves(&name.value)),
        None => check.declared.listeners.iter().all(serves),
    }
}

/// Whether the rival's conditions hold whenever the route's do, and are as many of each kind: with more, the rival would
/// come first whatever the order, and with fewer, later.
fn implied(rival: &Route, route: &Route) -> bool {
    rival.headers.len() == route.headers.len()
        && rival.query.len() == route.query.len()
        && rival.cookies.len() == route.cookies.len()
        && others(rival) == others(route)
        && holds_too(rival, route)
}

/// Whether the rival's conditions beside host, path and method hold whenever the route's do.
fn holds_too(rival: &Route, route: &Route) -> bool {
    values_hold(&rival.headers, &route.headers)
        && values_hold(&rival.query, &route.query)
        && values_hold(&rival.cookies, &route.cookies)
        && (rival.when.is_none() || rival.when == route.when)
        && within(
            rival.clients.as_ref(),
            route.clients.as_ref(),
            network_covers,
        )
        && within(
            rival.tls_names.as_ref(),
            route.tls_names.as_ref(),
            HostPattern::covers,
        )
}

type Conditions<K, V> = Val<Vec<(Val<K>, Val<ValueMatch<V>>)>>;

/// Whether each of the rival's conditions on names holds whenever the route's of that name does.
fn values_hold<K: PartialEq, V: PartialEq>(
    rival: &Conditions<K, V>,
    route: &Conditions<K, V>,
) -> bool {
    let holds = |(name, wanted): &(Val<K>, Val<ValueMatch<V>>)| {
        let own = route.iter().find(|(own, _)| own.value == name.value);
        match (&wanted.value, own.map(|(_, own)| &own.value)) {
            (wanted, Some(own)) if wanted == own => true,
            (ValueMatch::Present, Some(ValueMatch::Value(_) | ValueMatch::Regex(_))) => true,
            _ => false,
        }
    };
    rival.iter().all(holds)
}

/// How many of the conditions that are counted last a route has.
fn others(route: &Route) -> usize {
    usize::from(route.clients.is_some())
        + usize::from(route.tls_names.is_some())
        + usize::from(route.when.is_some())
}

/// Whether a list of the rival's, if it has one, takes all that the route's list takes.
fn within<T>(
    rival: Option<&Val<Vec<Val<T>>>>,
    route: Option<&Val<Vec<Val<T>>>>,
    covers: impl Fn(&T, &T) -> bool,
) -> bool {
    match (rival, route) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(rivals), Some(own)) => own
            .iter()
            .all(|own| rivals.iter().any(|rival| covers(&rival.value, &own.value))),
    }
}

fn network_covers(rival: &Network, own: &Network) -> bool {
    match (rival, own) {
        (Network::Unix, Network::Unix) => true,
        (Network::Ip(rival), Network::Ip(own)) => rival.contains(own),
        _ => false,
    }
}

fn shadowed(check: &mut Check<'_>, route: &Val<Route>, dead: &[Dead<'_>]) {
    let message = format!("the route `{}` can never match", route.name.value);
    let mut diagnostic =
        Diagnostic::error("shadowed-route", message).at(route.span, "never reached");
    let mut winners: Vec<&Val<Route>> = Vec::new();
    for winner in dead.iter().flat_map(|dead| &dead.winners) {
        if !winners.iter().any(|known| known.span == winner.span) {
            winners.push(winner);
        }
    }
    let what = if winners.len() == 1 {
        "all of its requests"
    } else {
        "some of its requests"
    };
    for winner in winners.iter().take(3) {
        diagnostic = diagnostic.note(winner.span, format!("`{}` takes {what}", winner.name.value));
    }
    check.report(diagnostic.help(remedy(route, &winners)));
}

fn remedy(route: &Val<Route>, winners: &[&Val<Route>]) -> String {
    let [winner] = winners else {
        return "together they take everything this route is for; remove it, or move it before them".to_owned();
    };
    let alike = winner.methods == route.methods
        && winner.headers == route.headers
        && winner.query == route.query
        && winner.cookies == route.cookies
        && winner.clients == route.clients
        && winner.tls_names == route.tls_names
        && winner.when == route.when;
    if alike {
        return "both are for the same requests, and the first one wins; remove one, or give it a path, host, method or header of its own".to_owned();
    }
    format!(
        "neither is more special by the rules, so the first one wins; move this one before `{}`",
        winner.name.value
    )
}

fn duplicate_host(check: &mut Check<'_>, route: &Val<Route>, dead: &Dead<'_>) {
    let (Some(host), Some(winner)) = (dead.host, dead.winners.first()) else {
        return;
    };
    let message = format!(
        "the host `{host}` of the route `{}` is never reached",
        route.name.value
    );
    let first = winner
        .hosts
        .as_ref()
        .and_then(|hosts| hosts.iter().find(|one| one.value == *host))
        .and_then(|one| one.span);
    check.report(
        Diagnostic::error("duplicate-host", message)
            .at(dead.span, "never reached by this host")
            .note(
                first,
                format!("`{}` takes it, with the same path", winner.name.value),
            )
            .help("remove it from one of the two routes, or give one of them a path of its own"),
    );
}

/// A route on listeners that only redirect.
fn redirected(check: &mut Check<'_>, route: &Val<Route>) {
    let config = check.config;
    let Some(names) = &route.listeners else {
        return;
    };
    let found: Vec<_> = names
        .iter()
        .filter_map(|name| config.listener(&name.value))
        .collect();
    let all = found.len() == names.len()
        && found
            .iter()
            .all(|listener| listener.redirect_https.value != RedirectHttps::Off);
    if let (true, Some(listener)) = (all, found.first()) {
        check.report(
            Diagnostic::error(
                "shadowed-route",
                format!("the route `{}` can never match", route.name.value),
            )
            .at(names.span, "no request gets past these listeners")
            .note(
                listener.redirect_https.span,
                format!("`{}` redirects every request", listener.name.value),
            )
            .help("name the HTTPS listener instead, or take `redirect_https` away"),
        );
    }
}
