//! What `explain` and `test` say of requests, against what the running proxy does with them.

use portcullis_harness::{Authority, Origin, Proxy, Setup, binary, eventually, ok, run};
use serde_json::Value;
use std::fmt::Write as _;

const CONFIG: &str = r#"[listener.web]
bind = "127.0.0.1:@web@"
trusted_proxies = ["127.0.0.0/8"]
[[route]]
name = "api"
hosts = ["api.example.com", "*.api.example.com"]
path = "/v1"
service = "app"
rewrite = { strip_prefix = true, request_headers = { set = { "x-env" = "{host}" }, remove = ["x-debug"] } }
[[route]]
name = "api-write"
hosts = ["api.example.com"]
path = "/v1"
methods = ["POST", "PUT"]
headers = { "x-tenant" = "blue" }
service = "app"
rewrite = { replace_prefix = "/write" }
[[route]]
name = "exact"
path = { exact = "/exact" }
service = "app"
[[route]]
name = "moved"
hosts = ["old.example.com"]
redirect = { to = "https://new.example.com{path}", status = 301 }
[[route]]
name = "teapot"
path = "/tea"
respond = { status = 418, headers = { "x-pot" = "{method}" }, body = "short and stout" }
[[route]]
name = "rest"
hosts = ["*.example.com"]
service = "app"
[service.app]
servers = [{ name = "a1", address = "@app@" }]
[log]
access = { to = "@dir@/access.log", format = "json" }
"#;

/// As many different requests as the lists below have combinations, in an order that mixes them.
fn requests() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let methods = ["GET", "POST", "PUT", "DELETE", "TRACE"];
    let hosts = [
        "api.example.com",
        "A.API.example.com:8080",
        "old.example.com",
        "www.example.com",
        "example.com",
    ];
    let paths = [
        "/v1",
        "/v1/x?a=1&b=%20",
        "/v10",
        "/a/../v1/%7ex",
        "/exact",
        "/exact/",
        "/tea/pot?x",
        "/..%2fv1",
        "/",
    ];
    let fields: [&[(&str, &str)]; 3] = [
        &[],
        &[("x-tenant", "blue"), ("x-debug", "1")],
        &[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
        ],
    ];
    let mut all = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        for (method, host) in methods
            .iter()
            .flat_map(|method| hosts.map(|host| (method, host)))
        {
            let fields = fields[(at + all.len()) % fields.len()];
            all.push((format!("{method} http://{host}{path}"), fields.to_vec()));
        }
    }
    all
}

/// Sends a request under a name that the log and the origin will know it by.
fn send(proxy: &Proxy, request: &str, fields: &[(&str, &str)], name: &str) {
    let (method, url) = request.split_once(" http://").unwrap();
    let (host, target) = url.split_at(url.find('/').unwrap());
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {name}\r\n");
    for (name, value) in fields {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    let mut client = proxy.connect("web");
    client.send(text + "\r\n");
    let _ = client.response_to(method);
}

fn log(proxy: &Proxy, count: usize) -> Vec<Value> {
    let text = eventually("every request is logged", || {
        let text = proxy.folder().read("access.log");
        (text.lines().count() >= count).then_some(text)
    });
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A case that expects what the log and the origin saw of a request.
fn case(
    request: &str,
    fields: &[(&str, &str)],
    record: &Value,
    seen: Option<&portcullis_harness::Request>,
) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut case = format!(
        "[[case]]\nrequest = {}\nlistener = \"web\"\nfrom = \"127.0.0.1\"\n",
        quoted(request)
    );
    let given: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name} = {}", quoted(value)))
        .collect();
    writeln!(case, "headers = {{ {} }}", given.join(", ")).unwrap();
    let mut expect = vec![format!(
        "route = {}",
        quoted(record["route"].as_str().unwrap_or("none"))
    )];
    match seen {
        Some(seen) => {
            expect.push("service = \"app\"".to_owned());
            expect.push(format!("target = {}", quoted(&seen.target)));
            let same = |(name, _): &&(String, String)| !name.eq_ignore_ascii_case("x-request-id");
            let sent: Vec<_> = seen
                .fields
                .0
                .iter()
                .filter(same)
                .map(|(name, value)| format!("{} = {}", name.to_lowercase(), quoted(value)))
                .collect();
            let absent = ["x-debug", "connection"]
                .iter()
                .filter(|name| !seen.fields.has(name))
                .map(|name| format!("{name} = false"));
            let all: Vec<_> = sent.into_iter().chain(absent).collect();
            expect.push(format!("request_headers = {{ {} }}", all.join(", ")));
        }
        None => expect.push(format!("status = {}", record["status"])),
    }
    writeln!(case, "expect = {{ {} }}", expect.join(", ")).unwrap();
    case
}

#[test]
fn what_is_explained_of_hundreds_of_requests_is_what_happens() {
    let origin = Origin::answering(|_| ok("hello"));
    let proxy = Proxy::start(CONFIG, &[("app", origin.address())]);
    let requests = requests();
    assert!(requests.len() > 200);
    let mut cases = String::new();
    for (at, (request, fields)) in requests.iter().enumerate() {
        send(&proxy, request, fields, &format!("number {at}"));
    }
    let records = log(&proxy, requests.len());
    let passed_on = origin.requests();
    for (at, (request, fields)) in requests.iter().enumerate() {
        let name = format!("number {at}");
        let mut fields = fields.clone();
        fields.push(("user-agent", &name));
        let fields = fields.as_slice();
        let record = records.iter().find(|record| record["user_agent"] == *name);
        let record = record.unwrap();
        let seen = passed_on
            .iter()
            .find(|seen| seen.fields.one("user-agent") == Some(&name));
        assert_eq!(
            seen.is_some(),
            record["service"].is_string(),
            "{request}: {record:#}"
        );
        cases += &case(request, fields, record, seen);
    }
    let file = proxy.folder().write("all.test.toml", &cases);
    let said = proxy.command(&["test", file.to_str().unwrap()]).expect(0);
    assert!(
        said.out.contains(&format!("{} passed", requests.len())),
        "{}",
        said.out
    );
}

#[test]
fn what_is_explained_over_http2_is_what_happens() {
    let origin = Origin::answering(|_| ok("hello"));
    let proxy = Proxy::start(CONFIG, &[("app", origin.address())]);
    let mut client = proxy.connect("web").http2();
    let rows: [(&str, &[(&str, &str)]); 11] = [
        ("GET www.example.com/", &[]),
        (
            "GET api.example.com/v1/x?a",
            &[("x-tenant", "blue"), ("cookie", "a=1"), ("cookie", "b=2")],
        ),
        ("GET old.example.com/a", &[]),
        ("PUT www.example.com/tea", &[]),
        ("GET nowhere.test/", &[]),
        ("GET www.example.com/a%zz", &[]),
        ("GET www.example.com/..%2fv1", &[]),
        ("GET www.example.com/", &[("connection", "close")]),
        ("GET www.example.com/", &[("te", "trailers")]),
        ("GET www.example.com/", &[("te", "gzip")]),
        ("GET a@b.example.com/", &[]),
    ];
    for (request, own) in rows {
        let (method, url) = request.split_once(' ').unwrap();
        let (host, path) = url.split_at(url.find('/').unwrap());
        let mut fields = portcullis_harness::http2::request(method, host, path).to_vec();
        fields.extend(own);
        let before = origin.count();
        let stream = client.open(&fields, true);
        let answer = client.answer(stream);
        let written: Vec<_> = own
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let url = format!("http://{url}");
        let mut words = vec![
            "explain",
            "--http2",
            "--json",
            "--listener",
            "web",
            method,
            &url,
        ];
        written.iter().for_each(|field| words.extend(["-H", field]));
        let said = proxy.command(&words).expect(0);
        let told: Value = serde_json::from_str(&said.out).unwrap();
        let (verdict, status) = (told["verdict"].as_str().unwrap(), &told["status"]);
        assert_eq!(told["protocol"], "HTTP/2.0, by its first bytes");
        assert_eq!(
            answer.reset.is_some(),
            verdict.starts_with("reset ("),
            "{request} {own:?}: {verdict}"
        );
        assert_eq!(
            origin.count() > before,
            !told["forward"].is_null(),
            "{request}: {verdict}"
        );
        if !status.is_null() {
            assert_eq!(*status, answer.status(), "{request}: {verdict}");
        }
    }
}

#[test]
fn the_certificate_that_is_explained_is_shown() {
    let authority = Authority::new("test");
    let proxy = Setup::new()
        .identity("one", &authority.issue(&["one.test"]))
        .identity("two", &authority.issue(&["two.test"]))
        .start(
            r#"[listener.tls]
bind = "127.0.0.1:@tls@"
[listener.tls.tls]
unknown_names = "strict"
certificates = [
  { cert = "one.pem", key = "one.key" },
  { cert = "two.pem", key = "two.key" },
]
[[route]]
respond = { status = 200, body = "hello" }
"#,
        );
    let explain = |name: &str| {
        let words = [
            "explain",
            "--http2",
            "GET",
            "https://one.test/",
            "--json",
            "--tls-name",
            name,
        ];
        let said = proxy.command(&words).expect(0);
        serde_json::from_str::<Value>(&said.out).unwrap()
    };
    for (name, line) in [("one.test", ":6"), ("two.test", ":7")] {
        let client = authority.client().offering(&["h2", "http/1.1"]);
        let (_, handshake) = client.try_connect(proxy.port("tls"), name).unwrap();
        assert_eq!(handshake.alpn.as_deref(), Some("h2"));
        let told = explain(name);
        assert!(
            told["certificate"].as_str().unwrap().ends_with(line),
            "{told:#}"
        );
        assert_eq!(told["protocol"], "HTTP/2.0, by ALPN, of h2 and http/1.1");
        assert_eq!(told["status"], 200);
    }
    let refused = explain("three.test");
    assert!(
        authority
            .client()
            .try_connect(proxy.port("tls"), "three.test")
            .is_err()
    );
    let verdict = refused["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("no request: the handshake is refused"),
        "{refused:#}"
    );
    let case = |name: &str| {
        format!(
            "[[case]]\nrequest = \"GET https://one.test/\"\nhttp2 = true\ntls_name = \"{name}\"\nexpect = {{ status = 200 }}\n"
        )
    };
    let cases = [case("two.test"), case("three.test")].concat();
    let file = proxy.folder().write("names.test.toml", cases);
    let said = proxy.command(&["test", file.to_str().unwrap()]).expect(1);
    assert!(said.out.contains("1 passed, 1 failed"), "{}", said.out);
    assert!(
        said.err.contains("the handshake is refused"),
        "{}",
        said.err
    );
}

#[test]
fn a_case_that_fails_is_shown_where_it_expects() {
    let mut setup = Setup::new().set("app", "127.0.0.1:1");
    setup.write(CONFIG);
    setup.folder().write(
        "portcullis.test.toml",
        "[[case]]\nname = \"writes\"\nrequest = \"PUT http://api.example.com/v1/x\"\nexpect = { route = \"api-write\" }\n\
         [[case]]\nrequest = \"GET http://old.example.com/a\"\nexpect = { status = 301, location = \"https://new.example.com/a\", response_headers = { date = true } }\n",
    );
    let said = setup.run(CONFIG, &["test"]).expect(1);
    assert!(said.out.contains("1 passed, 1 failed"), "{}", said.out);
    for wanted in [
        "`writes`: the route is `api`",
        "portcullis.test.toml:4:",
        "expected `api-write`",
        "header `x-tenant` is absent",
    ] {
        assert!(said.err.contains(wanted), "{wanted:?} in\n{}", said.err);
    }
    let said = setup.run(CONFIG, &["test", "--json"]).expect(1);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&answer["passed"], &answer["failed"]),
        (&1.into(), &1.into())
    );
    let said = setup.run(CONFIG, &["test", "nowhere.toml"]).expect(1);
    assert!(said.err.contains("nowhere.toml"), "{}", said.err);
}

#[test]
fn a_log_is_asked_again_and_only_changed_decisions_are_listed() {
    let origin = Origin::answering(|_| ok("hello"));
    let proxy = Proxy::start(CONFIG, &[("app", origin.address())]);
    for _ in 0..3 {
        send(&proxy, "GET http://api.example.com/v1/x", &[], "me");
    }
    send(&proxy, "GET http://www.example.com/v1", &[], "me");
    send(
        &proxy,
        "GET http://www.example.com/tea",
        &[("x-forwarded-for", "203.0.113.9")],
        "me",
    );
    log(&proxy, 5);
    let folder = proxy.folder();
    let current = folder.read("portcullis.toml");
    let changed = current.replace("path = \"/v1\"\nservice", "path = \"/v2\"\nservice");
    assert_ne!(changed, current);
    let new = folder.write("new.toml", &changed);
    let log = folder.join("access.log");
    let old = proxy.config();
    let ask = |config: &std::path::Path| {
        let words = [
            "test",
            "--from",
            log.to_str().unwrap(),
            "--old",
            old.to_str().unwrap(),
            "-c",
            config.to_str().unwrap(),
        ];
        run(std::process::Command::new(binary()).args(words))
    };
    let same = ask(&old).expect(0);
    assert_eq!(same.out, "3 kinds of request, 0 decided differently\n");
    let said = ask(&new).expect(1);
    assert!(
        said.out
            .contains("GET api.example.com /v1/x on web (3 times)\n  - route `api` forwards to service `app` as /x "),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("+ route `rest` forwards")
            && said.out.ends_with("1 decided differently\n"),
        "{}",
        said.out
    );
}
