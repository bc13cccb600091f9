//! `[service.NAME]` and its servers.

use std::path::PathBuf;

use portcullis_config as config;

use super::{Compiler, count, size, timeouts};
use crate::plan::{
    Address, Balance, HealthCheck, HealthKind, ProxyVersion, Server, ServerProtocols, Service,
    ServiceHttp2, ServiceTls, ServiceTlsSpans,
};
use crate::{ServerId, ServiceId};

impl Compiler<'_> {
    /// All services in the order of their names, and their servers side by side.
    pub(super) fn all_services(&mut self) -> (Box<[Service]>, Box<[Server]>) {
        let mut servers = Vec::new();
        let mut services = Vec::new();
        for written in self.services.clone() {
            let id = ServiceId::new(services.len());
            services.push(self.service(written, ServerId::new(servers.len())));
            servers.extend(written.servers.iter().map(|server| self.server(server, id)));
        }
        (services.into(), servers.into())
    }

    fn service(&self, written: &config::Val<config::Service>, first_server: ServerId) -> Service {
        let retries = |cause| written.retry.on.iter().any(|on| on.value == cause);
        Service {
            name: written.name.as_str().into(),
            place: self.place(written.span),
            first_server,
            server_count: written.servers.len(),
            balance: match written.balance.value {
                config::Balance::RoundRobin => Balance::RoundRobin,
                config::Balance::LeastRequests => Balance::LeastRequests,
            },
            tls: written.tls.as_ref().map(|tls| self.service_tls(tls)),
            protocols: protocols(written),
            http2: ServiceHttp2 {
                max_streams: count(*written.http2.max_streams),
                max_connections: size(*written.http2.max_connections),
                stream_window: count(written.http2.stream_window.0),
            },
            proxy_protocol: written
                .proxy_protocol
                .as_ref()
                .map(|version| match version.value {
                    config::ProxyVersion::V1 => ProxyVersion::V1,
                    config::ProxyVersion::V2 => ProxyVersion::V2,
                }),
            health: written.health.as_ref().map(|health| check(health)),
            attempts: count(*written.retry.attempts).max(1),
            retry_connect: retries(config::RetryCause::Connect),
            retry_reset: retries(config::RetryCause::Reset),
            retry_all_methods: written.retry.methods.value == config::RetryMethods::All,
            max_idle: size(*written.pool.max_idle),
            upstream_idle: timeouts::bounded(&self.config.service_timeouts(written).upstream_idle),
            max_age: *written.pool.max_age,
            resolve: *written.resolve,
        }
    }

    fn service_tls(&self, written: &config::Val<config::ServiceTls>) -> ServiceTls {
        let path =
            |value: &Option<config::Val<PathBuf>>| value.as_ref().map(|path| path.value.clone());
        let identity = path(&written.cert).zip(path(&written.key));
        ServiceTls {
            ca: path(&written.ca),
            sni: written.sni.as_ref().map(|sni| sni.as_str().into()),
            identity,
            verify: *written.verify,
            only_tls13: written.min_version.value == config::TlsVersion::Tls13,
            place: self.place(written.span),
            spans: ServiceTlsSpans {
                table: written.span,
                ca: written.ca.as_ref().and_then(|value| value.span),
                cert: written.cert.as_ref().and_then(|value| value.span),
                key: written.key.as_ref().and_then(|value| value.span),
            },
        }
    }

    fn server(&self, written: &config::Val<config::Server>, service: ServiceId) -> Server {
        Server {
            name: written.name.as_str().into(),
            place: self.place(written.span.or(written.address.span)),
            service,
            address: match &written.address.value {
                config::Address::Tcp(address) => Address::Tcp(*address),
                config::Address::Unix(path) => Address::Unix(path.clone()),
                config::Address::Name { host, port } => Address::Name {
                    host: host.clone(),
                    port: *port,
                },
            },
            address_text: written.address.to_string().into(),
            weight: count(*written.weight),
        }
    }
}

fn protocols(written: &config::Service) -> ServerProtocols {
    use config::Protocol::{Http1, Http2};
    let spoken = written.protocols.iter().map(|protocol| protocol.value);
    match spoken.collect::<Vec<_>>().as_slice() {
        [Http2] => ServerProtocols::Http2,
        [Http2, ..] => ServerProtocols::Http2First,
        [Http1, Http2, ..] => ServerProtocols::Http1First,
        _ => ServerProtocols::Http1,
    }
}

fn check(written: &config::Health) -> HealthCheck {
    let kind = match &written.http {
        None => HealthKind::Tcp,
        Some(target) => HealthKind::Http {
            target: target.as_str().into(),
            host: written.host.as_ref().map(|host| host.as_str().into()),
            expect: written.expect.ranges().into(),
        },
    };
    HealthCheck {
        kind,
        interval: *written.interval,
        timeout: *written.timeout,
        rise: count(*written.rise),
        fall: count(*written.fall),
    }
}
