//! The data plane: carries HTTP between clients and servers, executing the decisions of `portcullis-plan`.
//!
//! It holds no policy. Everything here runs on a worker's own thread and is never shared; the one thing that
//! crosses threads is the [`SnapshotCell`], by one pointer.

mod answer;
mod buffer;
mod client;
mod clock;
mod connection;
mod crash;
mod deadline;
mod delay;
mod desk;
mod exchange;
mod failure;
mod finish;
mod former;
mod forward;
mod grpc;
mod heads;
mod http2;
mod io;
mod mirror;
mod performer;
mod quiet;
mod rehearse;
mod relay;
mod scene;
mod snapshot;
#[cfg(test)]
mod testing;
mod tunnel;
mod understand;
mod upstream;
mod wire;
mod worker;

pub use client::Connection;
pub use clock::Clock;
pub use connection::serve;
pub use crash::{caught, contained, persist};
pub use io::{ClientIo, Stream};
pub use rehearse::rehearse;
pub use snapshot::{Pinned, Snapshot, SnapshotCell};
pub use upstream::tls::{ServiceTls, UpstreamTls, is_certificate_error, rustls_error};
pub use worker::{LogSink, Worker};
