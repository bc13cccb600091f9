//! What comes back mapped, and what does not.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ServiceId;
use crate::fixture::{self, TestFields};
use crate::headers::Template;
use crate::plan::{Action, Plan};

/// The client asks `https://shop.example.com`, the server is told `shop.internal` and `inner` instead of `/shop`.
fn mapped_with(
    (outer, inner, host): (&str, &str, Option<&str>),
    (authority, scheme): (&str, Scheme),
    (name, value): (&str, &str),
) -> String {
    let mut route = fixture::route("shop", Action::Forward(ServiceId::new(0)));
    route.host = host.map(Template::constant);
    let plan: Plan = fixture::plan(fixture::listener(Vec::new()), vec![route]);
    let listener = plan.listeners.first().unwrap();
    let mut facts = fixture::facts(listener, "shop.example.com", "/shop/x", &());
    facts.host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    facts.authority = authority.as_bytes();
    facts.scheme = scheme;
    facts.route = plan.routes.first();
    facts.server = plan.servers.first();
    let rule = MapBack {
        outer: outer.into(),
        inner: inner.into(),
    };
    let mut out = Vec::new();
    rule.write_fields(&TestFields::new(&[(name, value)]), &facts, &mut out);
    let text = String::from_utf8(out).unwrap();
    let line = text.strip_suffix("\r\n").unwrap();
    line.strip_prefix(&format!("{name}: ")).unwrap().to_owned()
}

const CLIENT: (&str, Scheme) = ("shop.example.com", Scheme::Https);

fn location(value: &str) -> String {
    mapped_with(
        ("/shop", "", Some("shop.internal")),
        CLIENT,
        ("location", value),
    )
}

fn replaced(value: &str) -> String {
    mapped_with(
        ("/shop", "/v2", Some("shop.internal:8000")),
        CLIENT,
        ("location", value),
    )
}

fn cookie(value: &str) -> String {
    mapped_with(
        ("/shop", "", Some("shop.internal")),
        CLIENT,
        ("set-cookie", value),
    )
}

#[test]
fn an_address_of_the_server_becomes_one_of_the_client() {
    for (from, to) in [
        (
            "http://shop.internal/cart?a=/b#c",
            "https://shop.example.com/shop/cart?a=/b#c",
        ),
        ("HTTP://Shop.Internal/", "https://shop.example.com/shop/"),
        ("http://shop.internal", "https://shop.example.com/shop/"),
        (
            "http://shop.internal?x=1",
            "https://shop.example.com/shop/?x=1",
        ),
        (
            "http://shop.internal:80/x",
            "https://shop.example.com/shop/x",
        ),
        (
            "https://shop.internal:443/x",
            "https://shop.example.com/shop/x",
        ),
        ("//shop.internal/x", "//shop.example.com/shop/x"),
        ("http://127.0.0.1:9000/x", "https://shop.example.com/shop/x"),
        ("/cart", "/shop/cart"),
        ("/", "/shop/"),
    ] {
        assert_eq!(location(from), to, "{from}");
    }
}

#[test]
fn what_is_not_the_servers_stays() {
    for same in [
        "http://other.example/x",
        "http://shop.internal.evil.example/x",
        "http://shop.internal:8080/x",
        "http://user@shop.internal/x",
        "http://shop.internal:80:80/x",
        "http://shop.internal:abc/x",
        "http://127.0.0.1:9001/x",
        "http://127.0.0.1/x",
        "http://shop.internal\\x",
        "http:///x",
        "ftp://shop.internal/x",
        "mailto:a@shop.internal",
        "cart",
        "../x",
        "?a=1",
        "#top",
        "",
    ] {
        assert_eq!(location(same), same);
    }
}

#[test]
fn a_prefix_is_mapped_by_whole_segments() {
    for (from, to) in [
        ("/v2", "/shop"),
        ("/v2/x", "/shop/x"),
        ("/v2?x", "/shop?x"),
        ("/v20/x", "/v20/x"),
        ("/login", "/login"),
        (
            "http://shop.internal:8000/v2/x",
            "https://shop.example.com/shop/x",
        ),
        (
            "http://shop.internal:8000/login",
            "http://shop.internal:8000/login",
        ),
        ("http://shop.internal:8000", "http://shop.internal:8000"),
        ("http://shop.internal/v2/x", "http://shop.internal/v2/x"),
    ] {
        assert_eq!(replaced(from), to, "{from}");
    }
}

#[test]
fn the_clients_port_and_lack_of_a_host_are_kept() {
    let rule = ("/shop", "", Some("shop.internal"));
    let port = ("shop.example.com:8443", Scheme::Https);
    assert_eq!(
        mapped_with(rule, port, ("location", "http://shop.internal/x")),
        "https://shop.example.com:8443/shop/x"
    );
    assert_eq!(
        mapped_with(
            rule,
            ("", Scheme::Http),
            ("content-location", "http://shop.internal/x")
        ),
        "/shop/x",
        "an HTTP/1.0 client without Host gets a path"
    );
}

#[test]
fn a_root_route_gets_its_root_back() {
    let rule = ("", "/app", None);
    assert_eq!(mapped_with(rule, CLIENT, ("location", "/app")), "/");
    assert_eq!(mapped_with(rule, CLIENT, ("location", "/app/x")), "/x");
    assert_eq!(mapped_with(rule, CLIENT, ("location", "/app?x")), "/?x");
}

#[test]
fn a_kept_host_is_never_made_http_again() {
    let rule = ("/shop", "", None);
    let plain = ("shop.example.com", Scheme::Http);
    let of = |client, value| mapped_with(rule, client, ("location", value));
    assert_eq!(
        of(plain, "https://shop.example.com/x"),
        "https://shop.example.com/shop/x",
        "the server wants https; http would come back for ever"
    );
    assert_eq!(
        of(CLIENT, "http://shop.example.com/x"),
        "https://shop.example.com/shop/x",
        "TLS ends here, which the server need not know"
    );
}

#[test]
fn refresh_has_its_address_mapped() {
    let refresh = |value| {
        mapped_with(
            ("/shop", "", Some("shop.internal")),
            CLIENT,
            ("refresh", value),
        )
    };
    for (from, to) in [
        (
            "5; url=http://shop.internal/x",
            "5; url=https://shop.example.com/shop/x",
        ),
        ("0;URL='/x'", "0;URL='/shop/x'"),
        ("3, url = \"/x\" ", "3, url = \"/shop/x\" "),
        ("5", "5"),
        ("5; url=\"/x", "5; url=\"/x"),
        (
            "5; url=http://other.example/",
            "5; url=http://other.example/",
        ),
    ] {
        assert_eq!(refresh(from), to, "{from}");
    }
}

#[test]
fn cookies_come_back_to_the_clients_host_and_prefix() {
    for (from, to) in [
        ("a=1; Path=/; HttpOnly", "a=1; Path=/shop; HttpOnly"),
        ("a=1;path=/cart", "a=1; Path=/shop/cart"),
        ("a=1; Domain=shop.internal", "a=1; Domain=shop.example.com"),
        (
            "a=1; Domain=.internal; Secure",
            "a=1; Domain=shop.example.com; Secure",
        ),
        ("a=1; Domain=example.com", "a=1; Domain=example.com"),
        ("a=1; Domain=other.example", "a=1; Domain=other.example"),
        ("a=1; Domain=127.0.0.1", "a=1; Domain=shop.example.com"),
        ("a=Path=/;Max-Age=1", "a=Path=/;Max-Age=1"),
        ("__Host-a=1; Path=/; Secure", "__Host-a=1; Path=/; Secure"),
        ("a=1; Path", "a=1; Path"),
        ("a=1; Domain=", "a=1; Domain="),
        ("", ""),
    ] {
        assert_eq!(cookie(from), to, "{from}");
    }
    let by_address = mapped_with(
        ("/shop", "/v2", Some("shop.internal")),
        ("192.0.2.7:8080", Scheme::Http),
        (
            "set-cookie",
            "a=1; Domain=shop.internal; Path=/v2/; HttpOnly",
        ),
    );
    assert_eq!(by_address, "a=1; Path=/shop/; HttpOnly");
    let wide = mapped_with(
        ("/shop", "/v2", None),
        CLIENT,
        ("set-cookie", "a=1; Path=/"),
    );
    assert_eq!(
        wide, "a=1; Path=/",
        "it covers the client's prefix as it is"
    );
}

#[test]
fn fields_are_known_in_any_case_and_each_is_written() {
    assert!(MapBack::takes(b"Set-Cookie") && MapBack::takes(b"LOCATION"));
    assert!(!MapBack::takes(b"link") && !MapBack::takes(b"x-location"));
    let listener = fixture::listener(Vec::new());
    let facts = fixture::facts(&listener, "h", "/", &());
    let mut out = Vec::new();
    let received = TestFields::new(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]);
    MapBack::default().write_fields(&received, &facts, &mut out);
    assert_eq!(out, b"set-cookie: a=1\r\nset-cookie: b=2\r\n");
}
