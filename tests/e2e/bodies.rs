//! Bodies of every framing and size, both ways, with the awkward cases between.

use portcullis_harness::{Origin, Proxy, ok};
use std::sync::mpsc;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn large_bodies_arrive_byte_for_byte_both_ways() {
    let length = 3 * 1024 * 1024 + 17;
    let origin = Origin::answering(|request| {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            request.body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&request.body);
        answer
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    let body = pattern(length);
    client.send(&body);
    let response = client.response();
    assert!(
        response.body == body,
        "{} bytes came back",
        response.body.len()
    );
    assert!(origin.request().body == body);
}

#[test]
fn chunked_bodies_arrive_byte_for_byte_both_ways() {
    let body = pattern(300_000);
    let sent = body.clone();
    let origin = Origin::tcp(move |peer| {
        while peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for part in sent.chunks(4_099) {
                peer.send(format!("{:x}\r\n", part.len()))
                    .send(part)
                    .send("\r\n");
            }
            peer.send("0\r\n\r\n");
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for part in body.chunks(1_013) {
        client
            .send(format!("{:X}\r\n", part.len()))
            .send(part)
            .send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert!(client.response().body == body);
    let seen = origin.request();
    assert!(seen.body == body);
    assert_eq!(seen.fields.one("transfer-encoding"), Some("chunked"));
}

#[test]
fn a_body_streams_before_it_is_whole() {
    let (arrived, first) = mpsc::channel();
    let origin = Origin::tcp(move |peer| {
        if let Some(request) = peer.head() {
            let _ = arrived.send(peer.exactly(5));
            peer.exactly(5);
            peer.record(request);
            peer.send(ok("done"));
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    assert_eq!(
        first.recv_timeout(portcullis_harness::PATIENCE).unwrap(),
        b"first",
        "sent on before the rest has come"
    );
    client.send("later");
    assert_eq!(client.response().text(), "done");
}

#[test]
fn an_answer_streams_before_it_is_whole() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::tcp(move |peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
            let _ = gate.lock().unwrap().recv();
            peer.send("later");
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.exactly(1));
    }
    assert_eq!(client.exactly(5), b"first");
    go.send(()).unwrap();
    assert_eq!(client.exactly(5), b"later");
}

#[test]
fn expect_100_is_answered_by_the_server_when_it_does() {
    let origin = Origin::tcp(|peer| {
        if let Some(request) = peer.head() {
            peer.send("HTTP/1.1 100 Continue\r\n\r\n");
            let body = peer.exactly(4);
            peer.record(request);
            peer.send(ok(&String::from_utf8_lossy(&body)));
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let interim = client.exactly("HTTP/1.1 100 Continue\r\n\r\n".len());
    assert!(
        interim.starts_with(b"HTTP/1.1 100 "),
        "{:?}",
        String::from_utf8_lossy(&interim)
    );
    client.send("body");
    assert_eq!(client.response().text(), "body");
}

#[test]
fn expect_100_is_answered_by_us_when_the_server_is_slow_to() {
    let origin = Origin::answering(|request| ok(&String::from_utf8_lossy(&request.body)));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let interim = client.exactly("HTTP/1.1 100 Continue\r\n\r\n".len());
    assert!(interim.starts_with(b"HTTP/1.1 100 "));
    client.send("body");
    let response = client.response();
    assert_eq!(
        (response.text().as_str(), response.interim.len()),
        ("body", 0)
    );
}

#[test]
fn an_early_final_answer_ends_an_expectation() {
    let origin = Origin::tcp(|peer| {
        if peer.head().is_some() {
            peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.response().status, 403);
}

#[test]
fn an_answer_before_the_upload_ends_reaches_the_client() {
    let origin = Origin::tcp(|peer| {
        if peer.head().is_some() {
            peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    for _ in 0..100 {
        if client.try_send([b'x'; 1000]).is_err() {
            break;
        }
    }
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (413, "big"));
}

#[test]
fn a_stated_length_over_the_limit_is_refused_unread() {
    let origin = Origin::echo();
    let proxy = Proxy::start(LIMITED, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n");
    assert_eq!(client.response().status, 413);
    assert_eq!(origin.count(), 0);
    let mut client = proxy.connect("web");
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n{}",
        "x".repeat(1024)
    ));
    assert_eq!(client.response().status, 200, "the limit itself is allowed");
}

#[test]
fn a_chunked_body_over_the_limit_is_refused_on_the_way() {
    let origin = Origin::echo();
    let proxy = Proxy::start(LIMITED, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    client.send(&chunk);
    let _ = client.try_send(&chunk);
    assert_eq!(client.response().status, 413);
    assert_eq!(
        origin.count(),
        0,
        "a whole request never reached the server"
    );
}

#[test]
fn a_client_that_goes_away_in_its_upload_ends_the_request() {
    let origin = Origin::tcp(|peer| {
        let whole = peer.request();
        assert!(whole.is_none(), "half a body is not a request");
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST /gone HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    drop(client);
    let record = proxy.record("/gone");
    assert_eq!(record["ended_by"], "client", "{record:#}");
}

#[test]
fn a_client_that_goes_away_in_its_download_frees_the_server() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
            while peer.try_send([b'x'; 65536]).is_ok() {}
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.exactly(100_000);
    drop(client);
    origin.wait_open(0);
}

const LIMITED: &str = r#"
[listener.web]
bind = "127.0.0.1:@web@"
limits = { body = "1KiB" }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;

#[test]
fn a_route_may_have_its_own_limit() {
    let origin = Origin::echo();
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
limits = { body = "1KiB" }
[[route]]
path = "/upload"
service = "app"
body_limit = "2KiB"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    for (path, length, status) in [
        ("/", 1025, 413),
        ("/upload", 2048, 200),
        ("/upload", 2049, 413),
    ] {
        let mut client = proxy.connect("web");
        let body = "x".repeat(length);
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let _ = client.try_send(head + &body);
        assert_eq!(client.response().status, status, "{length} bytes to {path}");
    }
}

#[test]
fn a_small_body_nobody_read_leaves_the_connection_in_use() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
respond = { status = 403, body = "no" }
"#;
    let proxy = Proxy::start(config, &[]);
    let mut client = proxy.connect("web");
    for _ in 0..3 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(client.response().status, 403);
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        );
        assert_eq!(client.response().status, 403, "the two stay in step");
    }
}

#[test]
fn a_large_body_nobody_reads_closes_the_connection_after_the_answer() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
respond = { status = 403, body = "no" }
"#;
    let proxy = Proxy::start(config, &[]);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (403, "no"));
    let chunk = [b'x'; 65536];
    // Whether by a reset or by an end, the proxy does not swallow a hundred megabytes.
    let swallowed = (0..1500)
        .take_while(|_| client.try_send(chunk).is_ok())
        .count();
    assert!(swallowed < 1500, "the proxy read everything");
}
