//! `portcullis harden`.

use std::path::{PathBuf, absolute};
use std::process::ExitCode;

use portcullis_daemon::ConfigSource;

use super::{Result, config_file};
use crate::output::{complain, is_coloured, print};

/// Prints the systemd unit for the configuration and for this program, where it lies.
pub(crate) fn harden(config: Option<PathBuf>) -> Result {
    let config = absolute(config_file(config)?)?;
    let checked = portcullis_daemon::check(&ConfigSource::File(config.clone()));
    let unit = portcullis_daemon::harden(&checked, &std::env::current_exe()?, &config);
    match unit.filter(|_| checked.is_usable()) {
        Some(unit) => {
            print(unit)?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            complain(&checked.render(is_coloured()));
            Ok(ExitCode::FAILURE)
        }
    }
}
