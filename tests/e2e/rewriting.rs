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
fn edits_of_a_request_reach_our_own_fields_and_nothing_that_was_stripped() {
    let origin = Origin::echo();
    let proxy = before(
        &origin,
        "rewrite = { request_headers = { set = { x-forwarded-proto = \"https\" }, remove = [\"x-forwarded-host\", \"x-request-id\"], set_if_absent = { x-real-ip = \"{client_ip}\", x-forwarded-for = \"never\" } } }\n[[route]]\npath = \"/replaced\"\nservice = \"app\"\nrewrite = { request_headers = { replace = { x-real-ip = { regex = '(.*)', to = '$1' }, x-forwarded-for = { regex = '(.*)', to = 'for $1' } } } }",
    );
    let mut client = proxy.connect("web");
    let forged =
        "X-Real-IP: 192.0.2.6\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-For: 192.0.2.7\r\n";
    assert_eq!(get(&mut client, "/app", forged), 200);
    assert_eq!(get(&mut client, "/replaced", forged), 200);
    let seen = origin.requests();
    let first = &seen[0].fields;
    assert_eq!(first.all("x-forwarded-proto"), ["https"]);
    assert!(!first.has("x-forwarded-host") && !first.has("x-request-id"));
    assert_eq!(first.all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(first.all("x-forwarded-for"), ["127.0.0.1"]);
    let second = &seen[1].fields;
    assert_eq!(second.all("x-forwarded-for"), ["for 127.0.0.1"]);
    assert!(!second.has("x-real-ip"), "what was stripped stays away");
}

#[test]
fn edits_of_our_own_answers_replace_what_we_wrote() {
    let edits = |edits: &str| format!("rewrite = {{ response_headers = {edits} }}");
    let config = [
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\npath = \"/dead\"\nservice = \"dead\"",
        &edits(
            "[{ status = [\"5xx\", 404], set = { cache-control = \"max-age=9\", x-request-id = \"mine\" } }, { remove = [\"retry-after\", \"date\"] }]",
        ),
        "[[route]]\npath = \"/moved\"\nredirect = \"/there\"",
        &edits("{ replace = { location = { regex = '(.*)', to = '$1/now' } } }"),
        "[[route]]\npath = \"/fixed\"\nrespond = { body = \"b\", headers = { content-type = \"text/plain\" } }",
        &edits("{ set = { content-type = \"text/x\" }, set_if_absent = { date = \"never\" } }"),
        "[service.dead]\nservers = [\"127.0.0.1:@dead@\"]\n",
    ];
    let proxy = Proxy::start(&config.join("\n"), &[]);
    let mut client = proxy.connect("web");
    let dead = client.get("a", "/dead");
    assert!(dead.status >= 500, "{}", dead.status);
    assert_eq!(dead.fields.all("cache-control"), ["max-age=9"]);
    assert_eq!(dead.fields.all("x-request-id"), ["mine"]);
    assert!(!dead.fields.has("retry-after") && !dead.fields.has("date"));
    let moved = client.get("a", "/moved");
    assert_eq!(moved.fields.all("location"), ["/there/now"]);
    let fixed = client.get("a", "/fixed");
    assert_eq!((fixed.status, fixed.text().as_str()), (200, "b"));
    assert_eq!(fixed.fields.all("content-type"), ["text/x"]);
    assert_eq!(fixed.fields.all("date").len(), 1);
    assert_eq!(fixed.fields.all("content-length"), ["1"]);
    let mut streams = proxy.connect("web").http2();
    let stream = streams.get("a", "/moved");
    let moved = streams.answer(stream);
    assert_eq!(moved.fields.all("location"), ["/there/now"], "HTTP/2");
}

#[test]
fn edits_of_an_answer_work_on_the_request_id_and_on_mapped_addresses() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let proxy = before(
        &origin,
        "rewrite = { strip_prefix = true, map_back = true, response_headers = { set = { x-request-id = \"mine\" }, replace = { location = { regex = '(.*)/x', to = '$1/y' }, set-cookie = { regex = 'other', to = '' } } } }",
    );
    let answer = proxy.connect("web").get("www.example", "/app/z");
    assert_eq!(answer.fields.all("location"), ["/app/y"]);
    assert_eq!(answer.fields.all("set-cookie"), ["a=1; Path=/app"]);
    assert_eq!(answer.fields.all("x-request-id"), ["mine"]);
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
