//! What goes wrong, told to a client of HTTP/2.

use super::INTERNAL_ERROR;
use portcullis_harness::http2::request;
use portcullis_harness::{Origin, Proxy, ok};

#[test]
fn a_truncated_answer_is_a_reset_and_harms_no_other() {
    let origin = Origin::tcp(|peer| {
        let request = peer.request().unwrap();
        if request.target == "/cut" {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            return;
        }
        peer.send(ok("whole"));
        peer.wait_closed();
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let (cut, whole) = (client.get("a", "/cut"), client.get("a", "/whole"));
    let answer = client.answer(cut);
    assert_eq!((answer.text().as_str(), answer.ended), ("half", false));
    assert_eq!(answer.reset, Some(INTERNAL_ERROR));
    assert_eq!(client.answer(whole).text(), "whole");
    assert_eq!(proxy.record("/cut")["reason"], "response-truncated");
}

#[test]
fn refusals_and_error_pages_are_those_of_http1() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::start(
        r#"
[listener.web]
bind = "127.0.0.1:@web@"
limits = { fields = 10, head = "4KiB", target = "1KiB", body = "1KiB" }
[[route]]
path = "/app"
methods = ["GET", "POST"]
service = "app"
[[route]]
path = "/down"
service = "down"
[[route]]
path = "/moved"
redirect = "https://{host}{path}"
[service.app]
servers = ["@app@"]
[service.down]
servers = ["127.0.0.1:@nobody@"]
"#,
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web").http2();
    let long = format!("/app?{}", "x".repeat(2000));
    for (method, path, status) in [
        ("GET", "/none", 404),
        ("PUT", "/app", 405),
        ("GET", "/down", 503),
        ("GET", "/moved", 308),
        ("GET", long.as_str(), 414),
        ("GET", "/app/%zz", 400),
        ("CONNECT", "", 405),
    ] {
        let fields = request(method, "a:80", path);
        let fields = if method == "CONNECT" {
            vec![fields[0], fields[3]]
        } else {
            fields.to_vec()
        };
        let stream = client.open(&fields, true);
        let answer = client.answer(stream);
        assert_eq!(answer.status(), status, "{method} {path}: {answer:#?}");
        assert!(!answer.fields.has("connection"));
    }
    let names: Vec<String> = (0..20).map(|n| format!("x-{n}")).collect();
    let mut fields = request("GET", "a", "/app/fields").to_vec();
    fields.extend(names.iter().map(|name| (name.as_str(), "1")));
    let stream = client.open(&fields, true);
    assert_eq!(client.answer(stream).status(), 431);
    let big = "x".repeat(5000);
    let mut fields = request("GET", "a", "/app/bytes").to_vec();
    fields.push(("x-big", &big));
    let stream = client.open(&fields, true);
    assert_eq!(client.answer(stream).status(), 431);
    let mut fields = request("POST", "a", "/app/body").to_vec();
    fields.push(("content-length", "2000"));
    let stream = client.open(&fields, false);
    assert_eq!(client.answer(stream).status(), 413);
    let stream = client.get("a", "/app/still");
    assert_eq!(
        client.answer(stream).status(),
        200,
        "one connection served all of these"
    );
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_failed_grpc_call_gets_its_status_in_the_only_head() {
    let proxy = Proxy::start(
        r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/down.Service"
service = "down"
[service.down]
servers = ["127.0.0.1:@nobody@"]
"#,
        &[],
    );
    let mut client = proxy.connect("web").http2();
    for (path, code) in [("/down.Service/Call", "14"), ("/other.Service/Call", "12")] {
        let mut fields = request("POST", "a", path).to_vec();
        fields.extend([("content-type", "application/grpc"), ("te", "trailers")]);
        let stream = client.open(&fields, false);
        client.data(stream, b"\0\0\0\0\0", true);
        let answer = client.answer(stream);
        assert_eq!(answer.status(), 200, "{answer:#?}");
        assert!(answer.ended_with_head);
        assert_eq!(answer.fields.one("grpc-status"), Some(code));
        assert_eq!(answer.fields.one("content-type"), Some("application/grpc"));
    }
    assert_eq!(
        proxy.record("/down.Service/Call")["reason"],
        "connect-failed"
    );
}

#[test]
fn a_grpc_answer_that_is_cut_ends_with_a_status_where_that_can_be_told() {
    let origin = Origin::tcp(|peer| {
        let Some(request) = peer.request() else {
            return;
        };
        let (media_type, framing) = match request.target.as_str() {
            "/cut.Service/Call" => ("application/grpc", "Transfer-Encoding: chunked\r\n\r\n4"),
            "/cut.Service/Page" => ("text/html", "Transfer-Encoding: chunked\r\n\r\n4"),
            _ => ("application/grpc", "Content-Length: 9\r\n"),
        };
        peer.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n{framing}\r\nhalf"
        ));
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let mut call = |path| {
        let mut fields = request("POST", "a", path).to_vec();
        fields.extend([("content-type", "application/grpc"), ("te", "trailers")]);
        let stream = client.open(&fields, true);
        client.answer(stream)
    };
    let answer = call("/cut.Service/Call");
    assert_eq!((answer.text().as_str(), answer.reset), ("half", None));
    assert_eq!(answer.trailers.one("grpc-status"), Some("14"));
    assert_eq!(answer.trailers.one("grpc-message"), Some("Bad Gateway"));
    for path in ["/cut.Service/Page", "/cut.Service/Length"] {
        let answer = call(path);
        assert_eq!(answer.reset, Some(INTERNAL_ERROR), "{path}: {answer:#?}");
    }
    let record = proxy.record("/cut.Service/Call");
    assert_eq!(record["reason"], "response-truncated", "{record}");
}

#[test]
fn malformed_requests_are_reset_counted_and_logged() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let mut fields = request("GET", "a", "/").to_vec();
    fields.push(("connection", "close"));
    let stream = client.open(&fields, true);
    assert_eq!(client.answer(stream).reset, Some(1), "PROTOCOL_ERROR");
    let line = proxy.log_line("the refusal", |line| line.contains("h2-field-forbidden"));
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&record["ended_by"], &record["version"]),
        (&"client".into(), &"HTTP/2.0".into())
    );
    let stream = client.get("a", "/");
    assert_eq!(client.answer(stream).status(), 200);
}
