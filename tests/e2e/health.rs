//! Active checks: a sick server gets no traffic, a cured one gets it back.

use portcullis_harness::{Origin, Proxy, Request, eventually, ok};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn answering(name: &'static str, well: &Arc<AtomicBool>) -> impl Fn(&Request) -> Vec<u8> + use<> {
    let well = Arc::clone(well);
    move |request| match (request.target.as_str(), well.load(Ordering::SeqCst)) {
        ("/health", false) => {
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        _ => ok(name),
    }
}

fn status_of(proxy: &Proxy, server: &str) -> String {
    let rows = proxy.admin("show stat");
    let row = rows
        .lines()
        .find(|line| line.starts_with(&format!("app,{server},")))
        .unwrap();
    row.split(',').nth(17).unwrap().to_owned()
}

fn all_served_by(proxy: &Proxy, name: &str) -> bool {
    (0..6).all(|_| proxy.connect("web").get("a", "/").text() == name)
}

#[test]
fn a_sick_server_gets_no_traffic_until_it_is_cured() {
    let (one, two) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(true)),
    );
    let a = Origin::answering(answering("a", &one));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@a@" }, { name = "b", address = "unix:@dir@/b.sock" }]
health = { http = "/health", interval = "50ms", timeout = "1s", rise = 2, fall = 2 }
"#;
    let setup = portcullis_harness::Setup::new();
    let answer = answering("b", &two);
    let b = Origin::unix(&setup.folder().join("b.sock"), move |peer| {
        peer.answer_all(&answer);
    });
    let proxy = setup.set("a", a.address()).start(config);
    eventually("both are up", || {
        (status_of(&proxy, "a") == "UP" && status_of(&proxy, "b") == "UP").then_some(())
    });
    one.store(false, Ordering::SeqCst);
    eventually("a is down", || {
        status_of(&proxy, "a").starts_with("DOWN").then_some(())
    });
    assert!(all_served_by(&proxy, "b"));
    one.store(true, Ordering::SeqCst);
    two.store(false, Ordering::SeqCst);
    eventually("they have changed places", || {
        (status_of(&proxy, "a") == "UP" && status_of(&proxy, "b").starts_with("DOWN")).then_some(())
    });
    assert!(
        all_served_by(&proxy, "a"),
        "checks work over Unix sockets too"
    );
    assert!(b.count() > 0);
}

#[test]
fn a_server_whose_port_refuses_is_down_by_a_tcp_check() {
    let a = Origin::answering(|_| ok("a"));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@a@" }, { name = "b", address = "127.0.0.1:@nobody@" }]
health = { tcp = true, interval = "50ms", rise = 1, fall = 1 }
"#;
    let proxy = Proxy::start(config, &[("a", a.address())]);
    eventually("b is down", || {
        status_of(&proxy, "b").starts_with("DOWN").then_some(())
    });
    let rows = proxy.admin("show stat");
    let row = rows
        .lines()
        .find(|line| line.starts_with("app,b,"))
        .unwrap();
    assert_eq!(row.split(',').nth(36), Some("L4CON"), "{row}");
    assert!(all_served_by(&proxy, "a"));
}

#[test]
fn with_every_server_down_the_answer_is_503() {
    let sick = Arc::new(AtomicBool::new(false));
    let a = Origin::answering(answering("a", &sick));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@a@" }]
health = { http = "/health", interval = "50ms", rise = 1, fall = 1 }
"#;
    let proxy = Proxy::start(config, &[("a", a.address())]);
    eventually("a is down", || {
        status_of(&proxy, "a").starts_with("DOWN").then_some(())
    });
    let response = proxy.connect("web").get("a", "/");
    assert_eq!(response.status, 503);
    assert!(response.fields.has("retry-after"));
    sick.store(true, Ordering::SeqCst);
    eventually("a serves again", || {
        (proxy.connect("web").get("a", "/").status == 200).then_some(())
    });
}
