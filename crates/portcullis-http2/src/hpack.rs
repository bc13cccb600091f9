//! Header compression (RFC 7541): both directions, bounded, without an allocation for each field.

mod decode;
mod encode;
mod field;
mod huffman;
mod integer;
mod lines;
mod statics;

pub(crate) use decode::{Decoder, Ignore, Sink};
pub(crate) use encode::Encoder;
pub(crate) use field::{Field, Kind, is_token};

/// What an entry of a table counts besides its bytes (RFC 7541 section 4.1).
pub(crate) const ENTRY_OVERHEAD: usize = 32;

/// The block cannot be decoded; the connection's tables disagree from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid;
