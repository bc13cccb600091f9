//! One file for each command; each turns arguments into one call and its result into output and an exit code.

mod asking;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod generations;
pub(crate) mod harden;
pub(crate) mod health;
pub(crate) mod man;
pub(crate) mod plan;
mod planned;
pub(crate) mod proxy;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod test;
pub(crate) mod upgrade;
pub(crate) mod version;

use std::path::PathBuf;

use anyhow::bail;

/// What a command comes to.
pub(crate) type Result = anyhow::Result<std::process::ExitCode>;

/// Where a configuration is looked for when none is named.
const PLACES: [&str; 2] = ["/etc/portcullis/portcullis.toml", "portcullis.toml"];

/// The configuration file: the one that is named, else the first that exists.
pub(crate) fn config_file(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let found = named.or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.exists()));
    let Some(found) = found else {
        bail!(
            "no configuration: neither {} exists; name one with -c FILE",
            PLACES.join(" nor ./")
        );
    };
    Ok(found)
}

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The exit code for whether something is as it should be.
pub(crate) fn success(is_good: bool) -> std::process::ExitCode {
    if is_good {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
