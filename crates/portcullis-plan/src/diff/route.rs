//! What changes about routes. One change of a listener's or the default deadlines is told there, not at every route.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Change, ChangeKind, Effect, Object, Plans, by_name, changed, differing};
use crate::RouteId;
use crate::plan::{Action, ExchangeTimeouts, Listener, Maintenance, Mirror, Plan, Route, Split};
use crate::route::{Entry, Test};
use crate::split::Variant;

pub(super) fn changes(plans: Plans<'_>) -> Vec<Change> {
    let (old, new) = (Offers::of(plans.old), Offers::of(plans.new));
    let mut changes = by_name(
        plans.old.routes.iter(),
        plans.new.routes.iter(),
        |route| route.name(),
        |route| Object::Route(Arc::clone(route.name())),
        |before, now| compare(plans, (&old, before), (&new, now)),
    );
    changes.extend(order(plans));
    changes
}

/// Where each route is offered, by its name.
struct Offers<'p>(HashMap<&'p str, Vec<(&'p Listener, &'p Entry)>>);

impl<'p> Offers<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut offers: HashMap<&str, Vec<_>> = HashMap::new();
        for listener in &plan.listeners {
            for entry in listener.router.entries() {
                if let Some(route) = plan.route(entry.route) {
                    offers
                        .entry(route.name())
                        .or_default()
                        .push((listener, entry));
                }
            }
        }
        Self(offers)
    }

    fn get(&self, route: &Route) -> &[(&'p Listener, &'p Entry)] {
        self.0.get(&**route.name()).map_or(&[], Vec::as_slice)
    }
}

fn compare(
    plans: Plans<'_>,
    (offers, old): (&Offers<'_>, &Route),
    (new_offers, new): (&Offers<'_>, &Route),
) -> Option<Change> {
    let (before, now) = (offers.get(old), new_offers.get(new));
    let listeners = |offers: &[(&Listener, _)]| {
        offers
            .iter()
            .map(|(listener, _)| listener.name.clone())
            .collect::<Vec<_>>()
    };
    let matched = |part: fn(&Entry, &Entry) -> bool| match (before.first(), now.first()) {
        (Some((_, old)), Some((_, new))) => part(old, new),
        _ => true,
    };
    let (limit_before, limit_now) = plans.limits(old.rate_limit, new.rate_limit);
    let keys = differing(&[
        ("listeners", listeners(before) == listeners(now)),
        ("priority", matched(|old, new| old.priority == new.priority)),
        ("hosts", matched(|old, new| old.hosts == new.hosts)),
        ("path", matched(|old, new| old.path == new.path)),
        (
            "methods",
            matched(|old, new| old.rule.methods() == new.rule.methods()),
        ),
        (
            "headers",
            matched(|old, new| same_tests(old, new, Kind::Headers)),
        ),
        (
            "query",
            matched(|old, new| same_tests(old, new, Kind::Query)),
        ),
        (
            "cookies",
            matched(|old, new| same_tests(old, new, Kind::Cookies)),
        ),
        (
            "clients",
            matched(|old, new| same_tests(old, new, Kind::Clients)),
        ),
        (
            "tls_names",
            matched(|old, new| same_tests(old, new, Kind::TlsNames)),
        ),
        ("when", matched(|old, new| same_tests(old, new, Kind::When))),
        ("action", same_action(plans, &old.action, &new.action)),
        ("rewrite", same_rewrite(old, new)),
        (
            "maintenance",
            same_maintenance(old.maintenance(), new.maintenance()),
        ),
        ("mirror", same_mirror(plans, old.mirror(), new.mirror())),
        ("fault", old.fault() == new.fault()),
        ("upgrade", old.upgrade == new.upgrade),
        ("body_limit", old.body_limit == new.body_limit),
        ("rate_limit", limit_before == limit_now),
        ("timeouts", same_timeouts(before, now)),
    ]);
    let effect = if limit_before == limit_now {
        Effect::Kept
    } else {
        Effect::LimitReset
    };
    changed(Object::Route(Arc::clone(new.name())), keys, effect)
}

/// The key a condition is written under.
#[derive(PartialEq)]
enum Kind {
    Headers,
    Query,
    Cookies,
    Clients,
    TlsNames,
    When,
}

fn kind(test: &Test) -> Kind {
    match test {
        Test::Header(..) => Kind::Headers,
        Test::Parameter(..) => Kind::Query,
        Test::Cookie(..) => Kind::Cookies,
        Test::Client(_) => Kind::Clients,
        Test::TlsName(_) => Kind::TlsNames,
        _ => Kind::When,
    }
}

/// Whether both have the same conditions of one kind, in the same order.
fn same_tests(old: &Entry, new: &Entry, of: Kind) -> bool {
    let tests = |entry: &'_ Entry| -> Vec<Test> {
        let conditions = entry
            .rule
            .conditions()
            .iter()
            .map(|condition| &condition.test);
        conditions
            .filter(|test| kind(test) == of)
            .cloned()
            .collect()
    };
    tests(old) == tests(new)
}

fn same_action(plans: Plans<'_>, old: &Action, new: &Action) -> bool {
    let name = |plan: &Plan, id| plan.service(id).map(|service| service.name.clone());
    match (old, new) {
        (Action::Forward(old), Action::Forward(new)) => {
            name(plans.old, *old) == name(plans.new, *new)
        }
        (Action::Split(old), Action::Split(new)) => same_split(old, new),
        _ => old == new,
    }
}

/// Services are the same when their names are, whatever their ids.
fn same_split(old: &Split, new: &Split) -> bool {
    let same = |(old, new): (&Variant, &Variant)| {
        old.name == new.name && old.weight == new.weight && old.force == new.force
    };
    old.sticky == new.sticky
        && old.variants.len() == new.variants.len()
        && old.variants.iter().zip(&new.variants).all(same)
}

fn same_mirror(plans: Plans<'_>, old: Option<&Mirror>, new: Option<&Mirror>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return old.is_none() && new.is_none();
    };
    let name = |plan: &Plan, id| plan.service(id).map(|service| service.name.clone());
    let moved = Mirror {
        service: new.service,
        ..old.clone()
    };
    name(plans.old, old.service) == name(plans.new, new.service) && moved == *new
}

pub(super) fn same_maintenance(old: Option<&Maintenance>, new: Option<&Maintenance>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.is_same(new),
        (old, new) => old.is_none() && new.is_none(),
    }
}

fn same_rewrite(old: &Route, new: &Route) -> bool {
    old.path == new.path
        && old.host == new.host
        && old.request_headers == new.request_headers
        && old.response_headers == new.response_headers
        && old.target() == new.target()
        && old.map_back() == new.map_back()
}

/// Whether deadlines are the same, or differ only because the listener's do.
fn same_timeouts(before: &[(&Listener, &Entry)], now: &[(&Listener, &Entry)]) -> bool {
    before
        .iter()
        .zip(now)
        .filter(|((old, _), (new, _))| old.name == new.name)
        .all(|((old_listener, old), (new_listener, new))| {
            let own = deadlines(&old.timeouts)
                .into_iter()
                .zip(deadlines(&new.timeouts));
            let inherited = deadlines(&old_listener.timeouts.exchange)
                .into_iter()
                .zip(deadlines(&new_listener.timeouts.exchange));
            own.zip(inherited)
                .all(|(own, inherited)| own.0 == own.1 || own == inherited)
                && variants(old_listener, old.route).eq(variants(new_listener, new.route))
        })
}

/// The deadlines of a split's services, in order.
fn variants(listener: &Listener, route: RouteId) -> impl Iterator<Item = &ExchangeTimeouts> {
    (0..).map_while(move |at| Some(&listener.variant_timeouts(route, at)?.timeouts))
}

/// The deadlines as comparable numbers: nanoseconds, or bytes a second; `None` is off.
fn deadlines(timeouts: &ExchangeTimeouts) -> [Option<u128>; 8] {
    let nanos = |duration: std::time::Duration| Some(duration.as_nanos());
    [
        nanos(timeouts.client_body_idle),
        timeouts.client_body_rate.map(u128::from),
        nanos(timeouts.client_write),
        nanos(timeouts.connect),
        nanos(timeouts.response_header),
        nanos(timeouts.response_idle),
        timeouts.request.and_then(nanos),
        nanos(timeouts.tunnel_idle),
    ]
}

/// The order of the routes that stay matters where everything else is equal, so a change of it is told, once.
fn order(Plans { old, new }: Plans<'_>) -> Option<Change> {
    let positions: HashMap<&str, RouteId> = old
        .routes
        .iter()
        .enumerate()
        .map(|(index, route)| (&**route.name(), RouteId::new(index)))
        .collect();
    let stayed = new
        .routes
        .iter()
        .filter_map(|route| positions.get(&**route.name()));
    let kind = ChangeKind::Changed(vec!["their order"]);
    (!stayed.is_sorted()).then_some(Change {
        object: Object::Routes,
        kind,
        effect: Effect::Kept,
    })
}
