//! Everything that can be found out about a configuration without putting it to use: what `check` shows, and what
//! `run` and `reload` start from, so that they cannot disagree.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_config::{Config, Diagnostic, FsLoader, Level, Loader, SourceMap};
use portcullis_plan::Plan;
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::plan::Bind;

use crate::tls::Store;

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub enum ConfigSource {
    /// A file, which may include others.
    File(PathBuf),
    /// Text that was made up for the purpose.
    Text {
        /// What diagnostics call it.
        name: String,
        /// The text.
        text: String,
    },
}

/// What was found out about a configuration.
pub struct Checked {
    /// The configuration, unless its text is wrong.
    pub config: Option<Config>,
    /// What follows from it, unless something about it is wrong.
    pub plan: Option<Plan>,
    /// Its text, for showing diagnostics.
    pub sources: SourceMap,
    /// Everything that is wrong or suspicious.
    pub diagnostics: Vec<Diagnostic>,
    pub(crate) tls: Option<Store>,
}

impl Checked {
    /// Whether it can be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.plan.is_some()
            && self.tls.is_some()
            && !self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Makes errors of warnings.
    pub fn be_strict(&mut self) {
        for diagnostic in &mut self.diagnostics {
            diagnostic.level = Level::Error;
        }
    }

    /// The certificate that a client gets who asks this listener for `host`, by `file:line`; `None` where there is no TLS.
    #[must_use]
    pub fn certificate(&self, listener: &str, host: &str) -> Option<String> {
        let tls = self.tls.as_ref()?.listener(listener)?;
        Some(tls.describe(host))
    }

    /// The diagnostics as operators read them, with colours for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        portcullis_config::render(&self.diagnostics, &self.sources, color)
    }
}

/// Loads, compiles, and reads certificates; opens nothing and changes nothing.
#[must_use]
pub fn check(source: &ConfigSource) -> Checked {
    check_after(source, None)
}

/// The same for a process that runs already and keeps what it can of `previous`.
pub(crate) fn check_after(source: &ConfigSource, previous: Option<&Store>) -> Checked {
    let loader = FsLoader;
    let loaded = match source {
        ConfigSource::File(path) => portcullis_config::load(path, &loader),
        ConfigSource::Text { name, text } => portcullis_config::load_text(name, text, &loader),
    };
    let mut checked = Checked {
        config: loaded.config,
        plan: None,
        sources: loaded.sources,
        diagnostics: loaded.diagnostics,
        tls: None,
    };
    checked.compile(previous, &loader);
    checked
}

impl Checked {
    fn compile(&mut self, previous: Option<&Store>, loader: &dyn Loader) {
        let Some(config) = &self.config else { return };
        let (plan, findings) = compile(config, &self.sources, machine());
        self.diagnostics.extend(findings);
        let Some(plan) = plan else { return };
        self.diagnostics.extend(conflicts(&plan));
        let (tls, findings) = Store::load(&plan, previous, loader, seconds_since_1970());
        self.diagnostics.extend(findings);
        self.plan = Some(plan);
        self.tls = tls;
    }
}

/// What `threads = "auto"` means here: as many as may run at once, cgroup quotas reckoned.
fn machine() -> Machine {
    Machine {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn seconds_since_1970() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// The admin endpoints must not want what a listener has.
fn conflicts(plan: &Plan) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for listener in &plan.listeners {
        for bind in &listener.binds {
            let conflict = match bind {
                Bind::Tcp { address, .. } => plan
                    .process
                    .admin_http
                    .as_ref()
                    .filter(|http| overlap(*address, http.bind))
                    .map(|_| address.to_string()),
                Bind::Unix { path, .. } => plan
                    .process
                    .admin_socket
                    .as_ref()
                    .filter(|socket| socket.path == *path)
                    .map(|_| format!("unix:{}", path.display())),
            };
            findings.extend(conflict.map(|address| {
                let message = format!(
                    "listener `{}` ({}) and the admin endpoint both want {address}",
                    listener.name, listener.place
                );
                Diagnostic::error("bind-conflict", message).help("give one of them another address")
            }));
        }
    }
    findings
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |ip: IpAddr| ip.is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || covers(one.ip()) || covers(other.ip()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn wildcards_overlap_with_every_address_of_their_port() {
        let overlaps =
            |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlaps("0.0.0.0:80", "127.0.0.1:80"));
        assert!(overlaps("127.0.0.1:80", "127.0.0.1:80"));
        assert!(!overlaps("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!overlaps("127.0.0.1:80", "127.0.0.1:81"));
        assert!(
            !overlaps("127.0.0.1:0", "127.0.0.1:0"),
            "port 0 is another one each time"
        );
    }
}
