//! `portcullis test`: cases beside the configuration, or an access log against two configurations.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use portcullis_config::{Case, Diagnostic, FsLoader, LoadedCases, Val};
use portcullis_plan::cases;
use portcullis_plan::explain::Question;
use portcullis_plan::replay::{Shapes, decision};

use super::planned::Planned;
use super::{Result, config_file, success};
use crate::cli::TestArgs;
use crate::output::{complain, is_coloured, print};

/// Longer lines of a log are no records of ours: heads are bounded far below.
const MAX_LINE: u64 = 1 << 20;

/// Tells whether requests become what they should, or which of them become something else.
pub(crate) fn test(config: Option<PathBuf>, arguments: &TestArgs) -> Result {
    let path = config_file(config)?;
    let Some(planned) = Planned::load(path.clone()) else {
        return Ok(ExitCode::FAILURE);
    };
    match (&arguments.from, &arguments.old) {
        (Some(log), Some(old)) => match Planned::load(old.clone()) {
            Some(old) => replay(log, &old, &planned, arguments.json),
            None => Ok(ExitCode::FAILURE),
        },
        _ => {
            let files = match arguments.files.as_slice() {
                [] => vec![path.with_extension("test.toml")],
                files => files.to_vec(),
            };
            run_cases(&files, &planned, arguments.json)
        }
    }
}

fn run_cases(files: &[PathBuf], planned: &Planned, json: bool) -> Result {
    let (mut passed, mut failed) = (0, 0);
    let mut failures = Vec::new();
    for file in files {
        let loaded = portcullis_config::load_cases(file, &FsLoader);
        let Some(cases) = &loaded.cases else {
            complain(&render(&loaded.diagnostics, &loaded));
            return Ok(ExitCode::FAILURE);
        };
        let findings: Vec<_> = cases.iter().map(|case| run(case, planned)).collect();
        failed += findings.iter().filter(|found| !found.is_empty()).count();
        passed += findings.iter().filter(|found| found.is_empty()).count();
        let findings: Vec<_> = findings.into_iter().flatten().collect();
        if json {
            failures.push(portcullis_config::to_json(&findings, &loaded.sources));
        } else {
            complain(&render(&findings, &loaded));
        }
    }
    if json {
        let failures: Vec<_> = failures
            .iter()
            .filter_map(|list| list.as_array())
            .flatten()
            .collect();
        let answer =
            serde_json::json!({ "passed": passed, "failed": failed, "failures": failures });
        print(format!("{answer:#}\n"))?;
    } else {
        print(format!("{passed} passed, {failed} failed\n"))?;
    }
    Ok(success(failed == 0))
}

fn render(findings: &[Diagnostic], loaded: &LoadedCases) -> String {
    portcullis_config::render(findings, &loaded.sources, is_coloured())
}

fn run(case: &Val<Case>, planned: &Planned) -> Vec<Diagnostic> {
    let fields: Vec<_> = case
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
        .collect();
    let question = Question {
        method: &case.request.method,
        url: &case.request.url,
        fields: &fields,
        from: case.from.as_ref().map(|from| from.value.0),
        listener: case.listener.as_ref().map(|name| name.value.as_str()),
        http2: case.http2.as_ref().map(|http2| http2.value),
        tls_name: case.tls_name.as_ref().map(|name| name.value.as_str()),
    };
    match planned.ask(&question) {
        Ok(told) => cases::judge(case, &told),
        Err(reason) => vec![cases::unasked(case, &reason)],
    }
}

/// Lists the recorded requests about which the two configurations decide differently.
fn replay(log: &Path, old: &Planned, new: &Planned, json: bool) -> Result {
    let shapes = read(log)?;
    let mut changes = Vec::new();
    for (shape, count) in shapes.iter() {
        let question = shape.question();
        let (before, after) = (decision(&old.ask(&question)), decision(&new.ask(&question)));
        if before != after {
            changes.push((shape.title(), count, before, after));
        }
    }
    if json {
        let listed = changes.iter().map(|(request, count, before, after)| {
            serde_json::json!({ "request": request, "count": count, "old": before, "new": after })
        });
        let answer = serde_json::json!({
            "shapes": shapes.len(), "unread": shapes.unread, "beyond": shapes.beyond,
            "changes": listed.collect::<Vec<_>>(),
        });
        print(format!("{answer:#}\n"))?;
    } else {
        let mut text = String::new();
        for (request, count, before, after) in &changes {
            text += &format!("{request} ({count} times)\n  - {before}\n  + {after}\n");
        }
        text += &format!(
            "{} kinds of request, {} decided differently\n",
            shapes.len(),
            changes.len()
        );
        print(text)?;
        if shapes.unread + shapes.beyond > 0 {
            complain(&format!(
                "{} lines hold no request, {} were beyond the bound\n",
                shapes.unread, shapes.beyond
            ));
        }
    }
    Ok(success(changes.is_empty()))
}

fn read(log: &Path) -> anyhow::Result<Shapes> {
    let named = || format!("cannot read `{}`", log.display());
    let mut reader = BufReader::new(File::open(log).with_context(named)?);
    let (mut shapes, mut line) = (Shapes::default(), Vec::new());
    while (&mut reader)
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)
        .with_context(named)?
        > 0
    {
        shapes.line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    if shapes.is_empty() {
        bail!(
            "`{}` holds no request; replaying needs an access log in the `json` format",
            log.display()
        );
    }
    Ok(shapes)
}
