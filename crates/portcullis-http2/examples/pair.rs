//! A request read and an answer written, many times over: what `valgrind --tool=callgrind` counts of this crate.
//!
//! `cargo build --release -p portcullis-http2 --example pair`, then run it with the number of rounds.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use portcullis_http1::{Limits, RequestHead};
use portcullis_http2::{Connection, Event, PREFACE, Settings};

/// As a load generator sends it: everything from the tables after the first time.
const FIRST: &[u8] = b"\x82\x87\x84\x41\x0clocalhost:80\x7a\x0chload/1.52.0";
const NEXT: &[u8] = b"\x82\x87\x84\xbf\xbe";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: origin/1.31.5\r\nContent-Type: text/plain\r\nContent-Length: 128\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT\r\nETag: \"6740c3a0-80\"\r\nAccept-Ranges: bytes\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT\r\n\r\n";

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let rounds: u32 = rounds.unwrap_or(10_000);
    let mut connection = Connection::server(&Settings::default(), 0);
    connection.receive(PREFACE, 0).unwrap();
    connection.receive(b"\0\0\0\x04\0\0\0\0\0", 0).unwrap();
    connection.receive(b"\0\0\0\x04\x01\0\0\0\0", 0).unwrap();
    connection
        .receive(b"\0\0\x04\x08\0\0\0\0\0\x70\0\0\0", 0)
        .unwrap();
    let parses = std::env::args().len() < 3;
    let mut head = RequestHead::new();
    let (mut text, mut frame, mut total) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let block = if round == 0 { FIRST } else { NEXT };
        frame.clear();
        frame.extend_from_slice(&[0, 0, block.len() as u8, 1, 5]);
        frame.extend_from_slice(&(1 + 2 * round).to_be_bytes());
        frame.extend_from_slice(block);
        connection.receive(&frame, u64::from(round)).unwrap();
        while let Some(event) = connection.next_event() {
            if let Event::Head(id) = event {
                connection.take_head(id, &mut text).unwrap();
                if parses {
                    head.parse(&text, &Limits::default()).unwrap();
                }
                connection.send_head(id, HEAD, false).unwrap();
                connection.send_data(id, &[b'x'; 128]);
                connection.finish(id, b"").unwrap();
                connection.release(id);
            }
        }
        total += connection.output().len();
        connection.sent(connection.output().len());
    }
    println!("{} requests, {total} bytes", connection.opened());
}
