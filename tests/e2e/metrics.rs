//! `/metrics`: well-formed by Prometheus' own tool, and never at odds with `show stat`.

use portcullis_harness::{Origin, PATIENCE, Proxy, eventually, ok, run_bounded, test_tool};
use std::process::Command;

const CONFIG: &str = r#"
[admin]
socket = { path = "@dir@/admin.sock", mode = "0600", level = "admin" }
http = { bind = "127.0.0.1:@admin@", metrics = "/metrics", health = "/healthz", stats = "/stats" }
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
name = "limited"
path = "/limited"
rate_limit = { key = "client_ip", rate = "1/h", burst = 1 }
respond = { status = 204 }
[[route]]
name = "all"
service = "app"
[service.app]
servers = [{ name = "a", address = "@app@" }]
health = { tcp = true, interval = "50ms" }
"#;

fn busy() -> (Proxy, Origin) {
    let origin = Origin::answering(|request| {
        if request.target == "/bad" {
            b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec()
        } else {
            ok("x")
        }
    });
    let proxy = Proxy::start(CONFIG, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    for _ in 0..3 {
        assert_eq!(client.get("a", "/").status, 200);
    }
    assert_eq!(client.get("a", "/bad").status, 500);
    assert_eq!(
        (
            client.get("a", "/limited").status,
            client.get("a", "/limited").status
        ),
        (204, 429)
    );
    // A request is counted once its answer has left, which a fast client may see first.
    eventually("six requests are counted", || {
        let rows = proxy.admin("show stat");
        let row = rows
            .lines()
            .find(|line| line.starts_with("web,FRONTEND,"))?;
        (row.split(',').nth(48) == Some("6")).then_some(())
    });
    (proxy, origin)
}

fn scrape(proxy: &Proxy) -> String {
    let response = proxy.connect("admin").get("localhost", "/metrics");
    assert_eq!(response.status, 200);
    assert!(
        response
            .fields
            .one("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    response.text()
}

fn value(text: &str, family: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| {
        line.starts_with(&format!("{family}{{")) && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn promtool_finds_nothing_to_say() {
    let (proxy, _origin) = busy();
    let text = scrape(&proxy);
    let said = run_bounded(
        Command::new(test_tool("promtool")).args(["check", "metrics"]),
        text.as_bytes(),
        PATIENCE,
    );
    said.expect(0);
}

#[test]
fn the_promised_families_are_there() {
    let (proxy, _origin) = busy();
    let text = eventually("a health check has been counted", || {
        let text = scrape(&proxy);
        text.contains("\nportcullis_health_check_total{")
            .then_some(text)
    });
    for family in [
        "portcullis_http_requests_total",
        "portcullis_http_request_duration_seconds_bucket",
        "portcullis_http_response_ttfb_seconds_bucket",
        "portcullis_upstream_request_duration_seconds_bucket",
        "portcullis_upstream_connect_duration_seconds_bucket",
        "portcullis_upstream_requests_total",
        "portcullis_http_requests_in_flight",
        "portcullis_connections_open",
        "portcullis_connections_total",
        "portcullis_http_request_bytes_total",
        "portcullis_http_response_bytes_total",
        "portcullis_upstream_up",
        "portcullis_upstream_weight",
        "portcullis_upstream_connections",
        "portcullis_health_check_total",
        "portcullis_rate_limited_total",
        "portcullis_config_last_reload_successful",
        "portcullis_build_info",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(family)),
            "{family} is missing in\n{text}"
        );
    }
}

#[test]
fn the_numbers_are_those_of_the_requests() {
    let (proxy, _origin) = busy();
    let text = scrape(&proxy);
    let total = |labels: &[&str]| value(&text, "portcullis_http_requests_total", labels);
    assert_eq!(
        total(&[
            "route=\"all\"",
            "code=\"200\"",
            "method=\"GET\"",
            "service=\"app\"",
            "listener=\"web\""
        ]),
        Some(3.0),
        "{text}"
    );
    assert_eq!(total(&["route=\"all\"", "code=\"500\""]), Some(1.0));
    assert_eq!(total(&["route=\"limited\"", "code=\"429\""]), Some(1.0));
    assert_eq!(
        value(&text, "portcullis_rate_limited_total", &["limited"]),
        Some(1.0),
        "{text}"
    );
    let rows = proxy.admin("show stat");
    let row = rows
        .lines()
        .find(|line| line.starts_with("app,BACKEND,"))
        .unwrap();
    assert_eq!(
        row.split(',').nth(40),
        Some("3"),
        "show stat says the same: {row}"
    );
}

#[test]
fn health_and_stats_are_served_beside() {
    let (proxy, _origin) = busy();
    let mut client = proxy.connect("admin");
    let health = client.get("localhost", "/healthz");
    assert_eq!((health.status, health.text().trim()), (200, "ok"));
    assert!(
        client
            .get("localhost", "/stats;csv")
            .text()
            .starts_with("# pxname,")
    );
    let json: serde_json::Value =
        serde_json::from_slice(&client.get("localhost", "/stats;json").body).unwrap();
    assert!(json.is_array());
    assert_eq!(client.get("localhost", "/nothing").status, 404);
}

#[test]
fn a_failed_reload_is_to_be_seen() {
    let (mut proxy, _origin) = busy();
    proxy.rewrite(&CONFIG.replace("[service.app]", "[servise.app]"));
    proxy.signal(rustix::process::Signal::HUP);
    eventually("the failure shows", || {
        let text = scrape(&proxy);
        let mut lines = text.lines();
        lines
            .find(|line| *line == "portcullis_config_last_reload_successful 0")
            .map(drop)
    });
    assert!(
        proxy.errors().contains("servise"),
        "the log says why: {}",
        proxy.errors()
    );
}
