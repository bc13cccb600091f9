//! What operators are told about a request.
#![allow(clippy::unwrap_used)]

mod matching;
mod protocols;

use super::*;
use crate::testing::planned;

const TEXT: &str = r#"
[listener.http]
bind = "127.0.0.1:8080"
trusted_proxies = ["10.0.0.0/8"]
[listener.old]
bind = "127.0.0.1:8081"
redirect_https = true
[[route]]
name = "any"
service = "app"
[[route]]
name = "api"
listeners = ["http"]
hosts = ["api.example.com"]
path = "/v1"
service = "app"
rewrite = { strip_prefix = true, request_headers = { set = { "x-env" = "prod" } } }
rate_limit = { rate = "5/s" }
timeouts = { connect = "1s" }
[[route]]
name = "put"
listeners = ["http"]
hosts = ["*.example.com"]
path = "/v1"
methods = ["PUT"]
respond = { status = 204 }
[[route]]
name = "blue"
listeners = ["http"]
hosts = ["api.example.com"]
path = "/v1/x"
headers = { "x-tenant" = "blue" }
redirect = "https://{host}/blue"
[service.app]
servers = ["127.0.0.1:3000", { address = "127.0.0.1:3001", weight = 0 }]
"#;

/// What a process with this configuration, just started, would do.
fn told(text: &str, question: &Question<'_>) -> Result<Explanation, String> {
    let (plan, live) = planned(text);
    rehearse(&plan, &live, question, Moment::default())
}

fn ask(question: &Question<'_>) -> Result<Explanation, String> {
    told(TEXT, question)
}

fn question<'q>(method: &'q str, url: &'q str, fields: &'q [(String, String)]) -> Question<'q> {
    Question {
        method,
        url,
        fields,
        ..Question::default()
    }
}

fn reasons(explanation: &Explanation) -> Vec<(&str, &str)> {
    explanation
        .candidates
        .iter()
        .map(|candidate| (&*candidate.route, &*candidate.reason))
        .collect()
}

#[test]
fn every_route_says_why_it_won_or_lost() {
    let found = ask(&question(
        "GET",
        "http://API.example.com:8080/a/../v1/x?q",
        &[],
    ))
    .unwrap();
    assert_eq!((&*found.host, &*found.path), ("api.example.com", "/v1/x"));
    assert_eq!(
        reasons(&found),
        [
            (
                "any",
                "matches, but `api` comes first: any host is less specific"
            ),
            ("api", "matches, and comes first"),
            ("put", "method GET is not PUT"),
            ("blue", "header `x-tenant` is absent, not `blue`"),
        ]
    );
    let found = ask(&question("GET", "http://other.com:8080/", &[])).unwrap();
    assert_eq!(
        reasons(&found)[1].1,
        "host `other.com` is not `api.example.com`"
    );
    assert_eq!(
        reasons(&found)[2].1,
        "host `other.com` is not `*.example.com`"
    );
    let found = ask(&question("GET", "http://api.example.com:8080/v1/y", &[])).unwrap();
    assert_eq!(reasons(&found)[3].1, "path is not `/v1/x` nor below it");
}

#[test]
fn forwarding_shows_target_edits_limits_deadlines_and_servers() {
    let found = ask(&question("GET", "http://api.example.com:8080/v1/x?q", &[])).unwrap();
    let forwarding = found.forwarding.as_ref().unwrap();
    assert_eq!(
        (&*forwarding.target, &*forwarding.host),
        ("/x?q", "api.example.com:8080")
    );
    assert_eq!(forwarding.request_edits, ["set x-env: prod"]);
    assert_eq!(
        forwarding.limits,
        ["route api: 5 per 1s, 5 at once, by client address  (test.toml:11)"]
    );
    assert_eq!(forwarding.edits_place.as_deref(), Some("test.toml:17"));
    assert_eq!(forwarding.servers[0].place, "test.toml:35");
    assert!(
        forwarding
            .timeouts
            .contains(&("connect", "1s".to_owned(), "test.toml:19".to_owned()))
    );
    assert!(
        forwarding
            .timeouts
            .contains(&("request", "off".to_owned(), "default".to_owned()))
    );
    let out: Vec<_> = forwarding
        .servers
        .iter()
        .map(|server| server.out.as_deref())
        .collect();
    assert_eq!(out, [None, Some("its weight is 0")]);
    let text = found.to_string();
    assert!(
        text.contains("* api   test.toml:11")
            && text.contains("=> route `api` forwards to service `app`"),
        "{text}"
    );
    assert_eq!(
        found.json()["forward"]["timeouts"]["connect"]["place"],
        "test.toml:19"
    );
}

#[test]
fn answers_of_our_own_are_told() {
    let fields = [("X-Tenant".to_owned(), "blue".to_owned())];
    let found = ask(&question(
        "GET",
        "http://api.example.com:8080/v1/x",
        &fields,
    ))
    .unwrap();
    assert_eq!(
        (found.status, &*found.verdict),
        (
            Some(308),
            "route `blue` redirects with 308 to https://api.example.com/blue"
        )
    );
    let found = ask(&question("GET", "http://h:8081/", &[])).unwrap();
    assert_eq!(found.status, Some(308));
    assert_eq!(reasons(&found)[1].1, "is only on listener `http`");
    let found = ask(&question("TRACE", "http://h:8080/", &[])).unwrap();
    assert_eq!(
        (found.status, &*found.verdict),
        (Some(405), "refuses with 405 (method-not-allowed)")
    );
    let found = ask(&question("GET", "http://h:8080/..%2f", &[])).unwrap();
    assert!(
        found.verdict.contains("path-encoded-slash"),
        "{}",
        found.verdict
    );
}

#[test]
fn client_is_the_one_that_is_believed() {
    let fields = [("X-Forwarded-For".to_owned(), "203.0.113.9".to_owned())];
    let from = |from: &str| {
        let question = Question {
            from: Some(from.parse().unwrap()),
            ..question("GET", "http://h:8080/", &fields)
        };
        ask(&question).unwrap().client.unwrap().to_string()
    };
    assert_eq!(from("10.0.0.1"), "203.0.113.9");
    assert_eq!(from("11.0.0.1"), "11.0.0.1");
}

#[test]
fn listener_is_found_by_scheme_port_or_name() {
    let listener = |url, name| {
        ask(&Question {
            listener: name,
            ..question("GET", url, &[])
        })
        .map(|found| found.listener)
    };
    assert_eq!(listener("http://h:8081/", None).as_deref(), Ok("old"));
    assert_eq!(listener("http://h/", None).as_deref(), Ok("http"));
    assert_eq!(listener("/x", Some("old")).as_deref(), Ok("old"));
    assert!(
        listener("https://h/", None)
            .unwrap_err()
            .contains("`http`, `old`")
    );
    assert!(
        listener("http://h:1/", None)
            .unwrap_err()
            .contains("port 1")
    );
    assert!(listener("/", Some("nix")).unwrap_err().contains("`nix`"));
    assert!(listener("ftp://h/", None).is_err());
    assert!(listener("http://h/a b", None).is_err());
    assert!(ask(&question("G T", "/", &[])).is_err());
}

#[test]
fn requests_without_path_are_understood() {
    let found = ask(&question("OPTIONS", "*", &[])).unwrap();
    assert_eq!((&*found.path, found.forwarding.is_some()), ("*", true));
    let found = ask(&question("CONNECT", "h:8080", &[])).unwrap();
    assert_eq!(
        (&*found.host, &*found.path, found.status),
        ("h", "", Some(405))
    );
}

#[test]
fn rewrites_are_told_with_their_place_and_the_target_they_make() {
    let text = r#"
[listener.http]
bind = "127.0.0.1:8080"
[[route]]
name = "shop"
path = "/shop"
service = "app"
rewrite = { replace_prefix = "/v2", query = { set = { a = "{host}" }, remove = ["b"] }, host = "in.example", map_back = true }
[[route]]
name = "old"
path = "/old"
service = "app"
rewrite = { path = { regex = '/old/(.*)', to = '/t/$1' } }
[[route]]
name = "tenant"
path = "/tenant"
service = "app"
rewrite = { path = "/t/{request_header.x}/y" }
[service.app]
servers = ["127.0.0.1:3000"]
"#;
    let ask =
        |url: &str, fields: &[(String, String)]| told(text, &question("GET", url, fields)).unwrap();
    let shop = ask("http://h/shop/x?b=1&c", &[]);
    let forwarding = shop.forwarding.as_ref().unwrap();
    assert_eq!(forwarding.target, "/v2/x?c&a=h");
    assert_eq!(
        forwarding.rewrites,
        [
            "path: `/v2` instead of its first 5 bytes  (test.toml:8)",
            "query: remove b  (test.toml:8)",
            "query: set a: {host}  (test.toml:8)",
            "host: in.example  (test.toml:8)",
            "mapped back: hosts, and paths from `/v2` to `/shop`  (test.toml:8)",
        ]
    );
    assert!(
        shop.to_string()
            .contains("  rewrite   query: set a: {host}")
    );
    assert_eq!(
        ask("http://h/old/x", &[]).forwarding.unwrap().target,
        "/t/x"
    );
    let climbing = ask("http://h/tenant", &[("x".to_owned(), "..".to_owned())]);
    assert_eq!(climbing.status, Some(400));
    assert_eq!(
        climbing.verdict,
        "route `tenant` refuses with 400 (rewritten-dot-segment)"
    );
}

#[test]
fn splits_faults_and_maintenance_are_told_with_their_place() {
    let text = r#"
[listener.http]
bind = "127.0.0.1:8080"
[[route]]
name = "split"
fault = { delay = { time = "200ms", share = "0.5%" }, abort = { status = 500, share = "1%" } }
split = [{ service = "app", weight = 9 }, { service = "next", force = { headers = { x = "1" } } }]
[[route]]
name = "closed"
path = "/closed"
service = "app"
maintenance = { status = 500, allow = "10.0.0.0/8" }
[service.app]
servers = ["127.0.0.1:3000"]
timeouts = { connect = "1s" }
[service.next]
servers = ["127.0.0.1:3001"]
timeouts = { connect = "2s" }
"#;
    let ask =
        |url: &str, fields: &[(String, String)]| told(text, &question("GET", url, fields)).unwrap();
    let by_chance = ask("http://h/", &[]).forwarding.unwrap();
    assert_eq!(by_chance.service, "app");
    assert_eq!(
        by_chance.traffic,
        [
            "split `app` 9 of 10, `next` 1 of 10, or forced: by chance, shown is `app`  (test.toml:7)",
            "fault: 0.5 % of the requests wait 200ms  (test.toml:6)",
            "fault: 1 % of the requests get 500  (test.toml:6)",
        ]
    );
    let forced = ask("http://h/", &[("x".to_owned(), "1".to_owned())])
        .forwarding
        .unwrap();
    assert_eq!(forced.service, "next");
    assert!(forced.traffic[0].ends_with("`next` is forced by this request  (test.toml:7)"));
    let connect = forced
        .timeouts
        .iter()
        .find(|(key, ..)| *key == "connect")
        .unwrap();
    assert_eq!(
        (connect.1.as_str(), connect.2.as_str()),
        ("2s", "test.toml:18"),
        "of the chosen service"
    );
    let closed = ask("http://h/closed", &[]);
    assert_eq!(closed.status, Some(500));
    assert_eq!(
        closed.verdict,
        "route `closed` is closed for maintenance: answers 500"
    );
    assert_eq!(closed.verdict_place.as_deref(), Some("test.toml:12"));
}

/// What the error page says of its length is what a client gets, whose request has an id of its own.
#[test]
fn an_error_page_has_its_real_length() {
    let text = "[listener.a]\nbind = \"127.0.0.1:80\"\n[[route]]\nmethods = [\"PUT\"]\nrespond = { status = 204 }\n";
    let told = told(text, &question("GET", "http://a/", &[])).unwrap();
    let of = |name: &str| {
        let found = told.answer.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(of("x-request-id"), "<new>");
    let mut page = Vec::new();
    let id = [b'0'; 32];
    portcullis_plan::answer::error_page(405, None, &Default::default(), &id, &mut page);
    assert_eq!(of("content-length"), page.len().to_string());
}

#[test]
fn the_address_that_a_request_comes_to_is_that_of_the_listener() {
    let location = |bind: &str, url: &str| {
        let text = format!(
            "[listener.a]\nbind = \"{bind}\"\n[[route]]\nredirect = \"https://{{host}}/{{local_ip}}/{{local_port}}\"\n"
        );
        let told = told(&text, &question("GET", url, &[])).unwrap();
        let found = told.answer.into_iter().find(|(name, _)| name == "location");
        found.unwrap().1
    };
    let bound = location("127.0.0.9:8080", "http://a:8080/");
    assert_eq!(bound, "https://a/127.0.0.9/8080");
    let any = location("0.0.0.0:8080", "http://127.0.0.7:8080/");
    assert_eq!(any, "https://127.0.0.7/127.0.0.7/8080");
}

/// Moved lines decide nothing; another answer, body or change of an answer does.
#[test]
fn decisions_are_compared_by_what_clients_get() {
    use portcullis_plan::replay::decision;
    let line = |route: &str| {
        let text = format!(
            "[listener.a]\nbind = \"127.0.0.1:80\"\n{route}\n[service.app]\nservers = [\"127.0.0.1:1\"]\n"
        );
        decision(&told(&text, &question("GET", "http://a/", &[])))
    };
    let closed = "[[route]]\nservice = \"app\"\nmaintenance = true";
    assert_eq!(line(closed), line(&format!("\n\n{closed}")));
    for (one, other) in [
        (
            "[[route]]\nrespond = { body = \"a\" }",
            "[[route]]\nrespond = { body = \"b\" }",
        ),
        (
            "[[route]]\nrespond = { headers = { x = \"a\" } }",
            "[[route]]\nrespond = { headers = { x = \"b\" } }",
        ),
        (
            "[[route]]\nservice = \"app\"\nrewrite = { response_headers = { set = { x = \"a\" } } }",
            "[[route]]\nservice = \"app\"\nrewrite = { response_headers = { set = { x = \"b\" } } }",
        ),
    ] {
        assert_ne!(line(one), line(other), "{one}");
    }
}
