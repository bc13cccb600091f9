//! Answers that we make ourselves: redirects, fixed answers, error pages.

use portcullis_harness::{Origin, Proxy, Response, Setup};

fn ask(proxy: &Proxy, target: &str, fields: &str) -> Response {
    let mut client = proxy.connect("web");
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"
    ));
    client.response()
}

#[test]
fn a_redirect_is_built_from_its_template() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/old"
redirect = { to = "https://{host}/new{path}?{query}", status = 301 }
[[route]]
path = "/plain"
redirect = { to = "/elsewhere" }
"#;
    let proxy = Proxy::start(config, &[]);
    let response = ask(&proxy, "/old/x?y=1", "");
    assert_eq!(
        (response.status, response.fields.one("location")),
        (301, Some("https://shop.example/new/old/x?y=1"))
    );
    let response = ask(&proxy, "/plain", "");
    assert_eq!(
        (response.status, response.fields.one("location")),
        (308, Some("/elsewhere"))
    );
}

#[test]
fn a_fixed_answer_is_given_as_written() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/robots.txt"
respond = { status = 200, body = "User-agent: *\n", headers = { "content-type" = "text/plain", "x-made-by" = "us" } }
[[route]]
path = "/file"
respond = { status = 203, body_file = "page.html" }
[[route]]
path = "/gone"
respond = { status = 410 }
"#;
    let proxy = Setup::new()
        .file("page.html", "<p>from a file</p>")
        .start(config);
    let response = ask(&proxy, "/robots.txt", "");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "User-agent: *\n")
    );
    assert_eq!(response.fields.one("content-type"), Some("text/plain"));
    assert_eq!(response.fields.one("x-made-by"), Some("us"));
    let response = ask(&proxy, "/file", "");
    assert_eq!(
        (response.status, response.text().as_str()),
        (203, "<p>from a file</p>")
    );
    assert_eq!(ask(&proxy, "/gone", "").status, 410);
    let mut client = proxy.connect("web");
    client
        .send("HEAD /robots.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        client.response_to("HEAD").fields.one("content-length"),
        Some("14")
    );
    assert_eq!(
        client.response().status,
        410,
        "an answer to HEAD has no body"
    );
}

#[test]
fn no_route_is_404_and_no_method_is_405() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/only"
methods = ["POST", "PUT"]
respond = { status = 200 }
"#;
    let proxy = Proxy::start(config, &[]);
    assert_eq!(ask(&proxy, "/other", "").status, 404);
    let response = ask(&proxy, "/only", "");
    assert_eq!(response.status, 405);
    let allow = response.fields.one("allow").unwrap();
    assert!(allow.contains("POST") && allow.contains("PUT"), "{allow}");
}

#[test]
fn error_pages_come_in_the_form_that_is_asked_for() {
    let proxy = Proxy::start(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\npath = \"/x\"\nrespond = { status = 200 }\n",
        &[],
    );
    let html = ask(
        &proxy,
        "/",
        "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n",
    );
    assert!(
        html.fields
            .one("content-type")
            .unwrap()
            .starts_with("text/html"),
        "{html:?}"
    );
    assert!(html.text().contains("404"));
    let json = ask(&proxy, "/", "Accept: application/json\r\n");
    assert!(
        json.fields
            .one("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    let page: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(page["status"], 404, "{page:#}");
    let weighed = ask(&proxy, "/", "Accept: text/html;q=0.1, application/json\r\n");
    assert!(
        weighed
            .fields
            .one("content-type")
            .unwrap()
            .starts_with("application/json")
    );
}

#[test]
fn error_pages_echo_nothing_unescaped() {
    let proxy = Proxy::start(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\npath = \"/x\"\nrespond = { status = 200 }\n",
        &[],
    );
    let response = ask(
        &proxy,
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "Accept: text/html\r\nX-Request-Id: <script>\r\n",
    );
    assert!(
        !response.text().contains("<script>alert"),
        "{}",
        response.text()
    );
}

#[test]
fn error_pages_are_replaceable_per_status() {
    let config = r#"
[errors]
"404" = "lost.html"
"503" = "down.json"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/app"
service = "app"
[service.app]
servers = ["127.0.0.1:@nobody@"]
retry = { attempts = 1 }
[[route]]
path = "/down"
respond = { status = 503 }
"#;
    let proxy = Setup::new()
        .file("lost.html", "<h1>lost</h1>")
        .file("down.json", "{\"down\":true}")
        .start(config);
    let response = ask(&proxy, "/nothing", "Accept: text/html\r\n");
    assert_eq!(
        (response.status, response.text().as_str()),
        (404, "<h1>lost</h1>")
    );
    assert!(
        response
            .fields
            .one("content-type")
            .unwrap()
            .starts_with("text/html")
    );
}

#[test]
fn a_server_that_refuses_connections_is_503() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["127.0.0.1:@nobody@", "unix:@dir@/nobody.sock"]
"#;
    let proxy = Proxy::start(config, &[]);
    let response = ask(&proxy, "/", "");
    assert_eq!(response.status, 503, "{response:?}");
}

#[test]
fn a_redirect_is_never_built_from_a_bad_host() {
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\nredirect_https = true\n[[route]]\nrespond = { status = 200 }\n";
    let proxy = Proxy::start(config, &[]);
    for host in [
        "evil.example/x",
        "a@evil.example",
        "a b",
        "evil.example\\",
        "<script>",
    ] {
        let mut client = proxy.connect("web");
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = client.response();
        assert_eq!(response.status, 400, "{host}");
        assert!(!response.fields.has("location"));
    }
}

#[test]
fn a_redirect_to_another_port_names_it() {
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\nredirect_https = 8443\n[[route]]\nrespond = { status = 200 }\n";
    let proxy = Proxy::start(config, &[]);
    assert_eq!(
        ask(&proxy, "/a", "").fields.one("location"),
        Some("https://shop.example:8443/a")
    );
}

#[test]
fn headers_towards_clients_are_edited() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nServer: secret/1.0\r\nX-Powered-By: x\r\nX-Kept: 1\r\n\r\nx".to_vec()
    });
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
server_header = "remove"
via = "edge"
[[route]]
service = "app"
rewrite = { response_headers = { set = { "x-frame-options" = "DENY", "x-route" = "{route}" }, remove = ["x-powered-by"] } }
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let response = ask(&proxy, "/", "");
    assert!(!response.fields.has("server") && !response.fields.has("x-powered-by"));
    assert_eq!(response.fields.one("x-frame-options"), Some("DENY"));
    assert_eq!(response.fields.one("x-kept"), Some("1"));
    assert_eq!(response.fields.one("via"), Some("1.1 edge"));
    assert!(
        origin
            .request()
            .fields
            .one("via")
            .is_some_and(|via| via.contains("edge"))
    );
}
