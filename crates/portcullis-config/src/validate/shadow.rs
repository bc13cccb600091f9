//! Routes that can never match.
//!
//! Which route wins is told in the routing chapter of the book: host, path, methods, the number of other conditions, order in
//! the file. So a route is dead for a host when others with the same host and path come before it and take all its methods under
//! conditions that hold whenever its own do. Where that cannot be told, as with expressions that overlap, nothing is said.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use super::Check;
use super::conjunction::Conjunction;
use crate::diagnostic::Diagnostic;
use crate::schema::{Route, Val};
use crate::source::Span;
use crate::values::{HostMatch, MethodName, PathPattern};

/// Where routes compete: the same priority, host (`None` is any) and path, whatever the names in a template.
type Place<'a> = (
    i32,
    Option<&'a HostMatch>,
    (Discriminant<PathPattern>, Cow<'a, str>),
);

/// A route with what it demands, for comparing it with others.
struct Rival<'a> {
    route: &'a Val<Route>,
    /// Its number in the order of the files.
    index: usize,
    all: Conjunction<'a>,
    beside_place: Conjunction<'a>,
}

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
    let rivals: Vec<Rival<'_>> = config
        .routes
        .iter()
        .enumerate()
        // Without a condition that could not be read a route looks wider than it is.
        .filter(|(_, route)| check.is_whole(route.span))
        .map(|(index, route)| Rival {
            route,
            index,
            all: Conjunction::of_route(check, route),
            beside_place: Conjunction::beside_place(check, route),
        })
        .collect();
    in_place(check, &rivals);
    by_priority(check, &rivals);
}

/// Routes that others of the same host and path take everything from.
fn in_place<'a>(check: &mut Check<'a>, rivals: &[Rival<'a>]) {
    let mut places: HashMap<Place<'_>, Vec<&Rival<'_>>> = HashMap::new();
    for rival in rivals {
        for (host, _) in hosts(rival.route) {
            let place = places.entry(place(rival.route, host)).or_default();
            if place.len() < MOST_RIVALS {
                place.push(rival);
            }
        }
    }
    for own in rivals {
        let mut dead = Vec::new();
        for (host, span) in hosts(own.route) {
            let others = places.get(&place(own.route, host));
            let winners = winners(check, others.map_or(&[], Vec::as_slice), own);
            if !winners.is_empty() {
                dead.push(Dead {
                    host,
                    span,
                    winners,
                });
            }
        }
        if !dead.is_empty() && dead.len() == hosts(own.route).len() {
            shadowed(check, own.route, &dead);
        } else {
            dead.iter()
                .for_each(|dead| duplicate_host(check, own.route, dead));
        }
    }
}

fn place<'a>(route: &'a Route, host: Option<&'a HostMatch>) -> Place<'a> {
    let path = match route.path.as_ref().map(|path| &path.value) {
        None => (
            discriminant(&PathPattern::Prefix("/".into())),
            Cow::Borrowed("/"),
        ),
        Some(path @ PathPattern::Template(template)) => {
            (discriminant(path), Cow::Owned(template.shape()))
        }
        Some(path) => (discriminant(path), Cow::Borrowed(path.as_str())),
    };
    (route.priority.value, host, path)
}

/// How many routes of higher priority each route is compared with.
const MOST_ABOVE: usize = 100;

/// Routes that one of higher priority takes everything from, wherever both stand.
fn by_priority<'a>(check: &mut Check<'a>, rivals: &[Rival<'a>]) {
    let mut above: Vec<&Rival<'_>> = rivals.iter().collect();
    above.sort_by_key(|rival| std::cmp::Reverse(rival.route.priority.value));
    let lowest = above.last().map_or(0, |rival| rival.route.priority.value);
    above.truncate(MOST_ABOVE);
    above.retain(|rival| rival.route.priority.value > lowest);
    for own in rivals {
        let route = own.route;
        let outranks = |rival: &&&Rival<'_>| rival.route.priority.value > route.priority.value;
        let mut above = above.iter().filter(outranks);
        let Some(winner) = above.find(|rival| takes_all(check, rival, own)) else {
            continue;
        };
        let winner = winner.route;
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
fn takes_all(check: &Check<'_>, rival: &Rival<'_>, own: &Rival<'_>) -> bool {
    let (other, route) = (rival.route, own.route);
    let everything = PathPattern::Prefix("/".into());
    let path = match (&other.path, &route.path) {
        (None, _) => true,
        (Some(rival), Some(own)) => rival.covers(own),
        (Some(rival), None) => rival.covers(&everything) && !takes_pathless(route),
    };
    let methods = match (&other.methods, &route.methods) {
        (None, None) => true,
        (None, Some(own)) => !own
            .iter()
            .any(|own| matches!(own.as_str(), "CONNECT" | "TRACE")),
        (Some(_), None) => false,
        (Some(rivals), Some(own)) => own
            .iter()
            .all(|own| rivals.iter().any(|rival| rival.value == own.value)),
    };
    let covers = |rivals: &Val<Vec<Val<HostMatch>>>, own: &HostMatch| {
        rivals.iter().any(|rival| rival.covers(own))
    };
    let hosts = match (&other.hosts, &route.hosts) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(rivals), Some(own)) => own.iter().all(|own| covers(rivals, own)),
    };
    path && methods
        && hosts
        && on_all_listeners(check, other, route)
        && own.all.implies(&rival.beside_place)
}

/// The methods of requests that have no path: `OPTIONS *` and CONNECT. Only routes without a path are for them.
fn is_pathless(method: &str) -> bool {
    matches!(method, "OPTIONS" | "CONNECT")
}

/// Whether a route is for requests without a path.
fn takes_pathless(route: &Route) -> bool {
    let methods = route.methods.as_ref();
    let named = |methods: &Val<Vec<Val<_>>>| {
        methods
            .iter()
            .any(|one: &Val<MethodName>| is_pathless(one.as_str()))
    };
    route.path.is_none() && methods.is_none_or(named)
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

/// The routes that together take everything this one could, among those of the same place that come before it; none when something
/// is left.
fn winners<'a>(check: &Check<'_>, place: &[&Rival<'a>], own: &Rival<'a>) -> Vec<&'a Val<Route>> {
    let route = own.route;
    let rivals = place.iter().filter(|rival| {
        comes_before(rival, own)
            && on_all_listeners(check, rival.route, route)
            && own.all.implies(&rival.beside_place)
    });
    let rivals = rivals.map(|rival| rival.route);
    let Some(methods) = &route.methods else {
        return rivals
            .filter(|rival| rival.methods.is_none())
            .filter(|rival| rival.path.is_none() || !takes_pathless(route))
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
        let lacks_pathless = rival.path.is_some() && route.path.is_none();
        left.retain(|method| {
            (lacks_pathless && is_pathless(method))
                || !taken.iter().any(|taken| taken.as_str() == *method)
        });
        if left.len() < before {
            winners.push(rival);
        }
    }
    if left.is_empty() { winners } else { Vec::new() }
}

/// Whether the rival is asked first, where both have methods or neither has.
fn comes_before(rival: &Rival<'_>, own: &Rival<'_>) -> bool {
    let (first, second) = (rank(rival.route), rank(own.route));
    first > second || (first == second && rival.index < own.index)
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

/// How many conditions of each kind a route has, in the order in which the kinds count.
fn rank(route: &Route) -> [usize; 4] {
    let others = usize::from(route.clients.is_some())
        + usize::from(route.tls_names.is_some())
        + usize::from(route.when.is_some());
    [
        route.headers.len(),
        route.query.len(),
        route.cookies.len(),
        others,
    ]
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
    let remedy = remedy(check, route, &winners);
    check.report(diagnostic.help(remedy));
}

fn remedy(check: &Check<'_>, route: &Val<Route>, winners: &[&Val<Route>]) -> String {
    let [winner] = winners else {
        return "together they take everything this route is for; remove it, or move it before them".to_owned();
    };
    if rank(winner) != rank(route) {
        return format!(
            "conditions of its own put `{}` first, wherever the two stand; remove one of them",
            winner.name.value
        );
    }
    let demands = |route| Conjunction::beside_place(check, route);
    let alike = winner.methods == route.methods && demands(winner).implies(&demands(route));
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
