//! Where a forwarded request goes, and how it is changed on the way.

use super::traffic;
use crate::decide::Forward;
use crate::facts::Facts;
use crate::headers::{EditCondition, EditGroup, HeaderEdits, Part, Template};
use crate::health::HealthState;
use crate::limit::LimitKey;
use crate::live::AdminState;
use crate::plan::{Conduct, Listener, MapBack, PathChange, PathRewrite, Plan, QueryEdits, Service};
use crate::{LimitId, Live, ServerId};

/// Where a forwarded request goes and how it is changed.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// The service.
    pub service: String,
    /// Its `file:line`.
    pub service_place: String,
    /// How its servers are spoken to, each with its `file:line`: TLS, HTTP/2, the PROXY protocol.
    pub connection: Vec<(String, String)>,
    /// The target that the server sees.
    pub target: String,
    /// The Host that the server sees.
    pub host: String,
    /// Other services it could have gone to and why it did not, and what is done with a share of the requests.
    pub traffic: Vec<String>,
    /// Changes of path, query and Host as they are written, and what is mapped back.
    pub rewrites: Vec<String>,
    /// Edits of the request head: `set x-env: prod`, `remove x-debug`.
    pub request_edits: Vec<String>,
    /// Edits of the response head.
    pub response_edits: Vec<String>,
    /// `file:line` of the table that the edits are written in.
    pub edits_place: Option<String>,
    /// The fields that the server sees, where the request was rehearsed.
    pub sent: Vec<(String, String)>,
    /// Bytes of body allowed.
    pub body_limit: Option<u64>,
    /// Rate limits that the request counts against.
    pub limits: Vec<String>,
    /// Each deadline with its value, and where it is written.
    pub timeouts: Vec<(&'static str, String, String)>,
    /// The servers of the service, those that may be picked first.
    pub servers: Vec<ServerState>,
}

/// A server and whether it may be picked.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// Its name.
    pub name: String,
    /// Its `file:line`.
    pub place: String,
    /// Its address.
    pub address: String,
    /// Its weight now.
    pub weight: u32,
    /// Why it cannot be picked; `None` if it can.
    pub out: Option<String>,
}

impl Forwarding {
    pub(super) fn of(plan: &Plan, live: &Live, facts: &Facts<'_>, forward: &Forward<'_>) -> Self {
        let service = plan.service(forward.service);
        let conduct = forward.conduct;
        Self {
            service: service.map_or(String::new(), |service| service.name.to_string()),
            service_place: service.map_or(String::new(), |service| service.place.to_string()),
            connection: service.map_or(Vec::new(), connection),
            target: target(facts, forward),
            host: host(facts, forward),
            traffic: traffic::lines(plan, forward),
            rewrites: rewrites(conduct),
            request_edits: edits(&conduct.request_headers),
            response_edits: edits(&conduct.response_headers),
            edits_place: conduct.key_place("rewrite").map(str::to_owned),
            sent: Vec::new(),
            body_limit: forward.body_limit,
            limits: limits(plan, facts, conduct),
            timeouts: timeouts(facts.listener, forward),
            servers: service.map_or(Vec::new(), |service| servers(plan, live, service)),
        }
    }
}

/// What is particular about connections to the servers; nothing for HTTP/1.1 in clear text.
fn connection(service: &Service) -> Vec<(String, String)> {
    let tls = service.tls.as_ref().map(|tls| {
        let verified = match (&tls.ca, tls.verify) {
            (_, false) => "not verified".to_owned(),
            (Some(ca), true) => format!("verified by {}", ca.display()),
            (None, true) => "verified by the system's authorities".to_owned(),
        };
        let name = tls
            .sni
            .as_ref()
            .map_or("the host of its address".to_owned(), |sni| sni.to_string());
        let shown = tls.identity.as_ref().map_or(String::new(), |(cert, _)| {
            format!(", shows {}", cert.display())
        });
        let least = if tls.only_tls13 { "1.3" } else { "1.2" };
        let text = format!("TLS {least} or newer, as {name}, {verified}{shown}");
        (text, tls.place.to_string())
    });
    let proxy = service.proxy_protocol.map(|version| {
        let text = format!("PROXY protocol {}", version.as_str());
        (text, service.place.to_string())
    });
    let http2 = service.protocols.has_http2().then(|| {
        let names = service.protocols.names().join(" or ");
        let http2 = &service.http2;
        let text = format!(
            "{names}, {} requests share a connection of HTTP/2, {} connections a worker",
            http2.max_streams, http2.max_connections
        );
        (text, service.place.to_string())
    });
    tls.into_iter().chain(http2).chain(proxy).collect()
}

/// The target that the server sees. A refused one never gets here: the verdict tells of it.
fn target(facts: &Facts<'_>, forward: &Forward<'_>) -> String {
    let mut target = Vec::new();
    if forward.prepare(facts, &mut target).is_err() || target.is_empty() {
        target.clear();
        forward.conduct.path.write(facts.path, &mut target);
        Part::Query.write(facts, None, &mut target);
    }
    String::from_utf8_lossy(&target).into_owned()
}

/// Each change of target and Host as it is written.
fn rewrites(conduct: &Conduct) -> Vec<String> {
    let mut changes: Vec<String> = Vec::new();
    if let PathRewrite::ReplacePrefix { length, with } = &conduct.path {
        changes.push(match &**with {
            "" => format!("path: without its first {length} bytes"),
            with => format!("path: `{with}` instead of its first {length} bytes"),
        });
    }
    let target = conduct.target();
    changes.extend(
        target
            .and_then(|target| target.path.as_ref())
            .map(|path| match path {
                PathChange::Template(template) => format!("path: {template}"),
                PathChange::Substitution(one) => format!("path: {one}"),
            }),
    );
    let query = target.and_then(|target| target.query.as_ref());
    let words = query.map_or(Vec::new(), QueryEdits::words);
    changes.extend(words.iter().map(|words| format!("query: {words}")));
    changes.extend(conduct.host.as_ref().map(|host| format!("host: {host}")));
    changes.extend(conduct.map_back().map(map_back));
    match conduct.key_place("rewrite") {
        Some(place) => changes
            .iter()
            .map(|change| format!("{change}  ({place})"))
            .collect(),
        None => changes,
    }
}

/// The limits that the request counts against, with the places of the listener and the route that have them.
fn limits(plan: &Plan, facts: &Facts<'_>, conduct: &Conduct) -> Vec<String> {
    let route = facts.route.map_or("", |route| route.place());
    let both = [
        (facts.listener.rate_limit, &*facts.listener.place),
        (conduct.rate_limit, route),
    ];
    let written = both
        .into_iter()
        .filter_map(|(id, place)| Some((id?, place)));
    written
        .map(|(id, place)| format!("{}  ({place})", limit(plan, id)))
        .collect()
}

fn map_back(rule: &MapBack) -> String {
    if rule.outer == rule.inner {
        return "mapped back: hosts".to_owned();
    }
    let shown = |prefix: &str| {
        if prefix.is_empty() {
            "/".to_owned()
        } else {
            prefix.to_owned()
        }
    };
    format!(
        "mapped back: hosts, and paths from `{}` to `{}`",
        shown(&rule.inner),
        shown(&rule.outer)
    )
}

fn host(facts: &Facts<'_>, forward: &Forward<'_>) -> String {
    let mut host = Vec::new();
    match &forward.conduct.host {
        Some(template) => template.render_field_value(facts, None, &mut host),
        None => host.extend_from_slice(facts.authority),
    }
    String::from_utf8_lossy(&host).into_owned()
}

fn edits(edits: &HeaderEdits) -> Vec<String> {
    edits.groups().iter().flat_map(group).collect()
}

fn group(group: &EditGroup) -> Vec<String> {
    let removed = group.remove.iter().map(|name| format!("remove {name}"));
    let replaced = group
        .replace
        .iter()
        .map(|(name, change)| format!("replace {name}: {change}"));
    let written = |word: &'static str, list: &[(Box<str>, Template)]| {
        list.iter()
            .map(|(name, value)| format!("{word} {name}: {value}"))
            .collect::<Vec<_>>()
    };
    let when = condition(&group.when);
    removed
        .chain(replaced)
        .chain(written("set", &group.set))
        .chain(written("add", &group.add))
        .chain(written("set if absent", &group.set_if_absent))
        .map(|words| words + &when)
        .collect()
}

/// When a change is made, as words behind it; nothing if always.
fn condition(when: &EditCondition) -> String {
    let mut words = Vec::new();
    if !when.requests.is_empty() {
        let places: Vec<_> = when.requests.iter().map(|one| &*one.place).collect();
        words.push(format!("the condition at {} holds", places.join(" or ")));
    }
    if !when.statuses.is_empty() {
        let ranges = when
            .statuses
            .iter()
            .map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
        words.push(format!(
            "the status is {}",
            ranges.collect::<Vec<_>>().join(" or ")
        ));
    }
    if !when.media.is_empty() {
        words.push(format!("the content is {}", when.media.join(" or ")));
    }
    if words.is_empty() {
        return String::new();
    }
    format!(", when {}", words.join(" and "))
}

fn limit(plan: &Plan, id: LimitId) -> String {
    let Some(limit) = plan.limit(id) else {
        return String::new();
    };
    let key = match &limit.key {
        LimitKey::ClientIp => "client address".to_owned(),
        LimitKey::Header(name) => format!("header `{name}`"),
    };
    let per = portcullis_config::values::format_duration(limit.per);
    format!(
        "{}: {} per {per}, {} at once, by {key}",
        limit.name, limit.count, limit.burst
    )
}

/// In the order of the configuration's reference.
fn timeouts(listener: &Listener, forward: &Forward<'_>) -> Vec<(&'static str, String, String)> {
    let deadlines = forward.timeouts;
    let entry = listener.router.entry(forward.route_id);
    let variant = forward
        .chosen
        .and_then(|(at, _)| listener.variant_timeouts(forward.route_id, at));
    let origin = |key: &str| {
        let origins = match (variant, entry) {
            (Some(variant), _) => &variant.origins[..],
            (None, Some(entry)) => &entry.origins[..],
            (None, None) => &[],
        };
        origins
            .iter()
            .find(|(own, _)| *own == key)
            .map_or(String::new(), |(_, place)| place.to_string())
    };
    let text = |duration: std::time::Duration| match duration {
        std::time::Duration::MAX => "off".to_owned(),
        duration => portcullis_config::values::format_duration(duration),
    };
    let rate = deadlines
        .client_body_rate
        .map_or("off".to_owned(), |rate| format!("{rate}B/s"));
    let shown = [
        ("client_body_idle", text(deadlines.client_body_idle)),
        ("client_body_rate", rate),
        ("client_write", text(deadlines.client_write)),
        ("connect", text(deadlines.connect)),
        ("response_header", text(deadlines.response_header)),
        ("response_idle", text(deadlines.response_idle)),
        ("request", deadlines.request.map_or("off".to_owned(), text)),
        ("tunnel_idle", text(deadlines.tunnel_idle)),
    ];
    shown
        .into_iter()
        .map(|(key, value)| (key, value, origin(key)))
        .collect()
}

fn servers(plan: &Plan, live: &Live, service: &Service) -> Vec<ServerState> {
    let mut servers: Vec<_> = service
        .server_ids()
        .filter_map(|id| server(plan, live, id))
        .collect();
    servers.sort_by_key(|server| server.out.is_some());
    servers
}

fn server(plan: &Plan, live: &Live, id: ServerId) -> Option<ServerState> {
    let (server, state) = (plan.server(id)?, live.server(id)?);
    let out = match (state.admin(), state.health()) {
        (AdminState::Maint, _) => Some("in maintenance"),
        (AdminState::Drain, _) => Some("draining"),
        (_, HealthState::Down) => Some("its health check fails"),
        _ if state.weight() == 0 => Some("its weight is 0"),
        _ if !state.is_eligible() => Some("its name is not resolved yet"),
        _ => None,
    };
    Some(ServerState {
        name: server.name.to_string(),
        place: server.place.to_string(),
        address: server.address_text.to_string(),
        weight: state.weight(),
        out: out.map(str::to_owned),
    })
}
