//! RFC 9112, requests: what is refused, with which status, and what must be served.

use crate::rows::{accepted, refused};
use portcullis_harness::{Origin, Proxy};

#[test]
fn rfc9112_2_2_bare_line_feeds_and_controls_are_refused() {
    refused(&[
        (
            "bare LF ends the request line",
            b"GET / HTTP/1.1\nHost: a\r\n\r\n",
            400,
        ),
        (
            "bare LF ends a field line",
            b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            400,
        ),
        (
            "bare CR inside a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            400,
        ),
        (
            "bare CR inside the request line",
            b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "NUL in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            400,
        ),
        (
            "control in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
            400,
        ),
        (
            "DEL in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
            400,
        ),
        (
            "leading space on the request line",
            b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "space before the first field",
            b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_3_malformed_request_lines_are_refused() {
    refused(&[
        ("no version (HTTP/0.9)", b"GET /\r\n\r\n", 400),
        (
            "two spaces before the target",
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "tab for a space",
            b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "raw space in the target",
            b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "high byte in the target",
            b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "fragment in the target",
            b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "backslash in the target",
            b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        ("illegal method", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("empty method", b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "lower-case version",
            b"GET / http/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        ("garbage version", b"GET / HTTX/1.1\r\nHost: a\r\n\r\n", 400),
        ("relative target", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "TLS hello on a plain port",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_2_3_unknown_versions_get_505() {
    refused(&[
        ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("HTTP/3.0", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    ]);
}

#[test]
fn rfc9112_3_2_host_must_be_there_once_and_sound() {
    refused(&[
        ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
        (
            "two Hosts",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            400,
        ),
        ("empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (
            "Host with a path",
            b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            400,
        ),
        (
            "Host with a user",
            b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
            400,
        ),
        (
            "Host with a space",
            b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            400,
        ),
        (
            "Host with a bad port",
            b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
            400,
        ),
        (
            "Host with a word for a port",
            b"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n",
            400,
        ),
        (
            "two hosts in one",
            b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            400,
        ),
        (
            "unclosed IPv6",
            b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
            400,
        ),
    ]);
    accepted(&[
        (
            "with a port",
            b"GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
        ),
        ("IPv6", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
        ("upper case", b"GET / HTTP/1.1\r\nHOST: A.Example\r\n\r\n"),
        ("none on 1.0", b"GET / HTTP/1.0\r\n\r\n"),
    ]);
}

#[test]
fn rfc9112_3_2_2_absolute_form_must_agree_with_host() {
    refused(&[
        (
            "another host",
            b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "another port",
            b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "user information",
            b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "another scheme",
            b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "authority-form with GET",
            b"GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            400,
        ),
        (
            "asterisk with GET",
            b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
    ]);
    accepted(&[
        ("the same", b"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("case", b"GET http://A/x HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "default port",
            b"GET http://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ]);
}

#[test]
fn rfc9112_3_2_2_absolute_form_goes_on_as_origin_form() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET http://a.example/x?y=1 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let seen = origin.request();
    assert_eq!(seen.target, "/x?y=1");
    assert_eq!(seen.fields.one("host"), Some("a.example"));
}

#[test]
fn rfc9112_5_field_lines_are_taken_strictly() {
    refused(&[
        (
            "space before the colon",
            b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            400,
        ),
        (
            "tab before the colon",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n",
            400,
        ),
        (
            "line folding",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
            400,
        ),
        (
            "no colon",
            b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
            400,
        ),
        (
            "empty name",
            b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            400,
        ),
        (
            "illegal name",
            b"GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n",
            400,
        ),
        (
            "high byte in a name",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\xe4: b\r\n\r\n",
            400,
        ),
    ]);
    accepted(&[
        ("empty value", b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"),
        (
            "no space after the colon",
            b"GET / HTTP/1.1\r\nHost:a\r\nX:b\r\n\r\n",
        ),
        (
            "tabs around a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX:\tb\t\r\n\r\n",
        ),
        (
            "high bytes in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n",
        ),
    ]);
}

#[test]
fn rfc9112_6_1_transfer_coding_is_exactly_one_chunked() {
    refused(&[
        ("with a length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("with a length, other order", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        ("twice", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("chunked twice in a list", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        ("chunked not last", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        ("empty", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400),
        ("quoted", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
        ("on HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("unknown coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("unknown word", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ]);
}

#[test]
fn rfc9112_6_2_content_length_is_digits_once() {
    refused(&[
        (
            "differing",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            400,
        ),
        (
            "repeated",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            400,
        ),
        (
            "list",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
            400,
        ),
        (
            "plus",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
            400,
        ),
        (
            "minus",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na",
            400,
        ),
        (
            "hex",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na",
            400,
        ),
        (
            "inner space",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\na",
            400,
        ),
        (
            "empty",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
            400,
        ),
        (
            "overflow",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\na",
            400,
        ),
        (
            "fraction",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1.0\r\n\r\na",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_7_1_chunks_are_taken_strictly() {
    let origin = Origin::tcp(|peer| {
        while peer
            .request()
            .is_some_and(|_| peer.try_send(portcullis_harness::ok("x")).is_ok())
        {}
    });
    let proxy = Proxy::before(&origin);
    let rows: &[(&str, &[u8])] = &[
        ("plus", b"+1\r\na\r\n0\r\n\r\n"),
        ("minus", b"-1\r\na\r\n0\r\n\r\n"),
        ("prefix", b"0x1\r\na\r\n0\r\n\r\n"),
        ("space before", b" 1\r\na\r\n0\r\n\r\n"),
        ("space after", b"1 \r\na\r\n0\r\n\r\n"),
        ("overflow", b"11111111111111111\r\na\r\n0\r\n\r\n"),
        ("no digits", b"\r\na\r\n0\r\n\r\n"),
        ("not hexadecimal", b"g\r\na\r\n0\r\n\r\n"),
        ("bare LF after the size", b"1\na\r\n0\r\n\r\n"),
        ("bare LF after the data", b"1\r\na\n0\r\n\r\n"),
        ("bare CR in an extension", b"1;a\rb\r\na\r\n0\r\n\r\n"),
        ("bare LF in an extension", b"1;a\nb\r\na\r\n0\r\n\r\n"),
        ("data longer than its size", b"1\r\nab\r\n0\r\n\r\n"),
        ("bare LF ends the last chunk", b"1\r\na\r\n0\n\n"),
        (
            "framing in a trailer",
            b"1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n",
        ),
        (
            "coding in a trailer",
            b"1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("Host in a trailer", b"1\r\na\r\n0\r\nHost: b\r\n\r\n"),
        ("folded trailer", b"1\r\na\r\n0\r\nX: a\r\n b\r\n\r\n"),
    ];
    let mut wrong = Vec::new();
    for (what, body) in rows {
        let mut client = proxy.connect("web");
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        let _ = client.try_send(body);
        match client.try_response_to("POST") {
            Ok(Some(response)) if response.status == 400 => {}
            other => wrong.push(format!("{what}: {other:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "rows that were not refused:\n{}",
        wrong.join("\n")
    );
    assert_eq!(
        origin.count(),
        0,
        "no server is given a whole request for a body that is not whole: {:#?}",
        origin.requests()
    );
}

#[test]
fn rfc9112_7_1_1_over_long_chunk_extensions_are_refused() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let _ = client.try_send(format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(100_000)));
    assert_eq!(client.response().status, 400);
}

#[test]
fn rfc9112_7_1_chunked_requests_are_served() {
    accepted(&[
        ("plain", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        ("upper case", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        ("leading zeros", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0001\r\na\r\n000\r\n\r\n"),
        ("extension", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\"y\"\r\na\r\n0\r\n\r\n"),
        ("trailer", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"),
        ("nothing in it", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ]);
}

#[test]
fn rfc9112_3_limits_have_their_own_statuses() {
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9_000));
    let long_head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(120)
    );
    refused(&[
        ("target over its limit", long_target.as_bytes(), 414),
        ("head over its limit", long_head.as_bytes(), 431),
        ("too many fields", many.as_bytes(), 431),
    ]);
}

#[test]
fn rfc9112_2_2_one_empty_line_before_a_request_is_ignored() {
    accepted(&[("CRLF first", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")]);
}

#[test]
fn rfc9112_any_split_of_the_bytes_gives_the_same_result() {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let whole = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n";
    let mut first = None;
    for at in 1..whole.len() {
        let mut client = proxy.connect("web");
        client.send(&whole[..at]);
        client.send(&whole[at..]);
        let response = client.response();
        assert_eq!(response.status, 200, "split at {at}");
        let seen = origin.requests().pop().unwrap();
        let meaning = (seen.method, seen.target, seen.body, seen.trailers);
        assert_eq!(
            first.get_or_insert_with(|| meaning.clone()),
            &meaning,
            "split at {at}"
        );
    }
}
