//! Connections are used again on both sides, answers keep their order, and nobody's goodbye is lost.

use portcullis_harness::{Origin, Proxy, ok};
use std::sync::{Arc, Barrier};

#[test]
fn both_connections_are_used_again() {
    let origin = Origin::answering(|request| ok(&request.target));
    let proxy = Proxy::start(ONE_THREAD, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    for turn in 0..20 {
        assert_eq!(
            client.get("a", &format!("/{turn}")).text(),
            format!("/{turn}")
        );
    }
    assert_eq!(
        origin.connections(),
        1,
        "one connection to the server carries them all"
    );
}

#[test]
fn a_pooled_connection_serves_another_client() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::start(ONE_THREAD, &[("app", origin.address())]);
    for _ in 0..5 {
        assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::answering(|request| ok(&request.target));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    let requests: String = (0..20)
        .map(|turn| format!("GET /{turn} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    client.send(requests);
    for turn in 0..20 {
        assert_eq!(client.response().text(), format!("/{turn}"));
    }
}

#[test]
fn pipelined_bodies_stay_apart() {
    let origin = Origin::answering(|request| ok(&String::from_utf8_lossy(&request.body)));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send(concat!(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n"
    ));
    let bodies: Vec<String> = (0..4).map(|_| client.response().text()).collect();
    assert_eq!(bodies, ["one", "", "three", ""]);
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    let barrier = Arc::new(Barrier::new(2));
    let held = Arc::clone(&barrier);
    let origin = Origin::answering(move |_| {
        held.wait();
        ok("late")
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.finish();
    barrier.wait();
    assert_eq!(client.response().text(), "late");
    client.expect_closed();
}

#[test]
fn a_client_that_asks_for_a_close_gets_one() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let response = client.response();
    assert_eq!(response.fields.one("connection"), Some("close"));
    client.expect_closed();
}

#[test]
fn a_server_that_closes_does_not_close_the_client() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx");
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    for _ in 0..3 {
        assert_eq!(client.get("a", "/").text(), "x");
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_pooled_connection_that_was_closed_is_noticed_before_use() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send(ok("x"));
        }
    });
    let proxy = Proxy::start(ONE_THREAD, &[("app", origin.address())]);
    for _ in 0..5 {
        let mut client = proxy.connect("web");
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(
            client.response().status,
            200,
            "a request that may not be repeated is not lost on a dead connection"
        );
        origin.wait_open(0);
    }
}

#[test]
fn a_connection_ends_after_its_last_request() {
    let origin = Origin::answering(|_| ok("x"));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
limits = { requests_per_connection = 3 }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    for _ in 0..2 {
        assert!(!client.get("a", "/").fields.has("connection"));
    }
    assert_eq!(client.get("a", "/").fields.one("connection"), Some("close"));
    client.expect_closed();
}

const ONE_THREAD: &str = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
