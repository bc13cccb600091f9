//! Header compression against another decoder, and our encoder against our decoder.

use super::{frame, settings};
use portcullis_http2::{Connection, Event, Open, PREFACE, Refusal, Settings};

fn wide() -> Settings {
    Settings {
        header_list: 1 << 20,
        header_fields: 10_000,
        ..settings()
    }
}

/// Two blocks in a row, so that the second meets what the first left in the table. The other decoder is laxer in places, so what it accepts may be
/// refused here; but what is accepted here means the same to both.
pub fn what_is_accepted_means_the_same_to_another_decoder(blocks: [&[u8]; 2]) {
    let mut connection = Connection::server(&wide(), 0);
    let mut other = fluke_hpack::Decoder::new();
    let handshake = [
        PREFACE.as_slice(),
        &frame(4, 0, 0, &[]),
        &frame(4, 1, 0, &[]),
    ]
    .concat();
    assert_eq!(connection.receive(&handshake, 0), Ok(()));
    for (stream, block) in [1, 3].into_iter().zip(blocks) {
        let block = block.get(..16_384).unwrap_or(block);
        let received = connection.receive(&frame(1, 5, stream, block), 0);
        if let Err(broken) = received {
            assert_eq!(broken.refusal, Refusal::Compression);
            return;
        }
        let fields = match other.decode(block) {
            Ok(fields) => fields,
            // A block of size updates alone: the other takes their end for the end of the fields.
            Err(fluke_hpack::decoder::DecoderError::SizeUpdateAtEnd) => return,
            Err(error) => panic!("accepted what the other refuses: {error:?}"),
        };
        compare(&mut connection, &fields);
    }
}

/// Every value that the other decoder saw is in the text.
fn compare(connection: &mut Connection, fields: &[(Vec<u8>, Vec<u8>)]) {
    while let Some(event) = connection.next_event() {
        let Event::Head(id) = event else {
            continue;
        };
        let mut text = Vec::new();
        connection.take_head(id, &mut text);
        for (name, value) in fields {
            let is_shown = match name.as_slice() {
                b":scheme" | b"host" | b"sec-websocket-key" => continue,
                b":method" if value == b"CONNECT" => continue,
                name if name.starts_with(b":") => value.clone(),
                b"cookie" => value.clone(),
                name => [name, b": ", value, b"\r\n"].concat(),
            };
            let found = is_shown.is_empty() || contains(&text, &is_shown);
            assert!(found, "{name:?} {value:?} in {text:?}");
        }
        connection.release(id);
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Requests of ours, with lines that come again and again, read back as they were written.
pub fn what_we_encode_reads_back(lines: &[&str], order: &[u8]) {
    let mut client = Connection::client(&settings(), 0);
    let mut server = Connection::server(&wide(), 0);
    assert_eq!(client.receive(server.output(), 0), Ok(()));
    for chunk in order.chunks(5) {
        let mut text = String::from("GET /p HTTP/1.1\r\nhost: a.b\r\n");
        for &which in chunk {
            if let Some(line) = lines.get(usize::from(which) % lines.len().max(1)) {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        text.push_str("\r\n");
        let options = Open {
            end: true,
            ..Open::default()
        };
        let Ok(id) = client.open(text.as_bytes(), &options) else {
            panic!("there is room for a stream");
        };
        assert_eq!(server.receive(client.output(), 0), Ok(()));
        client.sent(client.output().len());
        let mut seen = Vec::new();
        while let Some(event) = server.next_event() {
            if let Event::Head(id) = event {
                server.take_head(id, &mut seen);
                server.release(id);
            }
        }
        client.release(id);
        assert_eq!(String::from_utf8_lossy(&seen), text);
    }
}
