//! RFC 9113 section 6 and 7: each type of frame. Cases as h2spec groups them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{Cause, ErrorCode, Event, Read, Refusal, Settings};
use support::*;

fn ends(case: &str, bytes: &[&[u8]], code: ErrorCode) {
    let mut peer = Peer::of_server();
    for part in bytes {
        peer.send(part);
    }
    peer.expect_end(code, case);
}

const PROTOCOL: ErrorCode = ErrorCode::PROTOCOL_ERROR;
const SIZE: ErrorCode = ErrorCode::FRAME_SIZE_ERROR;
const FLOW: ErrorCode = ErrorCode::FLOW_CONTROL_ERROR;

#[test]
fn section_6_1_data() {
    ends("stream 0", &[&frame(DATA, END_STREAM, 0, b"x")], PROTOCOL);
    ends(
        "padding",
        &[
            &post(1),
            &frame(DATA, END_STREAM | PADDED, 1, b"\x06test\0"),
        ],
        PROTOCOL,
    );
    ends(
        "no length of padding",
        &[&post(1), &frame(DATA, PADDED, 1, b"")],
        SIZE,
    );
    let mut peer = Peer::of_server();
    peer.send(&post(1));
    peer.send(&frame(DATA, END_STREAM | PADDED, 1, b"\x02ab\0\0"));
    let mut body = [0; 8];
    let id = peer.id(1);
    assert_eq!(peer.connection.read(id, &mut body), Read::Data(2));
    assert_eq!(&body[..2], b"ab");
    assert_eq!(peer.connection.read(id, &mut body), Read::End);
}

#[test]
fn section_6_2_headers() {
    ends(
        "stream 0",
        &[&frame(HEADERS, WHOLE, 0, &block(GET))],
        PROTOCOL,
    );
    ends(
        "padding",
        &[&frame(HEADERS, WHOLE | PADDED, 1, b"\x08abcdefg")],
        PROTOCOL,
    );
    ends(
        "no length of padding",
        &[&frame(HEADERS, WHOLE | PADDED, 1, b"")],
        SIZE,
    );
    ends(
        "half a priority",
        &[&frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &[0; 4])],
        SIZE,
    );
    let mut fragment = vec![3, 0x80, 0, 0, 5, 200];
    fragment.extend(block(GET));
    fragment.extend([0; 3]);
    let mut peer = Peer::of_server();
    peer.send(&frame(
        HEADERS,
        WHOLE | PADDED | WITH_PRIORITY,
        1,
        &fragment,
    ));
    assert_eq!(peer.text(1), "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
}

#[test]
fn section_6_3_priority() {
    ends(
        "stream 0",
        &[&frame(PRIORITY, NONE, 0, &[0, 0, 0, 1, 9])],
        PROTOCOL,
    );
    ends("length", &[&frame(PRIORITY, NONE, 1, &[0, 0, 0, 3])], SIZE);
}

#[test]
fn section_6_4_rst_stream() {
    ends(
        "stream 0",
        &[&frame(RST_STREAM, NONE, 0, &[0, 0, 0, 8])],
        PROTOCOL,
    );
    ends(
        "idle",
        &[&frame(RST_STREAM, NONE, 1, &[0, 0, 0, 8])],
        PROTOCOL,
    );
    ends(
        "length",
        &[&get(1), &frame(RST_STREAM, NONE, 1, &[0, 0, 8])],
        SIZE,
    );
    let mut peer = Peer::of_server();
    peer.send(&post(1)).send(&frame(DATA, NONE, 1, b"some"));
    peer.send(&frame(RST_STREAM, NONE, 1, &[0, 0, 0, 0xFF]));
    let id = peer.id(1);
    let reset = Event::Reset(id, Cause::Peer(ErrorCode(0xFF)));
    assert_eq!(
        peer.events.last(),
        Some(&reset),
        "also with a code that is not known"
    );
    assert_eq!(
        peer.connection.receive_state(id),
        Read::Reset(ErrorCode(0xFF))
    );
    assert_eq!(peer.connection.send_data(id, b"x"), 0);
}

#[test]
fn section_6_5_settings() {
    ends(
        "acknowledgement with a payload",
        &[&frame(SETTINGS, ACK, 0, &[0; 6])],
        SIZE,
    );
    ends(
        "acknowledgement of nothing",
        &[&frame(SETTINGS, ACK, 0, &[])],
        PROTOCOL,
    );
    ends(
        "a stream",
        &[&frame(SETTINGS, NONE, 1, &setting(3, 100))],
        PROTOCOL,
    );
    ends("length", &[&frame(SETTINGS, NONE, 0, &[0, 3, 0])], SIZE);
    for (case, name, value, code) in [
        ("push", 2, 2, PROTOCOL),
        ("window", 4, 0x8000_0000, FLOW),
        ("frame below 2^14", 5, 16_383, PROTOCOL),
        ("frame above 2^24 - 1", 5, 1 << 24, PROTOCOL),
        ("connect protocol", 8, 2, PROTOCOL),
    ] {
        ends(
            case,
            &[&frame(SETTINGS, NONE, 0, &setting(name, value))],
            code,
        );
    }
    let mut peer = Peer::of_server();
    peer.send(&frame(SETTINGS, NONE, 0, &setting(0xFF, 1)));
    peer.send(&frame(SETTINGS, NONE, 0, &setting(2, 1)));
    let acks = peer
        .sent
        .iter()
        .filter(|f| (f.kind, f.flags) == (SETTINGS, ACK));
    assert_eq!(acks.count(), 2);
    peer.expect_alive("unknown settings are ignored");
}

#[test]
fn section_6_5_2_a_server_may_not_enable_push_nor_take_connect_back() {
    let mut peer = Peer::of_client(&[]);
    peer.send(&frame(SETTINGS, NONE, 0, &setting(2, 1)));
    peer.expect_end(PROTOCOL, "push");
    let mut peer = Peer::of_client(&setting(8, 1));
    assert!(peer.connection.peer().connect_protocol);
    peer.send(&frame(SETTINGS, NONE, 0, &setting(8, 0)));
    peer.expect_end(PROTOCOL, "connect protocol");
}

#[test]
fn section_6_6_push_promise() {
    ends(
        "from a client",
        &[&get(1), &frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])],
        PROTOCOL,
    );
    let mut peer = Peer::of_client(&[]);
    peer.open("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true);
    peer.send(&frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]));
    peer.expect_end(PROTOCOL, "from a server");
}

#[test]
fn section_6_7_ping() {
    ends("a stream", &[&frame(PING, NONE, 1, &[0; 8])], PROTOCOL);
    ends("length", &[&frame(PING, NONE, 0, &[0; 6])], SIZE);
    let mut peer = Peer::of_server();
    peer.send(&frame(PING, ACK, 0, b"nobody!!"));
    assert_eq!(peer.sent, [], "an acknowledgement is not answered");
    peer.expect_alive("a PING is");
}

#[test]
fn section_6_8_goaway() {
    ends("a stream", &[&frame(GOAWAY, NONE, 1, &[0; 8])], PROTOCOL);
    ends("length", &[&frame(GOAWAY, NONE, 0, &[0; 7])], SIZE);
    let mut peer = Peer::of_server();
    peer.send(&frame(GOAWAY, NONE, 0, b"\0\0\0\0\0\0\0\xFFwhy"));
    let code = ErrorCode(0xFF);
    assert_eq!(peer.events, [Event::GoAway { last: 0, code }]);
    peer.expect_alive("a client that goes away is still served");
}

#[test]
fn section_6_8_streams_above_the_last_were_not_processed() {
    let mut peer = Peer::of_client(&[]);
    let first = peer.open("POST / HTTP/1.1\r\nhost: a\r\n\r\n", false);
    let second = peer.open("POST / HTTP/1.1\r\nhost: a\r\n\r\n", false);
    peer.send(&frame(GOAWAY, NONE, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
    assert!(
        peer.events
            .contains(&Event::Reset(second, Cause::Unprocessed))
    );
    assert_eq!(peer.connection.reset_cause(first), None);
    assert_eq!(peer.connection.room_to_open(), 0);
    peer.send(&frame(RST_STREAM, NONE, 1, &[0, 0, 0, 7]));
    assert!(
        peer.events
            .contains(&Event::Reset(first, Cause::Unprocessed)),
        "REFUSED_STREAM"
    );
    peer.connection.release(first);
    peer.connection.release(second);
    assert!(peer.connection.is_finished());
}

#[test]
fn section_6_9_window_update() {
    ends(
        "nothing, connection",
        &[&frame(WINDOW_UPDATE, NONE, 0, &[0; 4])],
        PROTOCOL,
    );
    ends(
        "length",
        &[&frame(WINDOW_UPDATE, NONE, 0, &[0, 0, 1])],
        SIZE,
    );
    ends(
        "length",
        &[&get(1), &frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 1])],
        SIZE,
    );
    let most = [0x7F, 255, 255, 255];
    ends("overflow", &[&frame(WINDOW_UPDATE, NONE, 0, &most)], FLOW);
    for (case, increment, code) in [("nothing", [0; 4], PROTOCOL), ("overflow", most, FLOW)] {
        let mut peer = Peer::of_server();
        peer.send(&get(1));
        peer.send(&frame(WINDOW_UPDATE, NONE, 1, &increment));
        peer.expect_reset(1, code, case);
        peer.expect_alive(case);
    }
}

#[test]
fn section_6_9_1_no_more_data_is_sent_than_the_windows_allow() {
    let mut peer = Peer::of_server();
    peer.send(&frame(SETTINGS, NONE, 0, &setting(4, 1)));
    peer.send(&get(1));
    let id = peer.id(1);
    peer.connection
        .send_head(id, b"HTTP/1.1 200 OK\r\n\r\n", false)
        .unwrap();
    assert_eq!(peer.connection.send_data(id, b"abc"), 1);
    assert_eq!(peer.connection.send_data(id, b"bc"), 0);
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 1]));
    assert_eq!(peer.events.last(), Some(&Event::Room(id)));
    assert_eq!(peer.connection.send_data(id, b"bc"), 1);
    peer.connection.finish(id, b"").unwrap();
    peer.poll();
    let data: Vec<_> = peer
        .sent
        .iter()
        .filter(|frame| frame.kind == DATA)
        .collect();
    let seen: Vec<_> = data
        .iter()
        .map(|f| (f.payload.as_slice(), f.flags))
        .collect();
    assert_eq!(seen, [(b"a".as_slice(), 0), (b"b".as_slice(), END_STREAM)]);
}

#[test]
fn section_6_9_2_a_new_initial_window_changes_open_streams_even_below_zero() {
    let mut peer = Peer::of_server();
    peer.send(&frame(SETTINGS, NONE, 0, &setting(4, 10)));
    peer.send(&get(1));
    let id = peer.id(1);
    peer.connection
        .send_head(id, b"HTTP/1.1 200 OK\r\n\r\n", false)
        .unwrap();
    assert_eq!(peer.connection.send_data(id, &[0; 100]), 10);
    peer.send(&frame(SETTINGS, NONE, 0, &setting(4, 2)));
    assert_eq!(peer.connection.send_data(id, &[0; 90]), 0);
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 8]));
    assert_eq!(
        peer.connection.send_data(id, &[0; 90]),
        0,
        "it was 8 below zero"
    );
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 3]));
    assert_eq!(peer.connection.send_data(id, &[0; 90]), 3);
    peer.send(&frame(SETTINGS, NONE, 0, &setting(4, 7)));
    assert_eq!(peer.connection.send_data(id, &[0; 87]), 5);
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0x7F, 255, 255, 255]));
    peer.send(&frame(SETTINGS, NONE, 0, &setting(4, 9)));
    peer.expect_end(FLOW, "a setting that takes a window over its maximum");
}

#[test]
fn section_6_9_data_beyond_a_window_is_refused() {
    let settings = Settings {
        stream_window: 65_535,
        connection_window: 100_000,
        ..Settings::default()
    };
    let sixteen = [0; 16_384];
    let mut peer = Peer::of_server_with(&settings);
    peer.send(&post(1));
    for _ in 0..4 {
        peer.send(&frame(DATA, NONE, 1, &sixteen));
    }
    peer.expect_reset(1, FLOW, "65,536 bytes unread");
    let mut peer = Peer::of_server_with(&settings);
    peer.send(&post(1)).send(&post(3)).send(&post(5));
    for round in 0..7 {
        peer.send(&frame(DATA, NONE, 1 + round % 3 * 2, &sixteen));
    }
    peer.expect_end(FLOW, "100,000 bytes unread on all streams");
    assert_eq!(
        peer.broken.unwrap().refusal,
        Refusal::WindowExceededConnection
    );
}

#[test]
fn section_6_9_1_reading_opens_the_windows_again() {
    let mut peer = Peer::of_server();
    peer.send(&post(1));
    let id = peer.id(1);
    let mut buffer = [0; 16_384];
    for _ in 0..200 {
        peer.send(&frame(DATA, NONE, 1, &[1; 16_384]));
        assert_eq!(peer.connection.read(id, &mut buffer), Read::Data(16_384));
    }
    let given = |stream| -> u32 {
        let updates = peer.sent.iter();
        let updates = updates.filter(|f| f.kind == WINDOW_UPDATE && f.stream == stream);
        updates
            .map(|f| u32::from_be_bytes(f.payload[..].try_into().unwrap()))
            .sum()
    };
    assert!(given(1) > 199 * 16_384 - 32_768);
    assert!(given(0) > 199 * 16_384 - 524_288);
    let updates = peer.sent.iter().filter(|f| f.kind == WINDOW_UPDATE);
    assert!(updates.count() <= 110, "few frames");
}

#[test]
fn section_6_9_1_what_nobody_reads_opens_the_window_of_the_connection_again() {
    let mut peer = Peer::of_server();
    for round in 0..100 {
        let stream = 1 + round * 2;
        peer.send(&post(stream));
        peer.send(&frame(DATA, NONE, stream, &[0; 16_384]));
        let id = peer.id(stream);
        peer.connection.release(id);
        peer.send(&frame(DATA, PADDED, stream, &[255; 16_384]));
    }
    peer.expect_alive("3 MiB went through a window of one");
}

#[test]
fn section_6_10_continuation() {
    let bytes = block(GET);
    let (one, two, three) = (&bytes[..5], &bytes[5..20], &bytes[20..]);
    let first = frame(HEADERS, END_STREAM, 1, one);
    let mut peer = Peer::of_server();
    peer.send(&first).send(&frame(CONTINUATION, NONE, 1, two));
    let begun = peer.connection.mid_head();
    assert!(begun.is_some());
    peer.send(&frame(CONTINUATION, NONE, 1, &[]));
    assert_eq!(peer.connection.mid_head(), begun, "one block, one time");
    peer.send(&frame(CONTINUATION, END_HEADERS, 1, three));
    assert_eq!(peer.text(1), "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(peer.info(1).end_stream && peer.connection.mid_head().is_none());
    peer.send(&frame(PING, NONE, 0, &[0; 8])[..9]);
    let ping = peer.connection.mid_head();
    peer.send(&[0; 8]).send(&first[..7]);
    let next = peer.connection.mid_head();
    assert!(ping.is_some() && next.is_some() && ping != next, "another");
    ends(
        "stream 0",
        &[&first, &frame(CONTINUATION, END_HEADERS, 0, two)],
        PROTOCOL,
    );
    ends(
        "after the end",
        &[&get(1), &frame(CONTINUATION, END_HEADERS, 1, two)],
        PROTOCOL,
    );
    let last = frame(CONTINUATION, END_HEADERS, 1, &bytes[5..]);
    ends("after the end", &[&first, &last, &last], PROTOCOL);
    ends(
        "after DATA",
        &[&post(1), &frame(DATA, NONE, 1, b"x"), &last],
        PROTOCOL,
    );
}

#[test]
fn section_4_3_large_heads_of_ours_are_cut_into_frames() {
    let mut peer = Peer::of_server();
    peer.send(&get(1));
    let id = peer.id(1);
    let head = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\n\r\n", "v".repeat(40_000));
    peer.connection
        .send_head(id, head.as_bytes(), false)
        .unwrap();
    assert_eq!(peer.connection.send_data(id, b"end"), 3);
    peer.connection.finish(id, b"").unwrap();
    peer.poll();
    let seen: Vec<_> = peer
        .sent
        .iter()
        .map(|f| (f.kind, f.flags, f.payload.len() <= 16_384))
        .collect();
    let expected = [
        (HEADERS, 0, true),
        (CONTINUATION, 0, true),
        (CONTINUATION, END_HEADERS, true),
        (DATA, END_STREAM, true),
    ];
    assert_eq!(seen, expected);
}
