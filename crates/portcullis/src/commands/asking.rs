//! Asking the running process over its admin socket, for the commands that do.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use portcullis_daemon::ConfigSource;

use super::{Result, config_file, success};
use crate::output::{complain, is_coloured, print};

/// Which process is asked.
pub(crate) enum Socket {
    /// The one that listens here.
    At(PathBuf),
    /// None: the configuration that would name its socket is wrong, for these reasons.
    Unknown(String),
}

/// What the process answered to a command of ours.
pub(crate) struct Answer {
    /// Whether what was asked for was done.
    pub(crate) is_good: bool,
    /// What there is to say.
    pub(crate) text: String,
}

impl Socket {
    /// The socket that is named, else the one of the configuration.
    pub(crate) fn find(named: Option<&PathBuf>, config: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(socket) = named {
            return Ok(Self::At(socket.clone()));
        }
        let path = config_file(config)?;
        let checked = portcullis_daemon::check(&ConfigSource::File(path.clone()));
        let Some(plan) = &checked.plan else {
            return Ok(Self::Unknown(checked.render(is_coloured())));
        };
        match &plan.process.admin_socket {
            Some(socket) => Ok(Self::At(socket.path.clone())),
            None => bail!("`{}` names no admin socket", path.display()),
        }
    }
}

/// Sends one command and gives the answer, waiting for it at most `patience`.
pub(crate) fn ask(socket: &Path, line: &str, patience: Duration) -> anyhow::Result<Answer> {
    let raw = converse(socket, line, patience)
        .with_context(|| format!("cannot ask over the admin socket `{}`", socket.display()))?;
    let (verdict, text) = raw.split_once("\n--\n").unwrap_or((&raw, ""));
    let is_good = match verdict.trim() {
        "Success=1" => true,
        "Success=0" => false,
        other => bail!("the process answered: {}", other.trim()),
    };
    let text = format!("{}\n", text.trim_end());
    Ok(Answer { is_good, text })
}

/// Sends one command to the process that is named or configured, and prints its answer.
pub(crate) fn tell(
    config: Option<PathBuf>,
    socket: Option<&PathBuf>,
    line: &str,
    patience: Duration,
) -> Result {
    let socket = match Socket::find(socket, config)? {
        Socket::At(socket) => socket,
        // It is when the files are wrong that one wants to go back, for one.
        Socket::Unknown(reasons) => {
            complain(&reasons);
            complain(
                "the configuration is wrong, so its admin socket is not known; name it with --socket PATH\n",
            );
            return Ok(ExitCode::FAILURE);
        }
    };
    let answer = ask(&socket, line, patience)?;
    if answer.is_good {
        print(&answer.text)?;
    } else {
        complain(&answer.text);
    }
    Ok(success(answer.is_good))
}

/// Sends one command and gives all that comes back.
pub(crate) fn converse(socket: &Path, line: &str, patience: Duration) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
