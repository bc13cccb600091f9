//! RFC 9113 sections 3 to 5: preface, frames, header blocks, the states and numbers of streams. Cases as h2spec groups them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{Connection, ErrorCode, Event, PREFACE, Refusal, Settings};
use support::*;

/// Bytes after the handshake that end the connection.
fn ends(case: &str, bytes: &[&[u8]], code: ErrorCode) {
    let mut peer = Peer::of_server();
    peer.send(&bytes.concat());
    peer.expect_end(code, case);
}

/// Bytes after the handshake that reset stream 1 and nothing else.
fn resets(case: &str, bytes: &[&[u8]], code: ErrorCode) {
    let mut peer = Peer::of_server();
    for part in bytes {
        peer.send(part);
    }
    peer.expect_reset(1, code, case);
    peer.expect_alive(case);
}

#[test]
fn section_3_4_the_connection_begins_with_the_preface_and_settings() {
    let mut peer = Peer::new(Connection::server(&Settings::default(), 0));
    peer.send(b"INVALID CONNECTION PREFACE\r\n\r\n");
    peer.expect_end(ErrorCode::PROTOCOL_ERROR, "wrong preface");

    let mut peer = Peer::new(Connection::server(&Settings::default(), 0));
    peer.send(PREFACE).send(&frame(PING, NONE, 0, &[0; 8]));
    peer.expect_end(ErrorCode::PROTOCOL_ERROR, "no SETTINGS");

    let mut peer = Peer::new(Connection::server(&Settings::default(), 0));
    peer.send(PREFACE).send(&frame(SETTINGS, ACK, 0, &[]));
    peer.expect_end(ErrorCode::PROTOCOL_ERROR, "an acknowledgement first");
}

#[test]
fn section_3_4_ours_begins_with_settings_and_a_window() {
    let mut peer = Peer::new(Connection::server(&Settings::default(), 0));
    peer.poll();
    let kinds: Vec<u8> = peer.sent.iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [SETTINGS, WINDOW_UPDATE]);
    let settings = [
        setting(3, 100),
        setting(8, 1),
        setting(4, 65_535),
        setting(6, 65_536),
    ];
    assert_eq!(peer.sent[0].payload, settings.concat());
    assert_eq!(peer.sent[1].payload, (1_048_576u32 - 65_535).to_be_bytes());
}

#[test]
fn section_4_1_unknown_types_flags_and_the_reserved_bit_are_ignored() {
    for (case, bytes) in [
        ("type", frame(0x16, NONE, 0, &[0; 8])),
        ("type on an idle stream", frame(0x16, NONE, 7, &[])),
        ("flags", frame(PING, 0x16, 0, &[0; 8])),
        ("reserved bit", frame(PING, NONE, 0x8000_0000, &[0; 8])),
    ] {
        let mut peer = Peer::of_server();
        peer.send(&bytes);
        peer.expect_alive(case);
    }
}

#[test]
fn section_4_2_frames_are_as_long_as_announced_at_most() {
    let mut peer = Peer::of_server();
    peer.send(&post(1))
        .send(&frame(DATA, END_STREAM, 1, &[0; 16_384]));
    peer.expect_alive("2^14 bytes");
    let size = ErrorCode::FRAME_SIZE_ERROR;
    ends(
        "DATA",
        &[&post(1), &frame(DATA, END_STREAM, 1, &[0; 16_385])],
        size,
    );
    ends("HEADERS", &[&frame(HEADERS, WHOLE, 1, &[0; 16_385])], size);
    ends("any other", &[&frame(0x16, NONE, 0, &[0; 16_385])], size);
}

#[test]
fn section_4_3_header_blocks_are_whole_and_decodable() {
    let protocol = ErrorCode::PROTOCOL_ERROR;
    ends(
        "not decodable",
        &[&frame(HEADERS, WHOLE, 1, b"\x40\x05:meth")],
        ErrorCode::COMPRESSION_ERROR,
    );
    let open = frame(HEADERS, END_STREAM, 1, &block(GET));
    ends(
        "PRIORITY within",
        &[&open, &frame(PRIORITY, NONE, 1, &[0, 0, 0, 0, 255])],
        protocol,
    );
    ends("HEADERS of another stream", &[&open, &get(3)], protocol);
    ends(
        "unknown frame within",
        &[&open, &frame(0x16, NONE, 0, &[])],
        protocol,
    );
    ends(
        "DATA within",
        &[&open, &frame(DATA, NONE, 1, b"x")],
        protocol,
    );
    ends(
        "CONTINUATION of another",
        &[&open, &frame(CONTINUATION, END_HEADERS, 3, &[])],
        protocol,
    );
}

#[test]
fn section_5_1_idle_streams_take_only_headers_and_priority() {
    let protocol = ErrorCode::PROTOCOL_ERROR;
    ends("DATA", &[&frame(DATA, END_STREAM, 1, b"x")], protocol);
    ends(
        "RST_STREAM",
        &[&frame(RST_STREAM, NONE, 1, &[0, 0, 0, 8])],
        protocol,
    );
    ends(
        "WINDOW_UPDATE",
        &[&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 100])],
        protocol,
    );
    ends(
        "CONTINUATION",
        &[&frame(CONTINUATION, END_HEADERS, 1, &block(GET))],
        protocol,
    );
    let mut peer = Peer::of_server();
    peer.send(&frame(PRIORITY, NONE, 1, &[0, 0, 0, 0, 15]));
    peer.expect_alive("PRIORITY");
}

#[test]
fn section_5_1_a_side_that_ended_sends_no_more() {
    let closed = ErrorCode::STREAM_CLOSED;
    resets(
        "DATA",
        &[&get(1), &frame(DATA, END_STREAM, 1, b"x")],
        closed,
    );
    resets("HEADERS", &[&get(1), &get(1)], closed);
    ends(
        "CONTINUATION",
        &[&get(1), &frame(CONTINUATION, END_HEADERS, 1, &[])],
        ErrorCode::PROTOCOL_ERROR,
    );
    let mut peer = Peer::of_server();
    peer.send(&get(1));
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 100]));
    peer.send(&frame(PRIORITY, NONE, 1, &[0, 0, 0, 0, 15]));
    peer.expect_alive("WINDOW_UPDATE and PRIORITY");
}

#[test]
fn section_5_1_a_stream_that_the_peer_reset_is_over() {
    let reset = frame(RST_STREAM, NONE, 1, &[0, 0, 0, 8]);
    let closed = ErrorCode::STREAM_CLOSED;
    resets(
        "DATA",
        &[&post(1), &reset, &frame(DATA, END_STREAM, 1, b"x")],
        closed,
    );
    resets("HEADERS", &[&post(1), &reset, &get(1)], closed);
    ends(
        "HEADERS of one that nobody saw",
        &[&[post(1), reset.clone()].concat(), &get(1)],
        closed,
    );
    let mut peer = Peer::of_server();
    peer.send(&post(1)).send(&reset).send(&reset);
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 100]));
    peer.expect_alive("what may be under way");
}

#[test]
fn section_5_1_a_stream_that_both_ended_is_over() {
    let over = || {
        let mut peer = Peer::of_server();
        peer.send(&get(1)).answer(1);
        let id = peer.id(1);
        peer.connection.release(id);
        peer
    };
    let mut peer = over();
    peer.send(&frame(DATA, END_STREAM, 1, b"x"));
    peer.expect_reset(1, ErrorCode::STREAM_CLOSED, "DATA");
    let mut peer = over();
    peer.send(&get(1));
    peer.expect_end(ErrorCode::STREAM_CLOSED, "HEADERS");
    let mut peer = over();
    peer.send(&frame(CONTINUATION, END_HEADERS, 1, &[]));
    peer.expect_end(ErrorCode::PROTOCOL_ERROR, "CONTINUATION");
    let mut peer = over();
    peer.send(&frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 1]));
    peer.send(&frame(RST_STREAM, NONE, 1, &[0; 4]));
    peer.expect_alive("what may be under way");
}

#[test]
fn section_5_1_what_is_under_way_for_a_stream_that_we_reset_is_ignored() {
    let mut peer = Peer::of_server();
    peer.send(&post(1));
    let id = peer.id(1);
    peer.connection.reset(id, ErrorCode::CANCEL);
    peer.send(&frame(DATA, NONE, 1, &[0; 1000]));
    peer.connection.release(id);
    peer.send(&frame(DATA, NONE, 1, &[0; 1000]));
    peer.send(&frame(HEADERS, WHOLE, 1, &block(&[("x-late", "1")])));
    assert_eq!(peer.was_reset(1), Some(ErrorCode::CANCEL));
    let resets = peer.sent.iter().filter(|frame| frame.kind == RST_STREAM);
    assert_eq!(resets.count(), 1);
    peer.expect_alive("the connection goes on");
}

/// However long ago: a server that is slow to hear of it has done nothing wrong, and others share its connection.
#[test]
fn section_5_1_a_server_may_go_on_with_any_number_of_streams_that_we_reset() {
    let mut peer = Peer::of_client(&[]);
    let count = 3000;
    for _ in 0..count {
        let id = peer.open("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n", true);
        peer.connection.reset(id, ErrorCode::CANCEL);
        peer.connection.release(id);
    }
    peer.poll().sent.clear();
    for stream in (0..count).map(|round| 1 + 2 * round) {
        peer.send(&frame(DATA, NONE, stream, b"late"));
    }
    assert!(peer.sent.iter().all(|frame| frame.kind != RST_STREAM));
    peer.expect_alive("data that was under way");
}

/// As many as may be open may be reset with data under way.
#[test]
fn section_5_1_as_many_resets_of_ours_are_remembered_as_there_are_streams() {
    let mut peer = Peer::of_server_with(&Settings {
        max_streams: 300,
        ..Settings::default()
    });
    let streams = || (0..300).map(|round| 1 + 2 * round);
    for stream in streams() {
        peer.send(&post(stream));
        let id = peer.id(stream);
        peer.connection.reset(id, ErrorCode::NO_ERROR);
        peer.connection.release(id);
    }
    for stream in streams() {
        peer.send(&frame(DATA, NONE, stream, b"late"));
        peer.send(&frame(HEADERS, WHOLE, stream, &block(&[("x-late", "1")])));
    }
    peer.expect_alive("what was under way");
}

#[test]
fn section_5_1_1_numbers_are_odd_and_grow() {
    let protocol = ErrorCode::PROTOCOL_ERROR;
    ends("even", &[&get(2)], protocol);
    ends("smaller", &[&get(5), &get(3)], protocol);
    ends("zero", &[&get(0)], protocol);
}

#[test]
fn section_5_1_2_streams_beyond_the_limit_are_refused_until_others_are_released() {
    let settings = Settings {
        max_streams: 2,
        ..Settings::default()
    };
    let mut peer = Peer::of_server_with(&settings);
    peer.send(&post(1)).send(&post(3)).send(&post(5));
    peer.expect_reset(5, ErrorCode::REFUSED_STREAM, "the third");
    let refusal = Refusal::StreamsExceeded;
    let told = Event::Refused { stream: 5, refusal };
    assert!(peer.events.contains(&told));
    assert_eq!(
        peer.connection.counters().refused(Refusal::StreamsExceeded),
        1
    );
    peer.send(&frame(RST_STREAM, NONE, 1, &[0, 0, 0, 8]));
    peer.send(&get(7));
    peer.expect_reset(7, ErrorCode::REFUSED_STREAM, "a reset does not make room");
    let id = peer.id(1);
    peer.connection.release(id);
    peer.send(&get(9));
    assert!(peer.heads.contains_key(&9), "the release does");
    assert_eq!(peer.connection.streams(), 2);
}

#[test]
fn rfc7540_section_5_3_1_a_stream_cannot_depend_on_itself() {
    let mut fragment = vec![0, 0, 0, 1, 255];
    fragment.extend(block(GET));
    let headers = frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &fragment);
    ends("HEADERS", &[&headers], ErrorCode::PROTOCOL_ERROR);
    let priority = frame(PRIORITY, NONE, 1, &[0, 0, 0, 1, 255]);
    ends("PRIORITY", &[&priority], ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_5_4_1_after_an_error_nothing_is_looked_at() {
    let mut peer = Peer::of_server();
    peer.send(&get(1)).send(&frame(PING, NONE, 0, &[0; 7]));
    peer.expect_end(ErrorCode::FRAME_SIZE_ERROR, "a PING of seven bytes");
    let goaway = peer.sent.last().unwrap();
    assert_eq!(goaway.payload[..4], [0, 0, 0, 1], "stream 1 was looked at");
    peer.sent.clear();
    peer.send(&get(3));
    assert_eq!((peer.sent.len(), peer.heads.len()), (0, 1));
}

#[test]
fn section_6_8_a_drain_loses_no_request() {
    let mut peer = Peer::of_server();
    peer.send(&get(1));
    peer.connection.drain();
    peer.poll();
    let ping = peer.sent.pop().unwrap();
    assert_eq!(ping.kind, PING);
    assert_eq!(peer.sent[0].payload, [0x7F, 255, 255, 255, 0, 0, 0, 0]);
    peer.send(&get(3));
    assert!(peer.heads.contains_key(&3), "it was under way");
    peer.send(&frame(PING, ACK, 0, &ping.payload));
    assert_eq!(peer.events.last(), Some(&Event::Pong));
    peer.connection.finish_drain();
    peer.sent.clear();
    peer.poll();
    assert_eq!(peer.sent[0].payload, [0, 0, 0, 3, 0, 0, 0, 0]);
    peer.send(&post(5)).send(&frame(DATA, END_STREAM, 5, b"x"));
    assert!(!peer.heads.contains_key(&5) && peer.was_reset(5).is_none());
    peer.answer(1).answer(3);
    for stream in [1, 3] {
        assert!(!peer.connection.is_finished());
        let id = peer.id(stream);
        peer.connection.release(id);
    }
    assert!(peer.connection.is_finished());
}
