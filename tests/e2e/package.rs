//! The Debian package, on a system of its own: installed, upgraded, removed and purged by dpkg, with its own scripts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portcullis_harness::{Folder, binary, python, repository, run, run_bounded};

/// A build takes some seconds, and each of seven calls of dpkg one or two.
const LIMIT: Duration = Duration::from_secs(120);

fn built(folder: &Folder, version: &str) -> PathBuf {
    let xtask = binary().with_file_name("xtask");
    let mut command = Command::new(xtask);
    command
        .arg("package")
        .arg(binary())
        .arg(folder.path())
        .arg(version);
    let said = run_bounded(&mut command, b"", LIMIT).expect(0);
    PathBuf::from(said.out.trim())
}

/// Whether a system of its own can be had here: dpkg, root, namespaces, overlays.
fn can_install() -> bool {
    let probe = "mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/r && mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r && dpkg --version && ip -V";
    let asked = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "sh", "-c", probe])
        .output();
    asked.is_ok_and(|output| output.status.success())
}

/// The tests' own Python environment, which has Ansible and the application server.
fn venv() -> PathBuf {
    let python = python();
    let folder = python.ancestors().nth(2);
    folder.expect("a Python lies in a bin").to_path_buf()
}

fn has_dpkg() -> bool {
    let asked = Command::new("dpkg-deb").arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

fn contents(package: &Path) -> String {
    run(Command::new("dpkg-deb").arg("--contents").arg(package))
        .expect(0)
        .out
}

#[test]
fn the_package_lives_from_install_to_purge() {
    if !has_dpkg() {
        eprintln!("skipped: no dpkg-deb here");
        return;
    }
    let folder = Folder::new();
    let old = built(&folder, "0.1.0~old");
    let listed = contents(&old);
    for line in listed.lines() {
        assert!(line.contains(" root/root "), "not root's: {line}");
    }
    if !can_install() {
        eprintln!("skipped: no root, or no namespaces and overlays here");
        return;
    }
    let new = built(&folder, "0.1.0~old+1");
    std::fs::rename(old, folder.join("old.deb")).unwrap();
    std::fs::rename(new, folder.join("new.deb")).unwrap();
    std::fs::create_dir(folder.join("layer")).unwrap();
    let parts = repository().join("tests/e2e/package");
    for name in ["life.sh", "systemctl"] {
        std::fs::copy(parts.join(name), folder.join(name)).unwrap();
    }
    let playbook = folder.path().join("ansible");
    let mut copy = Command::new("cp");
    run(copy
        .arg("-r")
        .arg(repository().join("deploy/ansible"))
        .arg(playbook))
    .expect(0);
    std::fs::write(folder.join("venv"), venv().as_os_str().as_encoded_bytes()).unwrap();
    let mut life = Command::new("unshare");
    life.args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .arg(folder.join("life.sh"))
        .arg(folder.path());
    let said = run_bounded(&mut life, b"", LIMIT).expect(0);
    assert!(
        said.out.ends_with("== all is well\n")
            || said.out.contains("skipped: portcullis is installed"),
        "{}",
        said.out
    );
}

/// The words of a line of the container recipe that is written as a list.
fn listed(recipe: &str, key: &str) -> Vec<String> {
    let line = recipe.lines().find(|line| line.starts_with(key)).unwrap();
    let list = &line[line.find('[').unwrap()..];
    serde_json::from_str(list).unwrap()
}

#[test]
fn the_image_holds_all_that_its_recipe_calls() {
    let folder = repository().join("deploy/container");
    let recipe = std::fs::read_to_string(folder.join("Containerfile")).unwrap();
    let laid_out = Folder::new();
    let root = laid_out.join("root");
    let mut lay_out = Command::new(folder.join("root.sh"));
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || !Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        eprintln!("skipped: no root, or no ca-certificates here");
        return;
    }
    run(lay_out.arg(binary()).arg(&root)).expect(0);
    let (entry, arguments) = (listed(&recipe, "ENTRYPOINT"), listed(&recipe, "CMD"));
    let health = listed(&recipe, "HEALTHCHECK");
    let config = arguments.last().unwrap();
    for path in [&entry[0], &health[0], config] {
        assert!(
            root.join(path.trim_start_matches('/')).exists(),
            "{path} is not in the image"
        );
    }
    let within = |words: &[&str]| {
        let mut command = Command::new("chroot");
        run(command.arg("--userspec=65532:65532").arg(&root).args(words))
    };
    within(&[&entry[0], "check", "--strict", "-c", config]).expect(0);
    let words: Vec<&str> = health.iter().map(String::as_str).collect();
    let said = within(&words).expect(1);
    assert!(
        said.err.contains("nobody answers"),
        "it is a command of ours: {}",
        said.err
    );
}
