//! HTTP/2 connections: one task carries the socket's bytes, and every stream is served by a task of its own.
//!
//! What the bytes mean is `portcullis-http2`'s affair. Here sockets, deadlines and tasks are joined to it: the driver
//! moves bytes between socket and session, a stream is the end that an exchange holds. Streams only append to the
//! session's output and wake the driver once, which writes what all of them gave in one go.

mod driver;
mod head;
mod seat;
mod serve;
mod session;
mod stream;

pub(crate) use driver::{Driver, End};
pub(crate) use head::judge;
pub(crate) use seat::Seats;
pub(crate) use serve::{serve, settings};
pub(crate) use session::Session;
pub(crate) use stream::Stream;
