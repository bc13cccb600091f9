//! Running a command to its end, with a bound.

use crate::patience::PATIENCE;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// Its standard output, as text.
    pub out: String,
    /// Its standard error, as text.
    pub err: String,
}

impl Finished {
    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code\n-- stdout\n{}\n-- stderr\n{}",
            self.out, self.err
        );
        self
    }
}

/// Runs a command without input and waits for its end, at most [`PATIENCE`].
pub fn run(command: &mut Command) -> Finished {
    run_bounded(command, b"", PATIENCE)
}

/// Runs a command on an input; one that has not ended within `limit` is killed and fails the test.
pub fn run_bounded(command: &mut Command, input: &[u8], limit: Duration) -> Finished {
    let description = format!("{command:?}");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{description}: {error}"));
    let out = drain(child.stdout.take().expect("its output is a pipe"));
    let err = drain(child.stderr.take().expect("its errors are a pipe"));
    // A command that does not read its input closes the pipe, which is its right.
    let _ = child
        .stdin
        .take()
        .expect("its input is a pipe")
        .write_all(input);
    let give_up = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > give_up {
            let _ = child.kill();
            let (out, err) = (out.join(), err.join());
            panic!("{description} has not ended within {limit:?}\n{out:?}\n{err:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Finished {
        code: exit_code(status),
        out: out.join().expect("the reader ends"),
        err: err.join().expect("the reader ends"),
    }
}

/// An exit status as a shell would number it.
pub(crate) fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn drain(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
