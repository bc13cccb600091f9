//! Observed state that a new plan does not take over although an operator might expect it to, and why.
//!
//! This tells what [`crate::Live::carry_over`] does: it goes by names, addresses and rules.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::limit::RateLimit;
use crate::plan::{Address, Plan, Server, Service};

/// State that starts anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What kind of state, in the singular: `limiter`, `server`, `service`.
    pub noun: &'static str,
    /// Whose: `route api`, `app/s1`.
    pub name: String,
    /// Why: `key changed`, `renamed from `x``.
    pub why: String,
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\": {}", self.noun, self.name, self.why)
    }
}

/// Everything that starts anew when `new` takes the place of `old`: limiters, servers, services. What is merely gone or
/// merely new is not among them.
#[must_use]
pub fn resets(old: &Plan, new: &Plan) -> Vec<Reset> {
    let mut resets = limiters(old, new);
    resets.extend(services(old, new));
    resets.extend(servers(old, new));
    resets
}

fn limiters(old: &Plan, new: &Plan) -> Vec<Reset> {
    let before: HashMap<&str, &RateLimit> = old
        .limits
        .iter()
        .map(|limit| (&*limit.name, limit))
        .collect();
    let staying: HashSet<&str> = new.limits.iter().map(|limit| &*limit.name).collect();
    let gone: Vec<&RateLimit> = old
        .limits
        .iter()
        .filter(|limit| !staying.contains(&*limit.name))
        .collect();
    let why = |limit: &RateLimit| match before.get(&*limit.name) {
        Some(same) if *same == limit => None,
        Some(other) => Some(format!("{} changed", rule(other, limit).join(", "))),
        None => gone
            .iter()
            .find(|other| rule(other, limit).is_empty())
            .map(|other| format!("renamed from \"{}\"", other.name)),
    };
    let reset = |limit: &RateLimit| {
        Some(Reset {
            noun: "limiter",
            name: limit.name.to_string(),
            why: why(limit)?,
        })
    };
    new.limits.iter().filter_map(reset).collect()
}

/// What differs between the rules of two limits, names aside.
fn rule(old: &RateLimit, new: &RateLimit) -> Vec<&'static str> {
    super::differing(&[
        ("key", old.key == new.key),
        ("rate", (old.count, old.per) == (new.count, new.per)),
        ("burst", old.burst == new.burst),
        ("status", old.status == new.status),
        ("max_keys", old.max_keys == new.max_keys),
    ])
}

/// Services that are new by name but have exactly the servers of one that is gone.
fn services(old: &Plan, new: &Plan) -> Vec<Reset> {
    let names = |plan: &Plan| -> HashSet<String> {
        let services = plan.services.iter();
        services.map(|service| service.name.to_string()).collect()
    };
    let (before, now) = (names(old), names(new));
    let mut gone: HashMap<Vec<&Address>, &Service> = HashMap::new();
    for service in &old.services {
        if !now.contains(&*service.name) {
            gone.insert(addresses(old, service), service);
        }
    }
    let fresh = new
        .services
        .iter()
        .filter(|service| !before.contains(&*service.name));
    let reset = |service: &Service| {
        let from = gone.get(&addresses(new, service))?;
        Some(Reset {
            noun: "service",
            name: service.name.to_string(),
            why: format!("renamed from \"{}\"", from.name),
        })
    };
    fresh.filter_map(reset).collect()
}

fn addresses<'p>(plan: &'p Plan, service: &Service) -> Vec<&'p Address> {
    let servers = service.server_ids().filter_map(|id| plan.server(id));
    servers.map(|server| &server.address).collect()
}

/// Servers of services that stay: with another address under their name, or under another name at their address.
fn servers(old: &Plan, new: &Plan) -> Vec<Reset> {
    let services: HashMap<&str, &Service> = old
        .services
        .iter()
        .map(|service| (&*service.name, service))
        .collect();
    let mut resets = Vec::new();
    for service in &new.services {
        let Some(before) = services.get(&*service.name) else {
            continue;
        };
        let (was, is) = (of(old, before), of(new, service));
        let names: HashMap<&str, &Server> = was.iter().map(|one| (&*one.name, *one)).collect();
        let staying: HashSet<&str> = is.iter().map(|one| &*one.name).collect();
        let gone: HashMap<&Address, &Server> = was
            .iter()
            .filter(|one| !staying.contains(&*one.name))
            .map(|one| (&one.address, *one))
            .collect();
        for server in is {
            let why = match names.get(&*server.name) {
                Some(same) if same.address == server.address => None,
                Some(_) => Some("address changed".to_owned()),
                None => gone
                    .get(&server.address)
                    .map(|other| format!("renamed from \"{}\"", other.name)),
            };
            resets.extend(why.map(|why| Reset {
                noun: "server",
                name: format!("{}/{}", service.name, server.name),
                why,
            }));
        }
    }
    resets
}

fn of<'p>(plan: &'p Plan, service: &Service) -> Vec<&'p Server> {
    service
        .server_ids()
        .filter_map(|id| plan.server(id))
        .collect()
}
