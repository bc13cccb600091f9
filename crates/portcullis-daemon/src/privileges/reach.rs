//! What the user that the process becomes can reach, by owner and permission bits: told before, because root's start goes
//! well and the first reload does not.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use portcullis_config::Diagnostic;
use portcullis_plan::plan::{LogTarget, Plan};

use super::{Person, socket_files};

/// Permission bits of one class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Enter = 0o1,
    Write = 0o2,
    /// To make and remove files in a folder.
    Fill = 0o3,
    Read = 0o4,
}

impl Person {
    /// Access control lists are not looked at, which is why a no is a warning.
    fn may(&self, path: &Path, wanted: Access) -> bool {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let mut folders = path.ancestors().skip(1);
        folders.all(|folder| self.has(folder, Access::Enter)) && self.has(&path, wanted)
    }

    fn has(&self, path: &Path, wanted: Access) -> bool {
        // What is not there is told elsewhere.
        let Ok(found) = fs::metadata(path) else {
            return true;
        };
        let in_group = || {
            self.groups
                .iter()
                .any(|group| group.as_raw() == found.gid())
        };
        let shift = match found.uid() == self.user.as_raw() {
            true => 6,
            false if in_group() => 3,
            false => 0,
        };
        let wanted = wanted as u32;
        (found.mode() >> shift) & wanted == wanted
    }

    fn refused(&self, path: &Path, what: &str, then: &str) -> Diagnostic {
        let message = format!("user `{}` may not {what} `{}`", self.name, path.display());
        Diagnostic::warning("unreachable-file", message).help(then)
    }

    fn log(&self, to: &LogTarget) -> Option<Diagnostic> {
        let LogTarget::File(path) = to else {
            return None;
        };
        let (place, wanted) = match path.parent() {
            Some(folder) if !path.exists() => (folder, Access::Fill),
            _ => (path.as_path(), Access::Write),
        };
        let help = "the access log cannot be opened: give it to this user";
        (!self.may(place, wanted)).then(|| self.refused(place, "write", help))
    }
}

/// What is wrong with `[global] user`: nobody of that name, or files - those of the configuration are `read` - that this
/// user cannot reach.
pub(crate) fn findings<'a>(plan: &Plan, read: impl Iterator<Item = &'a Path>) -> Vec<Diagnostic> {
    let person = match Person::of(&plan.process) {
        Ok(None) => return Vec::new(),
        Ok(Some(person)) => person,
        Err(error) => {
            let help = "name an ordinary user of this machine";
            return vec![Diagnostic::error("no-such-user", error.to_string()).help(help)];
        }
    };
    let unread = read.filter(|path| !person.may(path, Access::Read));
    let help = "a start by root goes well, a reload will not: give the file to this user's group";
    let unread = unread.map(|path| person.refused(path, "read", help));
    let folders: BTreeSet<_> = socket_files(plan).filter_map(Path::parent).collect();
    let closed = folders
        .into_iter()
        .filter(|folder| !person.may(folder, Access::Fill));
    let help = "a reload cannot open sockets there, and a stop not remove them: give the folder to this user";
    let closed = closed.map(|folder| person.refused(folder, "make files in", help));
    unread
        .chain(closed)
        .chain(person.log(&plan.access_log.to))
        .collect()
}
