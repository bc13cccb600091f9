//! `portcullis plan`: what a change would do, before it does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use portcullis_daemon::{Checked, ConfigSource, check, compare};
use serde_json::Value;

use super::asking::{Socket, ask};
use super::{Result, config_file};
use crate::cli::PlanArgs;
use crate::output::{complain, is_coloured, print};

/// The most that is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells the effects of a configuration on the process that runs, or on another configuration.
pub(crate) fn plan(config: Option<PathBuf>, arguments: &PlanArgs) -> Result {
    if let Some(old) = &arguments.old {
        let new = match &arguments.new {
            Some(path) => path.clone(),
            None => config_file(config)?,
        };
        let (Some(old), Some(new)) = (usable(old), usable(&new)) else {
            return Ok(ExitCode::FAILURE);
        };
        let Some(effects) = compare(&old, &new) else {
            return Ok(ExitCode::FAILURE);
        };
        let text = match arguments.json {
            true => format!("{:#}\n", effects.json()),
            false => effects.text(),
        };
        print(text)?;
        return Ok(ExitCode::from(effects.code()));
    }
    // What is wrong with another file is told here: the process would not show its text.
    if arguments
        .new
        .as_deref()
        .is_some_and(|new| usable(new).is_none())
    {
        return Ok(ExitCode::FAILURE);
    }
    ask_process(config, arguments)
}

/// The process knows what is open, and reads the files with its own rights and environment.
fn ask_process(config: Option<PathBuf>, arguments: &PlanArgs) -> Result {
    let socket = match Socket::find(arguments.socket.as_ref(), config)? {
        Socket::At(socket) => socket,
        Socket::Unknown(reasons) => {
            complain(&reasons);
            complain(
                "the configuration is wrong, so its admin socket is not known; name it with --socket PATH\n",
            );
            return Ok(ExitCode::FAILURE);
        }
    };
    let line = match &arguments.new {
        Some(path) => format!("plan json {}", escaped(path)?),
        None => "plan json".to_owned(),
    };
    let answer = ask(&socket, &line, PATIENCE)?;
    if !answer.is_good {
        complain(&answer.text);
        return Ok(ExitCode::FAILURE);
    }
    let told: Value = serde_json::from_str(&answer.text).context("the process answered no JSON")?;
    let text = match arguments.json {
        true => format!("{told:#}\n"),
        false => told["text"].as_str().unwrap_or_default().to_owned(),
    };
    print(text)?;
    let code = told["code"]
        .as_u64()
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// The configuration; `None` after saying what is wrong with it.
fn usable(path: &Path) -> Option<Checked> {
    let checked = check(&ConfigSource::File(path.to_path_buf()));
    if checked.is_usable() {
        return Some(checked);
    }
    complain(&checked.render(is_coloured()));
    None
}

/// The whole path as a word of the admin socket.
fn escaped(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().context("the path is not UTF-8")?;
    let mut word = String::new();
    for character in text.chars() {
        if matches!(character, ' ' | '\t' | ';' | '\\') {
            word.push('\\');
        }
        word.push(character);
    }
    Ok(word)
}
