//! The arbiter of taste: rules of the architecture that the compiler does not know.
//! Every rule reads text only and reports all that it finds; nothing is ever changed.

mod examples;
mod layers;
mod source;

use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

/// Something that breaks a rule: where, and which rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    place: String,
    rule: String,
}

impl Finding {
    fn new(place: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            rule: rule.into(),
        }
    }
}

/// Judges the whole tree below `root`; the exit code says whether all rules hold.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let files = source::read_all(root)?;
    let mut findings = layers::judge(root)?;
    findings.extend(source::judge(&files));
    findings.extend(examples::judge(root)?);
    for finding in &findings {
        println!("{}: {}", finding.place, finding.rule);
    }
    source::report_lengths(&files);
    let verdict = if findings.is_empty() {
        "every rule holds"
    } else {
        "rules broken"
    };
    println!(
        "tidy: {} files read, {} findings: {verdict}",
        files.len(),
        findings.len()
    );
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
