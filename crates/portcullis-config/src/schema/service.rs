//! `[service.NAME]`: the servers that do the work.

use std::time::Duration;

use super::{
    Context, Health, Pool, Protocol, ProxyVersion, Retry, ServiceHttp2, ServiceTimeouts,
    ServiceTls, Shape, Val, Value as _, choice, section,
};
use crate::tree::{Kind, Node};
use crate::values::Address;

section! {
    /// The servers that do the work.
    pub struct Service {
        /// Its name.
        name: key String,
        /// How requests are spread over the servers.
        balance: default Balance = "round-robin",
        /// The servers: addresses, or tables with more to say.
        servers: required Vec<Val<Server>>,
        /// How often the host names among the addresses are looked up again.
        resolve: default Duration = "30s",
        /// TLS towards the servers; clear text when absent.
        tls: optional ServiceTls,
        /// The protocols spoken, in order of preference. Over TLS the server's list decides as well (ALPN); in clear text
        /// there can be one only.
        protocols: default Vec<Val<Protocol>> = ["http/1.1"],
        /// Connections that speak HTTP/2.
        http2: table ServiceHttp2,
        /// Begin every connection with a header of the PROXY protocol that names the client. Such a connection serves
        /// one client only; those of health checks are marked as our own.
        proxy_protocol: optional ProxyVersion,
        /// Regular checks of every server; none when absent.
        health: optional Health,
        /// When a request is tried again.
        retry: table Retry,
        /// Connections that are kept for the next request.
        pool: table Pool,
        /// Timeouts, instead of those of the listener and `[defaults.timeouts]`.
        timeouts: default ServiceTimeouts = {},
    }
    not yet: "discover", "sticky", "outlier", "protocol", "max_queue", "hash", "circuit_breaker", "mirror";
}

section! {
    /// One server.
    pub struct Server {
        /// Its name in logs, metrics and the administration socket; `sN` by position when absent.
        name: named String,
        /// Where it is: `"10.0.0.31:8080"`, `"app.internal:8080"`, `"unix:/run/app.sock"`.
        address: required Address,
        /// Its share of the requests, in proportion to the others; 0 gives it none.
        weight: default u64 [0..=256] = 1,
    }
    not yet: "max_connections", "backup", "tls", "proxy_protocol";
    shorthand: Shape::Text { what: "an address", example: "127.0.0.1:8080" }, address_alone;
}

/// An address alone: `servers = ["10.0.0.31:8080"]`.
fn address_alone(node: &Node, cx: &mut Context<'_>) -> Option<Server> {
    if !matches!(node.kind, Kind::Text(_)) {
        return cx.wrong_type(
            node,
            "an address or a table",
            Some("\"127.0.0.1:8080\" or { address = \"127.0.0.1:8080\" }"),
        );
    }
    let address = Address::decode(node, cx)?;
    Some(Server {
        name: Val::default_value(String::new()),
        address: Val::written(address, node.span),
        weight: Val::default_value(1),
    })
}

choice! {
    /// How requests are spread over the servers of a service.
    pub enum Balance {
        /// In turn, smoothly by weight.
        RoundRobin = "round-robin",
        /// To the one with the fewest requests in progress for its weight.
        LeastRequests = "least-requests",
    }
}
