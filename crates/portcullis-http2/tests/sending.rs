//! What goes out: the end on the last frame, room in turn, bounds of unsent output.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{Blocked, Connection, Event, NotSent, PREFACE, Settings, StreamId};
use support::*;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A server with `count` requests, windows open wide; nothing is written until `sent` is called.
fn server(count: u32) -> (Connection, Vec<StreamId>) {
    let mut connection = Connection::server(&Settings::default(), 0);
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, NONE, 0, &setting(4, 1 << 30)));
    bytes.extend(frame(SETTINGS, ACK, 0, &[]));
    bytes.extend(frame(WINDOW_UPDATE, NONE, 0, &[0x40, 0, 0, 0]));
    for number in 0..count {
        bytes.extend(get(1 + 2 * number));
    }
    connection.receive(&bytes, 0).unwrap();
    let mut ids = Vec::new();
    while let Some(event) = connection.next_event() {
        if let Event::Head(id) = event {
            ids.push(id);
        }
    }
    connection.sent(connection.output().len());
    (connection, ids)
}

/// The frames that were not sent yet, which then are.
fn flush(connection: &mut Connection) -> Vec<Frame> {
    let out = frames(connection.output());
    connection.sent(connection.output().len());
    out
}

#[test]
fn the_end_is_put_on_the_last_frame_while_it_is_unsent() {
    let (mut connection, ids) = server(3);
    for &id in &ids {
        connection.send_head(id, HEAD, false).unwrap();
        connection.send_data(id, b"body");
    }
    connection.finish(ids[0], b"").unwrap();
    let first = flush(&mut connection);
    assert_eq!((first[1].kind, first[1].flags), (DATA, END_STREAM));
    assert_eq!(first[3].flags, 0, "the others have not ended");
    connection.finish(ids[1], b"").unwrap();
    connection.finish(ids[2], b"x-late: 1\r\n").unwrap();
    let second = flush(&mut connection);
    assert_eq!(
        (second[0].kind, second[0].flags, second[0].payload.len()),
        (DATA, END_STREAM, 0)
    );
    assert_eq!((second[1].kind, second[1].flags), (HEADERS, WHOLE));
    assert_eq!(connection.finish(ids[0], b""), Err(NotSent::Closed));
}

#[test]
fn the_end_is_put_on_a_head_without_data() {
    let (mut connection, ids) = server(1);
    connection
        .send_interim(ids[0], b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        .unwrap();
    connection.send_head(ids[0], HEAD, false).unwrap();
    connection.finish(ids[0], b"").unwrap();
    let flags: Vec<u8> = flush(&mut connection)
        .iter()
        .map(|frame| frame.flags)
        .collect();
    assert_eq!(flags, [END_HEADERS, WHOLE]);
    assert_eq!(connection.send_interim(ids[0], HEAD), Err(NotSent::Closed));
}

#[test]
fn streams_with_much_to_send_are_served_in_turn() {
    let (mut connection, ids) = server(5);
    let large = vec![0; 1 << 20];
    for &id in &ids {
        connection.send_head(id, HEAD, false).unwrap();
        connection.send_data(id, &large);
    }
    assert_eq!(connection.is_blocked(ids[4]), Some(Blocked::Output));
    let mut sent = [0usize; 5];
    flush(&mut connection);
    for _ in 0..200 {
        while let Some(event) = connection.next_event() {
            if let Event::Room(id) = event {
                connection.send_data(id, &large);
            }
        }
        let out = flush(&mut connection);
        assert!(!out.is_empty(), "there is always somebody's turn");
        for frame in out {
            sent[(frame.stream / 2) as usize] += frame.payload.len();
        }
    }
    let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
    assert!(most - least <= 2 * 16_384, "{sent:?}");
    assert!(sent.iter().sum::<usize>() > 200 * 48 * 1024, "{sent:?}");
}

#[test]
fn a_stream_that_lets_its_turn_pass_does_not_hold_up_others() {
    let (mut connection, ids) = server(8);
    let large = vec![0; 1 << 20];
    for &id in &ids {
        connection.send_head(id, HEAD, false).unwrap();
        connection.send_data(id, &large);
    }
    flush(&mut connection);
    let mut told = Vec::new();
    while let Some(event) = connection.next_event() {
        if let Event::Room(id) = event {
            told.push(id);
        }
    }
    assert!(!told.is_empty() && told.len() < 8, "{told:?}");
    for id in told {
        connection.release(id);
    }
    let next = connection.next_event();
    assert!(matches!(next, Some(Event::Room(_))), "{next:?}");
}

#[test]
fn unsent_output_is_bounded_for_data_and_heads() {
    let (mut connection, ids) = server(100);
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(8000));
    let mut refused = 0;
    for &id in &ids {
        match connection.send_head(id, head.as_bytes(), false) {
            Ok(()) => assert!(connection.send_data(id, &[0; 100_000]) <= 65_536),
            Err(NotSent::NoRoom) => refused += 1,
            Err(NotSent::Closed) => panic!("the stream is open"),
        }
    }
    assert!(refused > 50);
    assert!(connection.output().len() < 300_000);
    let mut heads = 0;
    for _ in 0..100 {
        flush(&mut connection);
        while let Some(event) = connection.next_event() {
            if let Event::Room(id) = event {
                match connection.send_head(id, head.as_bytes(), true) {
                    Ok(()) => heads += 1,
                    Err(_) => assert!(connection.send_data(id, &[0; 10]) == 10),
                }
            }
        }
    }
    assert_eq!(heads, refused, "all that were refused are told");
}

#[test]
fn the_windows_of_the_peer_hold_for_all_streams_together() {
    let mut peer = Peer::of_server();
    peer.send(&get(1)).send(&get(3));
    for stream in [1, 3] {
        let id = peer.id(stream);
        peer.connection.send_head(id, HEAD, false).unwrap();
    }
    let (first, second) = (peer.id(1), peer.id(3));
    assert_eq!(peer.connection.send_data(first, &[0; 60_000]), 60_000);
    peer.poll();
    assert_eq!(peer.connection.send_data(second, &[0; 60_000]), 5_535);
    assert_eq!(
        peer.connection.is_blocked(second),
        Some(Blocked::ConnectionWindow)
    );
    peer.poll();
    peer.send(&frame(WINDOW_UPDATE, NONE, 0, &[0, 0, 0, 100]));
    assert_eq!(peer.events.last(), Some(&Event::Room(second)));
    assert_eq!(peer.connection.send_data(second, &[0; 54_465]), 100);
}

#[test]
fn what_is_released_is_reset_with_the_right_word() {
    let mut peer = Peer::of_server();
    peer.send(&post(1)).send(&post(3)).send(&get(5));
    peer.answer(1).answer(5);
    for stream in [1, 3, 5] {
        let id = peer.id(stream);
        peer.connection.release(id);
        peer.connection.release(id);
        assert_eq!(peer.connection.send_data(id, b"x"), 0, "it is gone");
    }
    peer.poll();
    assert_eq!(peer.was_reset(1).map(|code| code.name()), Some("NO_ERROR"));
    assert_eq!(peer.was_reset(3).map(|code| code.name()), Some("CANCEL"));
    assert_eq!(peer.was_reset(5), None);
    assert_eq!(peer.connection.streams(), 0);
}
