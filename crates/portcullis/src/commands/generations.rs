//! `portcullis generations` and `portcullis rollback`: what the configuration was, and back to it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::asking::{Socket, ask};
use super::{Result, success};
use crate::cli::{GenerationsArgs, RollbackArgs};
use crate::output::{complain, print};

/// The most that is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lists what happened to the configuration since the process began.
pub(crate) fn generations(config: Option<PathBuf>, arguments: &GenerationsArgs) -> Result {
    let line = if arguments.json {
        "show generations json"
    } else {
        "show generations"
    };
    tell(config, arguments.socket.as_ref(), line)
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
    tell(config, arguments.socket.as_ref(), &line)
}

fn tell(config: Option<PathBuf>, socket: Option<&PathBuf>, line: &str) -> Result {
    let socket = match Socket::find(socket, config)? {
        Socket::At(socket) => socket,
        // It is when the files are wrong that one wants to go back.
        Socket::Unknown(reasons) => {
            complain(&reasons);
            complain(
                "the configuration is wrong, so its admin socket is not known; name it with --socket PATH\n",
            );
            return Ok(ExitCode::FAILURE);
        }
    };
    let answer = ask(&socket, line, PATIENCE)?;
    if answer.is_good {
        print(&answer.text)?;
    } else {
        complain(&answer.text);
    }
    Ok(success(answer.is_good))
}
