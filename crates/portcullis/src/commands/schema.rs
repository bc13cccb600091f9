//! `portcullis schema`.

use std::process::ExitCode;

use super::Result;
use crate::output::print;

/// Prints the JSON Schema of the configuration.
pub(crate) fn schema() -> Result {
    print(format!("{:#}\n", portcullis_config::schema()))?;
    Ok(ExitCode::SUCCESS)
}
