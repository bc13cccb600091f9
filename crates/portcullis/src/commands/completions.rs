//! `portcullis completions`.

use std::process::ExitCode;

use clap::CommandFactory;

use super::Result;
use crate::cli::{Cli, CompletionsArgs};
use crate::output::print;

/// Prints completions for a shell.
pub(crate) fn completions(arguments: &CompletionsArgs) -> Result {
    let mut text = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "portcullis",
        &mut text,
    );
    print(text)?;
    Ok(ExitCode::SUCCESS)
}
