//! `portcullis man`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory;

use super::Result;
use crate::cli::{Cli, ManArgs};
use crate::output::print;

/// Writes manual pages: all into a directory, or the main one to standard output.
pub(crate) fn man(arguments: &ManArgs) -> Result {
    match &arguments.directory {
        Some(directory) => {
            std::fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
                .with_context(|| {
                    format!("cannot write manual pages into `{}`", directory.display())
                })?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print(page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
