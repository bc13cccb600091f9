//! The real binary on a configuration written for the test.
//!
//! In a configuration, `@dir@` is the test's folder, `@name@` a value that the test has set, and any
//! other `@name@` a free port of that name. A file without `[global]` gets two threads, one without
//! `[admin]` an admin socket in the test's folder.

use crate::client::Client;
use crate::folder::Folder;
use crate::patience::{PATIENCE, eventually};
use crate::places::{Ports, binary};
use crate::tool::{Finished, exit_code, run};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CONFIG: &str = "portcullis.toml";

/// A folder with what a proxy needs, before it runs.
#[derive(Debug, Default)]
pub struct Setup {
    folder: Folder,
    ports: Ports,
    names: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    passed: Option<(OwnedFd, String)>,
}

impl Setup {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what `@name@` stands for.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.names.insert(name.to_owned(), value.into());
        self
    }

    /// Puts a file into the folder; names in it are replaced as in the configuration.
    #[must_use]
    pub fn file(mut self, name: &str, content: &str) -> Self {
        let content = self.fill(content);
        self.folder.write(name, content);
        self
    }

    /// Puts a certificate and its key into the folder, as `NAME.pem` and `NAME.key`.
    #[must_use]
    pub fn identity(self, name: &str, identity: &crate::Identity) -> Self {
        self.folder.write(&format!("{name}.pem"), &identity.cert);
        self.folder.write(&format!("{name}.key"), &identity.key);
        self
    }

    /// Sets a variable of the proxy's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Passes a listening socket to the proxy as a service manager does, under each of `names`, joined by colons.
    #[must_use]
    pub fn pass(mut self, socket: impl Into<OwnedFd>, names: &str) -> Self {
        self.passed = Some((socket.into(), names.to_owned()));
        self
    }

    /// The test's folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Replaces the names in a text, reserving ports for those that are not set.
    pub fn fill(&mut self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let after = &rest[at + 1..];
            let length = after
                .bytes()
                .take_while(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_'
                })
                .count();
            filled.push_str(&rest[..at]);
            if length > 0 && after.as_bytes().get(length) == Some(&b'@') {
                filled.push_str(&self.value(&after[..length]));
                rest = &after[length + 1..];
            } else {
                filled.push('@');
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&mut self, name: &str) -> String {
        if name == "dir" {
            return self.folder.path().display().to_string();
        }
        let ports = &mut self.ports;
        self.names
            .entry(name.to_owned())
            .or_insert_with(|| ports.reserve().to_string())
            .clone()
    }

    /// Writes the configuration, without starting anything, and gives its path.
    pub fn write(&mut self, config: &str) -> PathBuf {
        let mut text = config.to_owned();
        if !config.contains("[global]") {
            text.push_str("\n[global]\nthreads = 2\n");
        }
        if !config.contains("[admin]") {
            text.push_str("\n[admin]\nsocket = { path = \"@dir@/admin.sock\", mode = \"0600\", level = \"admin\" }\n");
        }
        let text = self.fill(&text);
        self.folder.write(CONFIG, text)
    }

    /// A call of the binary in the test's folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.call(&binary(), arguments)
    }

    /// The call of a program by a service manager, which knows the process's id and passes sockets from number 3 on.
    fn service(&mut self, program: &Path) -> Command {
        let Some((socket, names)) = self.passed.take() else {
            let mut command = self.call(program, &[]);
            command.stdin(Stdio::null());
            return command;
        };
        let count = names.split(':').count();
        let places: String = (3..3 + count)
            .map(|number| format!(" {number}<&0"))
            .collect();
        let script = format!(
            "exec{places}; exec </dev/null; export LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names}; exec \"$0\" \"$@\""
        );
        let mut command = self.call(Path::new("/bin/sh"), &["-c", &script]);
        command.arg(program).stdin(socket);
        command
    }

    fn call(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("PORTCULLIS_CONFIG");
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    /// Runs `portcullis` with these arguments and the configuration, to its end.
    pub fn run(&mut self, config: &str, arguments: &[&str]) -> Finished {
        let path = self.write(config);
        run(self.command(arguments).arg("-c").arg(path))
    }

    /// Starts the proxy and waits until it says that it serves.
    ///
    /// # Panics
    /// When it ends instead.
    #[must_use]
    #[track_caller]
    pub fn start(self, config: &str) -> Proxy {
        self.start_with(&binary(), config)
    }

    /// The same through a program that runs the binary with the arguments it is given.
    #[must_use]
    #[track_caller]
    pub fn start_with(mut self, program: &Path, config: &str) -> Proxy {
        let path = self.write(config);
        let notify =
            UnixDatagram::bind(self.folder.join("notify.sock")).expect("a socket can be bound");
        // As a service manager's: whoever the proxy becomes may write to it.
        let everybody = Permissions::from_mode(0o777);
        std::fs::set_permissions(self.folder.join("notify.sock"), everybody)
            .expect("the socket is there");
        notify
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a socket option can be set");
        let mut command = self.service(program);
        command
            .args(["run", "-c"])
            .arg(path)
            .env("NOTIFY_SOCKET", self.folder.join("notify.sock"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be run");
        let output = collect(child.stdout.take().expect("its output is a pipe"));
        let errors = collect(child.stderr.take().expect("its errors are a pipe"));
        let mut proxy = Proxy {
            setup: self,
            child,
            output,
            errors,
            notify,
            ended: None,
            successor: None,
        };
        proxy.wait_notice("READY=1");
        proxy
    }
}

/// A running proxy; killed when dropped.
#[derive(Debug)]
pub struct Proxy {
    setup: Setup,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    errors: Arc<Mutex<Vec<u8>>>,
    notify: UnixDatagram,
    ended: Option<i32>,
    successor: Option<Pid>,
}

impl Proxy {
    /// Starts a proxy on `config`, with values for its names.
    #[must_use]
    #[track_caller]
    pub fn start(config: &str, names: &[(&str, &str)]) -> Self {
        let setup = names
            .iter()
            .fold(Setup::new(), |setup, (name, value)| setup.set(name, *value));
        setup.start(config)
    }

    /// A plain listener `web` before one server.
    #[must_use]
    #[track_caller]
    pub fn before(origin: &crate::Origin) -> Self {
        let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
name = "all"
service = "app"
[service.app]
servers = ["@app@"]
"#;
        Self::start(config, &[("app", origin.address())])
    }

    /// The port of this name in the configuration.
    #[must_use]
    #[track_caller]
    pub fn port(&self, name: &str) -> u16 {
        let text = self
            .setup
            .names
            .get(name)
            .unwrap_or_else(|| panic!("no `@{name}@` in the configuration"));
        text.parse()
            .unwrap_or_else(|_| panic!("`@{name}@` is {text:?}, which is no port"))
    }

    /// A connection to the port of this name.
    #[must_use]
    #[track_caller]
    pub fn connect(&self, name: &str) -> Client {
        Client::tcp(("127.0.0.1", self.port(name)))
    }

    /// The test's folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.setup.folder
    }

    /// The configuration's path.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.setup.folder.join(CONFIG)
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Makes the process hand over and waits until the new one serves; gives its id. Signals go to that one from then on.
    #[track_caller]
    pub fn upgrade(&mut self) -> u32 {
        let said = self.command(&["upgrade"]).expect(0);
        let pid = said
            .out
            .split_whitespace()
            .last()
            .and_then(|word| word.parse().ok());
        let pid: i32 = pid.unwrap_or_else(|| panic!("no process id: {}", said.out));
        self.adopt(pid);
        pid.cast_unsigned()
    }

    /// Lets signals go to the process that has taken over, and ends it with this.
    pub fn adopt(&mut self, pid: i32) {
        self.successor = Pid::from_raw(pid);
    }

    /// Overwrites the configuration, without a reload.
    pub fn rewrite(&mut self, config: &str) -> PathBuf {
        self.setup.write(config)
    }

    /// Puts a file into the test's folder.
    pub fn file(&mut self, name: &str, content: impl AsRef<[u8]>) {
        self.setup.folder.write(name, content);
    }

    /// Overwrites the configuration and runs `portcullis reload`.
    pub fn reload(&mut self, config: &str) -> Finished {
        let path = self.rewrite(config);
        run(self.setup.command(&["reload", "-c"]).arg(path))
    }

    /// Runs `portcullis` with these arguments, the configuration given by `-c`.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Finished {
        run(self.setup.command(arguments).arg("-c").arg(self.config()))
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let first = || Pid::from_raw(self.child.id().cast_signed()).expect("a process has an id");
        let pid = self.successor.unwrap_or_else(first);
        kill_process(pid, signal).expect("the process can be signalled");
    }

    /// Waits until the service manager has been told this, such as `READY=1`.
    #[track_caller]
    pub fn wait_notice(&mut self, wanted: &str) {
        let _ = self.notice(wanted);
    }

    /// Waits until the service manager has been told something of which one line begins like this; gives all of it.
    #[track_caller]
    pub fn notice(&mut self, wanted: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        let mut datagram = [0; 4096];
        loop {
            if let Ok(length) = self.notify.recv(&mut datagram) {
                let text = String::from_utf8_lossy(&datagram[..length]);
                if text.lines().any(|line| line.starts_with(wanted)) {
                    return text.into_owned();
                }
            } else if let Some(code) = self.poll_end() {
                panic!("the proxy ended with {code} before it said {wanted}");
            }
            assert!(Instant::now() < give_up, "the proxy never said {wanted}");
        }
    }

    fn poll_end(&mut self) -> Option<i32> {
        if self.ended.is_none() {
            let status = self.child.try_wait().expect("a child can be waited for");
            self.ended = status.map(exit_code);
        }
        self.ended
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.poll_end().is_none()
    }

    /// Waits for the end of the process and gives its exit code.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        eventually("the proxy ends", || self.poll_end())
    }

    /// TERM, then the exit code.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// What it has written to standard output.
    #[must_use]
    pub fn output(&self) -> String {
        text(&self.output)
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn errors(&self) -> String {
        text(&self.errors)
    }

    /// Waits for an access-log line on standard output that satisfies `wanted`.
    #[track_caller]
    pub fn log_line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(&format!("a log line: {what}"), || {
            self.output()
                .lines()
                .find(|line| wanted(line))
                .map(str::to_owned)
        })
    }

    /// Waits for a JSON access-log record of this path (the record's `path` or `target`).
    #[track_caller]
    pub fn record(&self, path: &str) -> serde_json::Value {
        let line = self.log_line(path, |line| line.contains(&format!("\"{path}\"")));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Sends one line to the admin socket and gives the whole answer.
    #[must_use]
    #[track_caller]
    pub fn admin(&self, line: &str) -> String {
        admin_at(&self.setup.folder.join("admin.sock"), line)
    }
}

fn admin_at(path: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("the admin socket listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a socket option can be set");
    stream
        .write_all(format!("{line}\n").as_bytes())
        .expect("the admin socket reads");
    stream
        .shutdown(Shutdown::Write)
        .expect("the writing half can be ended");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the admin socket answers and closes");
    answer
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let running = self.poll_end().is_none();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pid) = self.successor {
            let _ = kill_process(pid, Signal::KILL);
        }
        let errors = self.errors();
        if std::thread::panicking() {
            let ended = if running {
                "still ran".to_owned()
            } else {
                format!("ended: {:?}", self.ended)
            };
            eprintln!(
                "-- the proxy {ended}; its configuration:\n{}",
                self.setup.folder.read(CONFIG)
            );
            eprintln!(
                "-- its standard output:\n{}\n-- its standard error:\n{errors}",
                self.output()
            );
        } else {
            assert!(
                !errors.contains("panicked at"),
                "the proxy has panicked:\n{errors}"
            );
        }
    }
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().expect("readers do not panic")).into_owned()
}

fn collect(mut from: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let gathered = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&gathered);
    std::thread::spawn(move || {
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            shared
                .lock()
                .expect("readers do not panic")
                .extend_from_slice(&chunk[..count]);
        }
    });
    gathered
}
