//! How much of a peer's head is accepted.

/// The bounds of one message head. A peer that exceeds one is refused as soon as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole head, from the first byte of the start line to the empty line. Over it: 431.
    pub head_bytes: usize,
    /// Bytes of the request target. Over it: 414. Responses have none.
    pub target_bytes: usize,
    /// Number of field lines. Over it: 431.
    pub fields: usize,
}

impl Default for Limits {
    /// 32 KiB of head, 8 KiB of target (RFC 9112 section 3 asks for at least 8000 bytes), 100 fields.
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            target_bytes: 8 * 1024,
            fields: 100,
        }
    }
}
