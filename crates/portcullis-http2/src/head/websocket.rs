//! What an HTTP/1 server wants to see of a WebSocket client and RFC 8441 leaves out.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Adds `sec-websocket-key`, made of 16 random bytes (RFC 6455 section 4.1), to the text of a whole head.
///
/// ```
/// let mut text = b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n".to_vec();
/// portcullis_http2::websocket_key(&mut text, *b"the sample nonce");
/// assert!(text.ends_with(b"\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
/// ```
pub fn websocket_key(text: &mut Vec<u8>, random: [u8; 16]) {
    text.truncate(text.len().saturating_sub(2));
    text.extend_from_slice(b"sec-websocket-key: ");
    let (groups, rest) = random.as_chunks::<3>();
    for group in groups {
        text.extend(base64(*group));
    }
    // 16 bytes leave one.
    let last = rest.first().copied().unwrap_or_default();
    text.extend(base64([last, 0, 0]).into_iter().take(2));
    text.extend_from_slice(b"==\r\n\r\n");
}

fn base64([a, b, c]: [u8; 3]) -> [u8; 4] {
    let word = u32::from_be_bytes([0, a, b, c]);
    [18, 12, 6, 0].map(|shift| ALPHABET[(word >> shift) as usize & 63])
}
