//! What the end-to-end tests are made of: the real binary on a configuration written for the test,
//! scripted origins, a raw HTTP/1 client over TCP, Unix sockets and TLS, and a throw-away certificate
//! authority. Everything blocks, has a bound, and prints what it saw when a test fails.
//!
//! A harness may panic: a panic in it is a failed test.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a panic here is a failed test, and its output is the report"
)]

mod client;
mod folder;
mod frames;
mod http;
pub mod http2;
mod origin;
mod origin_http2;
mod origin_tls;
mod patience;
mod places;
mod proxy;
mod tls;
mod tool;

pub use client::Client;
pub use folder::Folder;
pub use http::{Fields, Request, Response};
pub use http2::Http2;
pub use origin::{Origin, Peer, ok};
pub use origin_http2::{Call, Http2Peer};
pub use origin_tls::{OriginTls, Session};
pub use patience::{PATIENCE, eventually};
pub use places::{Ports, binary, python, repository, test_tool};
pub use proxy::{Proxy, Setup};
pub use tls::{Authority, Handshake, Identity, TlsClient};
pub use tool::{Finished, run, run_bounded};
