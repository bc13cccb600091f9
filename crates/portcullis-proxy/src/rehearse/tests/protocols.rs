//! Which protocol a request comes by, and what that makes of it.

use super::*;

const TEXT: &str = r#"
[listener.plain]
bind = "127.0.0.1:8080"
[listener.old]
bind = "127.0.0.1:8081"
protocols = ["http/1.1"]
[listener.new]
bind = "127.0.0.1:8082"
protocols = ["h2"]
[listener.tls]
bind = "127.0.0.1:8443"
[listener.tls.tls]
certificates = [
  { cert = "a.pem", key = "a.key", names = ["open.test"] },
  { cert = "b.pem", key = "b.key", names = ["closed.test"], client_auth = { ca = "ca.pem", mode = "required" } },
]
[listener.tls-old]
bind = "127.0.0.1:8444"
protocols = ["http/1.1"]
tls = { certificates = [{ cert = "a.pem", key = "a.key" }] }
[listener.prefers]
bind = "127.0.0.1:8445"
protocols = ["http/1.1", "h2"]
tls = { certificates = [{ cert = "a.pem", key = "a.key" }] }
[[route]]
name = "plain"
path = "/plain"
service = "app"
upgrade = []
[[route]]
name = "all"
service = "app"
rewrite = { request_headers = { set = { x-version = "{http_version}" } } }
[service.app]
servers = ["127.0.0.1:3000"]
"#;

fn over_http2(url: &str, fields: &[(&str, &str)]) -> Explanation {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let fields: Vec<_> = fields.iter().map(own).collect();
    let question = Question {
        http2: Some(true),
        ..question("GET", url, &fields)
    };
    told(TEXT, &question).unwrap()
}

fn sent<'e>(explanation: &'e Explanation, wanted: &str) -> Option<&'e str> {
    let sent = &explanation.forwarding.as_ref()?.sent;
    let found = sent.iter().find(|(name, _)| name == wanted)?;
    Some(&found.1)
}

#[test]
fn client_and_listener_settle_on_a_protocol() {
    let asked = |http2, url| {
        let question = Question {
            http2,
            ..question("GET", url, &[])
        };
        told(TEXT, &question).unwrap()
    };
    for (http2, url, protocol) in [
        (None, "http://a:8080/", "HTTP/1.1"),
        (Some(true), "http://a:8080/", "HTTP/2.0, by its first bytes"),
        (
            None,
            "http://a:8082/",
            "HTTP/2.0, the listener speaks nothing else",
        ),
        (
            Some(true),
            "https://open.test:8443/",
            "HTTP/2.0, by ALPN, of h2 and http/1.1",
        ),
        (None, "https://open.test:8443/", "HTTP/1.1"),
        (
            Some(true),
            "https://a:8444/",
            "HTTP/1.1, by ALPN: the listener does not offer h2",
        ),
        (
            Some(true),
            "https://a:8445/",
            "HTTP/1.1, by ALPN: the listener prefers it",
        ),
    ] {
        let told = asked(http2, url);
        assert_eq!(told.protocol, protocol, "{url}");
        let version = protocol.split(',').next();
        assert_eq!(sent(&told, "x-version"), version, "{url}");
    }
    let refused = asked(Some(true), "http://a:8081/");
    assert_eq!(refused.status, Some(505), "{}", refused.verdict);
    let refused = asked(Some(false), "http://a:8082/");
    assert_eq!(refused.status, Some(505), "{}", refused.verdict);
}

#[test]
fn what_http2_forbids_is_reset_before_it_is_a_request() {
    let told = over_http2("http://a:8080/", &[("Connection", "close")]);
    assert!(
        told.verdict.starts_with("reset (h2-field-forbidden)"),
        "{}",
        told.verdict
    );
    assert_eq!((told.status, told.candidates.len()), (None, 0));
    let told = over_http2("http://a:8080/%zz", &[]);
    assert_eq!(told.status, Some(400), "{}", told.verdict);
    let long = "x".repeat(40_000);
    let told = over_http2("http://a:8080/", &[("x-long", &long)]);
    assert_eq!(told.status, Some(431), "{}", told.verdict);
}

#[test]
fn a_websocket_is_asked_for_by_extended_connect() {
    let fields = [
        ("Upgrade", "websocket"),
        ("Connection", "upgrade"),
        ("Sec-WebSocket-Version", "13"),
    ];
    let told = over_http2("http://a:8080/socket", &fields);
    assert_eq!(told.route.as_deref(), Some("all"), "{}", told.verdict);
    assert!(sent(&told, "sec-websocket-key").is_some(), "{told}");
    let told = over_http2("http://a:8080/plain", &fields);
    assert_eq!(told.status, Some(501), "{}", told.verdict);
}

#[test]
fn the_name_of_the_handshake_is_told_and_decides_what_may_be_asked() {
    let asked = |name| {
        let question = Question {
            tls_name: Some(name),
            ..question("GET", "https://open.test:8443/", &[])
        };
        told(TEXT, &question)
    };
    let told = asked("Open.Test.").unwrap();
    assert_eq!(
        (told.tls_name.as_deref(), told.status),
        (Some("open.test"), None)
    );
    let told = asked("closed.test").unwrap();
    assert_eq!(
        (told.tls_name.as_deref(), told.status),
        (Some("closed.test"), Some(421))
    );
    let question = Question {
        tls_name: Some("a"),
        ..question("GET", "http://a:8080/", &[])
    };
    let refused = super::told(TEXT, &question);
    assert_eq!(refused.unwrap_err(), "the listener `plain` has no TLS");
}
