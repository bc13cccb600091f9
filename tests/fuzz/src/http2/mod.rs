//! Properties of the HTTP/2 engine. Each takes any bytes, and panics when the property does not hold.

pub mod frames;
pub mod hpack;
pub mod text;

use portcullis_http2::Settings;

/// Small, so that fuzzers and generators meet the limits.
pub fn settings() -> Settings {
    Settings {
        max_streams: 4,
        stream_window: 65_535,
        connection_window: 100_000,
        header_list: 1024,
        header_fields: 12,
        ..Settings::default()
    }
}

/// A frame as it goes over the wire.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![a, b, c, kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields as literals without indexing and without Huffman coding.
pub fn literals(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

fn length(block: &mut Vec<u8>, mut length: usize) {
    if length < 127 {
        block.push(length as u8);
        return;
    }
    block.push(127);
    length -= 127;
    while length >= 128 {
        block.push(length as u8 | 128);
        length >>= 7;
    }
    block.push(length as u8);
}
