//! RFC 9113: frames on the wire, each rule broken once. What ends a stream leaves the connection alone; what ends the
//! connection says so by GOAWAY.

use portcullis_harness::http2::{PREFACE, flag, kind, request};
use portcullis_harness::{Http2, Origin, Proxy, ok};

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

const HEADERS_END: u8 = flag::END_HEADERS | flag::END_STREAM;

fn serving() -> (Origin, Proxy) {
    let origin = Origin::tcp(|peer| {
        while let Some(request) = peer.request() {
            if request.target == "/held" {
                return peer.wait_closed();
            }
            peer.send(ok("x"));
        }
    });
    let proxy = Proxy::before(&origin);
    (origin, proxy)
}

/// What a client does.
type Deed = fn(&mut Http2);
/// The same, with the number of the stream that it is done to.
type StreamDeed = fn(&mut Http2) -> u32;

/// Each row breaks a rule of the connection and gets GOAWAY with this code.
fn breaks(rows: &[(&str, u32, Deed)]) {
    let (_origin, proxy) = serving();
    for (name, code, play) in rows {
        let mut client = proxy.connect("web").http2();
        play(&mut client);
        assert_eq!(client.until_closed(), Some(*code), "{name}: {client:#?}");
    }
    let mut other = proxy.connect("web").http2();
    let stream = other.get("a", "/");
    assert_eq!(other.answer(stream).status(), 200, "others are served");
}

/// Each row breaks a rule of a stream and gets RST_STREAM with this code; the connection goes on.
fn resets(rows: &[(&str, u32, StreamDeed)]) {
    let (_origin, proxy) = serving();
    for (name, code, play) in rows {
        let mut client = proxy.connect("web").http2();
        let stream = play(&mut client);
        let answer = client.answer(stream);
        assert_eq!(answer.reset, Some(*code), "{name}: {client:#?}");
        assert!(client.is_alive(), "{name}");
    }
}

/// Each row is in order, whatever it looks like.
fn bears(rows: &[(&str, Deed)]) {
    let (_origin, proxy) = serving();
    for (name, play) in rows {
        let mut client = proxy.connect("web").http2();
        play(&mut client);
        let stream = client.get("a", "/");
        assert_eq!(client.answer(stream).status(), 200, "{name}: {client:#?}");
    }
}

/// A stream whose request is open on our side.
fn open(client: &mut Http2) -> u32 {
    client.post("a", "/held")
}

/// A stream whose request has ended and whose answer has not come.
fn half_closed(client: &mut Http2) -> u32 {
    client.get("a", "/held")
}

fn closed(client: &mut Http2) -> u32 {
    let stream = client.get("a", "/");
    client.answer(stream);
    stream
}

fn with_fields(client: &mut Http2, extra: &[(&str, &str)]) -> u32 {
    let mut fields = request("GET", "a", "/").to_vec();
    fields.extend(extra);
    client.open(&fields, true)
}

#[test]
fn rfc9113_3_4_a_connection_begins_with_preface_and_settings() {
    let (_origin, proxy) = serving();
    let mut client = proxy.connect("web");
    client.send(PREFACE);
    let mut client = client.frames();
    client.frame(kind::PING, 0, 0, [0; 8]);
    assert_eq!(client.until_closed(), Some(PROTOCOL_ERROR));
    let mut client = proxy.connect("web").http2();
    client.until(|client| client.settings.len() >= 3);
    assert!(
        client.settings.contains_key(&3),
        "MAX_CONCURRENT_STREAMS is announced"
    );
}

#[test]
fn rfc9113_4_1_unknown_frames_and_flags_are_ignored() {
    bears(&[
        ("an unknown type", |client| client.frame(0x16, 0, 0, [0; 8])),
        ("an unknown type on a stream", |client| {
            client.frame(0x17, 0xff, 5, [0; 3]);
        }),
        ("unknown flags", |client| {
            client.frame(kind::PING, 0x16, 0, [0; 8]);
        }),
        ("the reserved bit", |client| {
            client.frame(kind::PING, 0, 0x8000_0000, [0; 8]);
        }),
    ]);
}

#[test]
fn rfc9113_4_2_frames_have_a_size() {
    breaks(&[
        ("DATA over the limit", FRAME_SIZE_ERROR, |client| {
            let stream = open(client);
            client.frame(kind::DATA, 0, stream, vec![0; 16_385]);
        }),
        ("HEADERS over the limit", FRAME_SIZE_ERROR, |client| {
            client.frame(kind::HEADERS, HEADERS_END, 1, vec![0; 16_385]);
        }),
        ("a PING of 7 bytes", FRAME_SIZE_ERROR, |client| {
            client.frame(kind::PING, 0, 0, [0; 7]);
        }),
        ("SETTINGS of 5 bytes", FRAME_SIZE_ERROR, |client| {
            client.frame(kind::SETTINGS, 0, 0, [0; 5]);
        }),
        (
            "an acknowledgement with content",
            FRAME_SIZE_ERROR,
            |client| {
                client.frame(kind::SETTINGS, flag::ACK, 0, [0; 6]);
            },
        ),
        ("a WINDOW_UPDATE of 3 bytes", FRAME_SIZE_ERROR, |client| {
            client.frame(kind::WINDOW_UPDATE, 0, 0, [0; 3]);
        }),
        ("an RST_STREAM of 3 bytes", FRAME_SIZE_ERROR, |client| {
            let stream = half_closed(client);
            client.frame(kind::RST_STREAM, 0, stream, [0; 3]);
        }),
    ]);
}

#[test]
fn rfc9113_4_3_field_blocks_are_whole_and_right() {
    breaks(&[
        ("an index that there is not", COMPRESSION_ERROR, |client| {
            client.frame(kind::HEADERS, HEADERS_END, 1, [0xff, 0x7f]);
        }),
        ("a block that breaks off", COMPRESSION_ERROR, |client| {
            client.frame(kind::HEADERS, HEADERS_END, 1, [0x00, 0x85, 0xf2]);
        }),
        ("another frame within a block", PROTOCOL_ERROR, |client| {
            client.frame(kind::HEADERS, flag::END_STREAM, 1, [0x82]);
            client.frame(kind::PING, 0, 0, [0; 8]);
        }),
        (
            "another stream's block within a block",
            PROTOCOL_ERROR,
            |client| {
                client.frame(kind::HEADERS, flag::END_STREAM, 1, [0x82]);
                client.frame(kind::CONTINUATION, flag::END_HEADERS, 3, [0x84]);
            },
        ),
        ("CONTINUATION out of nothing", PROTOCOL_ERROR, |client| {
            client.frame(kind::CONTINUATION, flag::END_HEADERS, 1, [0x82]);
        }),
    ]);
    bears(&[("a head in many frames", |client| {
        let stream = client.stream();
        let block = client.fields(&request("GET", "a", "/"));
        client.frame(kind::HEADERS, flag::END_STREAM, stream, &block[..1]);
        for (index, byte) in block[1..].iter().enumerate().take(3) {
            assert!(index < 3);
            client.frame(kind::CONTINUATION, 0, stream, [*byte]);
        }
        client.frame(kind::CONTINUATION, flag::END_HEADERS, stream, &block[4..]);
        assert_eq!(client.answer(stream).status(), 200);
    })]);
}

#[test]
fn rfc9113_5_1_streams_have_states() {
    breaks(&[
        ("DATA on an idle stream", PROTOCOL_ERROR, |client| {
            client.data(5, b"x", true);
        }),
        ("RST_STREAM on an idle stream", PROTOCOL_ERROR, |client| {
            client.reset(5, 8);
        }),
        (
            "WINDOW_UPDATE on an idle stream",
            PROTOCOL_ERROR,
            |client| {
                client.frame(kind::WINDOW_UPDATE, 0, 5, 1_u32.to_be_bytes());
            },
        ),
        ("an even stream", PROTOCOL_ERROR, |client| {
            let block = client.fields(&request("GET", "a", "/"));
            client.frame(kind::HEADERS, HEADERS_END, 2, block);
        }),
        ("a lower stream", PROTOCOL_ERROR, |client| {
            let block = client.fields(&request("GET", "a", "/"));
            client.frame(kind::HEADERS, HEADERS_END, 5, block.clone());
            client.frame(kind::HEADERS, HEADERS_END, 3, block);
        }),
    ]);
    resets(&[
        ("DATA after END_STREAM", STREAM_CLOSED, |client| {
            let stream = half_closed(client);
            client.data(stream, b"x", false);
            stream
        }),
        ("HEADERS after END_STREAM", STREAM_CLOSED, |client| {
            let stream = half_closed(client);
            let block = client.fields(&[("x", "y")]);
            client.frame(kind::HEADERS, HEADERS_END, stream, block);
            stream
        }),
    ]);
    bears(&[
        ("WINDOW_UPDATE on a closed stream", |client| {
            let stream = closed(client);
            client.frame(kind::WINDOW_UPDATE, 0, stream, 1_u32.to_be_bytes());
        }),
        ("RST_STREAM on a closed stream", |client| {
            let stream = closed(client);
            client.reset(stream, 8);
        }),
        ("PRIORITY on an idle stream", |client| {
            client.frame(kind::PRIORITY, 0, 99, [0, 0, 0, 0, 15]);
        }),
    ]);
}

#[test]
fn rfc9113_6_frames_belong_to_a_stream_or_to_the_connection() {
    breaks(&[
        ("DATA on the connection", PROTOCOL_ERROR, |client| {
            client.data(0, b"x", true);
        }),
        ("HEADERS on the connection", PROTOCOL_ERROR, |client| {
            let block = client.fields(&request("GET", "a", "/"));
            client.frame(kind::HEADERS, HEADERS_END, 0, block);
        }),
        ("RST_STREAM on the connection", PROTOCOL_ERROR, |client| {
            client.reset(0, 8);
        }),
        ("SETTINGS on a stream", PROTOCOL_ERROR, |client| {
            client.frame(kind::SETTINGS, 0, 1, []);
        }),
        ("PING on a stream", PROTOCOL_ERROR, |client| {
            client.frame(kind::PING, 0, 1, [0; 8]);
        }),
        ("GOAWAY on a stream", PROTOCOL_ERROR, |client| {
            client.frame(kind::GOAWAY, 0, 1, [0; 8]);
        }),
        ("PUSH_PROMISE of a client", PROTOCOL_ERROR, |client| {
            let stream = open(client);
            client.frame(
                kind::PUSH_PROMISE,
                flag::END_HEADERS,
                stream,
                [0, 0, 0, 2, 0x82],
            );
        }),
        ("padding longer than its DATA", PROTOCOL_ERROR, |client| {
            let stream = open(client);
            client.frame(kind::DATA, flag::PADDED, stream, [6, 1, 2, 3]);
        }),
        (
            "padding longer than its HEADERS",
            PROTOCOL_ERROR,
            |client| {
                client.frame(
                    kind::HEADERS,
                    HEADERS_END | flag::PADDED,
                    1,
                    [9, 0x82, 0x84],
                );
            },
        ),
    ]);
}

#[test]
fn rfc9113_6_5_settings_have_values() {
    breaks(&[
        ("ENABLE_PUSH of 2", PROTOCOL_ERROR, |client| {
            client.frame(kind::SETTINGS, 0, 0, [0, 2, 0, 0, 0, 2]);
        }),
        ("a window over 2^31 - 1", FLOW_CONTROL_ERROR, |client| {
            client.frame(kind::SETTINGS, 0, 0, [0, 4, 0x80, 0, 0, 0]);
        }),
        ("a frame size under 16,384", PROTOCOL_ERROR, |client| {
            client.frame(kind::SETTINGS, 0, 0, [0, 5, 0, 0, 0x3f, 0xff]);
        }),
        ("a frame size over 2^24 - 1", PROTOCOL_ERROR, |client| {
            client.frame(kind::SETTINGS, 0, 0, [0, 5, 1, 0, 0, 0]);
        }),
    ]);
    bears(&[("a setting nobody knows", |client| {
        client.frame(kind::SETTINGS, 0, 0, [0xff, 0, 0, 0, 0, 1]);
    })]);
}

#[test]
fn rfc9113_6_9_windows_are_kept() {
    breaks(&[
        (
            "the connection's window grown by nothing",
            PROTOCOL_ERROR,
            |client| {
                client.frame(kind::WINDOW_UPDATE, 0, 0, [0; 4]);
            },
        ),
        (
            "the connection's window over 2^31 - 1",
            FLOW_CONTROL_ERROR,
            |client| {
                client.frame(kind::WINDOW_UPDATE, 0, 0, 0x7fff_ffff_u32.to_be_bytes());
            },
        ),
    ]);
    resets(&[
        (
            "a stream's window grown by nothing",
            PROTOCOL_ERROR,
            |client| {
                let stream = open(client);
                client.frame(kind::WINDOW_UPDATE, 0, stream, [0; 4]);
                stream
            },
        ),
        (
            "a stream's window over 2^31 - 1",
            FLOW_CONTROL_ERROR,
            |client| {
                let stream = open(client);
                client.frame(
                    kind::WINDOW_UPDATE,
                    0,
                    stream,
                    0x7fff_ffff_u32.to_be_bytes(),
                );
                stream
            },
        ),
    ]);
}

#[test]
fn rfc9113_8_1_1_content_length_is_what_comes() {
    resets(&[
        ("more than it says", PROTOCOL_ERROR, |client| {
            let mut fields = request("POST", "a", "/held").to_vec();
            fields.push(("content-length", "1"));
            let stream = client.open(&fields, false);
            client.data(stream, b"four", true);
            stream
        }),
        ("less than it says", PROTOCOL_ERROR, |client| {
            let mut fields = request("POST", "a", "/held").to_vec();
            fields.push(("content-length", "9"));
            let stream = client.open(&fields, false);
            client.data(stream, b"four", true);
            stream
        }),
        ("nothing at all", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("content-length", "1")])
        }),
    ]);
}

#[test]
fn rfc9113_8_2_fields_are_lower_case_and_of_this_protocol() {
    resets(&[
        ("a capital letter", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("X-Test", "1")])
        }),
        ("a space in a name", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("x y", "1")])
        }),
        ("a line in a value", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("x", "1\r\nevil: 2")])
        }),
        ("NUL in a value", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("x", "a\0b")])
        }),
        ("connection", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("connection", "close")])
        }),
        ("transfer-encoding", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("transfer-encoding", "chunked")])
        }),
        ("te other than trailers", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("te", "gzip")])
        }),
    ]);
}

#[test]
fn rfc9113_8_3_pseudo_fields_are_complete_and_first() {
    resets(&[
        ("unknown", PROTOCOL_ERROR, |client| {
            with_fields(client, &[(":test", "1")])
        }),
        ("of responses", PROTOCOL_ERROR, |client| {
            with_fields(client, &[(":status", "200")])
        }),
        ("after a field", PROTOCOL_ERROR, |client| {
            let [method, scheme, path, host] = request("GET", "a", "/");
            client.open(&[method, scheme, ("x", "1"), path, host], true)
        }),
        ("an empty path", PROTOCOL_ERROR, |client| {
            client.get("a", "")
        }),
        ("no method", PROTOCOL_ERROR, |client| {
            client.open(&request("GET", "a", "/")[1..], true)
        }),
        ("no scheme", PROTOCOL_ERROR, |client| {
            let [method, _, path, host] = request("GET", "a", "/");
            client.open(&[method, path, host], true)
        }),
        ("no path", PROTOCOL_ERROR, |client| {
            let [method, scheme, _, host] = request("GET", "a", "/");
            client.open(&[method, scheme, host], true)
        }),
        ("method twice", PROTOCOL_ERROR, |client| {
            let [method, scheme, path, host] = request("GET", "a", "/");
            client.open(&[method, method, scheme, path, host], true)
        }),
        ("Host of another name", PROTOCOL_ERROR, |client| {
            with_fields(client, &[("host", "b")])
        }),
        ("in trailers", PROTOCOL_ERROR, |client| {
            let stream = open(client);
            let block = client.fields(&[(":method", "GET")]);
            client.frame(kind::HEADERS, HEADERS_END, stream, block);
            stream
        }),
        ("trailers that end nothing", PROTOCOL_ERROR, |client| {
            let stream = open(client);
            let block = client.fields(&[("x", "1")]);
            client.frame(kind::HEADERS, flag::END_HEADERS, stream, block);
            stream
        }),
    ]);
}

#[test]
fn rfc9113_6_7_a_ping_is_answered_and_an_answer_is_not() {
    let (_origin, proxy) = serving();
    let mut client = proxy.connect("web").http2();
    client.frame(kind::PING, flag::ACK, 0, *b"unasked!");
    client.frame(kind::PING, 0, 0, *b"12345678");
    client.until(|client| !client.pongs.is_empty());
    assert_eq!(client.pongs, [b"12345678"]);
}

#[test]
fn rfc9113_6_8_after_a_clients_goaway_its_streams_are_served() {
    let (_origin, proxy) = serving();
    let mut client = proxy.connect("web").http2();
    let stream = client.get("a", "/");
    client.frame(kind::GOAWAY, 0, 0, [0; 8]);
    assert_eq!(client.answer(stream).status(), 200);
    assert!(matches!(client.goaways.last(), None | Some((_, NO_ERROR))));
}
