//! The reason of every kind of condition, with the place where it is written.

use super::*;

const TEXT: &str = r#"
[listener.http]
bind = "127.0.0.1:8080"
[condition.internal]
clients = ["10.0.0.0/8"]
[[route]]
name = "user"
path = { template = "/users/{id}" }
redirect = { path = "/u/{path.id}" }
[[route]]
name = "expression"
path = { regex = '/users/.*' }
service = "app"
[[route]]
name = "query"
query = { lang = "de" }
service = "app"
[[route]]
name = "cookie"
cookies = { beta = { regex = '[1-9]' } }
service = "app"
[[route]]
name = "tls"
when = { any = { tls_names = ["*.example.com"] } }
service = "app"
[[route]]
name = "internal"
when = { any = ["internal", { methods = ["PUT"], path = "/x" }] }
service = "app"
[[route]]
name = "nobody"
headers = { accept = true }
when = { not = { query = { page = true } } }
service = "app"
[[route]]
name = "shop"
hosts = [{ regex = 'shop-\d+' }]
service = "app"
[[route]]
name = "first"
path = "/first"
priority = 5
service = "app"
[[route]]
name = "second"
path = { exact = "/first" }
methods = ["GET", "CONNECT"]
service = "app"
[service.app]
servers = ["127.0.0.1:3000"]
"#;

fn found(url: &str, fields: &[(&str, &str)]) -> Explanation {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    told(TEXT, &question("GET", url, &fields)).unwrap()
}

fn reason(explanation: &Explanation, route: &str) -> (String, Option<String>) {
    let candidate = explanation
        .candidates
        .iter()
        .find(|candidate| candidate.route == route)
        .unwrap();
    (candidate.reason.clone(), candidate.condition_place.clone())
}

#[test]
fn conditions_say_what_is_there_instead_and_where_they_are_written() {
    let found = found(
        "http://h:8080/users/7?lang=en&lang=de&page=2",
        &[("cookie", "beta=x"), ("accept", "*/*")],
    );
    let at = |line: u32| Some(format!("test.toml:{line}"));
    for (route, text, place) in [
        (
            "query",
            "query parameter `lang` comes 2 times, and `en` among them is not `de`",
            at(16),
        ),
        (
            "cookie",
            "cookie `beta` is `x`, not a match of `[1-9]`",
            at(20),
        ),
        (
            "tls",
            "none of `any` holds: the connection has no TLS, and `*.example.com` is wanted as its name",
            at(24),
        ),
        (
            "internal",
            "none of `any` holds: condition `internal` does not hold: client 192.0.2.1 is not in 10.0.0.0/8; path does not fit `/x`",
            at(28),
        ),
        (
            "nobody",
            "`not` excludes it: query parameter `page` is there",
            at(33),
        ),
        ("shop", "host `h` is not `shop-\\d+`", None),
        (
            "expression",
            "matches, but `user` comes first: expression `/users/.*` is less specific",
            None,
        ),
    ] {
        assert_eq!(reason(&found, route), (text.to_owned(), place), "{route}");
    }
    assert!(
        found
            .verdict
            .contains("redirects with 308 to http://h:8080/u/7"),
        "{}",
        found.verdict
    );
    assert!(
        found
            .to_string()
            .contains("not a match of `[1-9]` (test.toml:20)")
    );
    assert_eq!(found.json()["routes"][3]["condition_place"], "test.toml:20");
}

#[test]
fn priority_is_named_as_the_reason() {
    let found = found("http://h:8080/first", &[]);
    assert_eq!(reason(&found, "first").0, "matches, and comes first");
    assert_eq!(
        reason(&found, "second").0,
        "matches, but `first` comes first: priority 0 is below 5"
    );
}
