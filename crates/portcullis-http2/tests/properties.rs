//! The properties that the fuzz targets check, on generated frames, fields and blocks: sound ones, and sound ones damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a property fails by panicking"
)]

#[path = "../../../tests/fuzz/src/http2/mod.rs"]
mod http2;

use http2::{frame, frames, hpack, literals, text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const PSEUDO: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/a?b"),
    (":authority", "a.b"),
];

const FIELDS: &[(&str, &str)] = &[
    ("host", "a.b"),
    ("host", "c.d:443"),
    ("cookie", "a=b"),
    ("cookie", "c=d"),
    ("cookie", ""),
    ("content-length", "5"),
    ("content-length", "0"),
    ("te", "trailers"),
    ("x-a", "1"),
    ("x-b", ""),
    ("accept", "\u{e9}"),
    ("connection", "close"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "x"),
    ("expect", "100-continue"),
    (":protocol", "websocket"),
    (":method", "CONNECT"),
    (":method", "OPTIONS"),
    (":path", "*"),
    (":status", "200"),
    (":authority", "A.b:443"),
    ("X-Upper", "1"),
    ("x-c", "a\r\nhost: evil"),
    ("x\r\ny", "z"),
    ("x: y", "z"),
    (":path", "/ HTTP/1.1\r\nx: y"),
];

const EVIL: &[&str] = &[
    "\r\n", "\n", "\0", " ", "\t", ":", "/", "*", "@", ",", "\u{7f}", "#", "%", "[", "HTTP/1.1",
];

type Field = (Vec<u8>, Vec<u8>);

fn owned(field: &(&str, &str)) -> Field {
    (field.0.as_bytes().to_vec(), field.1.as_bytes().to_vec())
}

/// The pseudo-fields of a request, some of them replaced or missing, then fields; perhaps with something evil put in.
fn fields() -> impl Strategy<Value = Vec<Field>> {
    let replaced = vec((0..4usize, select(FIELDS)), 0..3);
    let others = vec(select(FIELDS), 0..6);
    let evil = proptest::option::of((any::<(u8, u8)>(), select(EVIL)));
    (replaced, others, evil).prop_map(|(replaced, others, evil)| {
        let mut fields: Vec<Field> = PSEUDO.iter().map(owned).collect();
        for (place, field) in replaced {
            fields[place] = owned(&field);
        }
        fields.extend(others.iter().map(owned));
        if let Some(((which, place), evil)) = evil {
            let count = fields.len();
            let value = &mut fields[usize::from(which) % count].1;
            let at = usize::from(place) % (value.len() + 1);
            value.splice(at..at, evil.bytes());
        }
        fields
    })
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        fields().prop_map(|fields| literals(&fields)),
        Just(literals(&PSEUDO.iter().map(owned).collect::<Vec<_>>())),
        Just(b"\x82\x86\x84\x41\x01a".to_vec()),
        Just(b"\x88".to_vec()),
        Just(b"\x88\x40\x01a\x01b\xBE".to_vec()),
        Just(b"\x48\x03103".to_vec()),
        Just(literals(&[owned(&("x-late", "1"))])),
        vec(any::<u8>(), 0..40),
        (0..17_000usize).prop_map(|length| vec![0; length]),
        any::<u32>().prop_map(|word| word.to_be_bytes().to_vec()),
        (0..9u16, any::<u32>()).prop_map(|(name, value)| [
            &name.to_be_bytes()[..],
            &value.to_be_bytes()
        ]
        .concat()),
        Just(vec![0; 8]),
    ]
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    let kinds = select(&[0u8, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 0x20][..]);
    let flags = select(&[0u8, 1, 4, 5, 5, 5, 4, 8, 0x0D, 0x24, 0xFF][..]);
    let streams = select(&[0u32, 1, 1, 1, 3, 3, 5, 7, 2, 0x7FFF_FFFF][..]);
    let one = (kinds, flags, streams, payload())
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
    let plausible =
        (select(&[1u32, 3, 5, 7, 9, 11][..]), any::<bool>()).prop_map(|(stream, end)| {
            frame(1, if end { 5 } else { 4 }, stream, b"\x82\x86\x84\x41\x01a")
        });
    let damage = proptest::option::of((any::<prop::sample::Index>(), any::<u8>()));
    let frames = vec(prop_oneof![one, plausible], 1..12);
    (frames, damage).prop_map(|(frames, damage)| {
        let mut bytes = frames.concat();
        if let Some((place, byte)) = damage
            && !bytes.is_empty()
        {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

const LINES: &[&str] = &[
    "x-a: 1",
    "x-b: ",
    "date: Sat, 21 Nov 2026 10:00:00 GMT",
    "cookie: a=b; c=d",
    "authorization: secret",
    "te: trailers",
    "etag: \"abc\"",
    "content-type: text/plain; charset=utf-8",
    "accept-encoding: gzip, deflate",
    "x-large: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "x-\u{e9}: \u{e9}",
    "user-agent: curl/8",
];

/// Large enough that few of them fill the table.
fn lines() -> Vec<String> {
    let plain = LINES.iter().filter(|line| line.is_ascii());
    let mut lines: Vec<String> = plain.map(|&line| line.to_owned()).collect();
    for number in 0..12 {
        lines.push(format!("x-{number}: {}", "v".repeat(40 * number)));
    }
    lines
}

proptest! {
    #[test]
    fn any_split_of_frames_gives_the_same(bytes in wire(), steps in vec(any::<u8>(), 1..5)) {
        frames::any_split_gives_the_same(&bytes, &steps);
    }

    #[test]
    fn any_use_of_a_connection_is_bounded(bytes in wire(), steps in vec(any::<u8>(), 1..9)) {
        frames::any_use_is_bounded(&bytes, &steps);
    }

    #[test]
    fn any_fields_are_one_request_or_refused(fields in fields()) {
        text::any_fields_are_one_request_or_refused(&fields);
    }

    #[test]
    fn blocks_mean_the_same_to_another_decoder(
        one in vec(payload(), 1..4),
        two in vec(payload(), 1..4),
    ) {
        hpack::what_is_accepted_means_the_same_to_another_decoder([&one.concat(), &two.concat()]);
    }

    #[test]
    fn what_we_encode_reads_back(order in vec(any::<u8>(), 1..200)) {
        let lines = lines();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        // Cookies are joined and so change places; one of them a request is enough elsewhere.
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("cookie")).collect();
        hpack::what_we_encode_reads_back(&lines, &order);
    }
}

#[test]
fn raw_input_of_the_fuzz_target_is_cut_into_fields() {
    let fields = text::fields(b":method\xFFGET\xFFx\xFFy");
    assert_eq!(fields, [owned(&(":method", "GET")), owned(&("x", "y"))]);
}
