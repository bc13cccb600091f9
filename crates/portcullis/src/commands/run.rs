//! `portcullis run`.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_daemon::{ConfigSource, Options};

use super::{Result, config_file};
use crate::cli::RunArgs;

/// Serves until a signal says to stop.
pub(crate) fn run(config: Option<PathBuf>, arguments: &RunArgs) -> Result {
    let source = ConfigSource::File(config_file(config)?);
    let exit = portcullis_daemon::run(Options {
        source,
        strict: arguments.strict,
        ready: None,
    });
    Ok(ExitCode::from(exit.code()))
}
