//! What a process has learnt and what operators told it, for its successor: the health of servers, so that nothing is sent to one
//! that is known to be down; drains, maintenance and weights; the buckets of rate limits; the keys of session tickets. Told by name
//! and meaning, so that the successor's configuration may be another one.

use std::sync::Arc;

use portcullis_plan::health::HealthState;
use portcullis_plan::limit::{Handed, Table};
use portcullis_plan::live::{AdminState, ServerLive};
use portcullis_plan::plan::RateLimit;
use portcullis_plan::{Live, Moment, Plan};
use portcullis_proxy::Snapshot;
use serde_json::{Value, json};

use crate::tls::Store;

/// Buckets of one limit that are handed over: more would make a parcel that nobody takes.
const MOST_BUCKETS: usize = 250_000;

/// What has been learnt until now.
pub(crate) fn learnt(snapshot: &Snapshot, store: &Store, now: Moment) -> Value {
    let servers: Vec<_> = servers(snapshot)
        .map(|(service, live)| {
            json!({
                "service": service,
                "server": &**live.name(),
                "health": health_word(live.health()),
                "admin": admin_word(live.admin()),
                "weight": (live.weight() != live.initial_weight()).then(|| live.weight()),
            })
        })
        .collect();
    let limits = snapshot.plan.limits.iter().zip(&snapshot.live.limits);
    let limits: Vec<_> = limits
        .map(|(limit, table)| buckets(limit, &table.hand_over(now, MOST_BUCKETS)))
        .collect();
    json!({ "servers": servers, "limits": limits, "tickets": store.ticket_keys() })
}

/// A limit is known by all that makes it: any change of it begins with full buckets, as in a reload.
fn meaning(limit: &RateLimit) -> String {
    format!("{limit:?}")
}

fn buckets(limit: &RateLimit, handed: &Handed) -> Value {
    let buckets: Vec<_> = handed
        .buckets
        .iter()
        .map(|(key, until_full)| json!([format!("{key:x}"), until_full]))
        .collect();
    json!({ "limit": meaning(limit), "secrets": handed.secrets, "buckets": buckets })
}

fn handed(entry: &Value) -> Option<Handed> {
    let bucket = |bucket: &Value| {
        let key = u128::from_str_radix(bucket.get(0)?.as_str()?, 16).ok()?;
        Some((key, bucket.get(1)?.as_u64()?))
    };
    Some(Handed {
        secrets: serde_json::from_value(entry.get("secrets")?.clone()).ok()?,
        buckets: entry
            .get("buckets")?
            .as_array()?
            .iter()
            .filter_map(bucket)
            .collect(),
    })
}

/// Goes on with a predecessor's buckets of the limits that are the same.
pub(crate) fn learn_limits(plan: &Plan, live: &mut Live, learnt: &Value, now: Moment) {
    let told = learnt.get("limits").and_then(Value::as_array);
    for (limit, table) in plan.limits.iter().zip(&mut live.limits) {
        let same = |entry: &&Value| text(entry, "limit") == Some(&meaning(limit));
        let told = told.into_iter().flatten().find(same);
        if let Some(handed) = told.and_then(handed) {
            *table = Arc::new(Table::taking(limit, &handed, now));
        }
    }
}

/// Goes on with a predecessor's keys of session tickets.
pub(crate) fn learn_tickets(store: &Store, learnt: &Value) {
    if let Some(tickets) = learnt.get("tickets") {
        store.go_on_with(tickets);
    }
}

/// Takes over what a predecessor has learnt about servers that are still there.
pub(crate) fn learn(snapshot: &Snapshot, learnt: &Value, now: Moment) {
    let told = learnt.get("servers").and_then(Value::as_array);
    let told: std::collections::HashMap<_, _> = told
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(((text(entry, "service")?, text(entry, "server")?), entry)))
        .collect();
    for (service, live) in servers(snapshot) {
        if let Some(entry) = told.get(&(service, &**live.name())) {
            learn_server(live, entry, now);
        }
    }
}

fn learn_server(live: &ServerLive, entry: &Value, now: Moment) {
    match text(entry, "health") {
        Some("up") => drop(live.force_health(HealthState::Up, now)),
        Some("down") => drop(live.force_health(HealthState::Down, now)),
        _ => {}
    }
    match text(entry, "admin") {
        Some("drain") => drop(live.set_admin(AdminState::Drain, now)),
        Some("maint") => drop(live.set_admin(AdminState::Maint, now)),
        _ => {}
    }
    let weight = entry.get("weight").and_then(Value::as_u64);
    if let Some(weight) = weight.and_then(|weight| u32::try_from(weight).ok()) {
        live.set_weight(weight);
    }
}

fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key)?.as_str()
}

/// Every server with the name of its service.
fn servers(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &ServerLive)> {
    let (plan, live) = (&snapshot.plan, &snapshot.live);
    plan.servers
        .iter()
        .zip(&live.servers)
        .filter_map(move |(server, live)| {
            let service = plan.service(server.service)?;
            Some((&*service.name, &**live))
        })
}

const fn health_word(state: HealthState) -> &'static str {
    match state {
        HealthState::Unknown => "unknown",
        HealthState::Up => "up",
        HealthState::Down => "down",
    }
}

const fn admin_word(state: AdminState) -> &'static str {
    match state {
        AdminState::Ready => "ready",
        AdminState::Drain => "drain",
        AdminState::Maint => "maint",
    }
}
