//! Giving up root: what is left of it in any thread, what still works, and what is told before.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use portcullis_harness::{Client, Proxy, Setup, eventually};

const WEB: &str = r#"
[global]
threads = 2
user = "nobody"
[listener.web]
bind = ["127.0.0.1:@web@", "unix:@dir@/web.sock"]
[[route]]
respond = { status = 200, body = "one" }
[admin]
socket = "@dir@/admin.sock"
[log]
access = { to = "@dir@/log/access.log" }
"#;
const NOBODY: u32 = 65534;

/// Whether root runs this; says so if not.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can give up root");
    }
    is_root
}

/// A folder that everybody may read, with one for logs that is nobody's own.
fn setup() -> Setup {
    let setup = Setup::new();
    let log = setup.folder().join("log");
    std::fs::create_dir(&log).unwrap();
    chown(&log, Some(NOBODY), None).unwrap();
    std::fs::set_permissions(setup.folder().path(), Permissions::from_mode(0o755)).unwrap();
    setup
}

/// One line of the status of every thread of a process.
fn of_threads(pid: u32, key: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = |task: &Path| std::fs::read_to_string(task.join("status")).unwrap();
    let line = |text: String| {
        let found = text.lines().find_map(|line| line.strip_prefix(key));
        found
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    tasks
        .map(|task| line(status(&task.unwrap().path())))
        .collect()
}

fn assert_powerless(pid: u32) {
    let rows = [
        ("Uid:", "65534 65534 65534 65534"),
        ("Gid:", "65534 65534 65534 65534"),
        ("Groups:", "65534"),
        ("CapInh:", "0000000000000000"),
        ("CapPrm:", "0000000000000000"),
        ("CapEff:", "0000000000000000"),
        ("CapBnd:", "0000000000000000"),
        ("CapAmb:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
    ];
    for (key, wanted) in rows {
        let found = of_threads(pid, key);
        assert!(found.len() >= 3, "the control thread, two workers");
        assert!(found.iter().all(|line| line == wanted), "{key} {found:?}");
    }
}

fn served(proxy: &Proxy) -> String {
    proxy.connect("web").get("a", "/").text()
}

#[test]
fn nothing_of_root_is_left_in_any_thread() {
    if !is_root() {
        return;
    }
    let mut proxy = setup().start(WEB);
    assert_powerless(proxy.pid());
    let socket = proxy.folder().join("web.sock");
    assert_eq!(
        std::fs::metadata(&socket).unwrap().uid(),
        NOBODY,
        "bound by root, where only root may, and given away"
    );
    assert_eq!(Client::unix(&socket).get("a", "/").text(), "one");
    proxy.reload(&WEB.replace("one", "two")).expect(0);
    assert_eq!(served(&proxy), "two");
    let log = proxy.folder().join("log/access.log");
    std::fs::rename(&log, log.with_extension("old")).unwrap();
    proxy.signal(rustix::process::Signal::USR1);
    eventually("the log is opened again", || log.exists().then_some(()));
    let successor = proxy.upgrade();
    assert_powerless(successor);
    assert_eq!(served(&proxy), "two");
}

#[test]
fn a_reload_cannot_get_back_what_was_given_up() {
    if !is_root() {
        return;
    }
    let mut proxy = setup().start(WEB);
    let said = proxy.reload(&WEB.replace("nobody", "daemon")).expect(1);
    assert!(
        said.err.contains("`global.user` cannot change"),
        "{}",
        said.err
    );
    let free = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if free.is_ok_and(|free| free.trim() == "1024") {
        let wider = WEB.replace("\"unix:", "\"127.0.0.1:1\", \"unix:");
        let said = proxy.reload(&wider).expect(1);
        let reason = "a process with `[global] user` gives up";
        assert!(said.err.contains(reason), "{}", said.err);
    }
    assert_eq!(served(&proxy), "one");
}

const CONFINED: &str = r#"
[global]
threads = 2
sandbox = true
[listener.web]
bind = ["127.0.0.1:@web@", "unix:@dir@/web.sock"]
[[route]]
respond = { status = 200, body = "one" }
[admin]
socket = "@dir@/admin.sock"
[log]
access = { to = "@dir@/log/access.log" }
"#;

#[test]
fn a_sandbox_keeps_what_the_configuration_names_and_nothing_else() {
    let mut setup = setup();
    let told = setup.run(CONFINED, &["check"]);
    if told.err.contains("no-landlock") {
        return eprintln!("skipped: {}", told.err);
    }
    let mut proxy = setup.start(CONFINED);
    let other = Setup::new();
    other.folder().write("page.html", "sorry");
    let page = other.folder().join("page.html");

    // All that goes on in the folders it began with.
    let more = CONFINED
        .replace("one", "two")
        .replace("web.sock", "more.sock");
    proxy.reload(&more).expect(0);
    let socket = proxy.folder().join("more.sock");
    assert_eq!(Client::unix(&socket).get("a", "/").text(), "two");
    assert!(!proxy.folder().join("web.sock").exists());
    let log = proxy.folder().join("log/access.log");
    std::fs::rename(&log, log.with_extension("old")).unwrap();
    proxy.signal(rustix::process::Signal::USR1);
    eventually("the log is opened again", || log.exists().then_some(()));

    // A file elsewhere, which everybody may read.
    let wider = format!("{more}[errors]\n\"503\" = \"{}\"\n", page.display());
    let said = proxy.reload(&wider).expect(1);
    assert!(
        said.err.contains("`[global] sandbox` confines"),
        "{}",
        said.err
    );
    let looser = more.replace("sandbox = true", "sandbox = false");
    let said = proxy.reload(&looser).expect(1);
    assert!(
        said.err.contains("`global.sandbox` cannot change"),
        "{}",
        said.err
    );
    assert_eq!(served(&proxy), "two");

    proxy.rewrite(&more);
    proxy.upgrade();
    assert_eq!(served(&proxy), "two");
    let said = proxy.reload(&wider).expect(1);
    assert!(said.err.contains("sandbox"), "no way out: {}", said.err);
}

#[test]
fn check_tells_what_the_user_cannot_reach() {
    let authority = portcullis_harness::Authority::new("ours");
    let identity = authority.issue(&["a.test"]);
    let setup = Setup::new().identity("a", &identity);
    std::fs::set_permissions(setup.folder().path(), Permissions::from_mode(0o755)).unwrap();
    let key = setup.folder().join("a.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let tls = WEB.replace(
        "[[route]]",
        "tls = { certificates = [{ cert = \"@dir@/a.pem\", key = \"@dir@/a.key\" }] }\n[[route]]",
    );
    let mut setup = setup;
    let said = setup.run(&tls, &["check"]).expect(0);
    let said = said.out + &said.err;
    for wanted in ["may not read `", "a.key`", "may not make files in `"] {
        assert!(said.contains(wanted), "{wanted} is missing in {said}");
    }
    let nobody = WEB.replace("nobody", "no-such-user");
    let said = setup.run(&nobody, &["run"]).expect(1);
    assert!(
        said.err.contains("there is no user `no-such-user`"),
        "{}",
        said.err
    );
    let root = WEB.replace("nobody", "root");
    let said = setup.run(&root, &["check"]).expect(1);
    assert!((said.out + &said.err).contains("has the rights of root"));
}
