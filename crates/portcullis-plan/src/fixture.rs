//! Requests and plans for the tests of this crate.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::facts::Fields;
use crate::plan::*;
use crate::route::Entry;
use crate::{Facts, ListenerId, RouteId, Scheme, ServerId, ServiceId};

/// Fields in a list.
pub(crate) struct TestFields(Vec<(String, Vec<u8>)>);

impl TestFields {
    pub(crate) fn new(fields: &[(&str, &str)]) -> Self {
        Self(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        )
    }
}

impl Fields for TestFields {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_slice())
    }

    fn each(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.0
            .iter()
            .filter(|(own, _)| own == name)
            .for_each(|(_, value)| each(value));
    }
}

/// Loads a configuration called `test.toml` that names no other files but those of TLS.
pub(crate) fn load(text: &str) -> portcullis_config::Loaded {
    portcullis_config::load_text("test.toml", text, &NoFiles)
}

struct NoFiles;

impl portcullis_config::Loader for NoFiles {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn glob(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

/// Deadlines as configured by default.
pub(crate) fn timeouts() -> ExchangeTimeouts {
    let seconds = Duration::from_secs;
    ExchangeTimeouts {
        client_body_idle: seconds(30),
        client_body_rate: Some(240),
        client_write: seconds(30),
        connect: seconds(3),
        response_header: seconds(60),
        response_idle: seconds(60),
        request: None,
        tunnel_idle: seconds(3600),
    }
}

/// A listener in clear text that trusts nobody.
pub(crate) fn listener(entries: Vec<Entry>) -> Listener {
    let seconds = Duration::from_secs;
    Listener {
        name: "http".into(),
        place: "portcullis.toml:1".into(),
        binds: [Bind::Tcp {
            address: ([127, 0, 0, 1], 8080).into(),
            dual_stack: false,
        }]
        .into(),
        backlog: 128,
        max_connections: 100,
        tls: None,
        proxy_protocol: None,
        http1: true,
        http2: None,
        prefers_http1: false,
        trusted_proxies: Networks::default(),
        limits: HttpLimits {
            head: 32 << 10,
            target: 8 << 10,
            fields: 100,
            body: Some(1 << 30),
            requests_per_connection: None,
            interim_responses: 16,
        },
        timeouts: ListenerTimeouts {
            handshake: seconds(5),
            client_header: seconds(10),
            client_idle: seconds(60),
            connection_age: None,
            exchange: timeouts(),
        },
        paths: PathPolicy::default(),
        x_forwarded: true,
        forwarded: false,
        request_id: None,
        via: None,
        date: true,
        server_header: ServerHeader::Keep,
        hsts: None,
        redirect_https: None,
        rate_limit: None,
        maintenance: None,
        split_timeouts: Box::default(),
        router: Router::new(entries),
    }
}

/// A route that does what `action` says.
pub(crate) fn route(name: &str, action: Action) -> Route {
    Route::new(
        name.into(),
        "portcullis.toml:9".into(),
        Conduct::plain(action).into(),
    )
}

/// A listener that does with the requests of each route what the route says.
fn offering(mut listener: Listener, routes: &[Route]) -> Listener {
    let mut entries = listener.router.entries().to_vec();
    for entry in &mut entries {
        entry.conduct = routes[entry.route.index()].conduct().clone();
    }
    listener.router = Router::new(entries);
    listener
}

/// A plan of one listener, these routes and one service `app` with one server.
pub(crate) fn plan(listener: Listener, routes: Vec<Route>) -> Plan {
    Plan {
        process: Process {
            threads: 1,
            max_connections: 100,
            shutdown_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            watch: false,
            certificate_warning: Duration::from_secs(14 * 86_400),
            lame_duck: None,
            tunnel_drain: Duration::from_secs(10),
            sandbox: false,
            user: None,
            group: None,
            log_level: "info".into(),
            admin_socket: None,
            admin_http: None,
        },
        listeners: [offering(listener, &routes)].into(),
        routes: routes.into(),
        services: [service()].into(),
        servers: [Server {
            name: "s1".into(),
            place: "portcullis.toml:21".into(),
            service: ServiceId::new(0),
            address: Address::Tcp(([127, 0, 0, 1], 9000).into()),
            address_text: "127.0.0.1:9000".into(),
            weight: 1,
        }]
        .into(),
        limits: Box::default(),
        error_pages: Default::default(),
        access_log: AccessLog {
            to: LogTarget::Off,
            format: std::sync::Arc::new(LogFormat::Json),
        },
        fingerprint: 0,
    }
}

fn service() -> Service {
    Service {
        name: "app".into(),
        place: "portcullis.toml:20".into(),
        first_server: ServerId::new(0),
        server_count: 1,
        tls: None,
        protocols: ServerProtocols::Http1,
        http2: ServiceHttp2 {
            max_streams: 100,
            max_connections: 8,
            stream_window: 65_536,
        },
        proxy_protocol: None,
        balance: Balance::RoundRobin,
        health: None,
        attempts: 1,
        retry_connect: true,
        retry_reset: true,
        retry_all_methods: false,
        max_idle: 128,
        upstream_idle: Duration::from_secs(30),
        max_age: None,
        resolve: Duration::from_secs(30),
    }
}

/// A GET from 192.0.2.1 in clear text.
pub(crate) fn facts<'a>(
    listener: &'a Listener,
    host: &'a str,
    path: &'a str,
    fields: &'a dyn Fields,
) -> Facts<'a> {
    Facts {
        listener_id: ListenerId::new(0),
        listener,
        peer: Some(([192, 0, 2, 1], 4000).into()),
        local: Some(([127, 0, 0, 1], 8080).into()),
        client: Some(IpAddr::from([192, 0, 2, 1])),
        client_port: Some(4000),
        scheme: Scheme::Http,
        tls: None,
        version: "HTTP/1.1",
        method: b"GET",
        target: path.as_bytes(),
        host,
        authority: host.as_bytes(),
        path: path.as_bytes(),
        query: None,
        request_id: b"",
        fields,
        route: None,
        service: None,
        server: None,
    }
}

/// An entry without conditions for these hosts and this path (`=/x` is exact).
pub(crate) fn entry(index: usize, hosts: &[&str], path: &str) -> Entry {
    use portcullis_config::PathPattern;
    let path = match path.strip_prefix('=') {
        _ if path.is_empty() => None,
        Some(exact) => Some(PathPattern::Exact(exact.into())),
        None => Some(PathPattern::Prefix(path.into())),
    };
    #[allow(clippy::unwrap_used, reason = "test data")]
    let hosts = hosts
        .iter()
        .map(|host| portcullis_config::HostMatch::Name(host.parse().unwrap()))
        .collect();
    Entry {
        route: RouteId::new(index),
        priority: 0,
        hosts,
        path,
        rule: Default::default(),
        conduct: Conduct::plain(Action::Forward(ServiceId::new(0))).into(),
        timeouts: timeouts().into(),
        origins: [].into(),
    }
}

/// An exchange about which nothing is known yet.
pub(crate) fn outcome() -> crate::Outcome<'static> {
    crate::Outcome {
        route: None,
        service: None,
        server: None,
        status: 0,
        from_server: false,
        bytes_in: 0,
        bytes_out: 0,
        body_in: 0,
        body_out: 0,
        attempts: 0,
        reused: false,
        timings: crate::Timings::default(),
        ended_by: crate::EndedBy::Completed,
        deadline: None,
        reason: None,
        upgraded: false,
        response_fields: None,
    }
}
