//! Any bytes, in any split, to either end of a connection.

use super::{frame, settings};
use portcullis_http2::{
    Broken, Connection, ErrorCode, Event, HeadInfo, NotSent, Open, PREFACE, Read, StreamId,
};

/// All that a connection tells.
#[derive(Debug, PartialEq)]
struct Facts {
    broken: Option<Broken>,
    output: Vec<u8>,
    frames: u64,
    events: Vec<Event>,
    heads: Vec<(HeadInfo, Vec<u8>)>,
    bodies: Vec<(Vec<u8>, Read, Vec<u8>)>,
}

impl Facts {
    fn of(connection: &mut Connection, broken: Option<Broken>) -> Self {
        let output = connection.output().to_vec();
        let frames = connection.counters().frames;
        let (mut events, mut heads, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(event) = connection.next_event() {
            events.push(event);
            let (Event::Head(id) | Event::Data(id) | Event::Reset(id, _)) = event else {
                continue;
            };
            let (mut text, mut lines) = (Vec::new(), Vec::new());
            while let Some(info) = connection.take_head(id, &mut text) {
                heads.push((info, text.clone()));
            }
            let body = connection.readable(id).to_vec();
            connection.consume(id, body.len());
            connection.take_trailers(id, &mut lines);
            bodies.push((body, connection.receive_state(id), lines));
        }
        Self {
            broken,
            output,
            frames,
            events,
            heads,
            bodies,
        }
    }
}

/// A server after its handshake.
fn server() -> Connection {
    let mut connection = Connection::server(&settings(), 0);
    let handshake = [
        PREFACE.as_slice(),
        &frame(4, 0, 0, &[]),
        &frame(4, 1, 0, &[]),
    ]
    .concat();
    assert_eq!(connection.receive(&handshake, 0), Ok(()));
    connection
}

/// A client after its handshake, with two requests under way.
fn client() -> Connection {
    let mut connection = Connection::client(&settings(), 0);
    let handshake = [frame(4, 0, 0, &[0, 8, 0, 0, 0, 1]), frame(4, 1, 0, &[])].concat();
    assert_eq!(connection.receive(&handshake, 0), Ok(()));
    for text in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /b HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let options = Open {
            end: text.starts_with("GET"),
            ..Open::default()
        };
        assert!(connection.open(text.as_bytes(), &options).is_ok());
    }
    connection
}

/// Cuts `bytes` into pieces whose lengths `steps` gives over and over.
fn pieces<'a>(bytes: &'a [u8], steps: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut steps = steps.iter().cycle();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let step = steps
            .next()
            .map_or(rest.len(), |&step| usize::from(step) + 1);
        let (piece, after) = rest.split_at(step.min(rest.len()));
        rest = after;
        Some(piece)
    })
}

/// However the bytes are split, the same is told and the same is sent.
pub fn any_split_gives_the_same(bytes: &[u8], steps: &[u8]) {
    for make in [server, client] {
        let (mut whole, mut split) = (make(), make());
        let broken = whole.receive(bytes, 1).err();
        let mut broken_split = None;
        for piece in pieces(bytes, steps) {
            if let Err(end) = split.receive(piece, 1) {
                broken_split = Some(end);
            }
        }
        assert_eq!(
            Facts::of(&mut whole, broken),
            Facts::of(&mut split, broken_split)
        );
    }
}

/// Whatever comes, and whatever is done meanwhile, memory is bounded and nothing panics.
pub fn any_use_is_bounded(bytes: &[u8], steps: &[u8]) {
    for make in [server, client] {
        let mut connection = make();
        let mut open = Vec::new();
        let mut actions = steps.iter().rev().cycle().copied();
        for (now, piece) in pieces(bytes, steps).enumerate() {
            let broken = connection.receive(piece, now as u64).is_err();
            act(&mut connection, &mut open, &mut actions);
            check(&connection, &open);
            if broken {
                break;
            }
        }
        for id in open {
            connection.release(id);
            connection.release(id);
        }
    }
}

fn act(
    connection: &mut Connection,
    open: &mut Vec<StreamId>,
    actions: &mut impl Iterator<Item = u8>,
) {
    while let Some(event) = connection.next_event() {
        if let Event::Head(id) | Event::Data(id) | Event::Room(id) | Event::Reset(id, _) = event
            && !open.contains(&id)
        {
            open.push(id);
        }
    }
    let action = actions.next().unwrap_or(0);
    let which = usize::from(action >> 4) % open.len().max(1);
    if let Some(&id) = open.get(which) {
        act_on(connection, open, id, action);
    }
    if action & 8 != 0 {
        let count = connection.output().len() * usize::from(action) / 255;
        connection.sent(count);
    }
}

fn act_on(connection: &mut Connection, open: &mut Vec<StreamId>, id: StreamId, action: u8) {
    match action & 7 {
        0 => {
            connection.take_head(id, &mut Vec::new());
        }
        1 => {
            connection.read(id, &mut [0; 100]);
        }
        2 => {
            let head = b"HTTP/1.1 200 OK\r\nServer: x\r\nx-y: z\r\n\r\n";
            let _: Result<(), NotSent> = connection.send_head(id, head, action > 200);
        }
        3 => {
            let sent = connection.send_data(id, &[1; 40_000]);
            assert!(sent <= 40_000);
        }
        4 => {
            let _: Result<(), NotSent> = connection.finish(id, b"x-late: 1\r\n");
        }
        5 => connection.reset(id, ErrorCode::CANCEL),
        6 => {
            connection.release(id);
            open.retain(|other| *other != id);
        }
        _ => connection.drain(),
    }
}

fn check(connection: &Connection, open: &[StreamId]) {
    let unread: usize = open.iter().map(|&id| connection.readable(id).len()).sum();
    assert!(unread <= settings().connection_window as usize);
    assert!(connection.output().len() <= 600_000);
    assert!(connection.streams() <= 4);
}
