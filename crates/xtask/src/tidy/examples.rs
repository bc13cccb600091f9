//! Every example configuration says what it shows and carries a request that a test performs.

use super::Finding;
use anyhow::Result;
use std::path::Path;

/// The end-to-end module that runs every file of the folder.
const RUNNER: &str = "tests/e2e/examples.rs";

/// Judges `config/examples` and that its runner reads the folder rather than a list.
pub(super) fn judge(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let runner = std::fs::read_to_string(root.join(RUNNER)).unwrap_or_default();
    if !runner.contains("config/examples") || !runner.contains("read_dir") {
        findings.push(Finding::new(
            RUNNER,
            "must run every file of config/examples",
        ));
    }
    for entry in std::fs::read_dir(root.join("config/examples"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            let text = std::fs::read_to_string(&path)?;
            let place = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            findings.extend(judge_example(&text).map(|rule| Finding::new(place, rule)));
        }
    }
    Ok(findings)
}

fn judge_example(text: &str) -> Option<&'static str> {
    if !text.starts_with("# ") {
        return Some("must open with a comment that says what it shows");
    }
    let has = |mark: &str| text.lines().any(|line| line.starts_with(mark));
    (!has("#? ") || !has("#= ")).then_some("must carry a request (`#? `) and what it gets (`#= `)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_without_a_request_is_found() {
        assert!(judge_example("# Shows nothing.\n[global]\n").is_some());
        assert!(judge_example("[global]\n#? GET http://localhost/\n#= 200\n").is_some());
        assert!(judge_example("# Shows it.\n#? GET http://localhost/\n#= 200\n").is_none());
    }
}
