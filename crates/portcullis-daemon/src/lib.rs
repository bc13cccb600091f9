//! The process around the data plane: sockets, certificates, worker threads, reload, signals, probes,
//! the admin socket, metrics and logs.
//!
//! Text becomes a plan elsewhere (`portcullis-config`, `portcullis-plan`) and requests are carried elsewhere
//! (`portcullis-proxy`); this crate decides when a plan takes effect and what has to happen around that.

mod access_log;
mod admin;
mod check;
mod crash;
mod daemon;
mod effects;
mod harden;
mod history;
mod lifecycle;
mod listen;
mod log;
mod metrics;
mod privileges;
mod probe;
mod recording;
mod reload;
mod report;
mod resolve;
mod runtime;
pub mod small_server;
#[cfg(test)]
mod testing;
mod tls;
mod watch;

pub use check::{Checked, ConfigSource, check};
pub use effects::{Effects, compare};
pub use harden::harden;
pub use lifecycle::{Exit, Options, ReadyHook, run};

/// Properties that hold for any input, for the fuzz targets of `tests/fuzz`; the same run as property tests.
#[cfg(fuzzing)]
pub mod properties {
    pub use crate::admin::command::any_line_is_commands;
}
