//! `portcullis generations` and `portcullis rollback`: what the configuration was, and back to it.

use std::path::PathBuf;
use std::time::Duration;

use super::Result;
use super::asking::tell;
use crate::cli::{GenerationsArgs, RollbackArgs};

/// The most that is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lists what happened to the configuration since the process began.
pub(crate) fn generations(config: Option<PathBuf>, arguments: &GenerationsArgs) -> Result {
    let line = if arguments.json {
        "show generations json"
    } else {
        "show generations"
    };
    tell(config, arguments.socket.as_ref(), line, PATIENCE)
}

/// Goes back to an earlier generation.
pub(crate) fn rollback(config: Option<PathBuf>, arguments: &RollbackArgs) -> Result {
    let mut line = "rollback".to_owned();
    if arguments.json {
        line += " json";
    }
    if let Some(generation) = arguments.generation {
        line += &format!(" {generation}");
    }
    tell(config, arguments.socket.as_ref(), &line, PATIENCE)
}
