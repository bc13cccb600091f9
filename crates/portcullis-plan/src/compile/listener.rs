//! `[listener.NAME]`.

use std::net::{IpAddr, Ipv6Addr};

use portcullis_config as config;

use super::{Compiler, count, size, timeouts};
use crate::networks::Networks;
use crate::normalize::{DuplicateSlashes, Encoded, Parameters, PathPolicy};
use crate::plan::{Bind, Http2, HttpLimits, Listener, RequestIdRule, Route, ServerHeader};
use crate::route::Router;

/// Permissions of a Unix socket where none are written: owner and group may connect.
const UNIX_MODE: u32 = 0o660;

impl Compiler<'_> {
    /// All listeners in the order of their names.
    pub(super) fn listeners(&mut self, routes: &[Route]) -> Box<[Listener]> {
        let mut listeners: Vec<_> = self.config.listeners.iter().collect();
        listeners.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        listeners
            .into_iter()
            .map(|listener| self.listener(listener, routes))
            .collect()
    }

    fn listener(&mut self, written: &config::Val<config::Listener>, routes: &[Route]) -> Listener {
        let timeouts = self.config.listener_timeouts(written);
        let name = written.name.as_str();
        let (x_forwarded, forwarded) = forwarded_headers(written.forwarded_headers.value);
        let limit = written.rate_limit.as_ref();
        Listener {
            place: self.place(written.span),
            binds: written
                .bind
                .iter()
                .map(|bind| self.bind(bind, written))
                .collect(),
            backlog: count(*written.backlog),
            max_connections: count(*written.max_connections),
            tls: written.tls.as_ref().map(|tls| self.tls(tls)),
            proxy_protocol: written
                .proxy_protocol
                .as_ref()
                .map(|proxy| networks(&proxy.from)),
            http1: speaks(written, config::Protocol::Http1),
            http2: speaks(written, config::Protocol::Http2).then(|| http2(&written.http2)),
            prefers_http1: written
                .protocols
                .first()
                .is_some_and(|first| first.value == config::Protocol::Http1),
            trusted_proxies: networks(&written.trusted_proxies),
            limits: limits(&written.limits),
            timeouts: timeouts::listener(&timeouts),
            paths: paths(&written.paths),
            x_forwarded,
            forwarded,
            request_id: written.request_id.as_ref().map(request_id),
            via: written.via.as_ref().map(|name| name.as_str().into()),
            date: *written.date,
            server_header: server_header(&written.server_header),
            hsts: written.hsts.as_ref().map(|hsts| hsts_value(hsts)),
            redirect_https: match written.redirect_https.value {
                config::RedirectHttps::Off => None,
                config::RedirectHttps::Port(port) => Some(port),
            },
            rate_limit: limit.map(|limit| self.rate_limit(format!("listener {name}"), limit)),
            maintenance: self.maintenance(&written.maintenance).map(Box::new),
            split_timeouts: self.split_timeouts(written),
            router: Router::new(self.entries(written, routes)),
            name: name.into(),
        }
    }

    fn bind(&self, bind: &config::Bind, listener: &config::Listener) -> Bind {
        match bind {
            config::Bind::Tcp(address) => {
                let any_v6 = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
                Bind::Tcp {
                    address: *address,
                    dual_stack: any_v6 && !self.binds_v4(address.port()),
                }
            }
            config::Bind::Unix(path) => {
                let mode = listener.unix_mode.as_ref().map_or(UNIX_MODE, |mode| mode.0);
                Bind::Unix {
                    path: path.clone(),
                    mode,
                }
            }
            config::Bind::Passed(name) => Bind::Passed {
                name: name.as_str().into(),
            },
        }
    }

    /// Whether some listener binds this port on an IPv4 address, which `[::]` must then leave alone.
    fn binds_v4(&self, port: u16) -> bool {
        let mut binds = self
            .config
            .listeners
            .iter()
            .flat_map(|listener| listener.bind.iter());
        port != 0 && binds.any(|bind| matches!(bind.value, config::Bind::Tcp(v4) if v4.is_ipv4() && v4.port() == port))
    }
}

pub(super) fn networks(written: &[config::Val<config::Network>]) -> Networks {
    let nets = written.iter().filter_map(|network| match network.value {
        config::Network::Ip(net) => Some(net),
        config::Network::Unix => None,
    });
    let unix = written
        .iter()
        .any(|network| network.value == config::Network::Unix);
    Networks::new(nets, unix)
}

const fn forwarded_headers(written: config::ForwardedHeaders) -> (bool, bool) {
    match written {
        config::ForwardedHeaders::XForwarded => (true, false),
        config::ForwardedHeaders::Forwarded => (false, true),
        config::ForwardedHeaders::Both => (true, true),
        config::ForwardedHeaders::None => (false, false),
    }
}

fn speaks(written: &config::Listener, protocol: config::Protocol) -> bool {
    written.protocols.iter().any(|one| one.value == protocol)
}

fn http2(written: &config::Http2) -> Http2 {
    let window = |size: config::ByteSize| u32::try_from(size.0).unwrap_or(u32::MAX);
    Http2 {
        max_streams: count(*written.max_streams),
        stream_window: window(*written.stream_window),
        connection_window: window(*written.connection_window),
        extended_connect: *written.extended_connect,
    }
}

fn limits(written: &config::Limits) -> HttpLimits {
    HttpLimits {
        head: size(written.head.0),
        target: size(written.target.0),
        fields: size(*written.fields),
        body: written.body.value.map(|size| size.0),
        requests_per_connection: *written.requests_per_connection,
        interim_responses: count(*written.interim_responses),
    }
}

fn paths(written: &config::Paths) -> PathPolicy {
    let encoded = |policy| match policy {
        config::EscapePolicy::Refuse => Encoded::Refuse,
        config::EscapePolicy::Keep => Encoded::Keep,
    };
    PathPolicy {
        duplicate_slashes: match written.duplicate_slashes.value {
            config::SlashPolicy::Merge => DuplicateSlashes::Merge,
            config::SlashPolicy::Keep => DuplicateSlashes::Keep,
            config::SlashPolicy::Refuse => DuplicateSlashes::Refuse,
        },
        encoded_slashes: encoded(written.encoded_slashes.value),
        encoded_backslashes: encoded(written.backslashes.value),
        parameters: match written.parameters.value {
            config::PathParameters::Keep => Parameters::Keep,
            config::PathParameters::Strip => Parameters::Strip,
            config::PathParameters::Refuse => Parameters::Refuse,
        },
    }
}

fn request_id(written: &config::RequestId) -> RequestIdRule {
    RequestIdRule {
        header: written.header.as_str().into(),
        trust: *written.trust,
    }
}

fn server_header(written: &config::ServerHeader) -> ServerHeader {
    match written {
        config::ServerHeader::Keep => ServerHeader::Keep,
        config::ServerHeader::Remove => ServerHeader::Remove,
        config::ServerHeader::Text(text) => ServerHeader::Set(text.as_str().into()),
    }
}

/// The value of Strict-Transport-Security (RFC 6797 section 6.1).
fn hsts_value(hsts: &config::Hsts) -> Box<str> {
    let mut value = format!("max-age={}", hsts.max_age.as_secs());
    if *hsts.include_subdomains {
        value.push_str("; includeSubDomains");
    }
    if *hsts.preload {
        value.push_str("; preload");
    }
    value.into()
}
