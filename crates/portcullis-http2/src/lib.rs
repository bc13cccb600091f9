//! HTTP/2 (RFC 9113, 7541, 8441) as bytes, for both ends of a connection.
//!
//! HTTP/2 is another framing of the same head: a head that arrives becomes the HTTP/1.1 text that it would have been, and is then read by
//! the one strict parser of `portcullis-http1`; heads to send are given as such text. Nothing here knows a socket, a clock or
//! a route, and no input makes it panic. Queues and buffers are bounded and reused, so that a request allocates nothing in steady state.

mod budget;
mod closed;
mod connection;
mod counters;
mod error;
mod event;
mod flow;
mod frame;
mod head;
mod hpack;
mod output;
mod preface;
mod refusal;
mod settings;
mod streams;

pub use connection::{Blocked, Connection, NotSent, Open, Refused};
pub use counters::Counters;
pub use error::{Broken, ErrorCode};
pub use event::{Cause, Event, HeadInfo, Over, Protocol, Read, Scheme, StreamId};
pub use head::websocket_key;
pub use preface::{PREFACE, Sniff, preface};
pub use refusal::{Refusal, Scope};
pub use settings::{Allowance, Budgets, PeerSettings, Settings};
