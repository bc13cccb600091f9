//! A line of the admin socket as a value: what is asked, of which object, with which argument.
//!
//! Pure. Errors in arguments are values too, because HAProxy reports them only after it has looked up the
//! objects named before them, and tools depend on which of two complaints they get.

mod parse;

use std::time::Duration;

use portcullis_plan::plan::AdminLevel;

#[cfg(fuzzing)]
pub use parse::any_line_is_commands;
pub(crate) use parse::{parse, split};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// List the commands that begin like this.
    Help(String),
    /// Switch interactive mode.
    Prompt,
    /// Close the session.
    Quit,
    /// The process.
    Info(Form),
    /// Counters of listeners, services and servers.
    Stat(StatQuery),
    /// The version.
    Version,
    /// The changing state of the servers, of all services or the named one.
    ServersState(Option<String>),
    /// Names of the services.
    Backends,
    /// Captured protocol errors, of all or the named object.
    Errors(Option<String>),
    /// The routes with their counters.
    Routes,
    /// The level of this session.
    CliLevel,
    /// The admin sockets.
    CliSockets,
    /// The weight of a server.
    GetWeight(Target),
    /// A change to a server; a malformed one carries its complaint.
    Server(Target, Result<ServerChange, &'static str>),
    /// The idle limit of this session.
    Timeout(Result<Duration, &'static str>),
    /// How messages of this session are marked.
    SeverityOutput(Option<SeverityOutput>),
    /// Lower the level of this session.
    Lower(AdminLevel),
    /// Reset counters: all of them, or maxima only.
    ClearCounters {
        /// All of them.
        all: bool,
    },
    /// Load the configuration again.
    Reload {
        /// Answer in JSON.
        json: bool,
        /// The plan that it is to carry out.
        plan: Option<String>,
        /// How it is to be guarded.
        guard: Option<GuardWords>,
    },
    /// Tell what the configuration, or that of a file, would change.
    Plan {
        /// Answer in JSON.
        json: bool,
        /// Another file than that of the process.
        path: Option<String>,
    },
    /// Go back to a generation, or the one before.
    Rollback {
        /// Answer in JSON.
        json: bool,
        /// Its number as typed.
        to: Option<String>,
    },
    /// What happened to the configuration.
    Generations {
        /// Answer in JSON.
        json: bool,
    },
    /// The effective configuration.
    Config,
    /// Hand over to a new process of the program.
    Upgrade,
    /// None of the above; the words as typed.
    Unknown(String),
}

/// How a dump is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// One line per value with type and tags.
    pub(crate) typed: bool,
    /// JSON; wins over `typed`.
    pub(crate) json: bool,
    /// With an explanation of each value.
    pub(crate) desc: bool,
    /// Times with fractions.
    pub(crate) float: bool,
}

/// Which rows `show stat` gives, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatQuery {
    /// How they are written.
    pub(crate) form: Form,
    /// Only servers that are up; other rows are not affected.
    pub(crate) only_up: bool,
    /// No servers in maintenance.
    pub(crate) no_maint: bool,
    /// Only rows of these objects.
    pub(crate) filter: Option<StatFilter>,
}

/// The three numbers that narrow `show stat` down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatFilter {
    /// Listener or service.
    pub(crate) proxy: ProxyRef,
    /// Bits of the types: 1 listeners, 2 services, 4 servers; -1 all.
    pub(crate) types: i64,
    /// Server number; -1 all.
    pub(crate) server: i64,
}

/// A listener or service, by name or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyRef {
    /// Every one.
    Any,
    /// By number.
    Number(i64),
    /// By name.
    Name(String),
}

/// A server as typed: `service/server`, either part a name or `#number`. `None` where it was not of this form.
pub(crate) type Target = Option<(String, String)>;

/// A change to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerChange {
    /// What the operator wants of it.
    State(AdminState),
    /// Its weight.
    Weight(Weight),
    /// What its checks are taken to have found.
    Health(ForcedHealth),
}

/// What an operator wants of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminState {
    /// Work.
    Ready,
    /// No new work.
    Drain,
    /// No work, no checks.
    Maint,
}

/// A health an operator imposes until checks find otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForcedHealth {
    /// Passing.
    Up,
    /// Passing, but takes no new work.
    Stopping,
    /// Failing.
    Down,
}

/// A weight as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// 0 to 256.
    Absolute(u32),
    /// Percent of the configured weight.
    Percent(u32),
}

/// How messages are marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SeverityOutput {
    /// Not at all.
    #[default]
    None,
    /// `[3]: `.
    Number,
    /// `[err]: `.
    String,
}

/// How a reload is to be guarded, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuardWords {
    /// How long.
    pub(crate) window: String,
    /// By how many percentage points the share of errors may grow.
    pub(crate) errors: Option<String>,
    /// How many times as long answers may take.
    pub(crate) latency: Option<String>,
}

impl Command {
    /// The level a session needs for this command.
    #[must_use]
    pub(crate) fn level(&self) -> AdminLevel {
        match self {
            Self::Server(..)
            | Self::Reload { .. }
            | Self::Upgrade
            | Self::Rollback { .. }
            | Self::Plan { path: Some(_), .. }
            | Self::ClearCounters { all: true } => AdminLevel::Admin,
            Self::Plan { path: None, .. }
            | Self::Generations { .. }
            | Self::Config
            | Self::Errors(_)
            | Self::ClearCounters { all: false } => AdminLevel::Operator,
            _ => AdminLevel::User,
        }
    }
}
