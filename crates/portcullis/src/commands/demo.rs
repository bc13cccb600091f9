//! `portcullis demo`: an ordinary configuration in front of demo apps in this very process.

use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_daemon::{ConfigSource, Options};

use super::Result;
use crate::cli::DemoArgs;
use crate::demo::apps::Apps;
use crate::demo::config::{Places, config};
use crate::demo::folder::Folder;
use crate::demo::{certificate, guide};
use crate::output::{complain, print};

/// Serves the demo until a signal says to stop; leaves nothing behind.
pub(crate) fn demo(arguments: &DemoArgs) -> Result {
    if arguments.print_config {
        print(config(&Places::shown(&arguments.http, &arguments.https)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = Folder::create().context("cannot make a temporary directory")?;
    certificate::write(folder.path()).context("cannot make a certificate")?;
    let apps = Apps::start(folder.path()).context("cannot start the demo apps")?;
    let places = Places::real(
        &arguments.http,
        &arguments.https,
        folder.path(),
        apps.address(),
    );
    let source = ConfigSource::Text {
        name: "demo".to_owned(),
        text: config(&places),
    };
    let guide = move |addresses: &[(String, String)]| {
        if let Err(error) = print(guide::text(addresses, &places)) {
            complain(&format!("error: {error}\n"));
        }
    };
    let exit = portcullis_daemon::run(Options {
        source,
        strict: false,
        ready: Some(Box::new(guide)),
    });
    apps.stop();
    Ok(ExitCode::from(exit.code()))
}
