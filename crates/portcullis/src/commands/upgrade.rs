//! `portcullis upgrade`: makes the running process hand over to a new one and waits for what came of it.

use std::path::PathBuf;
use std::time::Duration;

use super::Result;
use super::asking::tell;
use crate::cli::UpgradeArgs;

/// The most that is waited for an answer: each of the two steps of a hand-over gives up after a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// Makes the running process hand over to a new one, and tells what came of it.
pub(crate) fn upgrade(config: Option<PathBuf>, arguments: &UpgradeArgs) -> Result {
    tell(config, arguments.socket.as_ref(), "upgrade", PATIENCE)
}
