#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::facts::Facts;
use crate::fixture;
use crate::health::{Check, CheckStatus, HealthState, Thresholds};
use crate::limit::{LimitKey, RateLimit};
use crate::outcome::{Deadline, EndedBy, Outcome, Timings};
use crate::plan::{Action, Address, HealthCheck, HealthKind};
use crate::{WorkerId, limit};

const RULE: Thresholds = Thresholds { rise: 2, fall: 2 };

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

fn plan() -> Plan {
    let routes = vec![fixture::route("api", Action::Forward(ServiceId::new(0)))];
    let mut plan = fixture::plan(fixture::listener(Vec::new()), routes);
    plan.limits = [limit(1)].into();
    plan
}

fn limit(count: u64) -> RateLimit {
    RateLimit {
        name: "route api".into(),
        key: LimitKey::ClientIp,
        count,
        per: Duration::from_secs(1),
        burst: 1,
        status: 429,
        max_keys: 10,
    }
}

/// A request that server `s1` of service `app` answered with 200.
fn outcome() -> Outcome<'static> {
    Outcome {
        route: Some(RouteId::new(0)),
        service: Some(ServiceId::new(0)),
        server: Some(ServerId::new(0)),
        status: 200,
        from_server: true,
        bytes_in: 100,
        bytes_out: 1000,
        body_in: 0,
        body_out: 800,
        attempts: 1,
        reused: false,
        timings: Timings {
            start: at(10),
            head: Some(at(11)),
            attempt: Some(at(12)),
            connected: Some(at(15)),
            response: Some(at(30)),
            end: at(40),
            handshake: None,
            wall_nanos: 1_795_197_920_669_000_000,
        },
        ended_by: EndedBy::Completed,
        deadline: None,
        reason: None,
        upgraded: false,
        response_fields: None,
    }
}

fn record(plan: &Plan, live: &Live, worker: usize, outcome: &Outcome<'_>) {
    let facts = Facts {
        method: b"GET",
        ..fixture::facts(&plan.listeners[0], "a.test", "/", &())
    };
    live.record(plan, WorkerId::new(worker), &facts, outcome);
}

fn check(status: CheckStatus, millis: u64) -> Check {
    Check {
        status,
        code: None,
        duration: Duration::from_millis(2),
        text: "".into(),
        at: at(millis),
    }
}

#[test]
fn a_good_exchange_is_counted_everywhere_once() {
    let plan = plan();
    let live = Live::new(&plan, 2);
    record(&plan, &live, 0, &outcome());
    record(&plan, &live, 1, &outcome());

    let listener = live.listeners[0].totals();
    assert_eq!(
        (listener.requests, listener.bytes_in, listener.bytes_out),
        (2, 200, 2000)
    );
    assert_eq!(
        (listener.classes[2], listener.ended[0], listener.intercepted),
        (2, 2, 0)
    );
    assert!(live.unrouted.totals().is_empty());

    let [route] = live.routes[0].totals().try_into().unwrap();
    assert_eq!(
        (&*route.listener, route.service.as_deref()),
        ("http", Some("app"))
    );
    assert_eq!(route.answers, [(("GET", 200), 2)]);
    assert_eq!((route.duration[2].count(), route.ttfb.count()), (2, 2));
    assert_eq!(route.mean_duration(), Duration::from_millis(30));

    for totals in [live.services[0].totals(), live.servers[0].totals()] {
        assert_eq!(
            (
                totals.requests,
                totals.connects,
                totals.reuses,
                totals.retries
            ),
            (2, 2, 0, 0)
        );
        assert_eq!(totals.errors, [0; 6]);
    }
    let server = &live.servers[0];
    assert_eq!(server.codes(), [(200, 2)]);
    assert_eq!(
        (server.duration().count(), server.connect_duration().count()),
        (2, 2)
    );
    assert_eq!(server.last_session(), Some(at(12)));
    let times = server.times();
    assert_eq!(times.connect.average, Duration::from_millis(3));
    assert_eq!(times.response.average, Duration::from_millis(15));
    assert_eq!(times.total.peak, Duration::from_millis(30));
}

#[test]
fn a_malformed_request_is_counted_without_a_route() {
    let plan = plan();
    let live = Live::new(&plan, 1);
    let refused = Outcome {
        route: None,
        service: None,
        server: None,
        status: 400,
        from_server: false,
        attempts: 0,
        timings: Timings {
            start: at(1),
            end: at(2),
            ..Timings::default()
        },
        ended_by: EndedBy::Client,
        reason: Some("obs-fold"),
        ..outcome()
    };
    record(&plan, &live, 0, &refused);
    let totals = live.listeners[0].totals();
    assert_eq!(
        (totals.request_errors, totals.denied, totals.intercepted),
        (1, 0, 1)
    );
    assert_eq!(live.listeners[0].reasons(), [("obs-fold", 1)]);
    assert_eq!(live.unrouted.totals()[0].answers, [(("GET", 400), 1)]);
    assert_eq!(live.services[0].totals().requests, 0);
}

#[test]
fn failures_are_told_apart_by_how_far_they_got() {
    let failed = |connected, response, ended_by, deadline| Outcome {
        timings: Timings {
            connected,
            response,
            ..outcome().timings
        },
        ended_by,
        deadline,
        ..outcome()
    };
    let errors = |outcome: &Outcome<'_>| {
        let plan = plan();
        let live = Live::new(&plan, 1);
        record(&plan, &live, 0, outcome);
        let totals = live.servers[0].totals();
        let aborts = (totals.client_aborts, totals.server_aborts);
        let reason = UpstreamError::ALL
            .into_iter()
            .zip(totals.errors)
            .find(|(_, count)| *count > 0);
        (
            totals.connect_errors,
            totals.response_errors,
            aborts,
            reason.map(|(error, _)| error.label()),
        )
    };
    let (connected, response) = (Some(at(15)), Some(at(30)));
    let (server, deadline) = (EndedBy::Server, EndedBy::Deadline);
    assert_eq!(
        errors(&failed(None, None, server, None)),
        (1, 0, (0, 0), Some("connect"))
    );
    assert_eq!(
        errors(&failed(None, None, deadline, Some(Deadline::Connect))),
        (1, 0, (0, 0), Some("timeout"))
    );
    assert_eq!(
        errors(&failed(connected, None, server, None)),
        (0, 1, (0, 0), Some("reset"))
    );
    assert_eq!(
        errors(&failed(
            connected,
            None,
            deadline,
            Some(Deadline::ResponseHeader)
        )),
        (0, 1, (0, 0), Some("timeout"))
    );
    assert_eq!(
        errors(&failed(connected, response, server, None)),
        (0, 0, (0, 1), Some("reset"))
    );
    assert_eq!(
        errors(&failed(connected, response, EndedBy::Client, None)),
        (0, 0, (1, 0), None)
    );
    let slow_client = failed(connected, response, deadline, Some(Deadline::ClientWrite));
    assert_eq!(
        errors(&slow_client),
        (0, 0, (1, 0), None),
        "a client too slow has given up"
    );
}

#[test]
fn a_fired_deadline_is_counted_by_name() {
    let plan = plan();
    let live = Live::new(&plan, 1);
    let late = Outcome {
        ended_by: EndedBy::Deadline,
        deadline: Some(Deadline::ResponseIdle),
        ..outcome()
    };
    record(&plan, &live, 0, &late);
    live.listeners[0].deadline(WorkerId::new(0), Deadline::ClientIdle);
    let fired = Deadline::ALL
        .into_iter()
        .zip(live.listeners[0].totals().deadlines);
    let fired: Vec<_> = fired
        .filter(|(_, count)| *count > 0)
        .map(|(deadline, _)| deadline.key())
        .collect();
    assert_eq!(fired, ["client_idle", "response_idle"]);
}

#[test]
fn tries_that_were_repeated_count_against_their_server() {
    let plan = plan();
    let live = Live::new(&plan, 1);
    live.servers[0].attempt_failed(WorkerId::new(0), UpstreamError::Reset);
    record(
        &plan,
        &live,
        0,
        &Outcome {
            attempts: 2,
            ..outcome()
        },
    );
    let totals = live.servers[0].totals();
    assert_eq!(totals.errors[2], 1);
    assert_eq!(
        (totals.retries, totals.redispatches),
        (1, 0),
        "one server cannot be changed for another"
    );
    assert_eq!(live.services[0].totals().errors[2], 1);
}

#[test]
fn requests_in_flight_count_for_server_and_service() {
    let live = Live::new(&plan(), 1);
    live.servers[0].begin();
    live.servers[0].begin();
    live.servers[0].end();
    for occupancy in [live.servers[0].in_flight(), live.services[0].in_flight()] {
        assert_eq!(
            (occupancy.open(), occupancy.opened(), occupancy.peak()),
            (1, 2, 2)
        );
    }
}

#[test]
fn checks_decide_whether_a_server_is_eligible() {
    let live = Live::new(&plan(), 1);
    let server = &live.servers[0];
    assert_eq!(
        (server.health(), server.is_eligible()),
        (HealthState::Unknown, true)
    );
    let change = server
        .checked(check(CheckStatus::L4Connection, 5), RULE)
        .unwrap();
    assert_eq!(
        (change.from, change.to),
        (HealthState::Unknown, HealthState::Down)
    );
    assert_eq!((server.is_eligible(), server.changed()), (false, at(5)));
    assert!(server.checked(check(CheckStatus::L7Ok, 10), RULE).is_none());
    assert!(!server.is_eligible());
    assert!(server.checked(check(CheckStatus::L7Ok, 15), RULE).is_some());
    assert!(server.is_eligible());
    let report = server.health_report();
    assert_eq!(
        (report.passes, report.failures, report.pass_time.count()),
        (2, 1, 2)
    );
    assert_eq!(report.last_check.unwrap().status.word(), "L7OK");
    assert_eq!(report.health.downtime(at(99)), Duration::from_millis(10));
}

#[test]
fn drained_and_maintained_servers_are_not_eligible() {
    let live = Live::new(&plan(), 1);
    let server = &live.servers[0];
    for state in [AdminState::Drain, AdminState::Maint] {
        assert!(server.set_admin(state, at(1)));
        assert!(!server.set_admin(state, at(2)), "not a change");
        assert_eq!(
            (server.admin(), server.is_eligible(), server.changed()),
            (state, false, at(1))
        );
    }
    server.set_admin(AdminState::Ready, at(3));
    assert!(server.is_eligible());
    server.set_weight(0);
    assert!(!server.is_eligible());
    server.set_weight(999);
    assert_eq!((server.weight(), server.initial_weight()), (256, 1));
}

#[test]
fn a_name_must_be_resolved_first() {
    let mut plan = plan();
    plan.servers[0].address = Address::Name {
        host: "app.test".into(),
        port: 80,
    };
    let live = Live::new(&plan, 1);
    let server = &live.servers[0];
    assert!(!server.is_eligible() && !server.is_resolved());
    server.set_addresses([([127, 0, 0, 1], 80).into()].into());
    assert!(server.is_eligible());
    assert_eq!(server.addresses().as_ref().unwrap().len(), 1);
    server.set_addresses(Box::default());
    assert!(!server.is_eligible());
}

#[test]
fn a_reload_keeps_what_kept_its_name() {
    let old = plan();
    let live = Live::new(&old, 2);
    record(&old, &live, 0, &outcome());
    live.servers[0].set_weight(7);
    live.servers[0].set_admin(AdminState::Drain, at(1));
    live.limits[0].check_client(None, at(0)).unwrap();

    let new = plan();
    let next = live.carry_over(&old, &new, at(100));
    assert_eq!(next.servers[0].uid(), live.servers[0].uid());
    assert_eq!(
        (next.servers[0].weight(), next.servers[0].admin()),
        (7, AdminState::Drain)
    );
    assert_eq!(next.listeners[0].totals().requests, 1);
    assert!(
        next.limits[0].check_client(None, at(0)).is_err(),
        "buckets stay as empty as they were"
    );
    record(&new, &next, 1, &outcome());
    assert_eq!(
        live.services[0].totals().requests,
        2,
        "exchanges of both plans count in the same place"
    );
}

/// Each route keeps its own numbers, whichever plan a request was decided by, though its number is another in each.
#[test]
fn many_routes_are_counted_apart_across_a_reload() {
    let routes = |names: &mut dyn Iterator<Item = usize>| {
        let action = || Action::Forward(ServiceId::new(0));
        names
            .map(|name| fixture::route(&name.to_string(), action()))
            .collect::<Vec<_>>()
    };
    let old = fixture::plan(fixture::listener(Vec::new()), routes(&mut (0..300)));
    let new = fixture::plan(fixture::listener(Vec::new()), routes(&mut (0..300).rev()));
    let live = Live::new(&old, 2);
    let next = live.carry_over(&old, &new, at(100));
    for index in 0..300 {
        let worker = WorkerId::new(index % 3);
        let of = |route| Outcome {
            route: Some(RouteId::new(route)),
            bytes_in: index as u64,
            ..outcome()
        };
        for (plan, live, route) in [(&old, &live, index), (&new, &next, 299 - index)] {
            live.expect(plan, worker, RouteId::new(route));
            live.fetch(worker, RouteId::new(route));
            record(plan, live, worker.index(), &of(route));
        }
    }
    for (index, route) in next.routes.iter().enumerate() {
        let [totals] = route.totals().try_into().unwrap();
        let name: u64 = route.name().parse().unwrap();
        assert_eq!((name, totals.bytes_in), (299 - index as u64, 2 * name));
        assert_eq!(totals.answers, [(("GET", 200), 2)]);
        assert_eq!(totals.duration[2].count() + totals.ttfb.count(), 4);
    }
}

#[test]
fn a_reload_resets_what_changed_its_identity() {
    let old = plan();
    let live = Live::new(&old, 1);
    record(&old, &live, 0, &outcome());
    live.limits[0].check_client(None, at(0)).unwrap();

    let mut new = plan();
    new.servers[0].address = Address::Tcp(([127, 0, 0, 1], 9001).into());
    new.routes[0] = fixture::route("renamed", new.routes[0].action.clone());
    new.limits[0] = limit(2);
    let next = live.carry_over(&old, &new, at(100));
    assert_ne!(next.servers[0].uid(), live.servers[0].uid());
    assert_eq!(next.servers[0].totals().requests, 0);
    assert!(next.routes[0].totals().is_empty());
    assert!(next.limits[0].check_client(None, at(0)).is_ok());
    assert_eq!(
        next.services[0].totals().requests,
        1,
        "the service is the same"
    );
    next.servers[0].begin();
    assert_eq!(
        next.services[0].in_flight().open(),
        1,
        "a new server counts for the carried service"
    );
}

#[test]
fn a_changed_weight_takes_effect_and_an_unchanged_one_leaves_the_operators() {
    let old = plan();
    let live = Live::new(&old, 1);
    live.servers[0].set_weight(7);
    let mut new = plan();
    new.servers[0].weight = 3;
    let next = live.carry_over(&old, &new, at(1));
    assert_eq!(
        (next.servers[0].weight(), next.servers[0].initial_weight()),
        (3, 3)
    );
}

#[test]
fn a_server_no_longer_checked_is_not_left_down() {
    let mut old = plan();
    old.services[0].health = Some(HealthCheck {
        kind: HealthKind::Tcp,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        rise: 1,
        fall: 1,
    });
    let live = Live::new(&old, 1);
    live.servers[0].checked(check(CheckStatus::L4Timeout, 1), RULE);
    assert!(!live.carry_over(&old, &old, at(2)).servers[0].is_eligible());
    assert!(live.carry_over(&old, &plan(), at(3)).servers[0].is_eligible());
}

#[test]
fn rates_and_downtime_come_with_ticks() {
    let plan = plan();
    let live = Live::new(&plan, 1);
    live.tick(&plan, at(1000));
    for _ in 0..10 {
        record(&plan, &live, 0, &outcome());
        assert!(live.listeners[0].try_open(WorkerId::new(0), 100));
        live.servers[0].begin();
    }
    live.servers[0].set_admin(AdminState::Maint, at(1500));
    live.tick(&plan, at(2000));
    assert_eq!(live.listeners[0].request_rate().current(), 10);
    assert_eq!(live.listeners[0].connection_rate().current(), 10);
    assert_eq!(live.servers[0].rate().current(), 10);
    assert_eq!(live.process.request_rate().current(), 10);
    assert!(!live.services[0].standing().is_up);
    live.tick(&plan, at(3000));
    assert_eq!(
        live.services[0].standing().downtime(at(3000)),
        Duration::from_secs(1)
    );
    let rate = live.services[0].rate();
    assert_eq!((rate.current(), rate.peak()), (0, 10));
}

#[test]
fn clearing_resets_what_tools_see_and_not_what_metrics_see() {
    let plan = plan();
    let live = Live::new(&plan, 1);
    record(&plan, &live, 0, &outcome());
    live.servers[0].begin();
    live.servers[0].end();
    live.clear();
    assert_eq!(live.listeners[0].totals().requests, 1);
    assert_eq!(
        live.listeners[0].totals_since_clear(),
        ListenerTotals::default()
    );
    assert_eq!(
        live.servers[0].totals_since_clear(),
        UpstreamTotals::default()
    );
    assert_eq!(
        (
            live.servers[0].in_flight().peak(),
            live.servers[0].sessions_since_clear()
        ),
        (0, 0)
    );
    record(&plan, &live, 0, &outcome());
    assert_eq!(live.services[0].totals_since_clear().requests, 1);
    assert_eq!(
        live.servers[0].times().total.peak,
        Duration::from_millis(30)
    );
}

#[test]
fn ids_of_another_plan_are_harmless() {
    let plan = plan();
    let live = Live::new(&plan, 1);
    let stray = Outcome {
        route: Some(RouteId::new(99)),
        service: Some(ServiceId::new(99)),
        server: Some(ServerId::new(99)),
        ..outcome()
    };
    record(&plan, &live, 99, &stray);
    assert_eq!(live.listeners[0].totals().requests, 1);
    assert!(live.limit(LimitId::new(9)).is_none());
}

#[test]
fn limits_are_found_by_their_ids() {
    let live = Live::new(&plan(), 1);
    let table: &limit::Table = live.limit(LimitId::new(0)).unwrap();
    assert_eq!(table.totals().keys, 0);
}
