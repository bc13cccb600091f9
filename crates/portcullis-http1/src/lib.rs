//! Strict HTTP/1 as bytes: heads are parsed, bodies are framed, heads are written.
//!
//! Nothing here knows a socket, a clock, a route or a setting file. Everything is total over all bytes:
//! any input gives a value or a [`Reject`], never a panic. In doubt a message is refused; nothing is
//! repaired silently. Structs are made to be reused, so that a message allocates nothing in steady state.

mod authority;
mod body;
mod bytes;
mod chunked;
mod framing;
mod head;
mod known;
mod limits;
mod method;
mod reject;
mod span;
mod target;
mod trailers;

pub mod date;
pub mod write;

pub use authority::Authority;
pub use body::{Body, Piece};
pub use framing::BodyFraming;
pub use head::request::RequestHead;
pub use head::response::ResponseHead;
pub use head::{Field, Version};
pub use known::{Known, KnownSet};
pub use limits::Limits;
pub use method::Method;
pub use reject::Reject;
pub use span::Span;
pub use target::TargetForm;
