//! Everything that can be found out about a configuration without putting it to use: what `check` shows, and what
//! `run` and `reload` start from, so that they cannot disagree.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_config::{Config, Diagnostic, FsLoader, Level, SourceMap};
use portcullis_plan::Plan;
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::plan::Bind;

use crate::privileges;
use crate::recording::{Recorder, Recording};
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

impl ConfigSource {
    /// Its file; empty for text.
    pub(crate) fn root(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Text { .. } => Path::new(""),
        }
    }

    /// Another file, named as this one is - by an absolute path or from the working directory - so that what both name has
    /// the same names.
    pub(crate) fn beside(&self, path: PathBuf) -> Self {
        let working = std::env::current_dir().unwrap_or_default();
        let path = match path.strip_prefix(&working) {
            Ok(short) if self.root().is_relative() => short.to_path_buf(),
            _ => path,
        };
        Self::File(path)
    }
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
    /// What it was made from.
    pub(crate) recording: Recording,
    root: PathBuf,
}

impl Checked {
    /// Whether it can be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.plan.is_some()
            && self.tls.is_some()
            && !self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The files it was made from, certificates and keys among them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.recording.files()
    }

    /// Names the files it was made from and their content.
    pub(crate) fn hash(&self) -> String {
        self.recording.hash(&self.root)
    }

    /// Makes errors of warnings.
    pub fn be_strict(&mut self) {
        for diagnostic in &mut self.diagnostics {
            diagnostic.level = Level::Error;
        }
    }

    /// The certificate that a client gets who asks this listener for `name`, by `file:line`, or why its handshake is refused;
    /// `None` where there is no TLS.
    #[must_use]
    pub fn certificate(&self, listener: &str, name: &str) -> Option<Result<String, String>> {
        let tls = self.tls.as_ref()?.listener(listener)?;
        Some(tls.describe(name))
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
    check_by(Recorder::new(), source, None)
}

/// The same for a process that runs already, which keeps what it can of `previous`, by way of `recorder`, which may stand for
/// a time gone by.
pub(crate) fn check_by(
    recorder: Recorder,
    source: &ConfigSource,
    previous: Option<&Store>,
) -> Checked {
    let loaded = match source {
        ConfigSource::File(path) => portcullis_config::load(path, &recorder),
        ConfigSource::Text { name, text } => portcullis_config::load_text(name, text, &recorder),
    };
    let mut checked = Checked {
        config: loaded.config,
        plan: None,
        sources: loaded.sources,
        diagnostics: loaded.diagnostics,
        tls: None,
        recording: Recording::default(),
        root: source.root().to_path_buf(),
    };
    checked.compile(previous, &recorder);
    checked.recording = recorder.finish();
    checked.look_as_user();
    checked.look_at_sandbox();
    checked
}

/// Certificates, keys and authorities that were loaded again.
pub(crate) struct Renewed {
    /// What can be served; `None` if nothing can be made of them.
    pub(crate) store: Option<Store>,
    /// What is wrong or suspicious.
    pub(crate) findings: Vec<Diagnostic>,
    /// What is wrong with pairs that are left as they were.
    pub(crate) refused: Vec<Diagnostic>,
    /// What it was made from.
    pub(crate) recording: Recording,
}

/// Loads the certificates, keys and authorities of `plan` again. A pair that cannot be used stays as it was in `last`, and
/// holds up no other.
pub(crate) fn load_tls(plan: &Plan, previous: &Store, last: &Arc<Recording>) -> Renewed {
    let now = seconds_since_1970();
    let load = |recorder: Recorder| {
        recorder.begin_tls();
        let (store, findings) = Store::load(plan, Some(previous), &recorder, now);
        (store, findings, recorder.finish())
    };
    let (store, findings, recording) = load(Recorder::new());
    let unusable = match store {
        Some(_) => BTreeSet::new(),
        None => Store::unusable(plan, previous, &FsLoader, now),
    };
    if unusable.is_empty() {
        return Renewed {
            store,
            findings,
            refused: Vec::new(),
            recording,
        };
    }
    let refused = findings.into_iter().filter(Diagnostic::is_error).collect();
    let (store, findings, recording) = load(Recorder::keeping(Arc::clone(last), unusable));
    Renewed {
        store,
        findings,
        refused,
        recording,
    }
}

impl Checked {
    /// What the user that the process becomes can no longer reach.
    fn look_as_user(&mut self) {
        if let Some(plan) = &self.plan {
            let span = self.config.as_ref().and_then(|config| {
                let user = config.global.user.as_ref()?;
                user.span
            });
            let findings = privileges::findings(plan, self.files());
            self.diagnostics
                .extend(findings.into_iter().map(|found| found.at(span, "")));
        }
    }

    /// Whether a sandbox can be kept here.
    fn look_at_sandbox(&mut self) {
        let asked = self.config.as_ref().map(|config| &config.global.sandbox);
        if let Some(sandbox) = asked.filter(|asked| asked.value)
            && !privileges::is_supported()
        {
            let message = "this kernel has no Landlock, so that nothing can be confined";
            self.diagnostics.push(
                Diagnostic::warning("no-landlock", message)
                    .at(sandbox.span, "a start fails here")
                    .help("Linux 5.13 and later have it, where `landlock` is among the security modules"),
            );
        }
    }

    fn compile(&mut self, previous: Option<&Store>, recorder: &Recorder) {
        let Some(config) = &self.config else { return };
        let (plan, findings) = compile(config, &self.sources, machine());
        self.diagnostics.extend(findings);
        let Some(plan) = plan else { return };
        self.diagnostics.extend(conflicts(&plan));
        recorder.begin_tls();
        let (tls, findings) = Store::load(&plan, previous, recorder, seconds_since_1970());
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
                // Whose address it is, is known only to whoever passes it.
                Bind::Passed { .. } => None,
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
