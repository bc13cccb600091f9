//! `portcullis reload`: asks the running process over its admin socket and waits for the answer.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use portcullis_daemon::ConfigSource;

use super::{Result, config_file, success};
use crate::cli::ReloadArgs;
use crate::output::{complain, is_coloured, print};

/// The most that is waited for an answer: loading a large configuration takes seconds at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the running process reload, and tells what came of it.
pub(crate) fn reload(config: Option<PathBuf>, arguments: &ReloadArgs) -> Result {
    let socket = match &arguments.socket {
        Some(socket) => socket.clone(),
        None => match configured_socket(config)? {
            Some(socket) => socket,
            None => return Ok(ExitCode::FAILURE),
        },
    };
    let answer = ask(&socket)
        .with_context(|| format!("cannot ask over the admin socket `{}`", socket.display()))?;
    let (verdict, report) = answer.split_once("\n--\n").unwrap_or((&answer, ""));
    let report = format!("{}\n", report.trim_end());
    match verdict.trim() {
        "Success=1" => print(report)?,
        "Success=0" => complain(&report),
        other => bail!("the process answered: {}", other.trim()),
    }
    Ok(success(verdict.trim() == "Success=1"))
}

/// The socket that the configuration names. A configuration that is wrong would be rejected anyway, for the very
/// reasons that are told here.
fn configured_socket(config: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    let path = config_file(config)?;
    let checked = portcullis_daemon::check(&ConfigSource::File(path.clone()));
    let Some(plan) = &checked.plan else {
        complain(&checked.render(is_coloured()));
        complain("rejected: the running process was not asked\n");
        return Ok(None);
    };
    match &plan.process.admin_socket {
        Some(socket) => Ok(Some(socket.path.clone())),
        None => bail!(
            "`{}` names no admin socket; send HUP to the process instead",
            path.display()
        ),
    }
}

fn ask(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"reload\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
