//! The reference page of the book, generated from the declarations that also decode the configuration,
//! so that the page cannot say something else than the program does.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn page(root: &Path) -> PathBuf {
    root.join("docs/book/src/reference.md")
}

/// Writes the page.
pub(crate) fn write(root: &Path) -> Result<ExitCode> {
    let path = page(root);
    std::fs::write(&path, portcullis_config::reference())
        .with_context(|| path.display().to_string())?;
    println!("wrote {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Fails when the page in the tree is not what the schema gives.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    let path = page(root);
    let present = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    if present == portcullis_config::reference() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} is out of date: run `make reference`", path.display());
    Ok(ExitCode::FAILURE)
}
