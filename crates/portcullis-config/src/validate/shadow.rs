//! Routes that can never match.
//!
//! Which route wins: exact host before the longest wildcard before any; then exact path before the longest prefix; then
//! routes that name methods; then more header conditions; then order in the file. So a route is dead for a host exactly when
//! earlier ones with the same host and path take all its methods under conditions that hold whenever its own do.

use std::collections::{HashMap, HashSet};

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{HeaderMatch, RedirectHttps, Route, Val};
use crate::source::Span;
use crate::values::{FieldName, HostPattern, PathPattern};

/// Where routes compete: the same host pattern (`None` is any) and the same path.
type Place<'a> = (Option<&'a HostPattern>, &'a PathPattern);

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    let everything = PathPattern::Prefix("/".into());
    let mut earlier: HashMap<Place<'_>, Vec<&Val<Route>>> = HashMap::new();
    for (index, route) in config.routes.iter().enumerate() {
        if !is_whole(check, index) {
            continue;
        }
        let path = route.path.as_ref().map_or(&everything, |path| &path.value);
        let mut dead = Vec::new();
        for (host, span) in hosts(route) {
            let place = earlier.entry((host, path)).or_default();
            if let Some(winner) = winner(check, place, route) {
                dead.push((host, span, winner));
            }
            place.push(route);
        }
        if dead.len() == hosts(route).len() {
            shadowed(check, route, &dead);
        } else {
            dead.iter().for_each(|(host, span, winner)| {
                duplicate_host(check, route, *host, *span, winner)
            });
        }
        redirected(check, route);
    }
}

fn hosts(route: &Route) -> Vec<(Option<&HostPattern>, Option<Span>)> {
    match &route.hosts {
        Some(hosts) => hosts
            .iter()
            .map(|host| (Some(&host.value), host.span))
            .collect(),
        None => vec![(None, None)],
    }
}

/// Whether all conditions of a route could be read; without one of them it looks wider than it is.
fn is_whole(check: &Check<'_>, index: usize) -> bool {
    let routes = &check.config.routes;
    let Some(start) = routes.get(index).and_then(|route| route.span) else {
        return false;
    };
    let end = routes
        .iter()
        .filter_map(|route| route.span)
        .filter(|span| span.file == start.file && span.start > start.start);
    let end = end.map(|span| span.start).min().unwrap_or(u32::MAX);
    check.is_clean(Some(Span { end, ..start }))
}

/// The route that takes everything this one could, among those of the same place before it.
fn winner<'a>(
    check: &Check<'_>,
    earlier: &[&'a Val<Route>],
    route: &Route,
) -> Option<&'a Val<Route>> {
    let rivals: Vec<&Val<Route>> = earlier
        .iter()
        .copied()
        .filter(|rival| on_all_listeners(check, rival, route) && implied(rival, route))
        .collect();
    let Some(methods) = &route.methods else {
        return rivals.into_iter().find(|rival| rival.methods.is_none());
    };
    let taken: HashSet<&str> = rivals
        .iter()
        .filter_map(|rival| rival.methods.as_ref())
        .flat_map(|m| m.iter().map(|m| m.as_str()))
        .collect();
    let all = !methods.is_empty() && methods.iter().all(|method| taken.contains(method.as_str()));
    rivals.into_iter().find(|rival| {
        all && rival
            .methods
            .as_ref()
            .is_some_and(|m| m.iter().any(|m| methods.contains(m)))
    })
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

/// Whether the rival's header conditions hold whenever the route's do, and are as many.
fn implied(rival: &Route, route: &Route) -> bool {
    let holds = |(name, wanted): &(Val<FieldName>, Val<HeaderMatch>)| {
        let own = route
            .headers
            .iter()
            .find(|(own, _)| own.value == name.value)
            .map(|(_, own)| &own.value);
        match (&wanted.value, own) {
            (wanted, Some(own)) if wanted == own => true,
            (HeaderMatch::Present, Some(HeaderMatch::Value(_))) => true,
            _ => false,
        }
    };
    rival.headers.len() == route.headers.len() && rival.headers.iter().all(holds)
}

fn shadowed(
    check: &mut Check<'_>,
    route: &Val<Route>,
    dead: &[(Option<&HostPattern>, Option<Span>, &Val<Route>)],
) {
    let Some((_, _, winner)) = dead.first() else {
        return;
    };
    let mut diagnostic = Diagnostic::error(
        "shadowed-route",
        format!("the route `{}` can never match", route.name.value),
    )
    .at(route.span, "never reached");
    let mut shown: Vec<&str> = Vec::new();
    for (_, _, winner) in dead.iter().take(3) {
        if !shown.contains(&winner.name.value.as_str()) {
            diagnostic = diagnostic.note(
                winner.span,
                format!("`{}` takes these requests", winner.name.value),
            );
            shown.push(&winner.name.value);
        }
    }
    let only_path = route.hosts.is_none() && route.path.is_none();
    let help = match only_path {
        true => format!("both are for any host and path; give `{}` conditions, or remove one of them", winner.name.value),
        false => "among routes with the same host and path, more conditions win, then the order in the file; move it up with more conditions, or remove it".to_owned(),
    };
    check.report(diagnostic.help(help));
}

fn duplicate_host(
    check: &mut Check<'_>,
    route: &Val<Route>,
    host: Option<&HostPattern>,
    span: Option<Span>,
    winner: &Val<Route>,
) {
    let Some(host) = host else { return };
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
            .at(span, "never reached by this host")
            .note(
                first,
                format!("`{}` takes it with the same path", winner.name.value),
            )
            .help("remove it from one of the two routes"),
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
