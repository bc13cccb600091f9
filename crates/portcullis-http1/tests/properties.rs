//! The properties that the fuzz targets check, on generated messages: sound ones, and sound ones damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a property fails by panicking"
)]

#[path = "../../../tests/fuzz/src/http1/mod.rs"]
mod http1;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const LINES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a/%20?b=c HTTP/1.1\r\n",
    "HEAD /x HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "PUT http://a.b/c HTTP/1.1\r\n",
    "CONNECT a.b:80 HTTP/1.1\r\n",
    "GET http://a.b HTTP/1.1\r\n",
    "\r\nX-Y /z HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 404 Not Found\r\n",
    "HTTP/1.1 204\r\n",
    "HTTP/1.1 304 \r\n",
    "HTTP/1.1 101 Switching\r\n",
    "HTTP/1.1 500 \u{e9}\r\n",
];

const FIELDS: &[&str] = &[
    "Host: a.b\r\n",
    "host:a.b:80 \r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: keep-alive\r\n",
    "Connection: close, x-a\r\n",
    "Connection: Upgrade, TE\r\n",
    "Upgrade: websocket\r\n",
    "TE: trailers\r\n",
    "X-A: 1\r\n",
    "X-B:2\r\n",
    "X-C: \r\n",
    "X-D:\t  d e \t\r\n",
    "Expect: 100-continue\r\n",
    "Cookie: a=b; c=d\r\n",
    "Keep-Alive: 5\r\n",
    "X-Forwarded-For: 1.2.3.4\r\n",
    "Accept: \u{e9}\r\n",
    "Via: 1.1 x\r\n",
];

const BODIES: &[&str] = &[
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=\"b\"\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
    "0\r\n\r\n",
    "A\r\n0123456789\r\n00\r\nETag:x\r\n\r\n",
];

const EVIL: &[&str] = &[
    "\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0",
    "\x7f",
    "chunked",
    "Content-Length: 5\r\n",
    "Host: x\r\n",
    "Transfer-Encoding: chunked\r\n",
    "#",
    "%",
    "\"",
    "\\",
    "+",
    "-",
    "0x",
    "HTTP/1.1",
    "\u{ff}",
];

/// A message put together from sound parts; whether they fit each other is left to chance.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let host = prop_oneof![4 => Just(FIELDS[0]), 1 => select(FIELDS)];
    let framing = prop_oneof![4 => select(&FIELDS[2..5]), 1 => select(FIELDS)];
    (
        select(LINES),
        host,
        framing,
        vec(select(&FIELDS[5..]), 0..5),
        select(BODIES),
        select(EVIL),
    )
        .prop_map(|(line, host, framing, fields, body, after)| {
            let text = [line, host, framing, &fields.concat(), "\r\n", body, after].concat();
            text.into_bytes()
        })
}

/// One change at a relative place: a byte replaced, removed, or something put in.
fn damage() -> impl Strategy<Value = (prop::sample::Index, u8, Option<&'static str>)> {
    (
        any::<prop::sample::Index>(),
        any::<u8>(),
        prop::option::of(select(EVIL)),
    )
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (message(), vec(damage(), 0..3)).prop_map(|(mut bytes, changes)| {
        for (place, byte, text) in changes {
            let at = place.index(bytes.len());
            match text {
                Some(text) => drop(bytes.splice(at..at, text.bytes())),
                None if byte < 64 => drop(bytes.remove(at)),
                None => bytes[at] = byte,
            }
        }
        bytes
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => damaged(), 1 => vec(any::<u8>(), 0..200), 1 => select(BODIES).prop_map(|body| body.as_bytes().to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_request_head(bytes in bytes(), steps in vec(any::<u8>(), 0..4)) {
        http1::any_split_gives_the_same_request_head(&bytes, &steps);
    }

    #[test]
    fn any_split_gives_the_same_response_head(bytes in bytes(), steps in vec(any::<u8>(), 0..4)) {
        http1::any_split_gives_the_same_response_head(&bytes, &steps);
    }

    #[test]
    fn any_split_gives_the_same_body(bytes in bytes(), steps in vec(any::<u8>(), 0..4)) {
        http1::any_split_gives_the_same_body(&bytes, &steps);
    }

    #[test]
    fn requests_are_forwarded_with_their_meaning(bytes in bytes()) {
        http1::requests_are_forwarded_with_their_meaning(&bytes);
    }

    #[test]
    fn responses_are_forwarded_with_their_meaning(bytes in bytes()) {
        http1::responses_are_forwarded_with_their_meaning(&bytes);
    }
}

#[test]
fn heads_at_their_limits_are_the_same_in_any_split() {
    for length in 90..140 {
        let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length));
        http1::any_split_gives_the_same_request_head(target.as_bytes(), &[]);
        let broken = format!("GET /{}# HTTP/1.1\r\n", "a".repeat(length));
        http1::any_split_gives_the_same_request_head(broken.as_bytes(), &[]);
    }
    for length in 990..1030 {
        for end in ["\r\n\r\n", "\0", "\r\n"] {
            let request = format!("GET / HTTP/1.1\r\nHost: {}{end}", "a".repeat(length));
            http1::any_split_gives_the_same_request_head(request.as_bytes(), &[]);
            let response = format!("HTTP/1.1 200 OK\r\nA: {}{end}", "a".repeat(length));
            http1::any_split_gives_the_same_response_head(response.as_bytes(), &[]);
        }
    }
}
