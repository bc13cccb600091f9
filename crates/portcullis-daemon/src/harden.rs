//! The systemd unit that a configuration needs, and not a right more: the one we ship, with the program, the files, the
//! folders, the ports and the times of this configuration.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_plan::Plan;
use portcullis_plan::plan::{Address, Bind, LogTarget};

use crate::check::Checked;
use crate::privileges::socket_files;

/// The unit as it is shipped, for `/etc/portcullis/portcullis.toml` and ports below 1024.
const SHIPPED: &str = include_str!("../../../deploy/systemd/portcullis.service");
/// What the manager allows beyond our own time-outs, for what comes before and after the drain.
const SLACK: Duration = Duration::from_secs(10);

/// The unit that runs `program` with the configuration in `config`; `None` if that cannot be used.
#[must_use]
pub fn harden(checked: &Checked, program: &Path, config: &Path) -> Option<String> {
    let plan = checked.plan.as_ref()?;
    let needs = Needs {
        plan,
        program,
        config,
        read: checked.files().map(absolute).collect(),
    };
    let mut unit = format!(
        "# Made by `portcullis harden` for {}: ask again when its ports, paths or user change.\n",
        config.display()
    );
    for line in SHIPPED.lines().skip(1) {
        needs.rewrite(line, &mut unit);
    }
    Some(unit)
}

struct Needs<'a> {
    plan: &'a Plan,
    program: &'a Path,
    config: &'a Path,
    read: BTreeSet<PathBuf>,
}

/// A folder where files are made.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Folder {
    /// Below `/run`: made at the start, removed at the end.
    Runtime(String),
    /// Below `/var/log`: made at the first start.
    Logs(String),
    /// Anywhere else: has to be there, and to be the user's.
    Other(PathBuf),
}

impl Needs<'_> {
    /// Writes what becomes of one line of the shipped unit.
    fn rewrite(&self, line: &str, unit: &mut String) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let lines = match key {
            "After" if self.is_passed() => format!("{line}\nRequires=portcullis.socket\nAfter=portcullis.socket"),
            "ExecReload" if self.plan.process.admin_socket.is_none() => {
                "ExecReload=/bin/kill -HUP $MAINPID".to_owned()
            }
            "ExecStartPre" | "ExecStart" | "ExecReload" => format!("{key}={}", self.call(value)),
            "DynamicUser" => self.user(),
            "RuntimeDirectory" => self.folders(),
            "LogsDirectory" | "ConfigurationDirectory" => return,
            "TimeoutStopSec" => format!("{key}={}", self.patience().as_secs()),
            "AmbientCapabilities" | "CapabilityBoundingSet" if !self.has_low_port() => format!("{key}="),
            // Root and one user, seen from inside: possible only where no capability is wanted from outside.
            "NoNewPrivileges" if !self.has_low_port() => format!("{line}\nPrivateUsers=yes"),
            "ProtectHome" if self.reaches(&["/home", "/root", "/run/user"]) => "ProtectHome=read-only".to_owned(),
            "PrivateTmp" if self.reaches(&["/tmp", "/var/tmp"]) => {
                "# The configuration names files in /tmp, where everybody may put some.\nPrivateTmp=no".to_owned()
            }
            _ => line.to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(unit, "{lines}");
    }

    fn call(&self, shipped: &str) -> String {
        let word = |path| quoted(path).replace('$', "$$");
        let program = shipped.replacen("/usr/bin/portcullis", &word(self.program), 1);
        program.replacen("/etc/portcullis/portcullis.toml", &word(self.config), 1)
    }

    fn is_passed(&self) -> bool {
        self.binds().any(|bind| matches!(bind, Bind::Passed { .. }))
    }

    fn binds(&self) -> impl Iterator<Item = &Bind> {
        self.plan
            .listeners
            .iter()
            .flat_map(|listener| &listener.binds)
    }

    fn has_low_port(&self) -> bool {
        let ports = self.binds().filter_map(|bind| match bind {
            Bind::Tcp { address, .. } => Some(address.port()),
            _ => None,
        });
        let admin = self
            .plan
            .process
            .admin_http
            .iter()
            .map(|http| http.bind.port());
        ports.chain(admin).any(|port| (1..1024).contains(&port))
    }

    fn user(&self) -> String {
        let Some(user) = &self.plan.process.user else {
            return "DynamicUser=yes".to_owned();
        };
        match &self.plan.process.group {
            Some(group) => format!("User={user}\nGroup={group}"),
            None => format!("User={user}"),
        }
    }

    fn folders(&self) -> String {
        let log = match &self.plan.access_log.to {
            LogTarget::File(path) => Some(path.as_path()),
            _ => None,
        };
        let files = socket_files(self.plan).chain(log);
        let folders: BTreeSet<_> = files.filter_map(Path::parent).map(folder).collect();
        let lines = folders.into_iter().map(|folder| match folder {
            Folder::Runtime(name) => format!("RuntimeDirectory={name}"),
            Folder::Logs(name) => format!("LogsDirectory={name}"),
            Folder::Other(path) => format!("ReadWritePaths={}", quoted(&path)),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn patience(&self) -> Duration {
        let process = &self.plan.process;
        process.shutdown_timeout + process.lame_duck.unwrap_or_default() + SLACK
    }

    /// Whether anything that is read, written or connected to lies below one of these.
    fn reaches(&self, roots: &[&str]) -> bool {
        let log = match &self.plan.access_log.to {
            LogTarget::File(path) => Some(path.as_path()),
            _ => None,
        };
        let servers = self
            .plan
            .servers
            .iter()
            .filter_map(|server| match &server.address {
                Address::Unix(path) => Some(path.as_ref()),
                _ => None,
            });
        let own = [self.program, self.config];
        let read = self.read.iter().map(PathBuf::as_path);
        let mut all = own
            .into_iter()
            .chain(read)
            .chain(socket_files(self.plan))
            .chain(log)
            .chain(servers);
        all.any(|path| roots.iter().any(|root| path.starts_with(root)))
    }
}

fn folder(path: &Path) -> Folder {
    let below = |root: &str| {
        let rest = path.strip_prefix(root).ok()?.to_str()?;
        (!rest.is_empty() && !rest.contains(char::is_whitespace)).then(|| rest.to_owned())
    };
    match (below("/run"), below("/var/log")) {
        (Some(name), _) => Folder::Runtime(name),
        (None, Some(name)) => Folder::Logs(name),
        _ => Folder::Other(path.to_path_buf()),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// A path as one word of a unit file, where `%` begins a specifier.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%");
    if text.contains(|c: char| c.is_whitespace() || c == '"' || c == '\\') {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text
    }
}
