//! The access log in its four forms, to its three places.

use portcullis_harness::{Origin, Proxy, eventually, ok, run_bounded};
use rustix::process::Signal;
use std::process::Command;

fn config(access: &str) -> String {
    format!(
        r#"[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
name = "api"
path = "/api"
service = "app"
[[route]]
respond = {{ status = 204 }}
[service.app]
servers = [{{ name = "a1", address = "@app@" }}]
[log]
access = {access}
"#
    )
}

fn logging(access: &str) -> (Proxy, Origin) {
    let origin = Origin::answering(|_| ok("hello"));
    let proxy = Proxy::start(&config(access), &[("app", origin.address())]);
    (proxy, origin)
}

fn ask(proxy: &Proxy, target: &str) {
    let mut client = proxy.connect("web");
    client.send(format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test \"quoted\" \\ 1\r\nReferer: http://r/\r\n\r\n"));
    let _ = client.response();
}

#[test]
fn a_json_record_says_everything() {
    let (proxy, _origin) = logging("{ to = \"stdout\", format = \"json\" }");
    ask(&proxy, "/api/x?y=1");
    let record = proxy.record("/api/x?y=1");
    let rows = [
        ("listener", "web"),
        ("route", "api"),
        ("service", "app"),
        ("server", "a1"),
        ("client", "127.0.0.1"),
        ("method", "GET"),
        ("host", "shop.example"),
        ("scheme", "http"),
        ("ended_by", "completed"),
        ("user_agent", "test \"quoted\" \\ 1"),
    ];
    for (key, value) in rows {
        assert_eq!(record[key], value, "{key} in {record:#}");
    }
    assert_eq!(
        (
            record["status"].as_u64(),
            record["attempts"].as_u64(),
            record["body_out"].as_u64()
        ),
        (Some(200), Some(1), Some(5))
    );
    let place = record["route_place"].as_str().unwrap();
    assert!(
        place.ends_with("portcullis.toml:3") || place.ends_with("portcullis.toml:3:1"),
        "{place}"
    );
    for key in ["duration_ms", "response_ms", "connect_ms"] {
        assert!(
            record[key]
                .as_f64()
                .is_some_and(|time| (0.0..20_000.0).contains(&time)),
            "{key} in {record:#}"
        );
    }
    assert!(record["deadline"].is_null() && record["reason"].is_null());
    assert!(
        record["request_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
    );
}

#[test]
fn the_combined_form_is_what_log_readers_expect() {
    let (proxy, _origin) = logging("{ to = \"stdout\", format = \"combined\" }");
    ask(&proxy, "/api/x");
    let line = proxy.log_line("combined", |line| line.contains("/api/x"));
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(
        line.contains("] \"GET /api/x HTTP/1.1\" 200 5 \"http://r/\" \"test "),
        "{line}"
    );
    assert!(!line.contains("\"quoted\""), "quotes are escaped: {line}");
}

#[test]
fn the_haproxy_form_is_read_by_halog() {
    let (proxy, _origin) = logging("{ to = \"@dir@/access.log\", format = \"haproxy\" }");
    for _ in 0..5 {
        ask(&proxy, "/api/x");
    }
    let log = eventually("five lines", || {
        let text = proxy.folder().read("access.log");
        (text.lines().count() == 5).then_some(text)
    });
    let line = log.lines().next().unwrap();
    assert!(
        line.contains("] web app/a1 ")
            && line.contains(" 200 ")
            && line.contains("\"GET /api/x HTTP/1.1\""),
        "{line}"
    );
    // halog reads what syslog writes: a host and a process before the message.
    let as_syslog: String = log
        .lines()
        .map(|line| format!("Nov 21 10:00:00 host haproxy[1]: {line}\n"))
        .collect();
    let said = run_bounded(
        Command::new("halog").arg("-srv"),
        as_syslog.as_bytes(),
        portcullis_harness::PATIENCE,
    )
    .expect(0);
    let row = said
        .out
        .lines()
        .find(|line| line.starts_with("app/a1 "))
        .unwrap_or_else(|| panic!("{}{}", said.out, said.err));
    assert_eq!(
        row.split_whitespace().nth(2),
        Some("5"),
        "five answers of class 2xx: {row}"
    );
}

#[test]
fn a_template_says_what_it_is_told_to() {
    let (proxy, _origin) = logging(
        "{ to = \"stdout\", format = \"template\", template = \"{method}|{path}|{status}|{route}|{request_header.referer}|{{x}}\" }",
    );
    ask(&proxy, "/api/t");
    assert_eq!(
        proxy.log_line("template", |line| line.contains("/api/t")),
        "GET|/api/t|200|api|http://r/|{x}"
    );
}

#[test]
fn a_log_can_be_off() {
    let (mut proxy, _origin) = logging("{ to = \"off\" }");
    ask(&proxy, "/api/x");
    assert_eq!(proxy.stop(), 0);
    assert_eq!(proxy.output(), "");
}

#[test]
fn a_log_file_is_reopened_on_usr1() {
    let (proxy, _origin) = logging("{ to = \"@dir@/access.log\", format = \"json\" }");
    ask(&proxy, "/api/before");
    eventually("a line in the first file", || {
        proxy
            .folder()
            .read("access.log")
            .contains("/api/before")
            .then_some(())
    });
    std::fs::rename(
        proxy.folder().join("access.log"),
        proxy.folder().join("access.log.1"),
    )
    .unwrap();
    proxy.signal(Signal::USR1);
    eventually("the file is there again", || {
        proxy.folder().join("access.log").exists().then_some(())
    });
    ask(&proxy, "/api/after");
    eventually("a line in the new file", || {
        proxy
            .folder()
            .read("access.log")
            .contains("/api/after")
            .then_some(())
    });
    assert!(!proxy.folder().read("access.log.1").contains("/api/after"));
}

#[test]
fn a_log_that_cannot_be_written_disturbs_no_request() {
    let origin = Origin::answering(|_| ok("hello"));
    let proxy = Proxy::start(
        &config("{ to = \"/dev/full\", format = \"json\" }"),
        &[("app", origin.address())],
    );
    for _ in 0..50 {
        assert_eq!(proxy.connect("web").get("a", "/api").status, 200);
    }
    let lines = proxy.errors().lines().count();
    assert!(
        lines < 20,
        "a full disk does not flood the program log: {lines} lines"
    );
}

#[test]
fn nothing_in_a_request_can_forge_a_record() {
    let (proxy, _origin) = logging("{ to = \"stdout\", format = \"json\" }");
    let mut client = proxy.connect("web");
    client.send(
        b"GET /api/forged HTTP/1.1\r\nHost: a\r\nUser-Agent: \",\"status\":999,\"\xff\x80\r\n\r\n",
    );
    assert_eq!(client.response().status, 200);
    let record = proxy.record("/api/forged");
    assert_eq!(record["status"], 200);
}

#[test]
fn every_request_of_a_thousand_is_logged() {
    let (mut proxy, _origin) = logging("{ to = \"@dir@/access.log\", format = \"json\" }");
    let mut client = proxy.connect("web");
    for turn in 0..1000 {
        assert_eq!(client.get("a", &format!("/{turn}")).status, 204);
    }
    drop(client);
    assert_eq!(proxy.stop(), 0);
    assert_eq!(
        proxy.folder().read("access.log").lines().count(),
        1000,
        "the end of the process loses no line"
    );
}
