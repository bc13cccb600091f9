//! Our client against our server: whatever the sizes, windows and order, every exchange comes to its end with the bytes it began with.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use portcullis_http2::{Connection, Event, NotSent, Open, Read, Settings, StreamId};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;

/// One direction of one stream.
#[derive(Debug, Default, Clone)]
struct Flow {
    to_send: Vec<u8>,
    offset: usize,
    trailers: bool,
    finished: bool,
    received: Vec<u8>,
    late: Vec<u8>,
    ended: bool,
}

impl Flow {
    fn of(length: usize, seed: u8, trailers: bool) -> Self {
        let byte = |place: usize| (place % 251) as u8 ^ seed;
        Self {
            to_send: (0..length).map(byte).collect(),
            trailers,
            ..Self::default()
        }
    }

    /// Sends what fits, in pieces of at most `piece` bytes; stops when the connection takes less.
    fn send(&mut self, connection: &mut Connection, id: StreamId, piece: usize) {
        while self.offset < self.to_send.len() {
            let end = self.to_send.len().min(self.offset + piece);
            let sent = connection.send_data(id, &self.to_send[self.offset..end]);
            self.offset += sent;
            if self.offset < end {
                return;
            }
        }
        let late: &[u8] = if self.trailers { b"x-late: 1\r\n" } else { b"" };
        match connection.finish(id, late) {
            Ok(()) => self.finished = true,
            Err(NotSent::NoRoom) => {}
            Err(NotSent::Closed) => panic!("closed before its end"),
        }
    }

    fn receive(&mut self, connection: &mut Connection, id: StreamId, buffer: &mut [u8]) {
        loop {
            match connection.read(id, buffer) {
                Read::Data(count) => self.received.extend_from_slice(&buffer[..count]),
                Read::Pending => return,
                Read::End => {
                    connection.take_trailers(id, &mut self.late);
                    self.ended = true;
                    return;
                }
                Read::Reset(code) => panic!("reset by {code}"),
            }
        }
    }
}

/// One end, and what it does on each stream.
struct End {
    connection: Connection,
    flows: HashMap<u32, (StreamId, Flow)>,
    is_server: bool,
    done: usize,
}

impl End {
    /// Acts on all events; whether there was one.
    fn act(&mut self, plan: &[(usize, usize, bool)], piece: usize) -> bool {
        let mut acted = false;
        let mut buffer = vec![0; piece];
        while let Some(event) = self.connection.next_event() {
            acted = true;
            let (Event::Head(id) | Event::Data(id) | Event::Room(id)) = event else {
                continue;
            };
            if matches!(event, Event::Head(_)) {
                self.head(id, plan);
            }
            let Some((_, flow)) = self.flows.get_mut(&id.number()) else {
                continue;
            };
            if !flow.ended {
                flow.receive(&mut self.connection, id, &mut buffer);
            }
            // Data to send was offered before; it is offered again only when there is room.
            let is_room = matches!(event, Event::Room(_) | Event::Head(_)) && self.is_server;
            if !flow.finished && (is_room || matches!(event, Event::Room(_))) {
                flow.send(&mut self.connection, id, piece);
            }
            if flow.finished && flow.ended {
                self.connection.release(id);
                self.done += 1;
                let (_, flow) = self.flows.remove(&id.number()).unwrap();
                check(&flow, plan[(id.number() / 2) as usize], self.is_server);
            }
        }
        acted
    }

    fn head(&mut self, id: StreamId, plan: &[(usize, usize, bool)]) {
        let mut text = Vec::new();
        self.connection.take_head(id, &mut text).unwrap();
        if self.is_server {
            let (_, length, trailers) = plan[(id.number() / 2) as usize];
            let head = b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n";
            self.connection.send_head(id, head, false).unwrap();
            self.flows
                .insert(id.number(), (id, Flow::of(length, 7, trailers)));
        }
    }
}

fn check(flow: &Flow, (up, down, trailers): (usize, usize, bool), is_server: bool) {
    let (length, seed) = if is_server { (up, 3) } else { (down, 7) };
    assert!(
        flow.received == Flow::of(length, seed, false).to_send,
        "the same bytes"
    );
    assert_eq!(flow.late.is_empty(), !trailers);
}

/// Moves up to `most` bytes of output to the other end; whether there were any.
fn carry(from: &mut Connection, to: &mut Connection, most: usize) -> bool {
    let count = from.output().len().min(most);
    if count == 0 {
        return false;
    }
    to.receive(&from.output()[..count], 0).unwrap();
    from.sent(count);
    true
}

fn run(plan: &[(usize, usize, bool)], settings: &Settings, piece: usize, carried: usize) {
    let mut client = End {
        connection: Connection::client(settings, 0),
        flows: HashMap::new(),
        is_server: false,
        done: 0,
    };
    let mut server = End {
        connection: Connection::server(settings, 0),
        flows: HashMap::new(),
        is_server: true,
        done: 0,
    };
    let mut opened = 0;
    while client.done < plan.len() {
        while opened < plan.len() && client.connection.streams() < 5 {
            let text = b"POST / HTTP/1.1\r\nhost: a\r\nx-same: 1\r\n\r\n";
            let id = client.connection.open(text, &Open::default()).unwrap();
            let (length, _, trailers) = plan[opened];
            let mut flow = Flow::of(length, 3, trailers);
            flow.send(&mut client.connection, id, piece);
            client.flows.insert(id.number(), (id, flow));
            opened += 1;
        }
        let mut moved = client.act(plan, piece);
        moved |= carry(&mut client.connection, &mut server.connection, carried);
        moved |= server.act(plan, piece);
        moved |= carry(&mut server.connection, &mut client.connection, carried);
        assert!(
            moved,
            "nobody can go on, {} of {} done",
            client.done,
            plan.len()
        );
    }
    while carry(&mut client.connection, &mut server.connection, carried) {
        server.act(plan, piece);
    }
    assert_eq!((server.done, server.connection.streams()), (plan.len(), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_exchange_comes_to_its_end(
        plan in vec((0..90_000usize, 0..90_000usize, any::<bool>()), 1..12),
        windows in (1..70_000u32, 65_535..200_000u32),
        piece in 1000..50_000usize,
        carried in 100..70_000usize,
        output in 1000..70_000usize,
    ) {
        let settings = Settings {
            stream_window: windows.0,
            connection_window: windows.1,
            output,
            budgets: generous(),
            ..Settings::default()
        };
        run(&plan, &settings, piece, carried);
    }
}

/// Windows of a few bytes make many frames; that is not what is tested here.
fn generous() -> portcullis_http2::Budgets {
    let allow = portcullis_http2::Allowance {
        burst: u32::MAX / 2,
        per_second: 0,
    };
    portcullis_http2::Budgets {
        window_updates: allow,
        ..portcullis_http2::Budgets::default()
    }
}
