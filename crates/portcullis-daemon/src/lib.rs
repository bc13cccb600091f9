//! The process around the data plane: sockets, certificates, worker threads, reload, signals, probes,
//! the admin socket, metrics and logs.
//!
//! Text becomes a plan elsewhere (`portcullis-config`, `portcullis-plan`) and requests are carried elsewhere
//! (`portcullis-proxy`); this crate decides when a plan takes effect and what has to happen around that.

#![allow(dead_code, reason = "the parts come one after the other")]

mod listen;
pub mod log;
mod tls;
