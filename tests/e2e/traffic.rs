//! Splits, injected faults and maintenance, with the real binary.

use portcullis_harness::{Client, Origin, Proxy};
use std::time::{Duration, Instant};

fn two_services(route: &str) -> (Proxy, Origin, Origin) {
    let (old, new) = (Origin::echo(), Origin::echo());
    let config = format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\n{route}\n[service.old]\nservers = [\"@old@\"]\n[service.new]\nservers = [\"@new@\"]\n"
    );
    let names = [("old", old.address()), ("new", new.address())];
    (Proxy::start(&config, &names), old, new)
}

fn one_service(settings: &str) -> (Proxy, Origin) {
    let origin = Origin::echo();
    let config = format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n{settings}\n[service.app]\nservers = [\"@app@\"]\n"
    );
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    (proxy, origin)
}

fn get(client: &mut Client, target: &str, fields: &str) -> portcullis_harness::Response {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    client.response()
}

#[test]
fn requests_are_split_by_weight_and_logged_with_their_service() {
    let (proxy, old, new) =
        two_services("split = [{ service = \"old\", weight = 3 }, { service = \"new\" }]");
    let mut client = proxy.connect("web");
    for n in 0..400 {
        assert_eq!(get(&mut client, &format!("/{n}"), "").status, 200);
    }
    let shares = (old.count(), new.count());
    assert_eq!(shares.0 + shares.1, 400);
    assert!((50..160).contains(&shares.1), "about a quarter: {shares:?}");
    proxy.log_line("one by each", |line| line.contains("\"service\":\"new\""));
    proxy.log_line("one by each", |line| line.contains("\"service\":\"old\""));
}

#[test]
fn a_header_keeps_its_service_and_another_forces_one() {
    let (proxy, old, new) = two_services(
        "split = { services = [{ service = \"old\" }, { service = \"new\", force = { headers = { x-force = true } } }], sticky = { header = \"x-user\" } }",
    );
    let mut client = proxy.connect("web");
    for user in 0..20 {
        let before = (old.count(), new.count());
        for _ in 0..3 {
            get(&mut client, "/", &format!("X-User: {user}\r\n"));
        }
        let moved = (old.count() - before.0, new.count() - before.1);
        assert!(moved == (3, 0) || moved == (0, 3), "user {user}: {moved:?}");
    }
    assert!(old.count() > 0 && new.count() > 0, "20 users are on both");
    let before = old.count();
    for user in 0..20 {
        get(
            &mut client,
            "/",
            &format!("X-User: {user}\r\nX-Force: 1\r\n"),
        );
    }
    assert_eq!(old.count(), before, "all were forced");
}

#[test]
fn a_cookie_of_our_own_brings_a_browser_back() {
    let (proxy, old, new) = two_services(
        "split = { services = [{ service = \"old\" }, { service = \"new\" }], sticky = { set_cookie = \"v\", max_age = \"1h\" } }",
    );
    let mut client = proxy.connect("web");
    let first = get(&mut client, "/", "");
    let cookie = first.fields.one("set-cookie").unwrap().to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
    for _ in 0..10 {
        let again = get(&mut client, "/", &format!("Cookie: {pair}\r\n"));
        assert_eq!(again.fields.one("set-cookie"), None);
    }
    assert!(
        (old.count(), new.count()) == (11, 0) || (old.count(), new.count()) == (0, 11),
        "{} {}",
        old.count(),
        new.count()
    );
}

#[test]
fn a_service_without_servers_keeps_its_requests() {
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nsplit = [{ service = \"gone\" }]\n[service.gone]\nservers = [{ address = \"127.0.0.1:1\", weight = 0 }]\n";
    let proxy = Proxy::start(config, &[]);
    assert_eq!(proxy.connect("web").get("a", "/").status, 503);
}

#[test]
fn a_delay_is_waited_and_an_abort_is_answered() {
    let (proxy, origin) = one_service(
        "fault = { delay = { time = \"300ms\" }, abort = { status = 503 }, when = { headers = { x-fault = true } } }",
    );
    let mut client = proxy.connect("web");
    let begin = Instant::now();
    assert_eq!(get(&mut client, "/slow", "X-Fault: 1\r\n").status, 503);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    let record = proxy.record("/slow");
    assert_eq!(record["reason"], "fault-abort", "{record}");
    assert_eq!(get(&mut client, "/fast", "").status, 200);
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_delayed_request_is_forwarded_and_others_are_not_held_up() {
    let (proxy, origin) =
        one_service("fault = { delay = { time = \"400ms\" }, when = { query = { slow = true } } }");
    let mut slow = proxy.connect("web");
    slow.send("POST /x?slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    let begin = Instant::now();
    slow.send("lo");
    let mut fast = proxy.connect("web");
    assert_eq!(get(&mut fast, "/fast", "").status, 200);
    assert_eq!(slow.response().status, 200);
    assert!(
        begin.elapsed() >= Duration::from_millis(390),
        "{:?}",
        begin.elapsed()
    );
    let posted = origin
        .requests()
        .into_iter()
        .find(|seen| seen.method == "POST")
        .unwrap();
    assert_eq!(posted.body, b"hello");
}

#[test]
fn a_delay_ends_when_the_client_leaves() {
    let (proxy, origin) = one_service("fault = { delay = { time = \"1h\" } }");
    let mut client = proxy.connect("web");
    client.send("GET /left HTTP/1.1\r\nHost: a\r\n\r\n");
    drop(client);
    let record = proxy.record("/left");
    assert_eq!(record["reason"], "client-closed", "{record}");
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_delay_is_bounded_by_the_deadline_of_the_request() {
    let (proxy, origin) =
        one_service("fault = { delay = { time = \"1h\" } }\ntimeouts = { request = \"200ms\" }");
    assert_eq!(proxy.connect("web").get("a", "/late").status, 504);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_drain_ends_a_delay() {
    let origin = Origin::echo();
    let config = r#"
[admin]
socket = { path = "@dir@/admin.sock", mode = "0600", level = "admin" }
http = { bind = "127.0.0.1:@admin@" }
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
fault = { delay = { time = "1h" } }
[service.app]
servers = ["@app@"]
"#;
    let mut proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    portcullis_harness::eventually("the request is in flight", || {
        let page = proxy.connect("admin").get("localhost", "/metrics").text();
        page.lines()
            .any(|line| {
                line.starts_with("portcullis_http_requests_in_flight{") && line.ends_with(" 1")
            })
            .then_some(())
    });
    proxy.signal(rustix::process::Signal::TERM);
    assert_eq!(client.response().status, 200);
    assert_eq!(origin.count(), 1);
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn a_closed_route_turns_away_all_but_its_workers() {
    let (proxy, origin) =
        one_service("maintenance = { retry_after = \"2m\", allow = [\"127.0.0.7\"] }");
    let refused = proxy.connect("web").get("a", "/closed");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.fields.one("retry-after"), Some("120"));
    assert_eq!(proxy.record("/closed")["reason"], "maintenance");
    let mut worker = Client::tcp_from("127.0.0.7", proxy.port("web"));
    assert_eq!(worker.get("a", "/open").status, 200);
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_closed_listener_answers_before_any_route() {
    let proxy = Proxy::start(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\nmaintenance = true\n[[route]]\nrespond = { status = 200 }\n",
        &[],
    );
    let answer = proxy.connect("web").get("a", "/nowhere");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.fields.one("retry-after"), None);
}

fn mirrored(rule: &str) -> (Proxy, Origin, Origin) {
    let (app, shadow) = (Origin::echo(), Origin::echo());
    let config = format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\nmirror = {rule}\nrewrite = {{ request_headers = {{ set = {{ x-for = \"{{service}}\" }} }} }}\n[service.app]\nservers = [\"@app@\"]\n[service.shadow]\nservers = [\"@shadow@\"]\n"
    );
    let names = [("app", app.address()), ("shadow", shadow.address())];
    (Proxy::start(&config, &names), app, shadow)
}

#[test]
fn requests_are_copied_with_their_bodies() {
    let (proxy, app, shadow) = mirrored("\"shadow\"");
    let mut client = proxy.connect("web");
    assert_eq!(get(&mut client, "/one?x", "X-A: 1\r\n").status, 200);
    client.send("POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.response().status, 200);
    client.send("POST /three HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    shadow.wait_count(3);
    assert_eq!(app.count(), 3);
    let copies = shadow.requests();
    let of = |target: &str| copies.iter().find(|copy| copy.target == target).unwrap();
    assert_eq!(of("/one?x").fields.one("x-a"), Some("1"));
    assert_eq!(of("/one?x").fields.one("x-for"), Some("shadow"));
    assert_eq!(of("/two").body, b"hello");
    assert_eq!(of("/three").body, b"abcde");
}

#[test]
fn a_body_over_the_limit_is_not_copied_and_nobody_is_hurt() {
    let (proxy, app, shadow) = mirrored("{ service = \"shadow\", body_limit = \"4B\" }");
    let mut client = proxy.connect("web");
    client.send("POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.response().status, 200);
    client.send("POST /three HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(get(&mut client, "/last", "").status, 200);
    shadow.wait_count(1);
    assert_eq!(
        (app.count(), shadow.request().target.as_str()),
        (3, "/last")
    );
}

#[test]
fn a_mirror_that_never_answers_delays_nothing_and_is_bounded() {
    let app = Origin::echo();
    let shadow = Origin::tcp(|peer| peer.wait_closed());
    let config = r#"
[admin]
socket = { path = "@dir@/admin.sock", mode = "0600", level = "admin" }
http = { bind = "127.0.0.1:@admin@" }
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
mirror = { service = "shadow", max_in_flight = 2, timeout = "300ms" }
[service.app]
servers = ["@app@"]
[service.shadow]
servers = ["@shadow@"]
"#;
    let names = [("app", app.address()), ("shadow", shadow.address())];
    let proxy = Proxy::start(config, &names);
    let mut client = proxy.connect("web");
    for n in 0..5 {
        assert_eq!(get(&mut client, &format!("/{n}"), "").status, 200);
    }
    portcullis_harness::eventually("copies are counted", || {
        let page = proxy.connect("admin").get("localhost", "/metrics").text();
        let count = |result: &str| {
            let line = page.lines().find(|line| {
                line.starts_with("portcullis_mirrored_requests_total{") && line.contains(result)
            })?;
            line.rsplit(' ').next()?.parse::<u32>().ok()
        };
        let (timeout, busy) = (count("\"timeout\"")?, count("\"busy\"")?);
        (timeout >= 2 && timeout + busy == 5).then_some(())
    });
}

#[test]
fn a_dead_mirror_costs_copies_only() {
    let app = Origin::echo();
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\nmirror = \"shadow\"\n[service.app]\nservers = [\"@app@\"]\n[service.shadow]\nservers = [\"127.0.0.1:1\"]\n";
    let proxy = Proxy::start(config, &[("app", app.address())]);
    let mut client = proxy.connect("web");
    for _ in 0..5 {
        assert_eq!(get(&mut client, "/", "").status, 200);
    }
    assert_eq!(app.count(), 5);
}
