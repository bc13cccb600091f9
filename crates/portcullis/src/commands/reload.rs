//! `portcullis reload`: asks the running process over its admin socket and waits for the answer.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use portcullis_config::values::parse_duration;

use super::asking::{Socket, ask};
use super::{Result, success};
use crate::cli::ReloadArgs;
use crate::output::{complain, print};

/// The most that is waited for an answer: loading a large configuration takes seconds at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the running process reload, and tells what came of it.
///
/// The socket is that of the configuration, where none is named. A configuration that is wrong would be rejected
/// anyway, for the very reasons that are told here.
pub(crate) fn reload(config: Option<PathBuf>, arguments: &ReloadArgs) -> Result {
    let socket = match Socket::find(arguments.socket.as_ref(), config)? {
        Socket::At(socket) => socket,
        Socket::Unknown(reasons) if arguments.json => {
            let told = serde_json::json!({ "result": "rejected", "reasons": reasons.trim_end() });
            print(format!("{told}\n"))?;
            return Ok(ExitCode::FAILURE);
        }
        Socket::Unknown(reasons) => {
            complain(&reasons);
            complain("rejected: the running process was not asked\n");
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut line = "reload".to_owned();
    if arguments.json {
        line += " json";
    }
    if let Some(plan) = &arguments.plan {
        // Nothing but a hash: a word of the admin socket must stay one.
        let is_hash = plan.bytes().all(|byte| byte.is_ascii_hexdigit());
        anyhow::ensure!(is_hash && !plan.is_empty(), "`{plan}` is no hash of a plan");
        line += &format!(" plan {plan}");
    }
    let mut patience = PATIENCE;
    if let Some(guard) = &arguments.guard {
        let window = parse_duration(guard).map_err(|error| anyhow::anyhow!("--guard: {error}"))?;
        patience = patience.saturating_add(window);
        line += &guarded(guard, arguments);
    }
    let answer = ask(&socket, &line, patience)?;
    if answer.is_good || arguments.json {
        print(&answer.text)?;
    } else {
        complain(&answer.text);
    }
    Ok(success(answer.is_good))
}

/// The words of the admin socket that ask for a guard.
fn guarded(window: &str, arguments: &ReloadArgs) -> String {
    let mut words = format!(" guard {window}");
    if let Some(points) = arguments.guard_errors {
        words += &format!(" errors {points}");
    }
    if let Some(factor) = arguments.guard_latency {
        words += &format!(" latency {factor}");
    }
    words
}
