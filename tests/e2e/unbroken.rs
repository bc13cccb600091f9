//! What changes cost clients under load: nothing. Mixed clients go on while the configuration is reloaded and the process handed
//! over, again and again, and not one of them loses an exchange.

use std::sync::Arc;

use portcullis_harness::{Authority, Client, Identity, Origin, Proxy, Setup};
use rustix::process::Signal;

use crate::load::{
    self, Kind, Load, Pace, download, http2, keep_alive, origin, plain, short, slow_download,
    slow_upload, upload, websocket,
};

const RELOADS: usize = 50;
const HAND_OVERS: usize = 5;

/// The stage: two origins, and certificates to choose from.
struct Stage {
    proxy: Proxy,
    pace: Arc<Pace>,
    authority: Authority,
    identities: [Identity; 2],
    _origins: [Origin; 2],
}

/// The configuration after so many changes: routes, servers, a listener and its limits come, go and change.
fn config(step: usize) -> String {
    let servers = [r#""@one@""#, r#""@one@", "@two@""#, r#""@two@""#][step % 3];
    let balance = ["round-robin", "least-requests"][step / 3 % 2];
    let mut config = format!(
        r#"
[global]
threads = 2
shutdown_timeout = "120s"
tunnel_drain = "110s"
[listener.web]
bind = ["127.0.0.1:@web@", "unix:@dir@/in.sock"]
max_connections = {max}
[listener.web.limits]
requests_per_connection = "off"
[listener.tls]
bind = "127.0.0.1:@tls@"
[listener.tls.tls]
certificates = [{{ cert = "one.pem", key = "one.key" }}]
[listener.tls.limits]
requests_per_connection = "off"
[[route]]
path = "/who"
respond = {{ status = 200, body = "step {step}" }}
[[route]]
path = "/"
service = "app"
rewrite = {{ request_headers = {{ set = {{ x-step = "{step}" }} }} }}
[service.app]
balance = "{balance}"
servers = [{servers}]
"#,
        max = 1000 + step,
    );
    if step % 2 == 1 {
        config += "[listener.extra]\nbind = \"127.0.0.1:@extra@\"\n[[route]]\npath = \"/extra\"\nrespond = { status = 204 }\n";
    }
    config
}

impl Stage {
    fn new() -> Self {
        let pace = Arc::default();
        let origins = [origin(&pace), origin(&pace)];
        let authority = Authority::new("authority");
        let identities = [0, 1].map(|_| authority.issue(&["one.test"]));
        let proxy = Setup::new()
            .set("one", origins[0].address())
            .set("two", origins[1].address())
            .identity("one", &identities[0])
            .start(&config(0));
        Self {
            proxy,
            pace,
            authority,
            identities,
            _origins: origins,
        }
    }

    fn load(&self) -> Load {
        let web = plain(self.proxy.port("web"));
        let client = self.authority.client();
        let tls = load::tls(client.clone(), self.proxy.port("tls"), "one.test");
        let h2 = load::tls(client.offering(&["h2"]), self.proxy.port("tls"), "one.test");
        let kinds: Vec<Kind> = vec![
            keep_alive("keep-alive", web.clone()),
            short("a connection each", web.clone()),
            download("download", web.clone()),
            upload("upload", web.clone()),
            slow_download("slow download", web.clone()),
            slow_upload("slow upload", web.clone(), &self.pace),
            websocket("WebSocket", web.clone()),
            http2("HTTP/2", web),
            keep_alive("TLS keep-alive", tls.clone()),
            short("a TLS connection each", tls.clone()),
            download("TLS download", tls.clone()),
            slow_upload("slow TLS upload", tls.clone(), &self.pace),
            websocket("TLS WebSocket", tls),
            http2("HTTP/2 over TLS", h2),
        ];
        Load::start(&self.pace, kinds)
    }

    /// Changes everything that may change, with another certificate in the same files.
    fn reload(&mut self, step: usize) {
        let Identity { cert, key, .. } = &self.identities[step % 2];
        self.proxy.file("one.pem", cert);
        self.proxy.file("one.key", key);
        self.proxy.reload(&config(step)).expect(0);
    }
}

/// Kinds that are to keep their one connection through every reload.
const LASTING: [&str; 6] = [
    "keep-alive",
    "WebSocket",
    "HTTP/2",
    "TLS keep-alive",
    "TLS WebSocket",
    "HTTP/2 over TLS",
];

#[test]
fn nothing_is_lost_through_reloads_and_hand_overs() {
    let mut stage = Stage::new();
    let load = stage.load();
    load.advance(1);
    for step in 1..=RELOADS {
        stage.reload(step);
        load.advance(1);
    }
    let last = format!("{} ", RELOADS + 1);
    let told = stage.proxy.admin("show generations");
    let mut generations = told.lines().map(str::trim_start);
    assert!(generations.any(|line| line.starts_with(&last)), "{told}");
    for kind in LASTING {
        assert_eq!(load.dialled(kind), 1, "{kind}: the connection has stayed");
    }
    let mut processes = vec![stage.proxy.pid()];
    for _ in 0..HAND_OVERS {
        processes.push(stage.proxy.upgrade());
        load.advance(1);
    }
    for kind in ["WebSocket", "TLS WebSocket"] {
        assert_eq!(load.dialled(kind), 1, "{kind}: the tunnel has stayed");
    }
    let lost = load.finish();
    assert!(lost.values().all(Vec::is_empty), "{lost:#?}");
    processes.dedup();
    assert_eq!(processes.len(), 1 + HAND_OVERS, "each one is another");
    let unix = Client::unix(&stage.proxy.folder().join("in.sock")).get("a", "/who");
    assert_eq!(unix.text(), format!("step {RELOADS}"), "the file is there");
    let told = stage.proxy.admin("show info");
    assert!(told.contains(&format!("Pid: {}\n", processes[HAND_OVERS])));
}

#[test]
fn every_kind_notices_when_something_is_lost() {
    let mut stage = Stage::new();
    let load = stage.load();
    load.advance(1);
    stage.proxy.signal(Signal::KILL);
    stage.proxy.wait();
    load.wait_for_losses();
    assert!(load.finish_lossy().values().all(|lost| !lost.is_empty()));
}
