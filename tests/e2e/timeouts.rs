//! Every deadline fires, by its own name, and leads to the status that RFC and habit say.
//! The deadlines are short here, and the tests wait for what they cause, never for a time.

use portcullis_harness::{Origin, Proxy, Setup, ok};
use std::net::TcpListener;

fn config(timeouts: &str) -> String {
    format!(
        r#"
[defaults.timeouts]
{timeouts}
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#
    )
}

fn deadline_of(proxy: &Proxy, wanted: &str) -> serde_json::Value {
    let line = proxy.log_line(wanted, |line| {
        line.contains(&format!("\"deadline\":\"{wanted}\""))
    });
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_head_that_dribbles_gets_408() {
    let origin = Origin::echo();
    let proxy = Proxy::start(
        &config("client_header = \"300ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\nX-");
    let mut sent = 0;
    // More bytes do not help: the deadline is on the whole head.
    while client.try_send("x").is_ok() && sent < 40 {
        sent += 1;
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    assert_eq!(client.response().status, 408);
    assert_eq!(deadline_of(&proxy, "client_header")["status"], 408);
    assert_eq!(origin.count(), 0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::start(
        &config("client_idle = \"200ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 200);
    client.expect_closed();
}

#[test]
fn a_connection_that_never_speaks_is_closed() {
    let origin = Origin::echo();
    let proxy = Proxy::start(
        &config("client_header = \"200ms\"\nclient_idle = \"300ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    let rest = client.rest();
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 408 "),
        "{:?}",
        String::from_utf8_lossy(&rest)
    );
}

#[test]
fn an_upload_that_stops_gets_408() {
    let origin = Origin::echo();
    let proxy = Proxy::start(
        &config("client_body_idle = \"200ms\"\nclient_body_rate = \"off\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(client.response().status, 408);
    deadline_of(&proxy, "client_body_idle");
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_server_that_never_answers_gets_504() {
    let origin = Origin::tcp(|peer| {
        peer.request();
        peer.wait_closed();
    });
    let proxy = Proxy::start(
        &config("response_header = \"200ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 504);
    let record = deadline_of(&proxy, "response_header");
    assert_eq!(
        (record["status"].as_u64(), record["ended_by"].as_str()),
        (Some(504), Some("deadline")),
        "{record:#}"
    );
    assert_eq!(
        client.get("a", "/again").status,
        504,
        "the client's connection is still of use"
    );
}

#[test]
fn an_answer_that_stops_is_cut() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            peer.wait_closed();
        }
    });
    let proxy = Proxy::start(
        &config("response_idle = \"200ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert!(response.truncated, "{response:?}");
    deadline_of(&proxy, "response_idle");
}

#[test]
fn a_server_that_cannot_be_reached_in_time_gets_504() {
    // A socket whose queue of connections is full takes no more: the kernel drops what comes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let filling: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1))
            })
        })
        .collect();
    let _held: Vec<_> = filling
        .into_iter()
        .map(std::thread::JoinHandle::join)
        .collect();
    let proxy = Proxy::start(
        &config("connect = \"200ms\""),
        &[("app", &address.to_string())],
    );
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 504);
    deadline_of(&proxy, "connect");
}

#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
            while peer.try_send([b'x'; 65536]).is_ok() {}
        }
    });
    let proxy = Proxy::start(
        &config("client_write = \"300ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    deadline_of(&proxy, "client_write");
    origin.wait_open(0);
}

#[test]
fn a_request_as_a_whole_has_its_deadline() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while peer.try_send("1\r\nx\r\n").is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    });
    let proxy = Proxy::start(&config("request = \"300ms\""), &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.response().truncated, "the answer is cut");
    deadline_of(&proxy, "request");
}

#[test]
fn a_connection_has_an_age() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::start(
        &config("connection_age = \"300ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    let mut told = false;
    while !told {
        match client
            .try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .and_then(|()| client.try_response_to("GET"))
        {
            Ok(Some(response)) => told = response.fields.one("connection") == Some("close"),
            _ => told = true,
        }
    }
}

#[test]
fn a_quiet_tunnel_has_its_deadline() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
            peer.wait_closed();
        }
    });
    let proxy = Proxy::start(
        &config("tunnel_idle = \"200ms\""),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().status, 101);
    client.expect_closed();
    deadline_of(&proxy, "tunnel_idle");
}

#[test]
fn a_pooled_connection_ages_out() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::start(
        &config("upstream_idle = \"200ms\""),
        &[("app", origin.address())],
    );
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    origin.wait_open(0);
}

#[test]
fn a_handshake_that_never_ends_is_cut_off() {
    let authority = portcullis_harness::Authority::new("test");
    let config = r#"
[defaults.timeouts]
handshake = "200ms"
[listener.tls]
bind = "127.0.0.1:@tls@"
[listener.tls.tls]
certificates = [{ cert = "site.pem", key = "site.key" }]
[[route]]
respond = { status = 200, body = "x" }
"#;
    let proxy = Setup::new()
        .identity("site", &authority.issue(&["a.test"]))
        .start(config);
    let mut client = proxy.connect("tls");
    client.send(b"\x16\x03\x01\x02\x00\x01");
    client.rest();
}

#[test]
fn a_route_may_have_its_own_deadline() {
    let origin = Origin::tcp(|peer| {
        peer.request();
        peer.wait_closed();
    });
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/quick"
service = "app"
timeouts = { response_header = "200ms" }
[service.app]
servers = ["@app@"]
timeouts = { response_header = "60s" }
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    assert_eq!(proxy.connect("web").get("a", "/quick").status, 504);
}

#[test]
fn an_upload_slower_than_allowed_gets_408() {
    let origin = Origin::echo();
    // The grace of the rate is five seconds, so this test takes them.
    let timeouts = "client_body_idle = \"2s\"\nclient_body_rate = \"10KB/s\"";
    let proxy = Proxy::start(&config(timeouts), &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    while client.try_send("x").is_ok() && !proxy.output().contains("client_body_rate") {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(client.response().status, 408);
    deadline_of(&proxy, "client_body_rate");
}
