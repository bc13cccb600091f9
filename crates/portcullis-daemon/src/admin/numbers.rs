//! Numbers and lookups of objects as the runtime API names them: listeners and services count from 2 in one row
//! (1 is HAProxy's own GLOBAL), servers from 1 within their service.

use portcullis_plan::ServerId;
use portcullis_plan::plan::{Plan, Service};

/// The number of the listener, or after them service, at this position.
pub(crate) fn proxy_number(position: usize) -> u32 {
    u32::try_from(position.saturating_add(2)).unwrap_or(u32::MAX)
}

/// The number of the server at this position of its service.
pub(crate) fn server_number(position: usize) -> u32 {
    u32::try_from(position.saturating_add(1)).unwrap_or(u32::MAX)
}

/// The service with this name or `#number`, and its number.
pub(crate) fn find_service<'a>(plan: &'a Plan, wanted: &str) -> Option<(u32, &'a Service)> {
    let mut numbered = plan
        .services
        .iter()
        .enumerate()
        .map(|(i, service)| (proxy_number(plan.listeners.len() + i), service));
    match number(wanted) {
        Some(number) => numbered.find(|(own, _)| *own == number),
        None => numbered.find(|(_, service)| *service.name == *wanted),
    }
}

/// The server of `service` with this name or `#number`.
pub(crate) fn find_server(plan: &Plan, service: &Service, wanted: &str) -> Option<ServerId> {
    let mut ids = service.server_ids().enumerate();
    let found = match number(wanted) {
        Some(number) => ids.find(|(position, _)| server_number(*position) == number),
        None => ids.find(|(_, id)| {
            plan.server(*id)
                .is_some_and(|server| *server.name == *wanted)
        }),
    };
    found.map(|(_, id)| id)
}

fn number(wanted: &str) -> Option<u32> {
    wanted.strip_prefix('#')?.parse().ok()
}
