//! RFC 9112, responses: a server's answer is read as strictly as a client's request.

use crate::rows::{Gets, responses};
use portcullis_harness::{Origin, Proxy};

#[test]
fn rfc9112_4_malformed_status_lines_become_502() {
    responses(&[
        ("garbage", b"hello\r\n\r\n", Gets::Status(502)),
        (
            "another protocol",
            b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "status of two digits",
            b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "status of four digits",
            b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "status 000",
            b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "version 2",
            b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        ("nothing at all", b"", Gets::Status(502)),
        (
            "half a head",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            Gets::Status(502),
        ),
        (
            "bare LF",
            b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "control in the reason",
            b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
    ]);
}

#[test]
fn rfc9112_5_malformed_response_fields_become_502() {
    responses(&[
        (
            "space before the colon",
            b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "folding",
            b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "NUL",
            b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "no colon",
            b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n",
            Gets::Status(502),
        ),
    ]);
    let long = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(200_000)
    );
    responses(&[("head over its limit", long.as_bytes(), Gets::Status(502))]);
}

#[test]
fn rfc9112_6_3_framing_conflicts_become_502() {
    responses(&[
        (
            "length and coding",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            Gets::Status(502),
        ),
        (
            "length list",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
            Gets::Status(502),
        ),
        (
            "signed length",
            b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
            Gets::Status(502),
        ),
        (
            "unknown coding",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
            Gets::Status(502),
        ),
        (
            "coding on 1.0",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Gets::Status(502),
        ),
    ]);
}

#[test]
fn rfc9112_8_incomplete_messages_are_visibly_cut() {
    responses(&[
        (
            "short of its length",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            Gets::Cut,
        ),
        (
            "no last chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            Gets::Cut,
        ),
        (
            "inside a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
            Gets::Cut,
        ),
    ]);
}

#[test]
fn rfc9112_7_1_bad_chunks_of_a_server_never_look_whole() {
    let bad: [&[u8]; 5] = [
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"zz\r\n",
        b"3\r\nabc\r\n0\r\nContent-Length: 1\r\n\r\n",
    ];
    for chunks in bad {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        bytes.extend_from_slice(chunks);
        let origin = Origin::saying(bytes);
        let proxy = Proxy::before(&origin);
        let mut client = proxy.connect("web");
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        // Closed without a byte is a visible cut, too.
        let Some(response) = client.try_response_to("GET").unwrap() else {
            continue;
        };
        let shown = String::from_utf8_lossy(chunks);
        assert!(
            response.truncated || response.status == 502,
            "{shown:?} became a whole {}",
            response.status
        );
    }
}

#[test]
fn rfc9112_6_3_responses_without_a_body_have_none() {
    let origin = Origin::answering(|request| match request.target.as_str() {
        "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/304" => {
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: \"x\"\r\n\r\n".to_vec()
        }
        "/head" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_vec(),
        _ => portcullis_harness::ok("fine"),
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/204").status, 204);
    assert_eq!(client.get("a", "/304").status, 304);
    client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to("HEAD");
    assert_eq!(
        (head.status, head.fields.one("content-length")),
        (200, Some("100"))
    );
    assert_eq!(
        client.get("a", "/").text(),
        "fine",
        "the connection is still in step"
    );
}

#[test]
fn rfc9112_6_3_a_body_until_close_becomes_chunked_for_11() {
    let origin = Origin::saying("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let proxy = Proxy::before(&origin);
    let response = proxy.connect("web").get("a", "/");
    assert_eq!(response.fields.one("transfer-encoding"), Some("chunked"));
    assert_eq!(
        (response.text().as_str(), response.truncated),
        ("until the end", false)
    );
}

#[test]
fn rfc9112_6_3_a_chunked_body_becomes_until_close_for_10() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()
    });
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert!(!response.fields.has("transfer-encoding"));
    assert_eq!(response.text(), "abc");
}

#[test]
fn rfc9112_9_2_bytes_after_a_response_never_reach_another_client() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray");
            peer.wait_closed();
        }
    });
    let proxy = Proxy::before(&origin);
    for _ in 0..5 {
        assert_eq!(proxy.connect("web").get("a", "/").text(), "one");
    }
    assert_eq!(
        origin.connections(),
        5,
        "a connection with stray bytes is not used again"
    );
}

#[test]
fn rfc9112_7_1_a_bad_first_chunk_of_a_server_is_502() {
    responses(&[
        (
            "sign",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
            Gets::Status(502),
        ),
        (
            "bare LF",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
            Gets::Status(502),
        ),
    ]);
}
