//! HTTP/2 (RFC 9113, 7541, 8441) as bytes, for both ends of a connection.
//!
//! HTTP/2 is another framing of the same head: a head that arrives becomes the HTTP/1.1 text that it would have been, and is then read by
//! the one strict parser of `portcullis-http1`; heads to send are given as such text. Nothing here knows a socket, a clock or
//! a route, and no input makes it panic. Queues and buffers are bounded and reused, so that a request allocates nothing in steady state.

mod error;
mod event;
mod preface;
mod refusal;
mod settings;

pub use error::{Broken, ErrorCode};
pub use event::{Cause, Event, HeadInfo, Over, Protocol, Read, Scheme, StreamId};
pub use preface::{PREFACE, Sniff, preface};
pub use refusal::{Refusal, Scope};
pub use settings::{Allowance, Budgets, PeerSettings, Settings};
