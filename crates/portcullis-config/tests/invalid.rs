//! Every file of `config/invalid` with the diagnostics it must give, as operators see them.
//!
//! `UPDATE_GOLDEN=1` writes what is found instead of comparing; review the difference like code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};

use portcullis_config::{FsLoader, load, render};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/invalid")
        .canonicalize()
        .unwrap()
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    cases.sort();
    cases
}

/// What is shown, with file names as if the file lay in the current directory.
fn shown(case: &Path) -> String {
    let loaded = load(case, &FsLoader);
    assert!(
        loaded.config.is_none() || !loaded.diagnostics.is_empty(),
        "{} has nothing wrong",
        case.display()
    );
    let text = render(&loaded.diagnostics, &loaded.sources, false);
    text.replace(&format!("{}/", folder().display()), "")
}

#[test]
fn every_invalid_file_is_explained_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let expected = case.with_extension("expected");
        let shown = shown(&case);
        if update {
            std::fs::write(&expected, &shown).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}:\n{shown}", case.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "these differ from their `.expected` (UPDATE_GOLDEN=1 rewrites them):\n\n{}",
        wrong.join("\n")
    );
}

#[test]
fn there_are_enough_cases_and_no_stray_expectation() {
    assert!(cases().len() >= 25, "only {} cases", cases().len());
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "expected") {
            assert!(
                path.with_extension("toml").exists(),
                "{} has no file",
                path.display()
            );
        }
    }
}
