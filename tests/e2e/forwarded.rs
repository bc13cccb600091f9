//! Whose word about the client is believed, and what the server is told.

use portcullis_harness::{Client, Origin, Proxy, Request};

fn config(listener: &str) -> String {
    format!(
        r#"
[listener.web]
bind = "127.0.0.1:@web@"
{listener}
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#
    )
}

fn seen(listener: &str, source: &str, fields: &str) -> Request {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(listener), &[("app", origin.address())]);
    let mut client = Client::tcp_from(source, proxy.port("web"));
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"
    ));
    assert_eq!(client.response().status, 200);
    origin.request()
}

#[test]
fn the_server_is_told_the_truth_about_a_plain_client() {
    let request = seen("", "127.0.0.5", "");
    assert_eq!(request.fields.one("x-forwarded-for"), Some("127.0.0.5"));
    assert_eq!(request.fields.one("x-forwarded-proto"), Some("http"));
    assert_eq!(request.fields.one("x-forwarded-host"), Some("shop.example"));
    assert!(!request.fields.has("forwarded"));
}

#[test]
fn a_stranger_is_not_believed() {
    let lies = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\n";
    let request = seen("trusted_proxies = [\"10.0.0.0/8\"]", "127.0.0.5", lies);
    assert_eq!(request.fields.one("x-forwarded-for"), Some("127.0.0.5"));
    assert_eq!(request.fields.one("x-forwarded-proto"), Some("http"));
    assert_eq!(request.fields.one("x-forwarded-host"), Some("shop.example"));
    let head = String::from_utf8_lossy(&request.head).into_owned();
    assert!(
        !head.contains("9.9.9.9") && !head.contains("evil"),
        "{head}"
    );
}

#[test]
fn look_alikes_of_forwarding_fields_do_not_go_on() {
    let lies = "X_Forwarded_For: 9.9.9.9\r\nx-FORWARDED-for: 9.9.9.9\r\nX-Forwarded_Proto: https\r\nX_Real_IP: 9.9.9.9\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Server: 9.9.9.9\r\n";
    let request = seen("", "127.0.0.5", lies);
    let head = String::from_utf8_lossy(&request.head).into_owned();
    assert!(
        !head.contains("9.9.9.9") && !head.contains("Forwarded_Proto"),
        "{head}"
    );
}

#[test]
fn a_trusted_proxy_is_believed_from_the_right() {
    let trusting = "trusted_proxies = [\"127.0.0.0/8\"]";
    let request = seen(
        trusting,
        "127.0.0.5",
        "X-Forwarded-For: 6.6.6.6, 8.8.8.8, 127.0.0.9\r\nX-Forwarded-Proto: https\r\n",
    );
    assert_eq!(request.fields.one("x-forwarded-proto"), Some("https"));
    let chain = request.fields.one("x-forwarded-for").unwrap().to_owned();
    assert!(chain.ends_with("127.0.0.5"), "{chain}");
}

#[test]
fn the_believed_client_is_what_is_logged_and_limited() {
    let origin = Origin::echo();
    let proxy = Proxy::start(
        &config("trusted_proxies = [\"127.0.0.0/8\"]"),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send(
        "GET /client HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 8.8.8.8, 127.0.0.9\r\n\r\n",
    );
    assert_eq!(client.response().status, 200);
    assert_eq!(
        proxy.record("/client")["client"],
        "8.8.8.8",
        "the first address from the right that is not trusted"
    );
}

#[test]
fn garbage_in_the_chain_ends_the_walk() {
    let origin = Origin::echo();
    let proxy = Proxy::start(
        &config("trusted_proxies = [\"127.0.0.0/8\"]"),
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    client.send(
        "GET /garbage HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, unknown, 127.0.0.9\r\n\r\n",
    );
    assert_eq!(client.response().status, 200);
    assert_eq!(
        proxy.record("/garbage")["client"],
        "127.0.0.9",
        "the last address before what is no address"
    );
}

#[test]
fn the_standard_field_is_written_on_request() {
    let request = seen("forwarded_headers = \"forwarded\"", "127.0.0.5", "");
    let value = request
        .fields
        .one("forwarded")
        .unwrap()
        .to_ascii_lowercase();
    assert!(
        value.contains("for=127.0.0.5")
            && value.contains("proto=http")
            && value.contains("shop.example"),
        "{value}"
    );
    assert!(!request.fields.has("x-forwarded-for"));
}

#[test]
fn no_forwarding_field_is_written_when_none_is_wanted() {
    let request = seen(
        "forwarded_headers = \"none\"",
        "127.0.0.5",
        "X-Forwarded-For: 9.9.9.9\r\n",
    );
    assert!(
        !request.fields.has("x-forwarded-for") && !request.fields.has("forwarded"),
        "{request:#?}"
    );
}

#[test]
fn a_request_id_is_made_and_a_strangers_is_replaced() {
    let request = seen("", "127.0.0.5", "X-Request-Id: mine\r\n");
    let id = request.fields.one("x-request-id").unwrap();
    assert!(id != "mine" && id.len() >= 16, "{id}");
}

#[test]
fn a_trusted_proxys_request_id_is_kept_when_told_to() {
    let listener = "trusted_proxies = [\"127.0.0.0/8\"]\nrequest_id = { header = \"x-request-id\", trust = true }";
    let request = seen(listener, "127.0.0.5", "X-Request-Id: abc-123\r\n");
    assert_eq!(request.fields.one("x-request-id"), Some("abc-123"));
}

#[test]
fn the_client_is_told_the_id_of_its_request() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(""), &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    let told: Vec<String> = (0..2)
        .map(|_| {
            client
                .get("a", "/")
                .fields
                .one("x-request-id")
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_ne!(told[0], told[1]);
    let seen = origin.requests();
    assert_eq!(seen[0].fields.one("x-request-id"), Some(told[0].as_str()));
}

#[test]
fn peers_on_a_unix_socket_are_believed_when_named() {
    for (trusted, chain) in [("[\"unix\"]", "203.0.113.9"), ("[]", "")] {
        let origin = Origin::echo();
        let config = config(&format!("trusted_proxies = {trusted}")).replace(
            "bind = \"127.0.0.1:@web@\"",
            "bind = [\"127.0.0.1:@web@\", \"unix:@dir@/in.sock\"]",
        );
        let proxy = Proxy::start(&config, &[("app", origin.address())]);
        let mut client = Client::unix(&proxy.folder().join("in.sock"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
        assert_eq!(client.response().status, 200);
        let request = origin.request();
        let told = request.fields.one("x-forwarded-for").unwrap_or_default();
        assert_eq!(told, chain, "trusted_proxies = {trusted}");
    }
}
