//! HTTP/2 with clients: the same exchanges, many at a time on one connection.

mod clients;
mod failures;
mod tunnels;

use portcullis_harness::http2::{flag, kind, request};
use portcullis_harness::{Authority, Origin, Proxy, Setup, eventually, ok};
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
