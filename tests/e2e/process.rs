//! Signals, ends and beginnings of the process, and what it does when the machine has too little.

use portcullis_harness::{Origin, Proxy, Setup, eventually, ok};
use rustix::process::Signal;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

const FIXED: &str = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nrespond = { status = 200, body = \"x\" }\n";

/// A proxy before an origin that answers when told to.
fn waiting(shutdown: &str) -> (Proxy, Origin, mpsc::Sender<()>) {
    let (go, gate) = mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::answering(move |_| {
        let _ = gate.lock().unwrap().recv();
        ok("at last")
    });
    let config = format!(
        "[global]\nthreads = 2\nshutdown_timeout = \"{shutdown}\"\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n"
    );
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    (proxy, origin, go)
}

#[test]
fn term_int_and_quit_end_an_idle_process_with_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut proxy = Proxy::start(FIXED, &[]);
        let mut idle = proxy.connect("web");
        assert_eq!(idle.get("a", "/").status, 200);
        proxy.signal(signal);
        assert_eq!(proxy.wait(), 0, "{signal:?}");
        idle.expect_closed();
    }
}

#[test]
fn a_graceful_stop_lets_a_request_finish() {
    let (mut proxy, origin, go) = waiting("30s");
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_count(1);
    proxy.signal(Signal::TERM);
    proxy.wait_notice("STOPPING=1");
    let port = proxy.port("web");
    eventually("no new connection is taken", || {
        TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
    go.send(()).unwrap();
    let response = client.response();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "at last")
    );
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn a_connection_that_has_just_come_in_gets_its_first_answer() {
    let mut proxy = Proxy::start(FIXED, &[]);
    let mut fresh = proxy.connect("web");
    eventually("it is counted", || {
        proxy
            .admin("show info")
            .contains("CurrConns: 1\n")
            .then_some(())
    });
    proxy.signal(Signal::TERM);
    proxy.wait_notice("STOPPING=1");
    let response = fresh.get("a", "/");
    assert_eq!(response.status, 200);
    fresh.expect_closed();
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn a_lame_duck_serves_while_its_health_page_says_no() {
    let config = format!(
        "[global]\nthreads = 1\nlame_duck = \"60s\"\n[admin]\nhttp = {{ bind = \"127.0.0.1:@admin@\" }}\n{FIXED}"
    );
    let mut proxy = Proxy::start(&config, &[]);
    assert_eq!(proxy.connect("admin").get("a", "/healthz").status, 200);
    proxy.signal(Signal::TERM);
    proxy.wait_notice("STOPPING=1");
    assert_eq!(proxy.connect("admin").get("a", "/healthz").status, 503);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    proxy.signal(Signal::TERM);
    assert_eq!(
        proxy.wait(),
        0,
        "the second signal ends the lame duck, not the requests"
    );
}

#[test]
fn health_is_told_to_whoever_asks_by_command() {
    let config = format!(
        "[global]\nthreads = 1\nlame_duck = \"60s\"\n[admin]\nsocket = \"@dir@/admin.sock\"\nhttp = {{ bind = \"127.0.0.1:@admin@\" }}\n{FIXED}"
    );
    let mut proxy = Proxy::start(&config, &[]);
    let (page, socket) = (
        format!("127.0.0.1:{}", proxy.port("admin")),
        proxy.folder().join("admin.sock"),
    );
    let (page, socket) = (page.as_str(), socket.to_str().unwrap());
    let no_page = format!("{page}/nothing");
    let ways = [
        &["health"][..],
        &["health", "--http", page],
        &["health", "--socket", socket],
    ];
    for way in ways {
        assert_eq!(proxy.command(way).expect(0).out, "serving\n", "{way:?}");
    }
    let said = proxy.command(&["health", "--http", &no_page]).expect(1);
    assert!(said.err.contains("404"), "{}", said.err);
    proxy.signal(Signal::TERM);
    proxy.wait_notice("STOPPING=1");
    for way in ways {
        assert_eq!(proxy.command(way).expect(1).err, "draining\n", "{way:?}");
    }
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait(), 0);
    for way in ways {
        let said = proxy.command(way).expect(1);
        assert!(said.err.contains("nobody answers"), "{}", said.err);
    }
}

/// A tunnel through which a WebSocket message has come, before a server that tells what it reads after that.
fn websocket(proxy: &Proxy) -> portcullis_harness::Client {
    let mut client = proxy.connect("web");
    client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    assert_eq!(client.response().status, 101);
    assert_eq!(client.exactly(4), b"\x81\x02hi");
    client
}

#[test]
fn websockets_are_told_to_go_at_a_frame_boundary() {
    const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let (seen, close) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let (seen, gate) = (std::sync::Mutex::new(seen), std::sync::Mutex::new(gate));
    let origin = Origin::tcp(move |peer| {
        if peer.request().is_none() {
            return;
        }
        // One message, and the first half of another.
        peer.send([SWITCH.as_bytes(), b"\x81\x02hi\x81\x04ab"].concat());
        gate.lock().unwrap().recv().unwrap();
        peer.send("cd");
        let frame = peer.exactly(8);
        seen.lock().unwrap().send(frame).unwrap();
    });
    let config = "[global]\nthreads = 1\nshutdown_timeout = \"60s\"\ntunnel_drain = \"0s\"\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n";
    let mut proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = websocket(&proxy);
    assert_eq!(client.exactly(4), b"\x81\x04ab");
    proxy.signal(Signal::TERM);
    proxy.wait_notice("STOPPING=1");
    assert!(proxy.errors().is_empty() || proxy.is_running());
    go.send(()).unwrap();
    assert_eq!(
        client.exactly(2),
        b"cd",
        "a frame that has begun is not torn"
    );
    assert_eq!(client.exactly(4), [0x88, 2, 0x03, 0xe9], "1001, going away");
    let answer = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];
    client.send(answer);
    assert_eq!(close.recv().unwrap(), answer, "the server hears of it");
    client.expect_closed();
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn a_second_signal_stops_at_once_with_3() {
    let (mut proxy, origin, _go) = waiting("60s");
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_count(1);
    proxy.signal(Signal::TERM);
    proxy.wait_notice("STOPPING=1");
    assert!(proxy.is_running());
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait(), 3);
}

#[test]
fn a_stop_is_bounded_and_says_what_it_waits_for() {
    let (mut proxy, origin, _go) = waiting("1500ms");
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_count(1);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait(), 3);
    assert!(proxy.errors().contains("1 request"), "{}", proxy.errors());
}

#[test]
fn a_port_that_is_taken_names_its_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut setup = Setup::new().set("web", &port);
    let said = setup.run(FIXED, &["run"]).expect(1);
    assert!(
        said.err.contains(&format!("127.0.0.1:{port}")),
        "{}",
        said.err
    );
    assert!(
        said.err.contains(&std::process::id().to_string()),
        "the process that holds it is this test: {}",
        said.err
    );
}

#[test]
fn a_config_that_is_not_one_is_exit_code_1() {
    let mut setup = Setup::new();
    for bad in [
        "",
        "nonsense",
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n",
    ] {
        let said = setup.run(bad, &["run"]).expect(1);
        assert!(!said.err.is_empty(), "{bad:?}");
    }
    let missing =
        portcullis_harness::run(&mut setup.command(&["run", "-c", "/nonexistent/portcullis.toml"]))
            .expect(1);
    assert!(
        missing.err.contains("/nonexistent/portcullis.toml"),
        "{}",
        missing.err
    );
}

#[test]
fn a_stale_socket_file_is_taken_over_and_removed_at_the_end() {
    let setup = Setup::new();
    drop(std::os::unix::net::UnixListener::bind(setup.folder().join("in.sock")).unwrap());
    let config = "[listener.local]\nbind = \"unix:@dir@/in.sock\"\nunix_mode = \"0600\"\n[[route]]\nrespond = { status = 200, body = \"x\" }\n";
    let mut proxy = setup.start(config);
    let path = proxy.folder().join("in.sock");
    assert_eq!(
        portcullis_harness::Client::unix(&path).get("a", "/").status,
        200
    );
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(proxy.stop(), 0);
    assert!(!path.exists());
}

#[test]
fn connections_over_the_limit_are_closed_and_counted() {
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\nmax_connections = 2\n[[route]]\nrespond = { status = 200, body = \"x\" }\n";
    let proxy = Proxy::start(config, &[]);
    let (mut one, mut two) = (proxy.connect("web"), proxy.connect("web"));
    assert_eq!(
        (one.get("a", "/").status, two.get("a", "/").status),
        (200, 200)
    );
    let mut three = proxy.connect("web");
    let _ = three.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(three.rest().is_empty());
    assert_eq!(
        one.get("a", "/").status,
        200,
        "those inside are not disturbed"
    );
    drop(two);
    eventually("a place is free again", || {
        let mut client = proxy.connect("web");
        client
            .try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .and_then(|()| client.try_response_to("GET"))
            .ok()
            .flatten()
    });
}

#[test]
fn running_out_of_descriptors_neither_spins_nor_dies() {
    let setup = Setup::new();
    let script = setup.folder().write(
        "few",
        format!(
            "#!/bin/sh\nulimit -n 48\nexec {} \"$@\"\n",
            portcullis_harness::binary().display()
        ),
    );
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut proxy = setup.start_with(&script, FIXED);
    let mut first = proxy.connect("web");
    assert_eq!(first.get("a", "/").status, 200);
    let held: Vec<_> = (0..100)
        .filter_map(|_| TcpStream::connect(("127.0.0.1", proxy.port("web"))).ok())
        .collect();
    assert_eq!(
        first.get("a", "/").status,
        200,
        "those inside are served on"
    );
    drop(held);
    eventually("it serves again", || {
        let mut client = proxy.connect("web");
        client
            .try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .and_then(|()| client.try_response_to("GET"))
            .ok()
            .flatten()
    });
    assert!(proxy.is_running());
    let lines = proxy.errors().lines().count();
    assert!(
        lines < 40,
        "{lines} lines of program log:\n{}",
        proxy.errors()
    );
}

#[test]
fn a_second_process_does_not_steal_the_sockets() {
    let mut proxy = Proxy::start(FIXED, &[]);
    let said = proxy.command(&["run"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    assert!(
        proxy.admin("show info").starts_with("Name: "),
        "the admin socket is still the first one's"
    );
    assert!(proxy.is_running());
}
