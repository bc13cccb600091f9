//! The command `portcullis`: arguments to one call, its result to an exit code.

mod cli;
mod commands;
mod demo;
mod output;

use std::process::ExitCode;

use clap::Parser;

use cli::{Asked, Cli, Command, SignalArgs};

/// Request handling allocates next to nothing, but TLS and buffers of all sizes come and go on every worker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let result = match command {
        Command::Run(arguments) => commands::run::run(config, &arguments),
        Command::Check(arguments) => commands::check::check(config, &arguments),
        Command::Explain(arguments) => commands::explain::explain(config, &arguments),
        Command::Test(arguments) => commands::test::test(config, &arguments),
        Command::Fmt(arguments) => commands::fmt::fmt(config, &arguments),
        Command::Schema => commands::schema::schema(),
        Command::Demo(arguments) => commands::demo::demo(&arguments),
        Command::Proxy(arguments) => commands::proxy::proxy(&arguments),
        Command::Reload(arguments) => commands::reload::reload(config, &arguments),
        Command::Signal(SignalArgs {
            what: Asked::Reload,
            how,
        }) => commands::reload::reload(config, &how),
        Command::Plan(arguments) => commands::plan::plan(config, &arguments),
        Command::Generations(arguments) => commands::generations::generations(config, &arguments),
        Command::Rollback(arguments) => commands::generations::rollback(config, &arguments),
        Command::Upgrade(arguments) => commands::upgrade::upgrade(config, &arguments),
        Command::Health(arguments) => commands::health::health(config, &arguments),
        Command::Harden => commands::harden::harden(config),
        Command::Version(arguments) => commands::version::version(&arguments),
        Command::Completions(arguments) => commands::completions::completions(&arguments),
        Command::Man(arguments) => commands::man::man(&arguments),
    };
    result.unwrap_or_else(|error| {
        output::complain(&format!("error: {error:#}\n"));
        ExitCode::FAILURE
    })
}
