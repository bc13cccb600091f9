//! `portcullis fmt`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portcullis_config::SourceMap;

use super::{Result, config_file, success};
use crate::cli::FmtArgs;
use crate::output::{complain, is_coloured, print};

/// Formats files in place, or says which ones are not formatted.
pub(crate) fn fmt(config: Option<PathBuf>, arguments: &FmtArgs) -> Result {
    let files = if arguments.files.is_empty() {
        vec![config_file(config)?]
    } else {
        arguments.files.clone()
    };
    let mut all_good = true;
    for file in &files {
        all_good &= one(file, arguments.check)?;
    }
    Ok(success(all_good))
}

/// Whether the file is as it should be now.
fn one(file: &Path, only_check: bool) -> anyhow::Result<bool> {
    let is_stdin = file == Path::new("-");
    let text = if is_stdin {
        let mut text = String::new();
        io::stdin()
            .lock()
            .take(portcullis_config::MAX_FILE_BYTES as u64)
            .read_to_string(&mut text)?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?
    };
    let formatted = match portcullis_config::format(&text) {
        Ok(formatted) => formatted,
        Err(diagnostics) => {
            let mut sources = SourceMap::default();
            sources.add(file.display().to_string(), PathBuf::new(), text);
            complain(&portcullis_config::render(
                &diagnostics,
                &sources,
                is_coloured(),
            ));
            return Ok(false);
        }
    };
    if only_check {
        if formatted != text {
            print(format!("{}: not formatted\n", file.display()))?;
        }
        return Ok(formatted == text);
    }
    if is_stdin {
        print(formatted)?;
    } else if formatted != text {
        replace(file, &formatted).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(true)
}

/// Puts a whole new file in place of the old one, so that nobody ever reads half of it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let mut beside = file.clone().into_os_string();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::metadata(&file)?.permissions()))
        .and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
