//! Fields that are about the connection, and copying the others, by RFC 9110.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_http1::{Known, KnownSet, Limits, Reject, RequestHead, write};

fn request(version: &str, fields: &str) -> String {
    format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n")
}

fn parse(bytes: &str) -> Result<RequestHead, Reject> {
    let mut head = RequestHead::new();
    let length = head.parse(bytes.as_bytes(), &Limits::default())?;
    assert_eq!(length, Some(bytes.len()));
    Ok(head)
}

fn accept(fields: &str) -> RequestHead {
    parse(&request("1.1", fields)).unwrap_or_else(|reject| panic!("{fields:?}: {reject:?}"))
}

fn refuse(fields: &str, expected: Reject) {
    assert_eq!(
        parse(&request("1.1", fields)).err(),
        Some(expected),
        "{fields:?}"
    );
}

/// What is forwarded of these fields.
fn forwarded(fields: &str) -> String {
    let bytes = request("1.1", fields);
    let head = parse(&bytes).unwrap();
    let mut out = Vec::new();
    let drop = write::HOP_BY_HOP_REQUEST.with(Known::Host);
    write::copy_fields(&mut out, bytes.as_bytes(), head.fields(), drop, |_| false);
    String::from_utf8(out).unwrap()
}

#[test]
fn rfc9110_7_6_1_hop_by_hop_fields_are_not_forwarded() {
    let fields = "A: 1\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\
        Proxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nProxy-Foo: x\r\nTransfer-Encoding: chunked\r\nB: 2";
    assert_eq!(forwarded(fields), "A: 1\r\nB: 2\r\n");
}

#[test]
fn rfc9110_7_6_1_nominated_fields_are_not_forwarded() {
    assert_eq!(
        forwarded("X-A: 1\r\nConnection: x-a, X-b\r\nX-B: 2\r\nX-C: 3\r\nx-A: 4"),
        "X-C: 3\r\n"
    );
    assert_eq!(
        forwarded("Connection: x-a\r\nX-B: 1\r\nConnection: ,close,, X-B\r\nX-C: 3"),
        "X-C: 3\r\n"
    );
    assert!(accept("X-A: 1\r\nConnection: x-a").has_nominated());
    assert!(!accept("X-B: 1\r\nConnection: x-a").has_nominated());
    assert!(!accept("Connection: close").has_nominated());
    assert_eq!(
        forwarded("Close: 1\r\nConnection: close"),
        "Close: 1\r\n",
        "close is an option, not a field"
    );
}

#[test]
fn rfc9110_7_6_1_fields_for_every_recipient_must_not_be_nominated() {
    for name in [
        "host",
        "Content-Length",
        "transfer-encoding",
        "Content-Type",
        "Authorization",
        "Cookie",
        "X-Forwarded-For",
        "x-forwarded-proto",
        "X-Forwarded-Anything",
        "X_Forwarded_For",
        "x-real-ip",
        "Forwarded",
        "Via",
        "Date",
        "Cache-Control",
        "Expect",
        "Range",
        "If-None-Match",
        "X-Request-Id",
        "Origin",
        "Max-Forwards",
    ] {
        refuse(&format!("Connection: {name}"), Reject::ConnectionForbidden);
        refuse(
            &format!("Connection: close, {name}"),
            Reject::ConnectionForbidden,
        );
    }
    for name in [
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Keep-Alive",
        "Connection",
        "Proxy-Foo",
        "x-custom",
    ] {
        accept(&format!("Connection: {name}"));
    }
}

#[test]
fn rfc9110_7_6_1_connection_is_a_bounded_list_of_tokens() {
    for value in ["a b", "a;b", "\"a\"", "a=b", "a, b c", "(x)", "\u{e9}"] {
        refuse(&format!("Connection: {value}"), Reject::ConnectionInvalid);
    }
    let list = |count: usize| format!("Connection: {}", vec!["a"; count].join(","));
    accept(&list(16));
    refuse(&list(17), Reject::ConnectionTooMany);
    refuse(
        &format!("{}\r\nConnection: a", list(16)),
        Reject::ConnectionTooMany,
    );
    refuse("Connection: ,,,,,,,,,,,,,,,,", Reject::ConnectionTooMany);
    accept("Connection:");
}

#[test]
fn rfc9110_7_8_an_upgrade_needs_its_option_and_1_1() {
    let asked = |version: &str, fields: &str| {
        let bytes = request(version, fields);
        let upgrade = parse(&bytes).unwrap().upgrade();
        upgrade.map(|span| String::from_utf8_lossy(span.of(bytes.as_bytes())).into_owned())
    };
    let both = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket";
    assert_eq!(asked("1.1", both).as_deref(), Some("websocket"));
    assert_eq!(asked("1.0", both), None);
    assert_eq!(asked("1.1", "Upgrade: websocket"), None);
    assert_eq!(asked("1.1", "Connection: upgrade"), None);
    assert_eq!(asked("1.1", "Connection: upgrade\r\nUpgrade:"), None);
}

#[test]
fn rfc9110_10_1_1_expectations() {
    assert!(accept("Expect: 100-Continue\r\nContent-Length: 5").expects_continue());
    assert!(
        !accept("Expect: 100-continue").expects_continue(),
        "there is nothing to wait with"
    );
    let old = parse(&request("1.0", "Expect: 100-continue\r\nContent-Length: 5")).unwrap();
    assert!(!old.expects_continue(), "1.0 knows no 100");
    refuse("Expect: 100-continue, x", Reject::ExpectUnknown);
    refuse("Expect: 200-ok", Reject::ExpectUnknown);
    refuse("Expect:", Reject::ExpectUnknown);
    refuse("Expect: 100-continue\r\nExpect: x", Reject::ExpectUnknown);
    assert_eq!(Reject::ExpectUnknown.status(), 417);
}

#[test]
fn rfc9110_10_1_4_trailers_are_accepted_by_te() {
    for (value, accepts) in [
        ("trailers", true),
        ("deflate;q=0.5, Trailers", true),
        ("gzip", false),
        ("trailersx", false),
        ("", false),
    ] {
        assert_eq!(
            accept(&format!("TE: {value}")).accepts_trailers(),
            accepts,
            "{value}"
        );
    }
    assert!(accept("TE: gzip\r\nTE: trailers").accepts_trailers());
}

#[test]
fn rfc9110_5_lines_are_forwarded_in_normal_form() {
    assert_eq!(
        forwarded("A:1\r\nB:  2\r\nC: 3\r\nD: 4 \r\nE:\t5\r\nF:\r\nG: 7"),
        "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: \r\nG: 7\r\n"
    );
    assert_eq!(forwarded("a: x\ty"), "a: x\ty\r\n");
}

#[test]
fn rfc9110_5_what_the_caller_drops_is_dropped() {
    let bytes = request("1.1", "A: 1\r\nCookie: x\r\nB: 2\r\nC: 3");
    let head = parse(&bytes).unwrap();
    let mut out = b"before ".to_vec();
    let drop = KnownSet::of(&[Known::Host, Known::Cookie]);
    let buf = bytes.as_bytes();
    write::copy_fields(&mut out, buf, head.fields(), drop, |field| {
        field.name.of(buf) == b"B"
    });
    assert_eq!(out, b"before A: 1\r\nC: 3\r\n");
}

#[test]
fn rfc9110_5_3_repeated_fields_keep_their_order_and_the_first_is_found() {
    let bytes = request("1.1", "Cookie: a=1\r\nX: y\r\nCookie: b=2");
    let head = parse(&bytes).unwrap();
    assert_eq!(
        head.first(Known::Cookie)
            .unwrap()
            .value
            .of(bytes.as_bytes()),
        b"a=1"
    );
    assert_eq!(
        forwarded("Cookie: a=1\r\nX: y\r\nCookie: b=2"),
        "Cookie: a=1\r\nX: y\r\nCookie: b=2\r\n"
    );
    assert!(head.known_set().contains(Known::Cookie));
}
