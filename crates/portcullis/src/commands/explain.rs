//! `portcullis explain`: the very decision of the data plane, told.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use portcullis_daemon::ConfigSource;
use portcullis_plan::explain::Question;
use portcullis_plan::{Live, Moment};
use portcullis_proxy::rehearse;

use super::{Result, config_file};
use crate::cli::ExplainArgs;
use crate::output::{complain, is_coloured, print};

/// Tells which route a request takes.
pub(crate) fn explain(config: Option<PathBuf>, arguments: &ExplainArgs) -> Result {
    let fields = arguments
        .headers
        .iter()
        .map(|text| field(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut checked = portcullis_daemon::check(&ConfigSource::File(config_file(config)?));
    let Some(plan) = checked.plan.take().map(Arc::new) else {
        complain(&checked.render(is_coloured()));
        return Ok(ExitCode::FAILURE);
    };
    let question = Question {
        method: &arguments.method,
        url: &arguments.url,
        fields: &fields,
        from: Some(arguments.from),
        listener: arguments.listener.as_deref(),
        http2: arguments.http2,
        tls_name: arguments.tls_name.as_deref(),
    };
    let live = Arc::new(Live::new(&plan, 1));
    let mut explanation =
        rehearse(&plan, &live, &question, Moment::default()).map_err(|reason| anyhow!(reason))?;
    if let Some(name) = &explanation.tls_name {
        match checked.certificate(&explanation.listener, name) {
            Some(Ok(certificate)) => explanation.certificate = Some(certificate),
            Some(Err(why)) => explanation.refuse_handshake(&why),
            None => {}
        }
    }
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
