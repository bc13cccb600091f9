//! Giving up root once the sockets are bound: another user, none of root's groups, no capability, and no way to get one.
//!
//! All of this belongs to a thread, and threads pass it on to those they start. So it is done while there is one.

mod reach;
mod sandbox;

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use portcullis_plan::plan::{Bind, Plan, Process};
use rustix::process::{Gid, Uid, getegid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

pub(crate) use reach::findings;
pub(crate) use sandbox::{Sandbox, is_supported};

/// Whom the process becomes.
#[derive(Debug)]
struct Person {
    /// As the configuration has it.
    name: Box<str>,
    user: Uid,
    group: Gid,
    /// All of them, `group` included.
    groups: Vec<Gid>,
}

/// Why the process cannot become another user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PersonError {
    /// The system knows no such user.
    #[error("there is no user `{0}`")]
    NoUser(Box<str>),
    /// The system knows no such group.
    #[error("there is no group `{0}`")]
    NoGroup(Box<str>),
    /// Root is a privilege.
    #[error("the user `{0}` has the rights of root")]
    Root(Box<str>),
    /// Somebody else than root has started us.
    #[error("only root can become the user `{0}`")]
    NotRoot(Box<str>),
    /// A thread would keep what the others give up.
    #[error("privileges cannot be given up: there are threads already")]
    Threads,
    /// The system refuses.
    #[error("cannot {what}: {cause}")]
    System {
        /// Which step.
        what: &'static str,
        /// What it said.
        cause: io::Error,
    },
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> PersonError {
    move |cause| PersonError::System {
        what,
        cause: cause.into(),
    }
}

/// Becomes the user that the configuration names, if it names one, for good. To be called when everything is bound, and before
/// any thread is started or log file opened.
pub(crate) fn give_up(plan: &Plan) -> Result<(), PersonError> {
    let Some(person) = Person::of(&plan.process)? else {
        return Ok(());
    };
    if !person.is_us() && !geteuid().is_root() {
        return Err(PersonError::NotRoot(person.name));
    }
    alone()?;
    // A process that takes over is this user from the start.
    if geteuid().is_root() {
        person
            .own_sockets(plan)
            .map_err(failed("give socket files away"))?;
        person.enter().map_err(failed("change the user"))?;
    }
    drop_capabilities().map_err(failed("give up capabilities"))?;
    tracing::info!(user = %person.name, "no privileges from here on");
    Ok(())
}

/// Confines the process to the files of its configuration, if that says so. To be called as [`give_up`] is, and after it.
pub(crate) fn confine<'a>(
    plan: &Plan,
    read: impl Iterator<Item = &'a Path>,
) -> Result<Option<Sandbox>, PersonError> {
    if !plan.process.sandbox {
        return Ok(None);
    }
    alone()?;
    let sandbox = Sandbox::of(plan, read);
    sandbox.enter().map_err(failed("enter the sandbox"))?;
    tracing::info!("confined to the files of the configuration");
    Ok(Some(sandbox))
}

/// What is given up here is given up by one thread, and those that it starts.
fn alone() -> Result<(), PersonError> {
    let threads = fs::read_dir("/proc/self/task").map_err(failed("count threads"))?;
    match threads.count() {
        0 | 1 => Ok(()),
        _ => Err(PersonError::Threads),
    }
}

impl Person {
    /// Whom the configuration names, if anybody.
    fn of(process: &Process) -> Result<Option<Self>, PersonError> {
        let Some(name) = &process.user else {
            return Ok(None);
        };
        let user = nix::unistd::User::from_name(name).ok().flatten();
        let user = user.ok_or_else(|| PersonError::NoUser(name.clone()))?;
        if user.uid.is_root() {
            return Err(PersonError::Root(name.clone()));
        }
        let group = match &process.group {
            None => user.gid,
            Some(group) => {
                let found = nix::unistd::Group::from_name(group).ok().flatten();
                found
                    .ok_or_else(|| PersonError::NoGroup(group.clone()))?
                    .gid
            }
        };
        let groups = CString::new(&**name)
            .ok()
            .and_then(|name| nix::unistd::getgrouplist(&name, group).ok())
            .unwrap_or_else(|| vec![group]);
        let gid = |group: nix::unistd::Gid| Gid::from_raw(group.as_raw());
        Ok(Some(Self {
            name: name.clone(),
            user: Uid::from_raw(user.uid.as_raw()),
            group: gid(group),
            groups: groups.into_iter().map(gid).collect(),
        }))
    }

    fn is_us(&self) -> bool {
        geteuid() == self.user && getegid() == self.group
    }

    /// Gives this user the socket files, so that their mode means its group and it can remove them.
    fn own_sockets(&self, plan: &Plan) -> io::Result<()> {
        let (user, group) = (self.user.as_raw(), self.group.as_raw());
        socket_files(plan).try_for_each(|path| chown(path, Some(user), Some(group)))
    }

    fn enter(&self) -> rustix::io::Result<()> {
        for capability in CapabilitySet::all().iter() {
            match remove_capability_from_bounding_set(capability) {
                // Bits without a name, and names that this kernel does not know.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error),
            }
        }
        set_thread_groups(&self.groups)?;
        set_thread_res_gid(self.group, self.group, self.group)?;
        set_thread_res_uid(self.user, self.user, self.user)
    }
}

fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    clear_ambient_capability_set()?;
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_capabilities(None, sets)?;
    set_no_new_privs(true)
}

/// The files of the sockets that the process opens.
pub(crate) fn socket_files(plan: &Plan) -> impl Iterator<Item = &Path> {
    let binds = plan.listeners.iter().flat_map(|listener| &listener.binds);
    let listeners = binds.filter_map(|bind| match bind {
        Bind::Unix { path, .. } => Some(path.as_path()),
        _ => None,
    });
    let admin = plan.process.admin_socket.iter();
    listeners.chain(admin.map(|admin| admin.path.as_path()))
}
