//! Rules about Rust files: module docs, names that only some files may use, and lengths.

use super::Finding;
use anyhow::Result;
use std::path::Path;

/// One Rust file: its path below the workspace's folder, with slashes, and its text.
pub(super) struct File {
    path: String,
    text: String,
}

impl File {
    /// Whether a module doc stands at its head, before everything but attributes.
    fn opens_with_doc(&self) -> bool {
        let lines = self.text.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with("#!["));
        lines.next().is_some_and(|line| line.starts_with("//!"))
    }

    /// A file of a crate's tests, or a fuzz target, whose name says what it is, and which may do what the product may not.
    fn is_test(&self) -> bool {
        let in_crate = self.path.starts_with("crates/");
        let is_named_so = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        (in_crate && is_named_so) || self.path.contains("/fuzz_targets/")
    }
}

/// A word that may be used only in some files.
struct Reserved {
    words: &'static [&'static str],
    /// Files (or folders, with a final slash) the rule is about.
    within: &'static [&'static str],
    /// Those of them that may use the word.
    allowed: &'static [&'static str],
    rule: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        words: &[
            "pingora_core",
            "pingora_runtime",
            "pingora_timeout",
            "pingora_pool",
            "pingora::",
        ],
        within: &["crates/"],
        allowed: &[
            "crates/portcullis-proxy/src/upstream/connect.rs",
            "crates/xtask/",
        ],
        rule: "names pingora; only the files listed in tidy may",
    },
    Reserved {
        words: &[
            "Instant::now",
            "SystemTime::now",
            "thread_rng",
            "rand::random",
        ],
        within: &[
            "crates/portcullis-config/",
            "crates/portcullis-plan/",
            "crates/portcullis-http1/",
        ],
        allowed: &[],
        rule: "reads a clock or chance; below the data plane both are passed in",
    },
    Reserved {
        words: &["std::net::TcpStream", "std::os::unix::net", "TcpListener"],
        within: &[
            "crates/portcullis-config/",
            "crates/portcullis-plan/",
            "crates/portcullis-http1/",
        ],
        allowed: &[],
        rule: "names a socket; below the data plane there are none",
    },
    Reserved {
        words: &[
            "tokio::spawn",
            "spawn_local(",
            "spawn_blocking(",
            "thread::spawn",
            "thread::Builder",
        ],
        within: &["crates/"],
        allowed: SPAWNERS,
        rule: "spawns; every task has an owner, and the owners are listed in tidy",
    },
    Reserved {
        words: &["unsafe fn", "unsafe {", "unsafe impl", "allow(unsafe_code)"],
        within: &["crates/", "tests/"],
        allowed: &["crates/xtask/"],
        rule: "is unsafe; that needs a crate of its own and a decision record",
    },
];

/// The files that start tasks or threads, and so must end them.
const SPAWNERS: &[&str] = &[
    "crates/portcullis-daemon/src/",
    "crates/portcullis/src/commands/",
    "crates/portcullis/src/demo/",
    "crates/portcullis-proxy/src/worker.rs",
    "crates/portcullis-proxy/src/connection.rs",
    "crates/xtask/",
];

/// A file longer than this, tests aside, is worth a second look. It is never an error.
const LONG: usize = 500;

/// All Rust files of the workspace's own code.
pub(super) fn read_all(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for folder in ["crates", "tests"] {
        gather(root, &root.join(folder), &mut files)?;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn gather(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if path.is_dir() {
            if name.as_deref() != Some("target") {
                gather(root, &path, files)?;
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            let below = path.strip_prefix(root).unwrap_or(&path);
            files.push(File {
                path: below.to_string_lossy().replace('\\', "/"),
                text: std::fs::read_to_string(&path)?,
            });
        }
    }
    Ok(())
}

/// Every rule over every file.
pub(super) fn judge(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        if !file.is_test() && !file.opens_with_doc() {
            findings.push(Finding::new(
                &file.path,
                "has no module doc (`//!`) at its head",
            ));
        }
        for reserved in RESERVED {
            findings.extend(judge_words(file, reserved));
        }
    }
    findings
}

fn judge_words(file: &File, reserved: &Reserved) -> Vec<Finding> {
    let covers = |list: &[&str]| list.iter().any(|prefix| file.path.starts_with(prefix));
    if file.is_test() || !covers(reserved.within) || covers(reserved.allowed) {
        return Vec::new();
    }
    let code = product_code(&file.text);
    let hits = code.filter(|(_, line)| reserved.words.iter().any(|word| line.contains(word)));
    hits.map(|(number, _)| Finding::new(format!("{}:{number}", file.path), reserved.rule))
        .collect()
}

/// Numbered lines without comments, up to the tests (which stand last in a file by the house style).
fn product_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Prints the files that are long enough for a second look.
pub(super) fn report_lengths(files: &[File]) {
    for file in files.iter().filter(|file| file.path.starts_with("crates/")) {
        let length = product_code(&file.text).count();
        if length > LONG {
            println!("note: {} has {length} lines: is it one idea?", file.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<String> {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        judge(&[file])
            .into_iter()
            .map(|finding| format!("{} {}", finding.place, finding.rule))
            .collect()
    }

    #[test]
    fn a_file_without_a_module_doc_is_found() {
        assert_eq!(rules("crates/a/src/b.rs", "fn main() {}").len(), 1);
        assert_eq!(
            rules("crates/a/src/b.rs", "//! What it is.\nfn main() {}").len(),
            0
        );
    }

    #[test]
    fn pingora_is_named_in_one_place_only() {
        let text = "//! Doc.\nuse pingora_core::connectors::L4;\n";
        let found = rules("crates/portcullis-daemon/src/a.rs", text);
        assert_eq!(found.len(), 1);
        assert!(
            found
                .iter()
                .all(|rule| rule.starts_with("crates/portcullis-daemon/src/a.rs:2 "))
        );
        assert_eq!(
            rules("crates/portcullis-proxy/src/upstream/connect.rs", text).len(),
            0
        );
    }

    #[test]
    fn files_of_tests_may_do_what_they_need() {
        let text = "fn f() { std::thread::spawn(|| ()); }";
        assert_eq!(
            rules("crates/portcullis-plan/src/live/tests.rs", text).len(),
            0
        );
        assert_eq!(
            rules("crates/portcullis-proxy/tests/steady.rs", text).len(),
            0
        );
        assert_eq!(rules("tests/e2e/main.rs", text).len(), 1);
    }

    #[test]
    fn comments_and_tests_may_name_anything() {
        let text = "//! Not pingora_core.\n// nor Instant::now\n#[cfg(test)]\nmod tests { fn now() { Instant::now(); } }";
        assert_eq!(rules("crates/portcullis-plan/src/a.rs", text).len(), 0);
    }

    #[test]
    fn a_clock_in_the_plan_is_found() {
        let text = "//! Doc.\nfn f() { let _ = std::time::Instant::now(); }";
        assert_eq!(rules("crates/portcullis-plan/src/a.rs", text).len(), 1);
        assert_eq!(rules("crates/portcullis-daemon/src/a.rs", text).len(), 0);
    }

    #[test]
    fn a_task_without_an_owner_is_found() {
        let text = "//! Doc.\nfn f() { tokio::task::spawn_local(async {}); }";
        assert_eq!(rules("crates/portcullis-proxy/src/relay.rs", text).len(), 1);
    }
}
