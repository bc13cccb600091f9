//! What a process has learnt about its servers and what operators told it about them, for its successor: health, so that
//! nothing is sent to a server that is known to be down; drains, maintenance and weights. Told by name, so that the successor's
//! configuration may be another one.

use portcullis_plan::Moment;
use portcullis_plan::health::HealthState;
use portcullis_plan::live::{AdminState, ServerLive};
use portcullis_proxy::Snapshot;
use serde_json::{Value, json};

/// What a snapshot has learnt.
pub(crate) fn learnt(snapshot: &Snapshot) -> Value {
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
    json!({ "servers": servers })
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
