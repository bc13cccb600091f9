//! The PROXY protocol: reading it in pieces must come to what reading it at once does.

use portcullis_plan::proxy_protocol::{MAX_HEADER, parse};

/// Whatever the bytes and wherever they are cut, an early answer is the final answer.
pub fn any_split_gives_the_same_header(bytes: &[u8]) {
    let whole = parse(bytes);
    for cut in 0..bytes.len().min(MAX_HEADER) {
        match parse(&bytes[..cut]) {
            Ok(None) => {}
            early => assert_eq!(early, whole, "cut at {cut}"),
        }
    }
    if let Ok(Some((length, _))) = whole {
        assert!(length <= bytes.len().min(MAX_HEADER));
    }
}
