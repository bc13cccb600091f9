//! `portcullis check`.

use std::path::{Path, PathBuf};

use portcullis_daemon::{Checked, ConfigSource};

use super::{Result, config_file, success};
use crate::cli::CheckArgs;
use crate::output::{complain, is_coloured, print};

/// Says everything that is wrong with a configuration.
pub(crate) fn check(config: Option<PathBuf>, arguments: &CheckArgs) -> Result {
    let path = config_file(config)?;
    let mut checked = portcullis_daemon::check(&ConfigSource::File(path.clone()));
    if arguments.strict {
        checked.be_strict();
    }
    if arguments.json {
        let diagnostics = portcullis_config::to_json(&checked.diagnostics, &checked.sources);
        let answer =
            serde_json::json!({ "valid": checked.is_usable(), "diagnostics": diagnostics });
        print(format!("{answer:#}\n"))?;
        return Ok(success(checked.is_usable()));
    }
    complain(&checked.render(is_coloured()));
    if arguments.dump {
        if let Some(config) = &checked.config {
            print(portcullis_config::dump(config, &checked.sources))?;
        }
    } else if checked.is_usable() {
        print(summary(&path, &checked))?;
    }
    Ok(success(checked.is_usable()))
}

fn summary(path: &Path, checked: &Checked) -> String {
    let counts = checked.plan.as_ref().map(|plan| {
        let parts = [
            (plan.listeners.len(), "listener"),
            (plan.routes.len(), "route"),
            (plan.services.len(), "service"),
            (plan.servers.len(), "server"),
        ];
        parts
            .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
            .join(", ")
    });
    format!(
        "{}: valid, {}\n",
        path.display(),
        counts.unwrap_or_default()
    )
}
