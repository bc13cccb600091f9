//! `portcullis version`.

use std::process::ExitCode;

use super::Result;
use crate::cli::VersionArgs;
use crate::output::print;

/// Prints the version.
pub(crate) fn version(arguments: &VersionArgs) -> Result {
    let mut text = format!("portcullis {}\n", env!("CARGO_PKG_VERSION"));
    if arguments.verbose {
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        text.push_str(&format!(
            "target: {}-{}\nprofile: {profile}\ntls: rustls with ring\nlicence: {}\n",
            std::env::consts::ARCH,
            std::env::consts::OS,
            env!("CARGO_PKG_LICENSE"),
        ));
    }
    print(text)?;
    Ok(ExitCode::SUCCESS)
}
