//! A tunnel that a server granted over HTTP/2 (RFC 8441), as the 101 that it would have been over HTTP/1.1.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::desk::RequestPart;

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Turns a success into the 101 that `request` waits for, with the proof that its key was read: over HTTP/2 there is no
/// key, and so nobody else can give it. Other answers stay as they are.
pub(super) fn switch(request: &RequestPart, text: &mut Vec<u8>) {
    let is_success = text.get(9) == Some(&b'2');
    let end = text.windows(2).position(|pair| pair == b"\r\n");
    let (true, Some(end), Some(protocol)) = (is_success, end, request.head.upgrade()) else {
        return;
    };
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ".to_vec();
    head.extend_from_slice(protocol.of(&request.bytes));
    let key = request.head.fields().iter().find(|field| {
        let name = field.name.of(&request.bytes);
        name.eq_ignore_ascii_case(b"sec-websocket-key")
    });
    if let Some(key) = key {
        head.extend_from_slice(b"\r\nsec-websocket-accept: ");
        accept(key.value.of(&request.bytes), &mut head);
    }
    text.splice(..end, head);
}

/// The proof for a key (RFC 6455 section 4.2.2).
fn accept(key: &[u8], out: &mut Vec<u8>) {
    let text = [key, GUID].concat();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &text);
    for group in hash.as_ref().chunks(3) {
        let bits = group
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { letter } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use portcullis_http1::Limits;

    fn request() -> RequestPart {
        let mut part = RequestPart {
            bytes:
                b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                    .to_vec(),
            ..RequestPart::default()
        };
        part.head
            .parse(&part.bytes, &Limits::default())
            .unwrap()
            .unwrap();
        part
    }

    #[test]
    fn a_success_becomes_a_101_with_the_proof_of_the_rfc() {
        let mut text = b"HTTP/1.1 200 \r\nsec-websocket-protocol: chat\r\n\r\n".to_vec();
        switch(&request(), &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\n\r\n"
        );
    }

    #[test]
    fn a_refusal_stays_a_refusal() {
        let refusal = b"HTTP/1.1 403 \r\n\r\n".to_vec();
        let mut text = refusal.clone();
        switch(&request(), &mut text);
        assert_eq!(text, refusal);
    }
}
