//! What changes about services and their servers.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Change, Effect, Object, Plans, by_name, changed, differing};
use crate::plan::{Plan, Server, Service};

pub(super) fn changes(plans: Plans<'_>) -> Vec<Change> {
    let services = by_name(
        plans.old.services.iter(),
        plans.new.services.iter(),
        |service| &service.name,
        |service| Object::Service(Arc::clone(&service.name)),
        compare,
    );
    let before: HashMap<&str, &Service> = plans
        .old
        .services
        .iter()
        .map(|old| (&*old.name, old))
        .collect();
    let stayed = plans
        .new
        .services
        .iter()
        .filter_map(|new| Some((*before.get(&*new.name)?, new)));
    let servers = stayed.flat_map(|(old, new)| servers(plans, old, new));
    services.into_iter().chain(servers).collect()
}

fn compare(old: &Service, new: &Service) -> Option<Change> {
    let retry = |service: &Service| {
        (
            service.attempts,
            service.retry_connect,
            service.retry_reset,
            service.retry_all_methods,
        )
    };
    let keys = differing(&[
        ("balance", old.balance == new.balance),
        ("tls", old.tls == new.tls),
        ("protocols", old.protocols == new.protocols),
        (
            "http2",
            old.http2 == new.http2 || !(old.protocols.has_http2() && new.protocols.has_http2()),
        ),
        ("proxy_protocol", old.proxy_protocol == new.proxy_protocol),
        ("health", old.health == new.health),
        ("retry", retry(old) == retry(new)),
        (
            "pool",
            (old.max_idle, old.max_age) == (new.max_idle, new.max_age),
        ),
        ("timeouts", old.upstream_idle == new.upstream_idle),
        ("resolve", old.resolve == new.resolve),
    ]);
    changed(Object::Service(Arc::clone(&new.name)), keys, Effect::Kept)
}

/// The servers of a service that stays.
fn servers(plans: Plans<'_>, before: &Service, service: &Service) -> Vec<Change> {
    by_name(
        servers_of(plans.old, before),
        servers_of(plans.new, service),
        |server| &server.name,
        |server| object(service, server, Some(server.address_text.as_ref().into())),
        |old, new| server(service, old, new),
    )
}

fn servers_of<'p>(plan: &'p Plan, service: &Service) -> impl Iterator<Item = &'p Server> + use<'p> {
    service.server_ids().filter_map(|id| plan.server(id))
}

fn object(service: &Service, server: &Server, address: Option<Box<str>>) -> Object {
    Object::Server {
        service: Arc::clone(&service.name),
        name: Arc::clone(&server.name),
        address,
    }
}

fn server(service: &Service, old: &Server, new: &Server) -> Option<Change> {
    let moved = old.address != new.address;
    let keys = differing(&[("address", !moved), ("weight", old.weight == new.weight)]);
    let effect = if moved {
        Effect::StateReset
    } else {
        Effect::Kept
    };
    changed(object(service, new, None), keys, effect)
}
