//! The PROXY protocol towards servers: each connection names one client and serves no other.

use portcullis_harness::{Authority, Origin, OriginTls, Peer, Proxy, Setup, eventually, ok};
use std::sync::{Arc, Mutex};

const CONFIG: &str = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
trusted_proxies = ["127.0.0.3"]
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
proxy_protocol = "@version@"
"#;

type Headers = Arc<Mutex<Vec<Vec<u8>>>>;

fn script() -> (impl Fn(&mut Peer) + Send + Sync + 'static, Headers) {
    let headers = Headers::default();
    let seen = Arc::clone(&headers);
    let script = move |peer: &mut Peer| {
        let header = peer.proxy_header();
        seen.lock().unwrap().push(header);
        peer.answer_all(&|_| ok("served"));
    };
    (script, headers)
}

fn proxy(origin: &Origin, version: &str) -> Proxy {
    Proxy::start(CONFIG, &[("app", origin.address()), ("version", version)])
}

#[test]
fn version_1_names_the_client_and_where_it_came_in() {
    let (script, headers) = script();
    let origin = Origin::tcp(script);
    let proxy = proxy(&origin, "v1");
    let mut client = proxy.connect("web");
    let (port, web) = (client.local().port(), proxy.port("web"));
    for _ in 0..3 {
        assert_eq!(client.get("a", "/").text(), "served");
    }
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {web}\r\n");
    let headers = headers.lock().unwrap();
    assert_eq!(
        *headers,
        [expected.into_bytes()],
        "the requests of one client share a connection"
    );
}

#[test]
fn another_client_gets_a_connection_of_its_own() {
    let (script, headers) = script();
    let origin = Origin::tcp(script);
    let proxy = proxy(&origin, "v1");
    let mut one = proxy.connect("web");
    let mut two = proxy.connect("web");
    assert_eq!(one.get("a", "/").text(), "served");
    assert_eq!(two.get("a", "/").text(), "served");
    assert_eq!(one.get("a", "/").text(), "served");
    let headers = headers.lock().unwrap();
    assert_eq!(headers.len(), 2);
    for client in [&one, &two] {
        let port = format!(" {} ", client.local().port());
        let named = |header: &&Vec<u8>| String::from_utf8_lossy(header).contains(&port);
        assert_eq!(headers.iter().filter(named).count(), 1);
    }
}

#[test]
fn version_2_names_the_client() {
    let (script, headers) = script();
    let origin = Origin::tcp(script);
    let proxy = proxy(&origin, "v2");
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").text(), "served");
    let header = headers.lock().unwrap()[0].clone();
    assert_eq!(header[12..14], [0x21, 0x11], "PROXY, TCP over IPv4");
    assert_eq!(header[16..24], [127, 0, 0, 1, 127, 0, 0, 1]);
    assert_eq!(header[24..26], client.local().port().to_be_bytes());
    assert_eq!(header[26..28], proxy.port("web").to_be_bytes());
}

#[test]
fn the_client_that_is_believed_is_named() {
    let (script, headers) = script();
    let origin = Origin::tcp(script);
    let proxy = proxy(&origin, "v1");
    let mut client = portcullis_harness::Client::tcp_from("127.0.0.3", proxy.port("web"));
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n"
        ));
        assert_eq!(client.response().text(), "served");
    }
    let headers = headers.lock().unwrap();
    let told: Vec<_> = headers
        .iter()
        .map(|header| {
            String::from_utf8_lossy(header)
                .split(' ')
                .nth(2)
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(told, ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn the_header_comes_before_the_handshake() {
    let authority = Authority::new("internal");
    let (script, headers) = script();
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"])).introduced();
    let origin = Origin::tls(&tls, script);
    let config = format!("{CONFIG}tls = {{ ca = \"ca.pem\" }}\n");
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .set("version", "v1")
        .start(&config);
    assert_eq!(proxy.connect("web").get("a", "/").text(), "served");
    assert!(headers.lock().unwrap()[0].starts_with(b"PROXY TCP4 127.0.0.1 "));
}

#[test]
fn checks_say_that_they_are_our_own() {
    for (version, expected) in [
        ("v1", &b"PROXY UNKNOWN\r\n"[..]),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\x00"),
    ] {
        let (script, headers) = script();
        let origin = Origin::tcp(script);
        let config = format!(
            "{CONFIG}health = {{ http = \"/health\", interval = \"50ms\", timeout = \"2s\" }}\n"
        );
        let _proxy = Proxy::start(&config, &[("app", origin.address()), ("version", version)]);
        let header = eventually("a check", || headers.lock().unwrap().first().cloned());
        assert!(header.starts_with(expected), "{version}: {header:?}");
        origin.wait_count(1);
    }
}
