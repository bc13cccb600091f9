//! A new process takes over with all that the old one has, and every failure leaves the old one serving. What it costs clients
//! under load is told by `unbroken`.

use std::sync::Arc;

use portcullis_harness::{Authority, Origin, Proxy, Setup};
use rustix::process::Signal;

use crate::load::origin;

const CONFIG: &str = "[global]\nthreads = 2\nshutdown_timeout = \"20s\"\n[listener.web]\nbind = [\"127.0.0.1:@web@\", \"unix:@dir@/in.sock\"]\n[[route]]\npath = \"/who\"\nrespond = { status = 200, body = \"one\" }\n[[route]]\npath = \"/\"\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n";

fn start() -> (Proxy, Origin) {
    let origin = origin(&Arc::default());
    (Proxy::start(CONFIG, &[("app", origin.address())]), origin)
}

#[test]
fn a_successor_that_cannot_start_changes_nothing() {
    let (mut proxy, _origin) = start();
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/who").text(), "one");
    proxy.rewrite("[listener.web]\nbimd = 1\n");
    let admin = proxy.folder().join("admin.sock");
    let said = proxy.command(&["upgrade", "--socket", admin.to_str().unwrap()]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("no hand-over"), "{}", said.err);
    assert!(proxy.errors().contains("bimd"), "its words are in the log");
    assert!(proxy.is_running());
    assert_eq!(
        client.get("a", "/who").text(),
        "one",
        "on the same connection"
    );
    assert_eq!(proxy.connect("web").get("a", "/who").text(), "one");
}

#[test]
fn a_program_that_is_no_longer_there_or_hangs_up_changes_nothing() {
    let setup = Setup::new();
    let program = setup.folder().join("portcullis-link");
    std::os::unix::fs::symlink(portcullis_harness::binary(), &program).unwrap();
    let mut proxy = setup.start_with(&program, &CONFIG.replace("@app@", "127.0.0.1:1"));
    for broken in ["/nonexistent/portcullis", "/bin/true"] {
        std::fs::remove_file(&program).unwrap();
        std::os::unix::fs::symlink(broken, &program).unwrap();
        let said = proxy.command(&["upgrade"]);
        assert_eq!(said.code, 1, "{broken}: {}{}", said.out, said.err);
        assert_eq!(proxy.connect("web").get("a", "/who").text(), "one");
    }
    std::fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink(portcullis_harness::binary(), &program).unwrap();
    proxy.upgrade();
    assert_eq!(proxy.connect("web").get("a", "/who").text(), "one");
}

#[test]
fn usr2_hands_over_with_the_new_configuration_and_what_was_learnt() {
    let (mut proxy, _origin) = start();
    assert_eq!(proxy.admin("set server app/s1 state drain").trim(), "");
    let config = CONFIG
        .replace("\"one\"", "\"two\"")
        .replace("threads = 2", "threads = 3");
    proxy.rewrite(&config);
    proxy.signal(Signal::USR2);
    let told = proxy.notice("MAINPID=");
    let pid = told
        .lines()
        .find_map(|line| line.strip_prefix("MAINPID="))
        .unwrap();
    assert_ne!(pid, proxy.pid().to_string());
    assert!(proxy.notice("READY=1").contains(&format!("MAINPID={pid}")));
    assert_eq!(proxy.wait(), 0, "the old one had nothing left to do");
    assert_eq!(proxy.connect("web").get("a", "/who").text(), "two");
    assert_eq!(
        proxy.connect("web").get("a", "/").status,
        503,
        "the drained server still is"
    );
    proxy.adopt(pid.parse().unwrap());
}

#[test]
fn sessions_and_buckets_go_over() {
    const LIMITED: &str = "[global]\nthreads = 1\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[listener.web.tls]\ncertificates = [{ cert = \"one.pem\", key = \"one.key\" }]\n[[route]]\nrate_limit = { key = { header = \"x-key\" }, rate = \"1/h\", burst = 2 }\nrespond = { status = 200 }\n";
    let authority = Authority::new("authority");
    let mut proxy = Setup::new()
        .identity("one", &authority.issue(&["one.test"]))
        .start(LIMITED);
    let client = authority.client();
    let ask = |proxy: &Proxy| {
        let connected = client.try_connect(proxy.port("web"), "one.test");
        let (mut connection, handshake) = connected.unwrap();
        connection.send("GET / HTTP/1.1\r\nHost: one.test\r\nX-Key: one\r\n\r\n");
        (handshake.resumed, connection.response().status)
    };
    assert_eq!(ask(&proxy), (false, 200));
    assert_eq!(ask(&proxy), (true, 200));
    proxy.upgrade();
    assert_eq!(ask(&proxy), (true, 429), "an old ticket, an empty bucket");
    proxy.upgrade();
    assert_eq!(ask(&proxy), (true, 429), "a ticket of the one between");
}
