//! Chores of this workspace: `cargo xtask tidy` judges the rules of taste that a machine can judge,
//! `cargo xtask reference` writes the reference page of the book from the configuration's schema, and `cargo xtask decide`
//! measures loading and deciding, `cargo xtask package` builds the Debian package.
#![allow(clippy::print_stdout, reason = "a command for developers prints")]

mod decide;
mod package;
mod reference;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy | reference [--check] | package BINARY FOLDER [VERSION] | decide one|hosts|small-hosts|regex|templates|conditions ROUNDS | decide load HOSTS PATHS";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(&root()),
        ["reference"] => reference::write(&root()),
        ["reference", "--check"] => reference::check(&root()),
        ["package", binary, folder] => {
            package::build(&root(), binary.as_ref(), folder.as_ref(), None)
        }
        ["package", binary, folder, version] => {
            package::build(&root(), binary.as_ref(), folder.as_ref(), Some(version))
        }
        ["decide", words @ ..] if decide::run(words)? => Ok(ExitCode::SUCCESS),
        _ => {
            println!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The workspace's folder: two above this crate's.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
