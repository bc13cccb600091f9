//! A request and its answer allocate nothing once the connection is warm.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{Connection, Event, PREFACE, Read, Settings};
use support::*;

/// One request with a body, one answer with a body and trailers, as a proxy does them.
fn exchange(connection: &mut Connection, stream: u32, bytes: &mut [u8], text: &mut Vec<u8>) {
    // The number stands behind each frame's first five bytes: HEADERS at 0, DATA behind it.
    let data = bytes.len() - 109;
    for at in [5, data + 5] {
        bytes[at..at + 4].copy_from_slice(&stream.to_be_bytes());
    }
    connection.receive(bytes, 0).unwrap();
    while let Some(event) = connection.next_event() {
        let Event::Head(id) = event else {
            continue;
        };
        connection.take_head(id, text).unwrap();
        let mut body = [0; 200];
        assert_eq!(connection.read(id, &mut body), Read::Data(100));
        assert_eq!(connection.read(id, &mut body), Read::End);
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nserver: x\r\nx-id: 1\r\n\r\n";
        connection.send_head(id, head, false).unwrap();
        assert_eq!(connection.send_data(id, &body), 200);
        connection.finish(id, b"grpc-status: 0\r\n").unwrap();
        connection.release(id);
    }
    let count = connection.output().len();
    connection.sent(count);
}

#[test]
fn a_warm_connection_allocates_nothing() {
    let mut connection = Connection::server(&Settings::default(), 0);
    connection.receive(PREFACE, 0).unwrap();
    let handshake = [frame(SETTINGS, NONE, 0, &[]), frame(SETTINGS, ACK, 0, &[])];
    connection.receive(&handshake.concat(), 0).unwrap();
    let window = frame(WINDOW_UPDATE, NONE, 0, &[0x10, 0, 0, 0]);
    connection.receive(&window, 0).unwrap();
    let mut bytes = [post(1), frame(DATA, END_STREAM, 1, &[7; 100])].concat();
    let mut text = Vec::new();
    for round in 0..300 {
        exchange(&mut connection, 1 + 2 * round, &mut bytes, &mut text);
    }
    let counted = allocation_counter::measure(|| {
        for round in 300..1300 {
            exchange(&mut connection, 1 + 2 * round, &mut bytes, &mut text);
        }
    });
    assert_eq!(connection.opened(), 1300);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_connection_whose_streams_have_gone_keeps_no_large_buffers() {
    let mut peer = Peer::of_server();
    peer.send(&frame(WINDOW_UPDATE, NONE, 0, &[0x10, 0, 0, 0]));
    let counted = allocation_counter::measure(|| {
        for round in 0..10 {
            peer.send(&post(1 + 2 * round));
            peer.send(&frame(DATA, NONE, 1 + 2 * round, &[7; 16_384]));
            peer.send(&frame(DATA, END_STREAM, 1 + 2 * round, &[7; 16_384]));
        }
        for round in 0..10 {
            let id = peer.id(1 + 2 * round);
            let head = b"HTTP/1.1 200 OK\r\n\r\n";
            peer.connection.send_head(id, head, false).unwrap();
            peer.connection.send_data(id, &[1; 60_000]);
            peer.connection.release(id);
        }
        peer.poll();
        peer.sent = Vec::new();
        peer.events = Vec::new();
        peer.heads.clear();
        peer.heads.shrink_to_fit();
    });
    assert!(counted.bytes_max > 300_000, "{counted:?}");
    assert!(counted.bytes_current < 30_000, "{counted:?}");
}
