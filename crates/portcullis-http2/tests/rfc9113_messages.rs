//! RFC 9113 section 8 and RFC 8441: requests, responses, trailers. Cases as h2spec groups them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{Cause, ErrorCode, Event, Over, Protocol, Read, Refusal, Scheme, Settings};
use support::*;

type Fields<'a> = &'a [(&'static str, &'static str)];

/// What becomes of a request of these fields.
fn request(fields: Fields<'_>) -> Result<String, Refusal> {
    let mut peer = Peer::of_server();
    peer.send(&frame(HEADERS, WHOLE, 1, &block(fields)));
    let outcome = match peer.events.first() {
        Some(Event::Head(_)) => return Ok(peer.text(1).to_owned()),
        Some(Event::Refused { stream: 1, refusal }) => Err(*refusal),
        other => panic!("{other:?}"),
    };
    peer.expect_reset(1, ErrorCode::PROTOCOL_ERROR, "a malformed request");
    peer.expect_alive("other streams go on");
    outcome
}

fn with(changes: Fields<'_>) -> Vec<(&'static str, &'static str)> {
    let mut fields = GET.to_vec();
    fields.extend_from_slice(changes);
    fields
}

fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    let kept = GET.iter().filter(|(n, _)| *n != name);
    kept.copied().collect()
}

fn replaced(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let put = |&(n, v): &(&'static str, &'static str)| (n, if n == name { value } else { v });
    GET.iter().map(put).collect()
}

#[test]
fn section_8_2_1_names_and_values() {
    for (field, refusal) in [
        (("X-Test", "ok"), Refusal::NameInvalid),
        (("x test", "ok"), Refusal::NameInvalid),
        (("", "ok"), Refusal::NameInvalid),
        (("x:test", "ok"), Refusal::NameInvalid),
        (("x-test", "a\r\nb: c"), Refusal::ValueInvalid),
        (("x-test", "a\0"), Refusal::ValueInvalid),
        (("x-test", " a"), Refusal::ValueInvalid),
        (("x-test", "a\t"), Refusal::ValueInvalid),
    ] {
        assert_eq!(request(&with(&[field])), Err(refusal), "{field:?}");
    }
}

#[test]
fn section_8_2_2_fields_of_http_1_connections() {
    for field in [
        ("connection", "keep-alive"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "trailers, deflate"),
        ("te", "gzip"),
    ] {
        assert_eq!(
            request(&with(&[field])),
            Err(Refusal::FieldForbidden),
            "{field:?}"
        );
    }
    let text = request(&with(&[("te", "trailers")])).unwrap();
    assert!(text.ends_with("\r\nte: trailers\r\n\r\n"));
}

#[test]
fn section_8_2_3_crumbs_of_cookies_are_joined_in_order() {
    let fields = with(&[
        ("cookie", "a=1"),
        ("x", "y"),
        ("cookie", "b=2"),
        ("cookie", "c=3"),
    ]);
    assert_eq!(
        request(&fields).unwrap(),
        "GET / HTTP/1.1\r\nhost: a.example\r\nx: y\r\ncookie: a=1; b=2; c=3\r\n\r\n"
    );
}

#[test]
fn section_8_3_pseudo_fields() {
    for (fields, refusal) in [
        (with(&[(":test", "ok")]), Refusal::PseudoUnknown),
        (with(&[(":status", "200")]), Refusal::PseudoUnknown),
        (with(&[("x", "y"), (":protocol", "z")]), Refusal::PseudoLate),
        (with(&[(":method", "GET")]), Refusal::PseudoRepeated),
        (with(&[(":path", "/")]), Refusal::PseudoRepeated),
        (with(&[(":scheme", "http")]), Refusal::PseudoRepeated),
        (
            with(&[(":authority", "a.example")]),
            Refusal::PseudoRepeated,
        ),
        (without(":method"), Refusal::PseudoMissing),
        (without(":scheme"), Refusal::PseudoMissing),
        (without(":path"), Refusal::PseudoMissing),
        (vec![], Refusal::PseudoMissing),
        (replaced(":path", ""), Refusal::PathInvalid),
        (replaced(":path", "a"), Refusal::PathInvalid),
        (replaced(":path", "*"), Refusal::PathInvalid),
        (replaced(":path", "/a b"), Refusal::PathInvalid),
        (replaced(":path", "/ HTTP/1.1"), Refusal::PathInvalid),
        (replaced(":path", "/\r\nx: y"), Refusal::ValueInvalid),
        (replaced(":path", "/\u{e4}"), Refusal::PathInvalid),
        (replaced(":method", "GET /"), Refusal::MethodInvalid),
        (replaced(":method", ""), Refusal::MethodInvalid),
        (replaced(":scheme", "ftp"), Refusal::SchemeInvalid),
        (replaced(":authority", "a\r\nx: y"), Refusal::ValueInvalid),
    ] {
        assert_eq!(request(&fields), Err(refusal), "{fields:?}");
    }
    let options = [
        (":method", "OPTIONS"),
        (":scheme", "https"),
        (":path", "*"),
        (":authority", "a"),
    ];
    assert_eq!(
        request(&options).unwrap(),
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"
    );
}

#[test]
fn section_8_3_1_authority_and_host_agree() {
    let host = |authority: &'static str, host: &'static str| {
        let mut fields = replaced(":authority", authority);
        fields.push(("host", host));
        request(&fields)
    };
    for (authority, value) in [
        ("a.example", "a.example"),
        ("A.example", "a.EXAMPLE:80"),
        ("a:80", "a"),
    ] {
        let text = host(authority, value).unwrap();
        assert_eq!(text, format!("GET / HTTP/1.1\r\nhost: {authority}\r\n\r\n"));
    }
    for value in [
        "b.example",
        "a.example:443",
        "",
        "a.example, b",
        "u@a.example",
    ] {
        assert_eq!(
            host("a.example", value),
            Err(Refusal::AuthorityMismatch),
            "{value}"
        );
    }
    assert_eq!(host("u@a", "a"), Err(Refusal::AuthorityInvalid));
    let mut fields = without(":authority");
    fields.push(("host", "only.example"));
    assert_eq!(
        request(&fields).unwrap(),
        "GET / HTTP/1.1\r\nhost: only.example\r\n\r\n"
    );
    fields.push(("host", "only.example"));
    assert_eq!(request(&fields), Err(Refusal::HostRepeated));
}

#[test]
fn section_8_5_connect_names_only_where_to() {
    let connect = [(":method", "CONNECT"), (":authority", "a.example:443")];
    assert_eq!(
        request(&connect).unwrap(),
        "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n"
    );
    assert_eq!(
        request(&replaced(":method", "CONNECT")),
        Err(Refusal::PseudoForbidden)
    );
    assert_eq!(request(&connect[..1]), Err(Refusal::PseudoMissing));
    let spaced = [(":method", "CONNECT"), (":authority", "a b")];
    assert_eq!(request(&spaced), Err(Refusal::AuthorityInvalid));
}

#[test]
fn rfc8441_section_4_extended_connect_is_an_upgrade() {
    let mut fields = replaced(":method", "CONNECT");
    fields.push((":protocol", "websocket"));
    fields.push(("sec-websocket-version", "13"));
    fields.push(("sec-websocket-key", "ignored"));
    let mut peer = Peer::of_server();
    peer.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)));
    assert_eq!(
        peer.text(1),
        "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n"
    );
    assert_eq!(peer.info(1).protocol, Some(Protocol::WebSocket));
    let head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n";
    let id = peer.id(1);
    peer.connection.send_head(id, head, false).unwrap();
    peer.poll();
    assert_eq!(peer.sent[0].payload, [0x88], "200 and nothing else");

    fields[4].1 = "web socket";
    assert_eq!(request(&fields), Err(Refusal::ProtocolInvalid));
    fields[4].1 = "websocket";
    fields[0].1 = "GET";
    assert_eq!(request(&fields), Err(Refusal::ProtocolInvalid));
}

#[test]
fn section_8_1_1_data_agrees_with_content_length() {
    let post = |length: &'static str, flags| {
        let fields = [
            &[(":method", "POST")],
            &GET[1..],
            &[("content-length", length)],
        ]
        .concat();
        frame(HEADERS, END_HEADERS | flags, 1, &block(&fields))
    };
    let data = |flags, bytes: &[u8]| frame(DATA, flags, 1, bytes);
    for (case, frames) in [
        ("more", vec![post("1", 0), data(END_STREAM, b"test")]),
        (
            "more, in two",
            vec![post("5", 0), data(0, b"test"), data(END_STREAM, b"test")],
        ),
        ("less", vec![post("5", 0), data(END_STREAM, b"test")]),
        ("none", vec![post("5", 0), data(END_STREAM, b"")]),
        (
            "trailers too early",
            vec![
                post("5", 0),
                frame(HEADERS, WHOLE, 1, &block(&[("x", "y")])),
            ],
        ),
    ] {
        let mut peer = Peer::of_server();
        for bytes in frames {
            peer.send(&bytes);
        }
        peer.expect_reset(1, ErrorCode::PROTOCOL_ERROR, case);
        let cause = Cause::Malformed(Refusal::ContentLengthMismatch);
        assert_eq!(peer.connection.reset_cause(peer.id(1)), Some(cause));
        let read = peer.connection.receive_state(peer.id(1));
        assert_eq!(
            read,
            Read::Reset(ErrorCode::PROTOCOL_ERROR),
            "{case}: it is never seen as whole"
        );
    }
    let fields = [GET, &[("content-length", "5")]].concat();
    assert_eq!(request(&fields), Err(Refusal::ContentLengthMismatch));
    for length in ["+5", "5, 5", "", "0x1", "9999999999999999999"] {
        let fields = [GET, &[("content-length", length)]].concat();
        assert_eq!(
            request(&fields),
            Err(Refusal::ContentLengthInvalid),
            "{length}"
        );
    }
    let fields = [GET, &[("content-length", "0"), ("content-length", "0")]].concat();
    assert_eq!(request(&fields), Err(Refusal::ContentLengthInvalid));
}

#[test]
fn section_8_1_trailers_end_the_stream_and_are_fields() {
    for (case, flags, fields, refusal) in [
        (
            "not the end",
            END_HEADERS,
            [("x", "y")],
            Refusal::TrailersWithoutEnd,
        ),
        ("pseudo", WHOLE, [(":path", "/")], Refusal::PseudoLate),
        (
            "framing",
            WHOLE,
            [("content-length", "1")],
            Refusal::TrailerForbidden,
        ),
        ("routing", WHOLE, [("host", "b")], Refusal::TrailerForbidden),
        (
            "hop",
            WHOLE,
            [("transfer-encoding", "chunked")],
            Refusal::FieldForbidden,
        ),
        ("name", WHOLE, [("X", "y")], Refusal::NameInvalid),
        ("value", WHOLE, [("x", "y\nz")], Refusal::ValueInvalid),
    ] {
        let mut peer = Peer::of_server();
        peer.send(&post(1))
            .send(&frame(HEADERS, flags, 1, &block(&fields)));
        peer.expect_reset(1, ErrorCode::PROTOCOL_ERROR, case);
        assert_eq!(
            peer.connection.reset_cause(peer.id(1)),
            Some(Cause::Malformed(refusal)),
            "{case}"
        );
    }
    let mut peer = Peer::of_server();
    peer.send(&post(1)).send(&frame(DATA, NONE, 1, b"x"));
    peer.send(&frame(
        HEADERS,
        WHOLE,
        1,
        &block(&[("x-sum", "1"), ("etag", "\"a\"")]),
    ));
    let (id, mut lines) = (peer.id(1), Vec::new());
    assert_eq!(peer.connection.read(id, &mut [0; 9]), Read::Data(1));
    assert_eq!(peer.connection.read(id, &mut [0; 9]), Read::End);
    assert!(peer.connection.take_trailers(id, &mut lines));
    assert_eq!(lines, b"x-sum: 1\r\netag: \"a\"\r\n");
}

#[test]
fn section_10_5_1_a_head_over_a_limit_is_shown_as_such() {
    let settings = Settings {
        header_list: 1000,
        header_fields: 20,
        ..Settings::default()
    };
    let many: Vec<_> = GET
        .iter()
        .copied()
        .chain((0..30).map(|_| ("x", "y")))
        .collect();
    let large = "v".repeat(120);
    let wide: Vec<_> = GET
        .iter()
        .copied()
        .chain((0..9).map(|_| ("x", large.as_str())))
        .collect();
    for (fields, over) in [(many, Over::Fields), (wide, Over::Bytes)] {
        let mut peer = Peer::of_server_with(&settings);
        peer.send(&frame(HEADERS, WHOLE, 1, &block(&fields)));
        assert_eq!(peer.info(1).over, Some(over));
        assert!(peer.text(1).starts_with("GET / HTTP/1.1\r\n") && peer.text(1).len() < 1100);
        assert!(peer.text(1).ends_with("\r\n\r\n"));
        peer.send(&get(3));
        assert_eq!(peer.info(3).over, None, "the next is read as ever");
    }
}

#[test]
fn section_8_3_1_the_scheme_and_the_end_are_told() {
    let mut peer = Peer::of_server();
    peer.send(&get(1)).send(&frame(
        HEADERS,
        END_HEADERS,
        3,
        &block(&replaced(":scheme", "HTTPS")),
    ));
    assert_eq!(
        (peer.info(1).scheme, peer.info(1).end_stream),
        (Some(Scheme::Http), true)
    );
    assert_eq!(
        (peer.info(3).scheme, peer.info(3).end_stream),
        (Some(Scheme::Https), false)
    );
}

// ---- responses ----

fn response(fields: Fields<'_>, flags: u8) -> (Peer, portcullis_http2::StreamId) {
    let mut peer = Peer::of_client(&[]);
    let id = peer.open("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true);
    peer.send(&frame(HEADERS, END_HEADERS | flags, 1, &block(fields)));
    (peer, id)
}

#[test]
fn section_8_3_2_status() {
    for (fields, refusal) in [
        (vec![("x", "y")], Refusal::PseudoMissing),
        (vec![(":status", "20")], Refusal::StatusInvalid),
        (vec![(":status", "2000")], Refusal::StatusInvalid),
        (vec![(":status", "abc")], Refusal::StatusInvalid),
        (vec![(":status", "600")], Refusal::StatusInvalid),
        (vec![(":status", "101")], Refusal::StatusInvalid),
        (
            vec![(":status", "200"), (":status", "200")],
            Refusal::PseudoRepeated,
        ),
        (
            vec![(":status", "200"), (":path", "/")],
            Refusal::PseudoUnknown,
        ),
        (
            vec![(":status", "200"), ("connection", "close")],
            Refusal::FieldForbidden,
        ),
        (
            vec![(":status", "200"), ("x", "a\r\nb")],
            Refusal::ValueInvalid,
        ),
        (vec![(":status", "100")], Refusal::InterimEnds),
        (
            vec![(":status", "200"), ("content-length", "3")],
            Refusal::ContentLengthMismatch,
        ),
    ] {
        let (peer, id) = response(&fields, END_STREAM);
        let reset = Event::Reset(id, Cause::Malformed(refusal));
        assert_eq!(peer.events.last(), Some(&reset), "{fields:?}");
        peer.expect_reset(1, ErrorCode::PROTOCOL_ERROR, "a malformed response");
    }
}

#[test]
fn section_8_1_responses_without_content_may_tell_its_length() {
    let (peer, id) = response(&[(":status", "304"), ("content-length", "3")], END_STREAM);
    assert_eq!(peer.connection.receive_state(id), Read::End);
    let mut peer = Peer::of_client(&[]);
    let id = peer.open("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", true);
    peer.send(&frame(
        HEADERS,
        WHOLE,
        1,
        &block(&[(":status", "200"), ("content-length", "3")]),
    ));
    assert_eq!(peer.connection.receive_state(id), Read::End);
    assert_eq!(peer.text(1), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
}

#[test]
fn section_8_1_data_before_the_head_and_heads_without_end_are_refused() {
    let mut peer = Peer::of_client(&[]);
    peer.open("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true);
    peer.send(&frame(DATA, NONE, 1, b"x"));
    peer.expect_reset(1, ErrorCode::PROTOCOL_ERROR, "data first");
    let mut peer = Peer::of_client(&[]);
    peer.open("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true);
    let interim = frame(HEADERS, END_HEADERS, 1, &block(&[(":status", "103")]));
    let many: Vec<u8> = (0..65).flat_map(|_| interim.clone()).collect();
    peer.send(&many);
    peer.expect_reset(
        1,
        ErrorCode::ENHANCE_YOUR_CALM,
        "too many interim heads at once",
    );
}
