//! RFC 7541: what a decoder has to refuse, and what it has to understand. Cases as h2spec groups them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use portcullis_http2::{ErrorCode, Settings};
use support::*;

/// A request of these bytes followed by four good pseudo-fields.
fn sent(head: &[u8]) -> Peer {
    let mut peer = Peer::of_server();
    let mut bytes = block(GET);
    bytes.extend_from_slice(head);
    peer.send(&frame(HEADERS, WHOLE, 1, &bytes));
    peer
}

#[test]
fn what_cannot_be_decoded_ends_the_connection() {
    for (case, bytes) in [
        ("2.3.3 an index beyond the tables", b"\xFF\x00".as_slice()),
        ("2.3.3 a literal with such a name", b"\x7F\x00\x01x"),
        ("4.2 a size update at the end of the block", b"\x3F\x00"),
        (
            "5.1 an integer without end",
            b"\xFF\xFF\xFF\xFF\xFF\xFF\x0F",
        ),
        (
            "5.2 padding over seven bits",
            b"\x00\x85\xF2\xB2\x4A\x84\xFF\x84\x49\x50\x9F\xFF",
        ),
        (
            "5.2 padding of zeros",
            b"\x00\x85\xF2\xB2\x4A\x84\xFF\x83\x49\x50\x90",
        ),
        (
            "5.2 EOS",
            b"\x00\x85\xF2\xB2\x4A\x84\xFF\x87\x49\x51\xFF\xFF\xFF\xFA\x7F",
        ),
        ("5.2 a string beyond the block", b"\x00\x05x"),
        ("6.1 index 0", b"\x80"),
        ("6.2 a literal without a value", b"\x41"),
    ] {
        sent(bytes).expect_end(ErrorCode::COMPRESSION_ERROR, case);
    }
}

#[test]
fn section_6_3_a_size_update_stays_within_what_was_announced() {
    let update = |bytes: &[u8]| {
        let mut peer = Peer::of_server();
        let block = [bytes, &block(GET)].concat();
        peer.send(&frame(HEADERS, WHOLE, 1, &block));
        peer
    };
    update(b"\x3F\xE2\x1F").expect_end(ErrorCode::COMPRESSION_ERROR, "4097");
    update(b"\x20\x3F\xE1\x1F").expect_alive("0, then 4096");
    update(b"\x20\x20\x20").expect_end(ErrorCode::COMPRESSION_ERROR, "three of them");
}

#[test]
fn section_4_2_a_smaller_table_that_was_acknowledged_has_to_be_told() {
    let settings = Settings {
        header_table: 100,
        ..Settings::default()
    };
    let mut peer = Peer::of_server_with(&settings);
    peer.send(&get(1));
    peer.expect_end(ErrorCode::COMPRESSION_ERROR, "no update");
    let mut peer = Peer::of_server_with(&settings);
    peer.send(&frame(
        HEADERS,
        WHOLE,
        1,
        &[b"\x3F\x45".as_slice(), &block(GET)].concat(),
    ));
    peer.send(&get(3));
    peer.expect_alive("an update to 100");
}

#[test]
fn all_representations_are_understood() {
    // Static, dynamic, with and without Huffman, all three kinds of literals, and a table emptied in between.
    let first = [
        b"\x82\x86\x84".as_slice(),
        b"\x41\x8C\xF1\xE3\xC2\xE5\xF2\x3A\x6B\xA0\xAB\x90\xF4\xFF",
        b"\x40\x03x-a\x01b",
        b"\x00\x03x-c\x01d",
        b"\x10\x03x-e\x01f",
    ];
    let mut peer = Peer::of_server();
    peer.send(&frame(HEADERS, WHOLE, 1, &first.concat()));
    let text = "GET / HTTP/1.1\r\nhost: www.example.com\r\nx-a: b\r\n";
    assert_eq!(peer.text(1), format!("{text}x-c: d\r\nx-e: f\r\n\r\n"));
    peer.send(&frame(HEADERS, WHOLE, 3, b"\x82\x86\x84\xBF\xBE"));
    assert_eq!(peer.text(3), format!("{text}\r\n"));
    peer.send(&frame(
        HEADERS,
        WHOLE,
        5,
        b"\x20\x3F\xE1\x1F\x82\x86\x84\x41\x01a",
    ));
    assert_eq!(peer.text(5), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    peer.send(&frame(HEADERS, WHOLE, 7, b"\x82\x86\x84\xBF"));
    peer.expect_end(
        ErrorCode::COMPRESSION_ERROR,
        "what was in the table before is gone",
    );
}

#[test]
fn blocks_of_streams_that_nobody_serves_keep_the_table_right() {
    let settings = Settings {
        max_streams: 1,
        ..Settings::default()
    };
    let mut peer = Peer::of_server_with(&settings);
    peer.send(&get(1));
    let refused = [block(GET), b"\x40\x03x-a\x01b".to_vec()].concat();
    peer.send(&frame(HEADERS, WHOLE, 3, &refused));
    assert_eq!(peer.was_reset(3), Some(ErrorCode::REFUSED_STREAM));
    let id = peer.id(1);
    peer.connection.release(id);
    peer.send(&frame(
        HEADERS,
        WHOLE,
        5,
        &[block(GET), b"\xBE".to_vec()].concat(),
    ));
    assert!(peer.text(5).contains("x-a: b\r\n"));
}

#[test]
fn section_6_3_our_table_follows_the_peers_setting() {
    let mut peer = Peer::of_server();
    let answer = |peer: &mut Peer, stream: u32| {
        peer.send(&get(stream));
        let id = peer.id(stream);
        let head = b"HTTP/1.1 200 OK\r\nx-same: value\r\n\r\n";
        peer.connection.send_head(id, head, true).unwrap();
        peer.sent.clear();
        peer.poll();
        peer.connection.release(id);
        peer.sent[0].payload.clone()
    };
    assert_eq!(
        answer(&mut peer, 1)[..2],
        [0x88, 0x00],
        "a literal the first time"
    );
    assert_eq!(
        answer(&mut peer, 3)[..2],
        [0x88, 0x40],
        "into the table the second"
    );
    assert_eq!(answer(&mut peer, 5), [0x88, 0xBE], "one byte the third");
    peer.send(&frame(
        SETTINGS,
        NONE,
        0,
        &[setting(1, 0), setting(1, 4096)].concat(),
    ));
    let after = answer(&mut peer, 7);
    assert_eq!(
        after[..4],
        [0x20, 0x3F, 0xE1, 0x1F],
        "down to nothing and up again"
    );
    assert_eq!(after[4..6], [0x88, 0x40]);
    peer.send(&frame(SETTINGS, NONE, 0, &setting(1, 0)));
    assert_eq!(answer(&mut peer, 9)[..3], [0x20, 0x88, 0x00], "no table");
}

#[test]
fn section_7_1_secrets_are_never_indexed() {
    let mut peer = Peer::of_client(&[]);
    for _ in 0..3 {
        let text = "GET / HTTP/1.1\r\nhost: a\r\nAuthorization: secret\r\ncookie: s=1\r\n\r\n";
        peer.sent.clear();
        peer.open(text, true);
        let payload = &peer.sent[0].payload;
        let secret = b"\x1F\x08\x06secret\x1F\x11\x03s=1";
        assert!(payload.ends_with(secret), "{payload:x?}");
    }
}
