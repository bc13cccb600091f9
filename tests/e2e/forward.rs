//! A request reaches the server as the client meant it, and the answer comes back, over every kind of socket.

use portcullis_harness::{Client, Origin, Proxy, Setup, ok};

#[test]
fn a_request_crosses_with_its_meaning_intact() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("PUT /a/b?c=d&e HTTP/1.1\r\nHost: shop.example:8080\r\nX-One: 1\r\nX-Two:  two \r\nContent-Length: 5\r\n\r\nhello");
    let response = client.response();
    assert_eq!(response.status, 200);
    let seen = origin.request();
    assert_eq!(
        (
            seen.method.as_str(),
            seen.target.as_str(),
            seen.version.as_str()
        ),
        ("PUT", "/a/b?c=d&e", "HTTP/1.1")
    );
    assert_eq!(seen.fields.one("host"), Some("shop.example:8080"));
    assert_eq!(seen.fields.one("x-one"), Some("1"));
    assert_eq!(seen.fields.one("x-two"), Some("two"));
    assert_eq!(seen.fields.one("content-length"), Some("5"));
    assert_eq!(seen.body, b"hello");
}

#[test]
fn the_answer_crosses_with_its_meaning_intact() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: \r\n\r\ntea".to_vec()
    });
    let proxy = Proxy::before(&origin);
    let response = proxy.connect("web").get("a", "/");
    assert_eq!((response.status, response.text().as_str()), (418, "tea"));
    assert_eq!(response.fields.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.fields.one("x-odd"), Some(""));
}

#[test]
fn a_server_on_a_unix_socket_is_reached() {
    let setup = Setup::new();
    let path = setup.folder().join("app.sock");
    let origin = Origin::echo_unix(&path);
    let proxy = setup.set("app", origin.address()).start(PLAIN);
    let response = proxy.connect("web").get("unix.example", "/over/unix");
    assert_eq!(response.status, 200);
    assert_eq!(origin.request().fields.one("host"), Some("unix.example"));
}

#[test]
fn a_listener_on_a_unix_socket_serves() {
    let origin = Origin::echo();
    let config = r#"
[listener.local]
bind = ["unix:@dir@/in.sock", "127.0.0.1:@web@"]
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut local = Client::unix(&proxy.folder().join("in.sock"));
    assert_eq!(local.get("a", "/one").status, 200);
    assert_eq!(proxy.connect("web").get("a", "/two").status, 200);
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_listener_on_ipv6_serves() {
    let origin = Origin::echo();
    let config = r#"
[listener.six]
bind = "[::1]:@six@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = Client::tcp(("::1", proxy.port("six")));
    assert_eq!(client.get("a", "/").status, 200);
    assert_eq!(origin.request().fields.one("x-forwarded-for"), Some("::1"));
}

#[test]
fn a_server_named_by_host_name_is_reached() {
    let origin = Origin::echo();
    let port = origin.address().rsplit(':').next().unwrap().to_owned();
    let proxy = Proxy::start(PLAIN, &[("app", &format!("localhost:{port}"))]);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
}

#[test]
fn an_old_client_gets_an_old_answer() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET /old HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.expect_closed();
    assert_eq!(
        origin.request().version,
        "HTTP/1.1",
        "servers are always spoken to in 1.1"
    );
}

#[test]
fn nothing_that_the_client_says_is_cached() {
    let origin = Origin::answering(|request| ok(&request.target));
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    for target in ["/1", "/2", "/1"] {
        assert_eq!(client.get("a", target).text(), target);
    }
    assert_eq!(origin.count(), 3);
}

#[test]
fn many_clients_at_once_are_all_served() {
    let origin = Origin::answering(|request| ok(&request.target));
    let proxy = Proxy::before(&origin);
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let proxy = &proxy;
            scope.spawn(move || {
                let mut client = proxy.connect("web");
                for turn in 0..50 {
                    let target = format!("/{worker}/{turn}");
                    assert_eq!(client.get("a", &target).text(), target);
                }
            });
        }
    });
    assert_eq!(origin.count(), 16 * 50);
}

const PLAIN: &str = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
