//! The PROXY protocol: demanded from listed peers, never accepted from others, parsed strictly.

use portcullis_harness::{Client, Origin, Proxy};

fn proxy(origin: &Origin) -> Proxy {
    let config = r#"
[defaults.timeouts]
handshake = "500ms"
[listener.web]
bind = "127.0.0.1:@web@"
proxy_protocol = { from = ["127.0.0.1"] }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    Proxy::start(config, &[("app", origin.address())])
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A version 2 header for TCP over IPv4 from 192.0.2.1:1000.
fn version_2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend_from_slice(&[192, 0, 2, 1, 127, 0, 0, 1]);
    header.extend_from_slice(&1000_u16.to_be_bytes());
    header.extend_from_slice(&80_u16.to_be_bytes());
    header
}

#[test]
fn version_1_names_the_client() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send(format!("PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n{GET}"));
    assert_eq!(client.response().status, 200);
    assert_eq!(
        origin.request().fields.one("x-forwarded-for"),
        Some("192.0.2.1")
    );
}

#[test]
fn version_2_names_the_client() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    let mut bytes = version_2();
    bytes.extend_from_slice(GET.as_bytes());
    client.send(bytes);
    assert_eq!(client.response().status, 200);
    assert_eq!(
        origin.request().fields.one("x-forwarded-for"),
        Some("192.0.2.1")
    );
}

#[test]
fn a_header_in_pieces_is_read() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    for byte in version_2() {
        client.send([byte]);
    }
    client.send(GET);
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_local_header_keeps_the_real_peer() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0");
    client.send(GET);
    assert_eq!(client.response().status, 200);
    assert_eq!(
        origin.request().fields.one("x-forwarded-for"),
        Some("127.0.0.1")
    );
}

#[test]
fn a_listed_peer_without_a_header_is_closed() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send(GET);
    client.expect_closed();
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_header_from_anybody_else_is_garbage() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = Client::tcp_from("127.0.0.2", proxy.port("web"));
    client.send(format!("PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n{GET}"));
    assert_eq!(client.response().status, 400);
    assert_eq!(origin.count(), 0);
    let mut client = Client::tcp_from("127.0.0.2", proxy.port("web"));
    client.send(GET);
    assert_eq!(
        client.response().status,
        200,
        "others are served without one"
    );
}

#[test]
fn malformed_headers_are_closed_without_an_answer() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let rows: [&[u8]; 6] = [
        b"PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\nGET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0.2.999 127.0.0.1 1000 80\r\n",
        b"PROXY TCP4 192.0.2.1 127.0.0.1 01000 80\r\n",
        b"PROXY TCP4 192.0.2.1 127.0.0.1 1000 99999\r\n",
        b"PROXY  TCP4 192.0.2.1 127.0.0.1 1000 80\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
    ];
    for row in rows {
        let mut client = proxy.connect("web");
        let _ = client.try_send(row);
        let _ = client.try_send(GET);
        client.expect_closed();
    }
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_header_that_never_ends_is_cut_off() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send("PROXY TCP4 ");
    client.expect_closed();
}
