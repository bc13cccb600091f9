//! The arguments. What they mean to operators is said here once, for `--help`, completions and the manual.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A reverse proxy and load balancer for HTTP.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    about,
    propagate_version = false,
    after_help = "Exit codes: 0 done, 1 a configuration that cannot be used or a failed start, 2 wrong arguments, 3 stopped before everything was drained."
)]
pub(crate) struct Cli {
    /// Configuration file; else /etc/portcullis/portcullis.toml, else ./portcullis.toml.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "PORTCULLIS_CONFIG"
    )]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until a signal says to stop.
    ///
    /// HUP reloads the configuration, USR1 reopens the access log, USR2 hands over to a new process, TERM, INT and QUIT stop gracefully within
    /// `shutdown_timeout`; a second one of these stops at once.
    Run(RunArgs),
    /// Say everything that is wrong with the configuration.
    Check(CheckArgs),
    /// Tell which route a request takes, and why every other one loses.
    Explain(ExplainArgs),
    /// Ask requests of the configuration and compare what becomes of them with what should.
    ///
    /// The cases lie beside the configuration, for portcullis.toml in portcullis.test.toml. With `--from` and `--old` the requests of an
    /// access log are asked of two configurations, and those are listed that become something else.
    /// Fails when a case fails or a decision differs.
    Test(TestArgs),
    /// Format configuration files, keeping comments.
    Fmt(FmtArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Serve embedded demo apps over HTTP and HTTPS, without any file.
    Demo(DemoArgs),
    /// Serve one address in front of another, without any file.
    Proxy(ProxyArgs),
    /// Make the running process reload its configuration, and tell what came of it.
    Reload(ReloadArgs),
    /// Do what nginx does by `-s`: `portcullis -s reload` is `portcullis reload`.
    #[command(short_flag = 's')]
    Signal(SignalArgs),
    /// Tell what a changed configuration would do to the running process, before it does.
    ///
    /// Ends with 0 if nothing would change, 2 if something would, 3 if something is to be looked at twice: clients sent away,
    /// state forgotten, a restart needed. The hash it prints goes to `reload --plan`.
    Plan(PlanArgs),
    /// Tell what happened to the configuration since the process began.
    Generations(GenerationsArgs),
    /// Go back to an earlier configuration, kept in memory by the running process.
    ///
    /// The files stay as they are: the next reload uses them again.
    Rollback(RollbackArgs),
    /// Let the running process hand over to a new one: the program and the configuration as they are now.
    ///
    /// The new process gets every listening socket and starts beside the old one, which stops only when the new one serves. If
    /// that fails, the old one goes on. USR2 does the same.
    Upgrade(UpgradeArgs),
    /// Tell whether the running process serves: 0 if it does, 1 if it drains or is not there.
    ///
    /// Asks the health page of `[admin] http`, or the admin socket where there is no such page. With `--http` or `--socket` no
    /// configuration is read, so that a file somebody is editing makes no healthy process look ill.
    Health(HealthArgs),
    /// Print the systemd unit that the configuration needs, without a right more.
    Harden,
    /// Print the version.
    Version(VersionArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Write manual pages.
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Do not start with a configuration that has warnings.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Print the effective configuration, each value with its origin.
    #[arg(long)]
    pub(crate) dump: bool,
    /// Print the diagnostics as JSON, on standard output.
    #[arg(long, conflicts_with = "dump")]
    pub(crate) json: bool,
    /// Take warnings for errors.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The method, such as GET.
    pub(crate) method: String,
    /// The URL, such as https://www.example.com/a?b.
    pub(crate) url: String,
    /// A field of the request, as `name: value`.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The client's address.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) from: IpAddr,
    /// The listener, where the URL does not tell which one is meant.
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// Ask as a client that speaks HTTP/2: over TLS it offers h2 and http/1.1, in clear text it begins with HTTP/2.
    #[arg(long)]
    pub(crate) http2: bool,
    /// The name that the client asks for in its TLS handshake, empty for none; else the URL's host.
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// An access log in the `json` format whose requests are asked of both configurations.
    #[arg(long, value_name = "LOG", requires = "old", conflicts_with = "files")]
    pub(crate) from: Option<PathBuf>,
    /// The other configuration to ask.
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) old: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Files of cases; the one beside the configuration when absent.
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Change nothing; say which files would change, and fail if any would.
    #[arg(long)]
    pub(crate) check: bool,
    /// The files; `-` formats standard input. Without any, the configuration file.
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print the configuration and do nothing.
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Port, or address and port, for HTTP.
    #[arg(long, value_name = "PORT", default_value = "8080")]
    pub(crate) http: String,
    /// Port, or address and port, for HTTPS.
    #[arg(long, value_name = "PORT", default_value = "8443")]
    pub(crate) https: String,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Where to listen: `:8080`, `127.0.0.1:8080` or `unix:/run/x.sock`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: String,
    /// Where the app is: `127.0.0.1:3000`, `app.internal:3000` or `unix:/run/app.sock`. Several share the load.
    #[arg(long, value_name = "ADDRESS", required = true)]
    pub(crate) to: Vec<String>,
    /// Print the configuration and do nothing.
    #[arg(long)]
    pub(crate) print_config: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// What to do.
    pub(crate) what: Asked,
    #[command(flatten)]
    pub(crate) how: ReloadArgs,
}

/// What can be asked for in the words of nginx. It stops by TERM and reopens its logs by USR1, as everything does.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Asked {
    Reload,
}

#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    /// The admin socket of the running process; else the one the configuration names.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Carry out this plan and nothing else: refused if files or the running configuration have changed since.
    #[arg(long, value_name = "HASH")]
    pub(crate) plan: Option<String>,
    /// Watch the changed routes and services for so long, such as `60s`, and go back if they do worse than before.
    #[arg(long, value_name = "TIME")]
    pub(crate) guard: Option<String>,
    /// Percentage points by which the share of failed requests, or of failed tries at servers, may grow under guard [default: 5].
    #[arg(long, value_name = "POINTS", requires = "guard")]
    pub(crate) guard_errors: Option<f64>,
    /// How many times as long as before nine of ten requests may wait for an answer under guard [default: 3].
    #[arg(long, value_name = "FACTOR", requires = "guard")]
    pub(crate) guard_latency: Option<f64>,
    /// Accepted for habit: a reload is always waited for.
    #[arg(long, hide = true)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpgradeArgs {
    /// The admin socket of the running process; else the one the configuration names.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The changed configuration; else the file the running process reads.
    pub(crate) new: Option<PathBuf>,
    /// Compare with this file instead of a running process.
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    pub(crate) old: Option<PathBuf>,
    /// The admin socket of the running process; else the one the configuration names.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GenerationsArgs {
    /// The admin socket of the running process; else the one the configuration names.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON, with each change.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The generation to go back to; else the one before this.
    pub(crate) generation: Option<u64>,
    /// The admin socket of the running process; else the one the configuration names.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask the admin socket here.
    #[arg(long, value_name = "PATH", conflicts_with = "http")]
    pub(crate) socket: Option<PathBuf>,
    /// Ask the health page here, such as `127.0.0.1:8404` or `127.0.0.1:8404/healthz`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Say more: compiler target and build profile.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page for each command into this directory; without it, the main page goes to standard output.
    pub(crate) directory: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
