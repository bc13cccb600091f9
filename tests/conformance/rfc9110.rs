//! RFC 9110: what an intermediary does with the meaning of messages.

use crate::rows::refused;
use portcullis_harness::{Origin, Proxy, ok};

#[test]
fn rfc9110_7_6_1_hop_by_hop_fields_are_not_forwarded_to_servers() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send(concat!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n",
        "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\nUpgrade: h2c\r\nX-Kept: 1\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
    let seen = origin.request();
    for name in [
        "x-mine",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
    ] {
        assert!(!seen.fields.has(name), "`{name}` went on: {seen:#?}");
    }
    assert!(seen.fields.has("x-kept"));
}

#[test]
fn rfc9110_7_6_1_hop_by_hop_fields_are_not_forwarded_to_clients() {
    let origin = Origin::answering(|_| {
        concat!(
            "HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n",
            "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n"
        )
        .into()
    });
    let proxy = Proxy::before(&origin);
    let response = proxy.connect("web").get("a", "/");
    for name in ["x-mine", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert!(
            !response.fields.has(name),
            "`{name}` went on: {response:#?}"
        );
    }
    assert!(response.fields.has("x-kept"));
}

#[test]
fn rfc9110_7_6_1_fields_that_must_not_be_nominated_are_a_refusal() {
    refused(&[
        ("Host", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n", 400),
        ("Content-Length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: content-length\r\n\r\na", 400),
        ("X-Forwarded-For", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-for\r\n\r\n", 400),
        ("Authorization", b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nConnection: authorization\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9110_10_1_1_an_unknown_expectation_gets_417() {
    refused(&[(
        "unknown",
        b"GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n",
        417,
    )]);
}

#[test]
fn rfc9110_9_3_connect_and_trace_need_a_route_that_names_them() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    assert_eq!(client.response().status, 405);
    let mut client = proxy.connect("web");
    client.send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 405);
    assert_eq!(origin.count(), 0);
}

#[test]
fn rfc9110_9_3_7_options_asterisk_is_forwarded() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(origin.request().target, "*");
}

#[test]
fn rfc9110_6_5_trailers_are_carried_both_ways() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n".to_vec()
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Up\r\n\r\n1\r\na\r\n0\r\nX-Up: 7\r\n\r\n");
    let response = client.response();
    assert_eq!(response.trailers.one("x-sum"), Some("6"));
    let seen = origin.request();
    assert_eq!(seen.trailers.one("x-up"), Some("7"));
    assert_eq!(seen.fields.one("te"), Some("trailers"));
}

#[test]
fn rfc9110_15_2_interim_responses_are_relayed_to_11_only() {
    let origin = Origin::answering(|_| {
        let mut bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n".to_vec();
        bytes.extend(ok("done"));
        bytes
    });
    let proxy = Proxy::before(&origin);
    let response = proxy.connect("web").get("a", "/");
    assert_eq!(
        (response.interim.len(), response.text().as_str()),
        (1, "done")
    );
    assert_eq!(response.interim[0].0, 103);
    assert!(response.interim[0].1.has("link"));
    let mut old = proxy.connect("web");
    old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    let response = old.response();
    assert_eq!(
        (response.interim.len(), response.text().as_str()),
        (0, "done")
    );
}

#[test]
fn rfc9110_15_2_a_flood_of_interim_responses_is_bounded() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            while peer
                .try_send("HTTP/1.1 102 Processing\r\n\r\n".repeat(100))
                .is_ok()
            {}
        }
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 502);
    assert!(
        response.interim.len() <= 16,
        "{} interim responses",
        response.interim.len()
    );
}

#[test]
fn rfc9110_15_2_2_a_101_nobody_asked_for_is_502() {
    let origin = Origin::saying(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let proxy = Proxy::before(&origin);
    assert_eq!(proxy.connect("web").get("a", "/").status, 502);
}

#[test]
fn rfc9110_7_8_a_101_to_another_protocol_is_502() {
    let origin = Origin::saying(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    );
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().status, 502);
}

#[test]
fn rfc9110_6_6_1_a_response_without_a_date_gets_one() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = Proxy::before(&origin);
    let date = proxy
        .connect("web")
        .get("a", "/")
        .fields
        .one("date")
        .map(str::to_owned);
    assert!(
        date.as_deref()
            .is_some_and(|date| date.ends_with(" GMT") && date.len() == 29),
        "{date:?}"
    );
}
