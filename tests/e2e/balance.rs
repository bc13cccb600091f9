//! Which server of a service gets a request.

use portcullis_harness::{Origin, Proxy, ok};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

fn named(name: &'static str) -> Origin {
    Origin::answering(move |_| ok(name))
}

fn spread(proxy: &Proxy, requests: usize) -> BTreeMap<String, usize> {
    let mut client = proxy.connect("web");
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(client.get("a", "/").text()).or_default() += 1;
    }
    counts
}

#[test]
fn round_robin_follows_the_weights_exactly() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let config = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@a@", weight = 5 }, { name = "b", address = "@b@", weight = 3 }, { name = "c", address = "@c@", weight = 0 }]
"#;
    let proxy = Proxy::start(
        config,
        &[("a", a.address()), ("b", b.address()), ("c", c.address())],
    );
    let counts = spread(&proxy, 80);
    assert_eq!(
        (counts.get("a"), counts.get("b"), counts.get("c")),
        (Some(&50), Some(&30), None),
        "{counts:?}"
    );
}

#[test]
fn least_requests_avoids_the_busy_server() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let holding = |name: &'static str| {
        let held = Arc::clone(&gate);
        Origin::answering(move |request| {
            if request.target == "/hold" {
                let (open, changed) = &*held;
                drop(
                    changed
                        .wait_while(open.lock().unwrap(), |open| !*open)
                        .unwrap(),
                );
            }
            ok(name)
        })
    };
    let (a, b) = (holding("a"), holding("b"));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
balance = "least-requests"
servers = ["@a@", "@b@"]
"#;
    let proxy = Proxy::start(config, &[("a", a.address()), ("b", b.address())]);
    let mut first = proxy.connect("web");
    first.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    portcullis_harness::eventually("a server holds the request", || {
        (a.count() + b.count() == 1).then_some(())
    });
    let free = if a.count() == 1 { "b" } else { "a" };
    let counts = spread(&proxy, 10);
    assert_eq!(
        counts.get(free),
        Some(&10),
        "the busy server is avoided: {counts:?}"
    );
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    assert_ne!(first.response().text(), free);
}

#[test]
fn a_drained_server_gets_nothing_new() {
    let (a, b) = (named("a"), named("b"));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@a@" }, { name = "b", address = "@b@" }]
"#;
    let proxy = Proxy::start(config, &[("a", a.address()), ("b", b.address())]);
    assert_eq!(proxy.admin("set server app/a state drain"), "\n");
    let counts = spread(&proxy, 20);
    assert_eq!(counts.get("b"), Some(&20), "{counts:?}");
    assert_eq!(proxy.admin("set server app/a state ready"), "\n");
    assert_eq!(spread(&proxy, 20).len(), 2);
    assert_eq!(proxy.admin("set weight app/b 0"), "\n");
    assert_eq!(spread(&proxy, 20).get("a"), Some(&20));
}

#[test]
fn no_server_at_all_is_503_with_retry_after() {
    let a = named("a");
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@a@" }]
"#;
    let proxy = Proxy::start(config, &[("a", a.address())]);
    assert_eq!(proxy.admin("disable server app/a"), "\n");
    let mut client = proxy.connect("web");
    let response = client.get("a", "/");
    assert_eq!(response.status, 503);
    assert!(response.fields.has("retry-after"), "{response:?}");
    assert_eq!(proxy.admin("enable server app/a"), "\n");
    assert_eq!(client.get("a", "/").status, 200);
}
