//! WebSockets over HTTP/2, by extended CONNECT (RFC 8441).

use portcullis_harness::{Origin, Peer, Proxy, ok};

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
