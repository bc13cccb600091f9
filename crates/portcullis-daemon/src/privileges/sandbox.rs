//! Landlock (Linux 5.13 and later): files outside the folders that the configuration names are out of reach for good, also for
//! whoever takes the process over by a fault in it.
//!
//! As other privileges this belongs to a thread, and to those that it starts.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
};
use portcullis_plan::plan::{LogTarget, Plan};

use super::socket_files;

/// What the rights are named after; an older kernel grants the rest.
const KNOWN: ABI = ABI::V3;

/// Programs and libraries, names and addresses, time zones and authorities, processors and the process itself.
const SYSTEM: [&str; 11] = [
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/usr",
    "/var/lib/ca-certificates",
];

/// The folders that a process can still reach.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// To read files in, and to start programs from.
    read: BTreeSet<PathBuf>,
    /// To make, change and remove files in.
    write: BTreeSet<PathBuf>,
}

/// Whether this kernel can do it.
pub(crate) fn is_supported() -> bool {
    let demanded = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1));
    demanded.and_then(Ruleset::create).is_ok()
}

impl Sandbox {
    /// The folders of what was `read` for the configuration, of the program itself, of log and socket files.
    pub(crate) fn of<'a>(plan: &Plan, read: impl Iterator<Item = &'a Path>) -> Self {
        let folder = |path: &Path| {
            let path = std::path::absolute(path).ok()?;
            // A link is renewed by turning it, but what it leads to has to be reached as well.
            let beyond = path.canonicalize().ok();
            let folders = [Some(path), beyond];
            let folders = folders.into_iter().flatten();
            Some(folders.filter_map(|path| path.parent().map(Path::to_path_buf)))
        };
        let program = std::env::current_exe().ok();
        let log = match &plan.access_log.to {
            LogTarget::File(path) => Some(path.as_path()),
            _ => None,
        };
        Self {
            read: read
                .map(Path::to_path_buf)
                .chain(program)
                .filter_map(|path| folder(&path))
                .flatten()
                .collect(),
            write: socket_files(plan)
                .chain(log)
                .filter_map(folder)
                .flatten()
                .collect(),
        }
    }

    /// Confines this thread, and all that it starts from now on.
    pub(crate) fn enter(&self) -> io::Result<()> {
        if !is_supported() {
            return Err(io::Error::other("this kernel has no Landlock"));
        }
        let status = self.rules().and_then(RulesetCreated::restrict_self);
        match status.map_err(io::Error::other)?.ruleset {
            RulesetStatus::NotEnforced => Err(io::Error::other("nothing is enforced")),
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        }
    }

    fn rules(&self) -> Result<RulesetCreated, landlock::RulesetError> {
        let (read, all) = (AccessFs::from_read(KNOWN), AccessFs::from_all(KNOWN));
        let devices = read | AccessFs::WriteFile;
        Ruleset::default()
            .handle_access(all)?
            .create()?
            // Folders that are not there are left out.
            .add_rules(path_beneath_rules(SYSTEM, read))?
            .add_rules(path_beneath_rules(["/dev"], devices))?
            .add_rules(path_beneath_rules(&self.read, read))?
            .add_rules(path_beneath_rules(&self.write, all))
    }

    /// What to tell somebody whose change may have failed for it.
    pub(crate) fn hint(&self) -> String {
        let list = |folders: &BTreeSet<PathBuf>| {
            let names = folders.iter().map(|path| format!("`{}`", path.display()));
            names.collect::<Vec<_>>().join(", ")
        };
        format!(
            "note: `[global] sandbox` confines this process to the folders it began with: reading in {}; writing in {}. Restart it for others.\n",
            list(&self.read),
            list(&self.write)
        )
    }
}
