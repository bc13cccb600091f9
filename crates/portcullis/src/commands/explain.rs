//! `portcullis explain`: the very decision of the data plane, told.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use portcullis_plan::explain::Question;

use super::planned::Planned;
use super::{Result, config_file};
use crate::cli::ExplainArgs;
use crate::output::print;

/// Tells which route a request takes.
pub(crate) fn explain(config: Option<PathBuf>, arguments: &ExplainArgs) -> Result {
    let fields = arguments
        .headers
        .iter()
        .map(|text| field(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let Some(planned) = Planned::load(config_file(config)?) else {
        return Ok(ExitCode::FAILURE);
    };
    let question = Question {
        method: &arguments.method,
        url: &arguments.url,
        fields: &fields,
        from: Some(arguments.from),
        listener: arguments.listener.as_deref(),
        http2: arguments.http2.then_some(true),
        tls_name: arguments.tls_name.as_deref(),
    };
    let explanation = planned.ask(&question).map_err(|reason| anyhow!(reason))?;
    if arguments.json {
        print(format!("{:#}\n", explanation.json()))?;
    } else {
        print(format!("{}\n", explanation.to_string().trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A field as curl takes it: `name: value`.
fn field(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => bail!("`{text}` is no field; write it as `name: value`"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn fields_are_taken_as_curl_takes_them() {
        assert_eq!(
            field("x-a: b:c").unwrap(),
            ("x-a".to_owned(), "b:c".to_owned())
        );
        assert!(field("x-a").is_err());
        assert!(field(": b").is_err());
    }
}
