//! What servers see of a target, and what clients see of the addresses in their answers.

use portcullis_harness::{Client, Origin, Proxy};

fn before(origin: &Origin, route: &str) -> Proxy {
    let config = format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\npath = \"/app\"\nservice = \"app\"\n{route}\n[service.app]\nservers = [\"@app@\"]\n"
    );
    Proxy::start(&config, &[("app", origin.address())])
}

fn get(client: &mut Client, target: &str, fields: &str) -> u16 {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: www.example\r\n{fields}\r\n"
    ));
    client.response().status
}

#[test]
fn path_and_query_reach_the_server_rewritten() {
    let origin = Origin::echo();
    let proxy = before(
        &origin,
        "rewrite = { path = { regex = '^/app/(\\d+)/(.*)$', to = '/item/$1/of/$2' }, query = { remove = [\"secret\"], add = { host = \"{host}\" } } }",
    );
    let mut client = proxy.connect("web");
    assert_eq!(get(&mut client, "/app/12/a%20b?x=1&s%65cret=2", ""), 200);
    assert_eq!(get(&mut client, "/app/none", ""), 200);
    let seen: Vec<_> = origin
        .requests()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(
        seen,
        [
            "/item/12/of/a%20b?x=1&host=www.example",
            "/app/none?host=www.example"
        ]
    );
}

#[test]
fn a_value_that_makes_a_target_ambiguous_is_refused_and_logged() {
    let origin = Origin::echo();
    let proxy = before(
        &origin,
        "rewrite = { path = \"/t/{request_header.x-t}/app\", host = \"{request_header.x-h}\" }",
    );
    let mut client = proxy.connect("web");
    assert_eq!(
        get(&mut client, "/app", "X-T: a\r\nX-H: b.internal\r\n"),
        200
    );
    let seen = origin.request();
    assert_eq!(
        (seen.target.as_str(), seen.fields.one("host")),
        ("/t/a/app", Some("b.internal"))
    );
    for (fields, reason) in [
        ("X-T: ..\r\nX-H: b\r\n", "rewritten-dot-segment"),
        ("X-T: a/b\r\nX-H: b\r\n", "rewritten-path"),
        ("X-T: a\r\nX-H: b c\r\n", "rewritten-host"),
        ("X-T: a\r\n", "rewritten-host"),
    ] {
        assert_eq!(get(&mut client, "/app", fields), 400, "{fields}");
        proxy.log_line(reason, |line| {
            line.contains(reason) && line.contains("\"status\":400")
        });
    }
    assert_eq!(origin.count(), 1, "no refused request reached the server");
}

#[test]
fn addresses_and_cookies_come_back_mapped() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 302 Found\r\nLocation: http://inner.example/login?next=/\r\nContent-Location: /cart\r\nRefresh: 5; url=http://inner.example/\r\nSet-Cookie: a=1; Path=/; Domain=inner.example\r\nSet-Cookie: b=2; Path=/x\r\nX-Other: http://inner.example/\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let proxy = before(
        &origin,
        "rewrite = { strip_prefix = true, host = \"inner.example\", map_back = true }",
    );
    let mut client = proxy.connect("web");
    client.send("GET /app/cart HTTP/1.1\r\nHost: www.example:8080\r\n\r\n");
    let answer = client.response();
    assert_eq!(
        answer.fields.one("location"),
        Some("http://www.example:8080/app/login?next=/")
    );
    assert_eq!(answer.fields.one("content-location"), Some("/app/cart"));
    assert_eq!(
        answer.fields.one("refresh"),
        Some("5; url=http://www.example:8080/app/")
    );
    assert_eq!(
        answer.fields.all("set-cookie"),
        ["a=1; Path=/app; Domain=www.example", "b=2; Path=/app/x"]
    );
    assert_eq!(answer.fields.one("x-other"), Some("http://inner.example/"));
}

#[test]
fn without_map_back_nothing_is_touched() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 302 Found\r\nLocation: http://inner.example/x\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let proxy = before(
        &origin,
        "rewrite = { strip_prefix = true, host = \"inner.example\" }",
    );
    let answer = proxy.connect("web").get("www.example", "/app");
    assert_eq!(
        answer.fields.one("location"),
        Some("http://inner.example/x")
    );
}

#[test]
fn a_redirect_is_one_address_whatever_the_request_holds() {
    let proxy = Proxy::start(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\npaths = { duplicate_slashes = \"keep\" }\n[[route]]\nredirect = { to = \"{path}?h={request_header.x}\", status = 303 }\n",
        &[],
    );
    let mut client = proxy.connect("web");
    client.send("GET //evil.example/a HTTP/1.1\r\nHost: a\r\nX: b \"c\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.fields.one("location"),
        Some("/evil.example/a?h=b%20%22c")
    );
}
