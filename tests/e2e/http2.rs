//! HTTP/2 with clients: the same exchanges, many at a time on one connection.

use portcullis_harness::http2::{flag, kind, request};
use portcullis_harness::{Authority, Origin, Peer, Proxy, Setup, eventually, ok, run};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const CANCEL: u32 = 8;

const CONFIG: &str = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[listener.tls]
bind = "127.0.0.1:@tls@"
tls = { certificates = [{ cert = "site.pem", key = "site.key" }] }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;

fn proxy(origin: &Origin) -> Proxy {
    let authority = Authority::new("test");
    Setup::new()
        .identity("site", &authority.issue(&["localhost"]))
        .set("app", origin.address())
        .start(CONFIG)
}

fn curl(arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sSk", "--max-time", "15", "-w", " %{http_version}"]);
    run(command.args(arguments)).expect(0).out
}

#[test]
fn curl_speaks_it_by_alpn_and_by_prior_knowledge() {
    let origin = Origin::answering(|request| ok(&request.target));
    let proxy = proxy(&origin);
    let tls = format!("https://localhost:{}/tls", proxy.port("tls"));
    assert_eq!(curl(&["--http2", &tls]), "/tls 2");
    assert_eq!(curl(&["--http1.1", &tls]), "/tls 1.1");
    let plain = format!("http://localhost:{}/plain", proxy.port("web"));
    assert_eq!(curl(&["--http2-prior-knowledge", &plain]), "/plain 2");
    assert_eq!(curl(&[&plain]), "/plain 1.1");
    let request = origin.requests().remove(0);
    assert_eq!(
        request.fields.one("host"),
        Some(format!("localhost:{}", proxy.port("tls")).as_str())
    );
}

#[test]
fn bodies_of_any_size_pass_both_ways() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let url = format!("https://localhost:{}/", proxy.port("tls"));
    let body: String = (0..60_000).map(|n| format!("{n:09}\n")).collect();
    proxy.folder().write("body", &body);
    let path = proxy.folder().join("body");
    let with_length = format!("@{}", path.display());
    let answer = curl(&["--http2", "--data-binary", &with_length, &url]);
    assert!(answer.contains(&body), "a body of known length came back");
    let answer = curl(&[
        "--http2",
        "-H",
        "content-length:",
        "-T",
        &path.display().to_string(),
        &url,
    ]);
    assert!(answer.contains(&body), "a body of unknown length came back");
    let request = origin.requests().pop().unwrap();
    assert_eq!(request.fields.one("transfer-encoding"), Some("chunked"));
}

#[test]
fn a_stuck_request_holds_up_no_other() {
    let closed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&closed);
    let origin = Origin::tcp(move |peer| {
        while let Some(request) = peer.request() {
            if request.target == "/stuck" {
                peer.wait_closed();
                return seen.store(true, SeqCst);
            }
            peer.send(ok(&request.target));
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let stuck = client.get("a", "/stuck");
    for n in 0..50 {
        let path = format!("/{n}");
        let stream = client.get("a", &path);
        let answer = client.answer(stream);
        assert_eq!((answer.status(), answer.text()), (200, path));
    }
    let many: Vec<_> = (0..50).map(|n| client.get("a", &format!("/{n}"))).collect();
    for stream in many {
        assert_eq!(client.answer(stream).status(), 200);
    }
    client.reset(stuck, CANCEL);
    let record = proxy.record("/stuck");
    assert_eq!(record["ended_by"], "client", "{record}");
    assert_eq!(record["reason"], "client-closed");
    eventually("the server's connection is closed, not kept", || {
        closed.load(SeqCst).then_some(())
    });
    assert!(client.is_alive());
}

#[test]
fn what_a_request_says_reaches_the_server_as_http1() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let mut fields = request("GET", "www.example.com", "/a/../b?c=d").to_vec();
    fields.extend([
        ("cookie", "a=1"),
        ("x-one", "1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
    ]);
    let stream = client.open(&fields, true);
    assert_eq!(client.answer(stream).status(), 200);
    let seen = origin.request();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/b?c=d")
    );
    assert_eq!(seen.version, "HTTP/1.1");
    assert_eq!(seen.fields.one("host"), Some("www.example.com"));
    assert_eq!(seen.fields.one("cookie"), Some("a=1; b=2"));
    assert_eq!(seen.fields.one("te"), Some("trailers"));
    assert!(!seen.fields.has("transfer-encoding"));
    let record = proxy.record("/a/../b?c=d");
    assert_eq!(record["version"], "HTTP/2.0", "{record}");
    let stream = client.open(&request("POST", "a", "/empty"), true);
    assert_eq!(client.answer(stream).status(), 200);
    let seen = origin.requests().pop().unwrap();
    assert_eq!(seen.fields.one("content-length"), Some("0"));
}

#[test]
fn trailers_pass_both_ways() {
    let origin = Origin::answering(|_| {
        concat!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n",
            "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"
        )
        .into()
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a", "/");
    client.data(stream, b"body", false);
    let trailers = client.fields(&[("x-check", "1")]);
    client.frame(
        kind::HEADERS,
        flag::END_HEADERS | flag::END_STREAM,
        stream,
        trailers,
    );
    let answer = client.answer(stream);
    assert_eq!((answer.status(), answer.text().as_str()), (200, "abc"));
    assert_eq!(answer.trailers.one("x-sum"), Some("7"));
    assert_eq!(answer.fields.one("trailer"), Some("x-sum"));
    assert_eq!(answer.reset, None);
    let seen = origin.request();
    assert_eq!(seen.body, b"body");
    assert_eq!(seen.trailers.one("x-check"), Some("1"));
}

#[test]
fn an_answer_without_body_ends_with_its_head() {
    let origin = Origin::answering(|request| match request.target.as_str() {
        "/204" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n".into(),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".into(),
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    for (method, path, status) in [
        ("HEAD", "/head", 200),
        ("GET", "/204", 204),
        ("GET", "/304", 304),
    ] {
        let stream = client.open(&request(method, "a", path), true);
        let answer = client.answer(stream);
        assert_eq!(answer.status(), status);
        assert!(answer.ended_with_head, "{path}: {answer:#?}");
    }
    assert_eq!(client.so_far(1).fields.one("content-length"), Some("5"));
}

#[test]
fn interim_responses_come_before_the_answer() {
    let origin = Origin::tcp(|peer| {
        peer.head().unwrap();
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(peer.exactly(9), b"4\r\nbody\r\n");
        peer.send(ok("done"));
        peer.wait_closed();
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let mut fields = request("POST", "a", "/").to_vec();
    fields.push(("expect", "100-continue"));
    let stream = client.open(&fields, false);
    client.until(|client| client.so_far(stream).interim.len() == 2);
    client.data(stream, b"body", true);
    let answer = client.answer(stream);
    let statuses: Vec<_> = answer
        .interim
        .iter()
        .map(|head| head.one(":status").unwrap())
        .collect();
    assert_eq!(statuses, ["103", "100"]);
    assert_eq!(answer.interim[0].one("link"), Some("</x>"));
    assert_eq!(answer.text(), "done");
}

#[test]
fn an_answer_that_comes_early_is_whole_and_ends_the_upload() {
    let origin = Origin::tcp(|peer| {
        peer.head().unwrap();
        peer.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
        peer.wait_closed();
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a", "/upload");
    client.data(stream, &[b'x'; 1000], false);
    client.until(|client| client.so_far(stream).reset.is_some());
    let answer = client.so_far(stream);
    assert!(answer.ended, "{answer:#?}");
    assert_eq!((answer.status(), answer.text().as_str()), (401, "no"));
    assert_eq!(answer.reset, Some(NO_ERROR), "RFC 9113 8.1");
    assert!(client.is_alive(), "other streams go on");
}

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

#[test]
fn each_listener_speaks_what_it_says() {
    let origin = Origin::answering(|_| ok("x"));
    let authority = Authority::new("test");
    let config = r#"
[listener.one]
bind = "127.0.0.1:@one@"
protocols = ["http/1.1"]
[listener.two]
bind = "127.0.0.1:@two@"
protocols = ["h2"]
[listener.tls]
bind = "127.0.0.1:@tls@"
protocols = ["http/1.1", "h2"]
tls = { certificates = [{ cert = "site.pem", key = "site.key" }] }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Setup::new()
        .identity("site", &authority.issue(&["localhost"]))
        .set("app", origin.address())
        .start(config);
    let mut one = proxy.connect("one");
    one.send(portcullis_harness::http2::PREFACE);
    assert_eq!(
        one.response().status,
        505,
        "HTTP/1 alone does not know the version"
    );
    let mut two = proxy.connect("two");
    assert_eq!(two.get("a", "/").status, 505);
    let mut two = proxy.connect("two").http2();
    let stream = two.get("a", "/");
    assert_eq!(two.answer(stream).status(), 200);
    let client = authority.client().offering(&["h2", "http/1.1"]);
    let (_, handshake) = client.try_connect(proxy.port("tls"), "localhost").unwrap();
    assert_eq!(
        handshake.alpn.as_deref(),
        Some("http/1.1"),
        "the server's order decides"
    );
}

#[test]
fn bytes_that_only_begin_like_the_preface_are_http1() {
    let origin = Origin::answering(|request| ok(&request.method));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    for byte in b"PRI /x HTTP/1.1\r\nHost: a\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.response().text(), "PRI");
    let mut client = proxy.connect("web");
    for byte in portcullis_harness::http2::PREFACE {
        client.send([*byte]);
    }
    let mut client = client.frames();
    client.frame(kind::SETTINGS, 0, 0, []);
    let stream = client.get("a", "/");
    assert_eq!(client.answer(stream).text(), "GET");
}

fn switching(peer: &mut Peer) {
    let Some(request) = peer.request() else {
        return;
    };
    assert_eq!(
        request.fields.one("upgrade"),
        Some("websocket"),
        "{request:#?}"
    );
    assert!(
        request
            .fields
            .one("sec-websocket-key")
            .is_some_and(|key| key.len() == 24)
    );
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello");
    let all = peer.rest();
    peer.send(format!("{} bytes", all.len()));
}

const WEBSOCKET: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/ws"),
    (":authority", "a"),
    ("sec-websocket-version", "13"),
];

#[test]
fn an_extended_connect_becomes_an_upgrade_and_a_tunnel() {
    let origin = Origin::tcp(switching);
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    client.until(|client| !client.settings.is_empty());
    assert_eq!(
        client.settings.get(&8),
        Some(&1),
        "SETTINGS_ENABLE_CONNECT_PROTOCOL"
    );
    let stream = client.open(&WEBSOCKET, false);
    client.until(|client| client.so_far(stream).body == b"hello");
    let answer = client.so_far(stream);
    assert_eq!(answer.status(), 200);
    assert!(!answer.fields.has("sec-websocket-accept") && !answer.fields.has("upgrade"));
    client.data(stream, &[7; 10_000], false);
    client.data(stream, &[8; 10_000], true);
    let answer = client.answer(stream);
    assert_eq!(
        answer.text(),
        "hello20000 bytes",
        "our end came through, and theirs after it"
    );
    assert!(answer.ended && answer.reset.is_none(), "{answer:#?}");
    let record = proxy.record("/ws");
    assert_eq!(
        (&record["status"], &record["upgraded"]),
        (&200.into(), &true.into())
    );
}

#[test]
fn an_extended_connect_that_leads_nowhere_is_no_success() {
    let origin = Origin::answering(|_| ok("no websocket here"));
    let proxy = Proxy::start(
        r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/ws"
service = "app"
[[route]]
path = "/other"
upgrade = []
service = "app"
[service.app]
servers = ["@app@"]
"#,
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web").http2();
    let stream = client.open(&WEBSOCKET, false);
    assert_eq!(
        client.answer(stream).status(),
        502,
        "a 200 of the server is no tunnel"
    );
    let mut fields = WEBSOCKET;
    fields[3] = (":path", "/other");
    let stream = client.open(&fields, false);
    assert_eq!(client.answer(stream).status(), 501, "the route allows none");
}

#[test]
fn a_tunnel_that_breaks_is_a_reset() {
    let origin = Origin::tcp(|peer| {
        peer.request().unwrap();
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nx");
        peer.exactly(1);
        peer.reset();
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web").http2();
    let stream = client.open(&WEBSOCKET, false);
    client.until(|client| client.so_far(stream).body == b"x");
    client.data(stream, b"y", false);
    let answer = client.answer(stream);
    assert!(answer.reset.is_some() && !answer.ended, "{answer:#?}");
}

#[test]
fn nodes_client_is_served_many_streams_at_once() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let script = "
import http2 from 'node:http2';
const client = http2.connect(process.argv[1], { rejectUnauthorized: false });
const ask = (turn) => new Promise((done, fail) => {
  const stream = client.request({ ':path': `/node/${turn}`, ':method': 'POST' });
  let status, length = 0;
  stream.on('response', (head) => { status = head[':status']; });
  stream.on('data', (piece) => { length += piece.length; });
  stream.on('end', () => done(`${status} ${length > turn * 1000}`));
  stream.on('error', fail);
  stream.end('x'.repeat(turn * 1000));
});
console.log((await Promise.all(Array.from({ length: 80 }, (_, turn) => ask(turn)))).join('\\n'));
client.close();
";
    let url = format!("https://localhost:{}", proxy.port("tls"));
    let mut command = Command::new("node");
    command.args(["--input-type=module", "-e", script, &url]);
    let said = run(&mut command).expect(0);
    let served = said.out.lines().filter(|line| *line == "200 true");
    assert_eq!(served.count(), 80, "{}{}", said.out, said.err);
}

#[test]
fn h2load_loses_no_request() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin);
    for (url, more) in [
        (format!("https://localhost:{}/", proxy.port("tls")), "-m10"),
        (format!("http://localhost:{}/", proxy.port("web")), "-m100"),
    ] {
        let mut command = Command::new("h2load");
        command.args(["-n1000", "-c4", more, &url]);
        let said = run(&mut command).expect(0);
        assert!(
            said.out.contains("1000 succeeded, 0 failed"),
            "{}",
            said.out
        );
    }
}
