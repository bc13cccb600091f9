//! How many workers there are where a control group allows fewer processors than the machine has.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use portcullis_harness::{Setup, binary};

const WEB: &str = "[global]\nmax_connections = 100\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nrespond = { status = 200 }\n";

/// A control group that may use one processor; removed at the end.
struct OneProcessor(PathBuf);

impl OneProcessor {
    /// `None` where none can be made: no root, no controller, a container that shows its groups read-only.
    fn make() -> Option<Self> {
        let name = format!("portcullis-test-{}", std::process::id());
        let first = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"];
        first.iter().find_map(|above| {
            let group = Self(Path::new(above).join(&name));
            fs::create_dir(&group.0).ok()?;
            // Never made by us: a file that is not there belongs to no controller.
            let limit = |file: &str, text: &str| {
                let opened = fs::OpenOptions::new().write(true).open(group.0.join(file));
                opened.is_ok_and(|mut file| file.write_all(text.as_bytes()).is_ok())
            };
            let is_limited = limit("cpu.max", "100000 100000")
                || limit("cpu.cfs_period_us", "100000") && limit("cpu.cfs_quota_us", "100000");
            is_limited.then_some(group)
        })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn workers(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    names.filter(|name| name.starts_with("worker-")).count()
}

#[test]
fn the_number_of_workers_follows_the_quota() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(workers(Setup::new().start(WEB).pid()), processors);
    let Some(group) = OneProcessor::make() else {
        eprintln!("skipped: no control group can be made here");
        return;
    };
    let setup = Setup::new();
    let (procs, program) = (group.0.join("cgroup.procs"), binary());
    let script = format!(
        "#!/bin/sh\necho $$ >{} && exec {} \"$@\"\n",
        procs.display(),
        program.display()
    );
    let within = setup.folder().write("within", script);
    fs::set_permissions(&within, fs::Permissions::from_mode(0o755)).unwrap();
    let mut proxy = setup.start_with(&within, WEB);
    assert_eq!(workers(proxy.pid()), 1);
    assert_eq!(proxy.stop(), 0);
}
