//! Response heads by the sections of RFC 9112: bytes, and what becomes of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_http1::{BodyFraming, Limits, Method, Reject, ResponseHead, Version};

fn parse(bytes: &[u8], method: Method) -> Result<ResponseHead, Reject> {
    let mut head = ResponseHead::new();
    match head.parse(bytes, &Limits::default(), method)? {
        Some(length) => {
            assert_eq!(length, bytes.len(), "the head is all there is");
            Ok(head)
        }
        None => panic!("unfinished: {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn accept(bytes: &str) -> ResponseHead {
    parse(bytes.as_bytes(), Method::Get)
        .unwrap_or_else(|reject| panic!("{bytes:?} is refused: {reject:?}"))
}

fn refuse(bytes: impl AsRef<[u8]>, expected: Reject) {
    let bytes = bytes.as_ref();
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(parse(bytes, Method::Get).err(), Some(expected), "{text:?}");
}

/// A response of this status and with these fields.
fn with(status: u16, fields: &str) -> String {
    format!("HTTP/1.1 {status} Text\r\nX: y\r\n{fields}\r\n\r\n")
}

#[test]
fn rfc9112_4_status_lines() {
    let bytes = "HTTP/1.1 404 Not \u{e9}\tFound\r\n\r\n";
    let head = accept(bytes);
    assert_eq!((head.status(), head.version()), (404, Version::Http11));
    assert_eq!(
        head.reason().of(bytes.as_bytes()),
        "Not \u{e9}\tFound".as_bytes()
    );
    assert_eq!(accept("HTTP/1.0 200 OK\r\n\r\n").version(), Version::Http10);
}

#[test]
fn rfc9112_4_a_reason_may_be_missing_with_or_without_its_space() {
    for bytes in ["HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200\r\n\r\n"] {
        let head = accept(bytes);
        assert_eq!(
            (head.status(), head.reason().is_empty()),
            (200, true),
            "{bytes:?}"
        );
    }
}

#[test]
fn rfc9112_4_bad_status_lines_are_refused() {
    for bytes in [
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1\t200 OK\r\n",
        "HTTP/1.1 200\tOK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "http/1.1 200 OK\r\n",
        " HTTP/1.1 200 OK\r\n",
        "\r\nHTTP/1.1 200 OK\r\n",
        "ICY 200 OK\r\n",
        "HTTP/1.1 +20 OK\r\n",
        "HTTP/11 200 OK\r\n",
        "<html>",
        "HTTP/1.1 200 O\0K\r\n",
        "HTTP/1.1 200-OK\r\n",
        "HTTP/1.1\r\n",
    ] {
        refuse(bytes, Reject::StatusLineInvalid);
    }
    for bytes in [
        "HTTP/1.1 099 Low\r\n",
        "HTTP/1.1 600 High\r\n",
        "HTTP/1.1 000 \r\n",
        "HTTP/1.1 999 \r\n",
    ] {
        refuse(bytes, Reject::StatusOutOfRange);
    }
    for bytes in [
        "HTTP/2.0 200 OK\r\n",
        "HTTP/1.2 200 OK\r\n",
        "HTTP/0.9 200 OK\r\n",
    ] {
        refuse(bytes, Reject::StatusVersion);
    }
    refuse("HTTP/1.1 200 OK\n\n", Reject::BareLf);
    refuse("HTTP/1.1 200\n\n", Reject::BareLf);
    refuse("HTTP/1.1 200 OK\rX", Reject::BareCr);
}

#[test]
fn rfc9112_4_a_head_may_come_in_any_pieces() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let mut head = ResponseHead::new();
    for end in 0..38 {
        assert_eq!(
            head.parse(&bytes[..end], &Limits::default(), Method::Get),
            Ok(None),
            "{end} bytes"
        );
    }
    assert_eq!(
        head.parse(bytes, &Limits::default(), Method::Get),
        Ok(Some(38))
    );
    assert_eq!(head.framing(), BodyFraming::Length(2));
}

#[test]
fn rfc9112_5_fields_are_as_strict_as_in_requests() {
    for (line, reject) in [
        ("A: b\r\n c", Reject::LineFolding),
        ("A : b", Reject::NameSpace),
        (": b", Reject::NameEmpty),
        ("A", Reject::ColonMissing),
        ("A(: b", Reject::NameInvalid),
        ("A: \0", Reject::ControlCharacter),
        ("A: b\nC: d", Reject::BareLf),
        ("A: b\rC: d", Reject::BareCr),
        ("Connection: content-length", Reject::ConnectionForbidden),
        ("Connection: a b", Reject::ConnectionInvalid),
    ] {
        refuse(with(200, line), reject);
    }
    refuse("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", Reject::LeadingSpace);
    let mut head = ResponseHead::new();
    let limits = Limits {
        head_bytes: 32,
        fields: 1,
        ..Limits::default()
    };
    let over = b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    assert_eq!(
        head.parse(over, &limits, Method::Get),
        Err(Reject::FieldsTooMany)
    );
    let long = b"HTTP/1.1 200 a reason without an end";
    assert_eq!(
        head.parse(long, &limits, Method::Get),
        Err(Reject::HeadTooLarge)
    );
}

#[test]
fn rfc9112_6_3_framing_conflicts_are_refused() {
    for (fields, reject) in [
        (
            "Content-Length: 3\r\nContent-Length: 3",
            Reject::ContentLengthRepeated,
        ),
        ("Content-Length: 3, 3", Reject::ContentLengthList),
        ("Content-Length: +3", Reject::ContentLengthInvalid),
        (
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            Reject::ContentLengthWithTransferEncoding,
        ),
        (
            "Transfer-Encoding: gzip, chunked",
            Reject::TransferEncodingUnknown,
        ),
        (
            "Transfer-Encoding: identity",
            Reject::TransferEncodingInvalid,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            Reject::TransferEncodingRepeated,
        ),
    ] {
        refuse(with(200, fields), reject);
        assert_eq!(
            parse(with(200, fields).as_bytes(), Method::Head).err(),
            Some(reject),
            "{fields}, to HEAD"
        );
    }
    refuse(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        Reject::TransferEncodingVersion,
    );
}

#[test]
fn rfc9112_6_3_bodies_of_responses() {
    assert_eq!(
        accept(&with(200, "Content-Length: 7")).framing(),
        BodyFraming::Length(7)
    );
    assert_eq!(
        accept(&with(200, "Transfer-Encoding: chunked")).framing(),
        BodyFraming::Chunked
    );
    assert_eq!(
        accept(&with(200, "A: b")).framing(),
        BodyFraming::UntilClose
    );
    assert_eq!(
        accept("HTTP/1.0 200 OK\r\n\r\n").framing(),
        BodyFraming::UntilClose
    );
    assert_eq!(
        accept(&with(302, "Content-Length: 0")).framing(),
        BodyFraming::Length(0)
    );
}

#[test]
fn rfc9112_6_3_some_responses_never_have_a_body() {
    for (status, method) in [
        (100, Method::Get),
        (101, Method::Get),
        (103, Method::Get),
        (204, Method::Get),
        (304, Method::Get),
        (200, Method::Head),
        (200, Method::Connect),
    ] {
        let head = parse(with(status, "Content-Length: 7").as_bytes(), method).unwrap();
        assert_eq!(head.framing(), BodyFraming::None, "{status} to {method:?}");
        assert_eq!(head.content_length(), Some(7), "kept as information");
    }
    for (status, method) in [(304, Method::Get), (200, Method::Head)] {
        let head = parse(
            with(status, "Transfer-Encoding: chunked").as_bytes(),
            method,
        )
        .unwrap();
        assert_eq!(head.framing(), BodyFraming::None, "{status} to {method:?}");
    }
    let failed = parse(with(403, "Content-Length: 7").as_bytes(), Method::Connect).unwrap();
    assert_eq!(
        failed.framing(),
        BodyFraming::Length(7),
        "a refused CONNECT opens no tunnel"
    );
}

#[test]
fn rfc9112_6_1_a_transfer_encoding_without_a_body_is_refused() {
    for status in [100, 101, 103, 204] {
        refuse(
            with(status, "Transfer-Encoding: chunked"),
            Reject::TransferEncodingWithoutBody,
        );
    }
}

#[test]
fn rfc9112_9_3_persistence_of_servers() {
    let keeps = |bytes: &str| accept(bytes).keep_alive();
    assert!(keeps(&with(200, "Content-Length: 0")));
    assert!(!keeps(&with(200, "Content-Length: 0\r\nConnection: close")));
    assert!(!keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(keeps(
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    ));
    assert!(
        !keeps(&with(200, "A: b")),
        "a body that ends by closing ends the connection"
    );
}

#[test]
fn rfc9110_15_2_interim_responses() {
    for (status, interim) in [
        (100, true),
        (102, true),
        (103, true),
        (199, true),
        (101, false),
        (200, false),
    ] {
        assert_eq!(
            accept(&with(status, "A: b")).is_interim(),
            interim,
            "{status}"
        );
    }
}

#[test]
fn rfc9110_7_8_a_switch_names_its_protocol() {
    let bytes = with(101, "Connection: Upgrade\r\nUpgrade: websocket");
    let head = accept(&bytes);
    assert_eq!(head.upgrade().unwrap().of(bytes.as_bytes()), b"websocket");
    assert!(accept(&with(101, "Upgrade: websocket")).upgrade().is_none());
}

#[test]
fn rfc9110_7_6_1_servers_may_name_transfer_encoding() {
    let head = accept(&with(
        200,
        "Connection: keep-alive, Transfer-Encoding\r\nTransfer-Encoding: chunked",
    ));
    assert_eq!(head.framing(), BodyFraming::Chunked);
    assert!(head.has_nominated());
}
