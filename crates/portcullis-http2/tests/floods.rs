//! Floods end their connection with the right word, and what honest peers do does not.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{ErrorCode, Event, Refusal, Settings};
use support::*;

const CALM: ErrorCode = ErrorCode::ENHANCE_YOUR_CALM;

/// Sends `bytes` until the connection ends or it was done `most` times; how often it was done.
fn flood(peer: &mut Peer, most: u32, mut bytes: impl FnMut(u32) -> Vec<u8>) -> u32 {
    for round in 0..most {
        peer.send(&bytes(round));
        if peer.broken.is_some() {
            return round;
        }
        // What came back is read, as an honest peer would.
        peer.sent.retain(|frame| frame.kind == GOAWAY);
    }
    most
}

#[test]
fn floods_of_frames_that_bring_nothing() {
    let open = post(1);
    for (refusal, bytes) in [
        (Refusal::FloodPing, frame(PING, NONE, 0, &[0; 8])),
        (Refusal::FloodPing, frame(PING, ACK, 0, &[0; 8])),
        (
            Refusal::FloodSettings,
            frame(SETTINGS, NONE, 0, &setting(3, 1)),
        ),
        (
            Refusal::FloodPriority,
            frame(PRIORITY, NONE, 1, &[0, 0, 0, 0, 1]),
        ),
        (Refusal::FloodEmpty, frame(DATA, NONE, 1, &[])),
        (Refusal::FloodEmpty, frame(DATA, PADDED, 1, &[3, 0, 0, 0])),
        (Refusal::FloodUnknown, frame(0x20, NONE, 0, &[1; 9])),
        (
            Refusal::FloodWindowUpdate,
            frame(WINDOW_UPDATE, NONE, 0, &[0, 0, 0, 1]),
        ),
        (
            Refusal::FloodWindowUpdate,
            frame(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 1]),
        ),
        (Refusal::FloodSettings, frame(GOAWAY, NONE, 0, &[0; 8])),
    ] {
        let mut peer = Peer::of_server();
        peer.send(&open);
        let borne = flood(&mut peer, 5000, |_| bytes.clone());
        peer.expect_end(CALM, refusal.code());
        assert_eq!(peer.broken.unwrap().refusal, refusal);
        assert!(borne > 20, "{}: {borne}", refusal.code());
    }
}

#[test]
fn what_is_slow_is_no_flood() {
    let mut peer = Peer::of_server();
    for round in 0..1000 {
        peer.now = round * 1000;
        peer.send(&frame(PING, NONE, 0, &[0; 8]));
        peer.send(&frame(SETTINGS, NONE, 0, &[]));
    }
    assert_eq!(peer.broken, None);
}

#[test]
fn rapid_reset_ends_the_connection() {
    let mut peer = Peer::of_server();
    let reset = |stream| frame(RST_STREAM, NONE, stream, &[0, 0, 0, 8]);
    let borne = flood(&mut peer, 5000, |round| {
        let stream = 1 + 2 * round;
        [get(stream), reset(stream)].concat()
    });
    peer.expect_end(CALM, "rapid reset");
    assert_eq!(peer.broken.unwrap().refusal, Refusal::FloodResets);
    assert!((500..1500).contains(&borne));
    assert_eq!(peer.heads.len(), 0, "nobody began to work on any");
    assert_eq!(peer.connection.streams(), 0);
}

#[test]
fn callers_that_cancel_half_of_what_they_ask_go_on() {
    let mut peer = Peer::of_server();
    for round in 0..2000 {
        let (kept, cancelled) = (1 + 4 * round, 3 + 4 * round);
        peer.send(&get(kept)).send(&get(cancelled));
        peer.answer(kept);
        peer.send(&frame(RST_STREAM, NONE, cancelled, &[0, 0, 0, 8]));
        for stream in [kept, cancelled] {
            let id = peer.id(stream);
            peer.connection.release(id);
        }
    }
    assert_eq!(peer.broken, None);
}

#[test]
fn made_you_reset_ends_the_connection() {
    for case in ["window", "data", "length"] {
        let mut peer = Peer::of_server();
        flood(&mut peer, 5000, |round| {
            let stream = 1 + 2 * round;
            match case {
                "window" => [get(stream), frame(WINDOW_UPDATE, NONE, stream, &[0; 4])].concat(),
                "data" => [get(stream), frame(DATA, NONE, stream, b"x")].concat(),
                _ => frame(HEADERS, WHOLE, stream, &get_and(&[("content-length", "7")])),
            }
        });
        peer.expect_end(CALM, case);
        assert_eq!(peer.broken.unwrap().refusal, Refusal::FloodFaults);
    }
}

/// A few bytes for each request, by references into the table, that are many once decoded.
#[test]
fn heads_that_wait_are_bounded_for_all_streams_together() {
    let mut peer = Peer::of_server();
    let mut first = block(GET);
    first.extend_from_slice(b"\x40\x01x\x7F\x81\x1E");
    first.extend(vec![b'v'; 127 + 0x1E * 128 + 1]);
    peer.send(&frame(HEADERS, WHOLE, 1, &first));
    let id = peer.id(1);
    peer.connection.release(id);
    // 14 references to an entry of 4,000 bytes.
    let large = [block(GET), vec![0xBE; 14]].concat();
    for round in 1..30 {
        peer.send(&frame(HEADERS, WHOLE, 1 + 2 * round, &large));
    }
    let held: usize = peer.heads.values().map(|(_, text, _)| text.len()).sum();
    assert!((1_000_000..1_150_000).contains(&held), "{held}");
    peer.expect_reset(59, ErrorCode::REFUSED_STREAM, "no more");
    let id = peer.id(3);
    peer.connection.release(id);
    peer.send(&frame(HEADERS, WHOLE, 61, &large));
    assert!(peer.heads.contains_key(&61), "one for one");
}

#[test]
fn streams_that_are_reset_count_until_they_are_released() {
    let mut peer = Peer::of_server();
    for round in 0..100 {
        peer.send(&post(1 + 2 * round));
        peer.send(&frame(RST_STREAM, NONE, 1 + 2 * round, &[0, 0, 0, 8]));
    }
    assert_eq!(peer.connection.streams(), 100);
    peer.send(&post(201));
    assert_eq!(peer.was_reset(201), Some(ErrorCode::REFUSED_STREAM));
}

#[test]
fn continuation_flood_ends_the_connection() {
    let mut peer = Peer::of_server();
    peer.send(&frame(HEADERS, END_STREAM, 1, &block(GET)));
    flood(&mut peer, 5000, |_| {
        frame(CONTINUATION, NONE, 1, &block(&[("x", "y")]))
    });
    peer.expect_end(CALM, "small frames");
    assert_eq!(peer.broken.unwrap().refusal, Refusal::FloodContinuation);

    let mut peer = Peer::of_server();
    peer.send(&frame(HEADERS, END_STREAM, 1, &block(GET)));
    flood(&mut peer, 5000, |_| {
        frame(CONTINUATION, NONE, 1, &[0; 16_000])
    });
    peer.expect_end(CALM, "large frames");
    assert_eq!(peer.broken.unwrap().refusal, Refusal::HeaderBlockTooLarge);
}

#[test]
fn a_compression_bomb_costs_no_memory() {
    // An entry of 4,000 bytes in the table, then 16,000 references to it.
    let mut bytes = block(GET);
    bytes.extend_from_slice(b"\x40\x01x\x7F\x81\x1E");
    bytes.extend(vec![b'v'; 127 + 0x1E * 128 + 1]);
    let mut peer = Peer::of_server();
    peer.send(&frame(HEADERS, WHOLE, 1, &bytes));
    assert_eq!(peer.broken, None);
    let bomb = [block(GET), vec![0xBE; 16_000]].concat();
    peer.send(&frame(HEADERS, WHOLE, 3, &bomb));
    assert!(peer.info(3).over.is_some());
    assert!(
        peer.text(3).len() < 66_000,
        "64 MB would be {}",
        peer.text(3).len()
    );
    peer.expect_alive("the table is right");
}

#[test]
fn a_peer_that_does_not_read_its_answers_is_left() {
    let mut peer = Peer::of_server();
    let mut broken = None;
    for round in 0..50_000u32 {
        let stream = 1 + 2 * round;
        let bytes = [get(stream), frame(PING, NONE, 0, &[0; 8])].concat();
        if let Err(end) = peer.connection.receive(&bytes, u64::from(round) * 1000) {
            broken = Some(end.refusal);
            break;
        }
        while let Some(event) = peer.connection.next_event() {
            if let Event::Head(id) = event {
                let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1000));
                let _ = peer.connection.send_head(id, head.as_bytes(), true);
                peer.connection.release(id);
            }
        }
    }
    assert_eq!(broken, Some(Refusal::FloodOutput));
    assert!(
        peer.connection.output().len() < 600_000,
        "{}",
        peer.connection.output().len()
    );
}

#[test]
fn honest_work_is_no_flood() {
    let settings = Settings::default();
    let mut peer = Peer::of_server_with(&settings);
    // A client that measures with each piece of data, and updates both windows for each piece that it reads.
    for round in 0..3000u32 {
        let stream = 1 + 2 * round;
        peer.send(&post(stream));
        peer.send(&frame(DATA, END_STREAM, stream, b"message"));
        peer.send(&frame(PING, NONE, 0, &[1; 8]));
        let id = peer.id(stream);
        peer.connection
            .send_head(id, b"HTTP/1.1 200 OK\r\n\r\n", false)
            .unwrap();
        assert_eq!(peer.connection.send_data(id, b"answer"), 6);
        peer.connection.finish(id, b"grpc-status: 0\r\n").unwrap();
        peer.poll();
        peer.send(&frame(WINDOW_UPDATE, NONE, 0, &[0, 0, 0, 6]));
        peer.send(&frame(WINDOW_UPDATE, NONE, stream, &[0, 0, 0, 6]));
        peer.connection.release(id);
    }
    assert_eq!(peer.broken, None);
}
