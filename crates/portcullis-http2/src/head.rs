//! Fields to HTTP/1.1 text: heads of requests and responses, and trailers.
//!
//! Only what the text could not show, or what would change its meaning, is judged here (RFC 9113 section 8); the rest is for
//! the parser that reads it.

mod lines;
mod request;
mod response;
mod trailers;
mod websocket;

pub(crate) use lines::{Lines, status_of, value_of};
pub(crate) use request::RequestDraft;
pub(crate) use response::ResponseDraft;
pub(crate) use trailers::TrailersDraft;
pub use websocket::websocket_key;

use crate::hpack::Field;
use crate::{Over, Refusal};

/// How much of a head is kept, and how much there was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
}

/// The running size of a head.
#[derive(Debug, Default)]
struct Tally {
    bytes: usize,
    fields: usize,
    over: Option<Over>,
}

impl Tally {
    /// Counts a field of `size`; whether it is within the bounds.
    #[inline]
    fn admits(&mut self, size: usize, bounds: Bounds) -> bool {
        self.bytes += size;
        self.fields += 1;
        if self.over.is_some() {
            return false;
        }
        if self.bytes > bounds.bytes {
            self.over = Some(Over::Bytes);
        } else if self.fields > bounds.fields {
            self.over = Some(Over::Fields);
        }
        self.over.is_none()
    }
}

/// Reads a Content-Length: plain digits that fit 63 bits.
fn content_length(field: &Field<'_>, before: Option<u64>) -> Result<u64, Refusal> {
    let value = field.value();
    let is_plain = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    if before.is_some() || !is_plain {
        return Err(Refusal::ContentLengthInvalid);
    }
    let add = |sum: u64, digit: &u8| sum * 10 + u64::from(digit - b'0');
    Ok(value.iter().fold(0, add))
}
