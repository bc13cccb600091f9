//! Which route wins, what path the server gets, and which header fields.

use portcullis_harness::{Origin, Proxy};

fn answering(routes: &str) -> Proxy {
    Proxy::start(
        &format!("[listener.web]\nbind = \"127.0.0.1:@web@\"\n{routes}"),
        &[],
    )
}

#[track_caller]
fn wins(proxy: &Proxy, request: &str, wanted: &str) {
    let mut client = proxy.connect("web");
    client.send(format!("{request}\r\n\r\n"));
    assert_eq!(client.response().text(), wanted, "{request}");
}

#[test]
fn hosts_go_before_paths_and_exact_before_wildcard() {
    let proxy = answering(
        r#"
[[route]]
respond = { status = 200, body = "any" }
[[route]]
hosts = ["*.example.com"]
respond = { status = 200, body = "wildcard" }
[[route]]
hosts = ["*.deep.example.com"]
respond = { status = 200, body = "longer wildcard" }
[[route]]
hosts = ["a.example.com"]
respond = { status = 200, body = "exact" }
[[route]]
path = "/long/path"
respond = { status = 200, body = "path on any host" }
"#,
    );
    wins(&proxy, "GET / HTTP/1.1\r\nHost: a.example.com", "exact");
    wins(&proxy, "GET / HTTP/1.1\r\nHost: A.EXAMPLE.COM.:80", "exact");
    wins(&proxy, "GET / HTTP/1.1\r\nHost: b.example.com", "wildcard");
    wins(
        &proxy,
        "GET / HTTP/1.1\r\nHost: x.deep.example.com",
        "longer wildcard",
    );
    wins(&proxy, "GET / HTTP/1.1\r\nHost: example.com", "any");
    wins(
        &proxy,
        "GET /long/path HTTP/1.1\r\nHost: a.example.com",
        "exact",
    );
    wins(
        &proxy,
        "GET /long/path/x HTTP/1.1\r\nHost: other",
        "path on any host",
    );
}

#[test]
fn prefixes_are_whole_segments_and_the_longest_wins() {
    let proxy = answering(
        r#"
[[route]]
path = "/a"
respond = { status = 200, body = "a" }
[[route]]
path = "/a/b"
respond = { status = 200, body = "a/b" }
[[route]]
path = { exact = "/a/b/c" }
respond = { status = 200, body = "exact" }
[[route]]
respond = { status = 200, body = "rest" }
"#,
    );
    wins(&proxy, "GET /a HTTP/1.1\r\nHost: h", "a");
    wins(&proxy, "GET /a/x HTTP/1.1\r\nHost: h", "a");
    wins(&proxy, "GET /ab HTTP/1.1\r\nHost: h", "rest");
    wins(&proxy, "GET /a/b/ HTTP/1.1\r\nHost: h", "a/b");
    wins(&proxy, "GET /a/b/c HTTP/1.1\r\nHost: h", "exact");
    wins(&proxy, "GET /a/b/c/d HTTP/1.1\r\nHost: h", "a/b");
}

#[test]
fn methods_and_headers_narrow_a_route() {
    let proxy = answering(
        r#"
[[route]]
path = "/x"
respond = { status = 200, body = "plain" }
[[route]]
path = "/x"
methods = ["POST"]
respond = { status = 200, body = "post" }
[[route]]
path = "/x"
headers = { "x-tenant" = "blue" }
respond = { status = 200, body = "blue" }
[[route]]
path = "/x"
headers = { "x-tenant" = "blue", "x-debug" = true }
respond = { status = 200, body = "blue debug" }
[[route]]
path = "/y"
headers = { "authorization" = false }
respond = { status = 200, body = "anonymous" }
[[route]]
path = "/y"
respond = { status = 200, body = "known" }
"#,
    );
    wins(&proxy, "GET /x HTTP/1.1\r\nHost: h", "plain");
    wins(
        &proxy,
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0",
        "post",
    );
    wins(
        &proxy,
        "GET /x HTTP/1.1\r\nHost: h\r\nX-Tenant: blue",
        "blue",
    );
    wins(
        &proxy,
        "GET /x HTTP/1.1\r\nHost: h\r\nX-Tenant: red",
        "plain",
    );
    wins(
        &proxy,
        "GET /x HTTP/1.1\r\nHost: h\r\nX-Tenant: blue\r\nX-Debug:",
        "blue debug",
    );
    wins(&proxy, "GET /y HTTP/1.1\r\nHost: h", "anonymous");
    wins(
        &proxy,
        "GET /y HTTP/1.1\r\nHost: h\r\nAuthorization: x",
        "known",
    );
}

#[test]
fn routing_and_the_server_see_the_same_path() {
    let origin = Origin::echo();
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/admin"
respond = { status = 403, body = "no" }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    for target in [
        "/admin",
        "/x/../admin",
        "/./admin",
        "/%61dmin",
        "//admin",
        "/x/%2e%2e/admin",
        "/x/.%2E/admin",
        "/admin/../admin/y",
    ] {
        let mut client = proxy.connect("web");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().status, 403, "{target}");
    }
    assert_eq!(origin.count(), 0);
    for (target, seen) in [
        ("/a/../b", "/b"),
        ("/%7euser", "/~user"),
        ("/a//b", "/a/b"),
        ("/a%2ab", "/a%2Ab"),
        ("/a?b=../c", "/a?b=../c"),
    ] {
        let mut client = proxy.connect("web");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().status, 200, "{target}");
        assert_eq!(origin.requests().pop().unwrap().target, seen, "{target}");
    }
}

#[test]
fn paths_that_mean_two_things_are_refused() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    for target in [
        "/../x",
        "/a/%2e%2e/%2e%2e/b",
        "/a%2fb",
        "/a%5cb",
        "/a%00b",
        "/a%0ab",
        "/a/..;/b",
        "/a%",
        "/a%zz",
    ] {
        let mut client = proxy.connect("web");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().status, 400, "{target}");
    }
    assert_eq!(origin.count(), 0);
}

#[test]
fn prefixes_are_stripped_and_replaced() {
    let origin = Origin::echo();
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/strip"
service = "app"
rewrite = { strip_prefix = true }
[[route]]
path = "/v1"
service = "app"
rewrite = { replace_prefix = "/v2", host = "internal.example" }
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let rows = [
        ("/strip/a?b", "/a?b"),
        ("/strip", "/"),
        ("/strip/", "/"),
        ("/v1/a", "/v2/a"),
        ("/v1", "/v2"),
    ];
    for (target, seen) in rows {
        let mut client = proxy.connect("web");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().status, 200);
        assert_eq!(origin.requests().pop().unwrap().target, seen, "{target}");
    }
    let last = origin.requests().pop().unwrap();
    assert_eq!(last.fields.one("host"), Some("internal.example"));
    assert_eq!(last.fields.one("x-forwarded-host"), Some("a"));
}

#[test]
fn headers_towards_servers_are_edited() {
    let origin = Origin::echo();
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
name = "edit"
service = "app"
rewrite = { request_headers = { set = { "x-env" = "prod", "x-from" = "{client_ip}", "x-route" = "{route}" }, add = { "x-many" = "ours" }, remove = ["x-debug", "cookie"] } }
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Env: test\r\nX-Debug: 1\r\nCookie: a=b\r\nX-Many: theirs\r\nX-Env: again\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let seen = origin.request();
    assert_eq!(seen.fields.one("x-env"), Some("prod"));
    assert_eq!(seen.fields.one("x-from"), Some("127.0.0.1"));
    assert_eq!(seen.fields.one("x-route"), Some("edit"));
    assert_eq!(seen.fields.all("x-many"), ["theirs", "ours"]);
    assert!(!seen.fields.has("x-debug") && !seen.fields.has("cookie"));
}

#[test]
fn a_route_may_be_for_one_listener_only() {
    let proxy = Proxy::start(
        r#"
[listener.web]
bind = "127.0.0.1:@web@"
[listener.inside]
bind = "127.0.0.1:@inside@"
[[route]]
listeners = ["inside"]
path = "/secret"
respond = { status = 200, body = "inside" }
[[route]]
respond = { status = 200, body = "both" }
"#,
        &[],
    );
    assert_eq!(proxy.connect("web").get("a", "/secret").text(), "both");
    assert_eq!(proxy.connect("inside").get("a", "/secret").text(), "inside");
}
