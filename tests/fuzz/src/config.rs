//! Configurations: whatever the text, an answer and no panic; what is printed reads back as the same.

use std::io;
use std::path::{Path, PathBuf};

use portcullis_config::{Loader, dump, format, load_text, render, to_json};

/// A file system without files.
struct Nothing;

impl Loader for Nothing {
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

/// Any text is either a configuration or has diagnostics that can be shown; a configuration's dump is one again.
pub fn any_text_has_an_answer(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let loaded = load_text("fuzz.toml", &text, &Nothing);
    let _ = render(&loaded.diagnostics, &loaded.sources, false);
    let _ = to_json(&loaded.diagnostics, &loaded.sources);
    match &loaded.config {
        None => assert!(loaded.has_errors(), "refused without a reason"),
        Some(config) => {
            let dumped = dump(config, &loaded.sources);
            let again = load_text("dump.toml", &dumped, &Nothing);
            assert!(again.config.is_some(), "a dump does not load:\n{dumped}");
        }
    }
}

/// Formatting twice is formatting once.
pub fn format_is_a_fixed_point(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(once) = format(&text) {
        assert_eq!(format(&once).as_ref(), Ok(&once));
    }
}
