//! From the name of a root file to a whole configuration: reading, including, merging, decoding.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::source::{Loader, SourceMap};

/// What came of loading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; `None` when there was any error.
    pub config: Option<Config>,
    /// The files that were read, for showing places.
    pub sources: SourceMap,
    /// Everything that was found, errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// The loader of defaults, which name no files.
pub(crate) struct NoLoader;

impl Loader for NoLoader {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn glob(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

/// Loads a configuration from a file and everything it includes.
///
/// Never panics and never stops at the first problem.
#[must_use]
pub fn load(root: &Path, loader: &dyn Loader) -> Loaded {
    Loaded {
        config: None,
        sources: SourceMap::default(),
        diagnostics: vec![],
    }
}

/// Loads a configuration from text, which is called `name` in messages; relative paths in it start from the current directory.
#[must_use]
pub fn load_text(name: &str, text: &str, loader: &dyn Loader) -> Loaded {
    Loaded {
        config: None,
        sources: SourceMap::default(),
        diagnostics: vec![],
    }
}
