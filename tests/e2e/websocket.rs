//! Upgrades by a route's policy, then bytes both ways, each direction with its own end.

use portcullis_harness::{Client, Origin, Peer, Proxy};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn echoing(peer: &mut Peer) {
    if peer.request().is_none() {
        return;
    }
    peer.send(SWITCH);
    loop {
        let bytes = peer.exactly(1);
        if bytes.is_empty() || peer.try_send(bytes).is_err() {
            return;
        }
    }
}

fn upgraded(proxy: &Proxy) -> Client {
    let mut client = proxy.connect("web");
    client.send(UPGRADE);
    let response = client.response();
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(
        response.fields.one("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert!(
        response
            .fields
            .one("upgrade")
            .is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    );
    client
}

#[test]
fn a_tunnel_carries_bytes_exactly_both_ways() {
    let origin = Origin::tcp(echoing);
    let proxy = Proxy::before(&origin);
    let mut client = upgraded(&proxy);
    let bytes: Vec<u8> = (0..20_000).map(|at| (at % 256) as u8).collect();
    for part in bytes.chunks(997) {
        client.send(part);
        assert!(client.exactly(part.len()) == part);
    }
    let seen = origin.request();
    assert!(
        seen.fields
            .one("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("upgrade")),
        "{seen:#?}"
    );
}

#[test]
fn bytes_sent_with_the_upgrade_are_not_lost() {
    let origin = Origin::tcp(echoing);
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send(format!("{UPGRADE}early"));
    assert_eq!(client.response().status, 101);
    assert_eq!(client.exactly(5), b"early");
}

#[test]
fn bytes_sent_with_the_101_are_not_lost() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send(format!("{SWITCH}hello"));
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = upgraded(&proxy);
    assert_eq!(client.exactly(5), b"hello");
}

#[test]
fn one_direction_may_end_before_the_other() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send(SWITCH);
            let all = peer.rest();
            peer.send(format!("{} bytes", all.len()));
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = upgraded(&proxy);
    client.send("0123456789");
    client.finish();
    assert_eq!(client.rest(), b"10 bytes");
}

#[test]
fn a_server_may_decline_an_upgrade() {
    let origin = Origin::answering(|_| portcullis_harness::ok("no, thanks"));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send(UPGRADE);
    let response = client.response();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "no, thanks")
    );
    assert_eq!(
        client.get("a", "/next").status,
        200,
        "the connection goes on"
    );
}

#[test]
fn a_route_may_forbid_upgrades() {
    let origin = Origin::echo();
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
upgrade = []
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send(UPGRADE);
    let status = client.response().status;
    for request in origin.requests() {
        assert!(
            !request.fields.has("upgrade"),
            "an upgrade that is not allowed went on: {request:#?}"
        );
    }
    assert_ne!(status, 101);
}

#[test]
fn a_tunnel_is_logged_when_it_ends() {
    let origin = Origin::tcp(echoing);
    let proxy = Proxy::before(&origin);
    let mut client = upgraded(&proxy);
    client.send("abc");
    assert_eq!(client.exactly(3), b"abc");
    drop(client);
    let record = proxy.record("/ws");
    assert_eq!(record["status"], 101, "{record:#}");
}
