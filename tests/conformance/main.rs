//! The standards, section by section, against the real binary over sockets. Each test carries the number
//! of its section; a row of a table is one message and what becomes of it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is a failed test"
)]

mod rfc9110;
mod rfc9112_requests;
mod rfc9112_responses;
mod rfc9113;
mod rows;
