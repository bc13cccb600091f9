//! What a refusal looks like from outside: a page, a log line, a counter, and a server that never hears of it.

use portcullis_harness::{Origin, Proxy, eventually};

#[test]
fn a_smuggled_request_never_reaches_the_server() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let attempts = [
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
            smuggled.len() + 5
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{smuggled}"
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{smuggled}"
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: {}\r\n\r\n{smuggled}",
            smuggled.len()
        ),
        format!("POST / HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n{smuggled}"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: y\n\n{smuggled}"),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n{smuggled}"
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n{smuggled}"
        ),
        format!(
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
        ),
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n{smuggled}"),
    ];
    for attempt in &attempts {
        let mut client = proxy.connect("web");
        let _ = client.try_send(attempt);
        let response = client.response();
        assert!(
            (400..=501).contains(&response.status),
            "{} for {attempt:?}",
            response.status
        );
        client.rest();
    }
    let reached = origin.requests();
    assert!(
        reached.iter().all(|request| request.target != "/smuggled"),
        "smuggled: {reached:#?}"
    );
    assert!(
        reached.is_empty(),
        "nothing at all reaches the server: {reached:#?}"
    );
}

#[test]
fn a_refusal_has_a_page_a_log_line_and_a_counter() {
    let origin = Origin::echo();
    let config = r#"
[admin]
socket = { path = "@dir@/admin.sock", mode = "0600", level = "admin" }
http = { bind = "127.0.0.1:@metrics@" }
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 400);
    assert!(
        response.fields.has("content-type") && !response.body.is_empty(),
        "{response:?}"
    );
    client.expect_closed();
    let line = proxy.log_line("the refusal", |line| line.contains("\"status\":400"));
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["ended_by"], "client", "{record:#}");
    assert!(
        record["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("content-length")),
        "{record:#}"
    );
    eventually("the refusal is counted", || {
        let text = proxy.connect("metrics").get("localhost", "/metrics").text();
        text.lines()
            .any(|line| line.contains("code=\"400\"") && !line.ends_with(" 0"))
            .then_some(())
    });
    let rows = proxy.admin("show stat");
    let row = rows
        .lines()
        .find(|line| line.starts_with("web,FRONTEND"))
        .unwrap();
    let ereq = row.split(',').nth(12).unwrap();
    assert_eq!(ereq, "1", "{row}");
}

#[test]
fn a_flood_of_garbage_does_not_flood_the_program_log() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    for _ in 0..300 {
        let mut client = proxy.connect("web");
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.response().status, 400);
    }
    let lines = proxy.errors().lines().count();
    assert!(
        lines < 60,
        "{lines} lines of program log for 300 bad requests:\n{}",
        proxy.errors()
    );
}

#[test]
fn a_port_scan_is_not_an_error_and_disturbs_nobody() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut steady = proxy.connect("web");
    for _ in 0..50 {
        drop(proxy.connect("web"));
        assert_eq!(steady.get("a", "/").status, 200);
    }
}
