//! The old side: starts the successor and gives it everything. Dropping a [`Successor`] ends it, so that whatever goes wrong
//! leaves one process that serves.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};

use super::{VARIABLE, VERSION, Word, channel};
use crate::listen::bind::Listening;
use crate::listen::set::Key;

/// How long the successor may take to load its configuration, look up names and start its workers.
const START: Duration = Duration::from_secs(60);

/// How this process was called, as it was at its start: by then the program at that path may have been replaced.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Caller {
    /// This process's own call. A name with a slash is kept as it was given, so that a link that is moved to a new version
    /// leads there.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let mut words = std::env::args_os();
        let name = words.next().map(PathBuf::from).unwrap_or_default();
        let program = match name.components().nth(1) {
            Some(_) => std::path::absolute(name)?,
            None => std::env::current_exe()?,
        };
        Ok(Self {
            program,
            arguments: words.collect(),
        })
    }
}

/// A process that is about to take over. Dropping it ends it.
pub(crate) struct Successor {
    child: Option<Child>,
    channel: UnixStream,
}

impl Successor {
    /// Starts the program again, with a channel for its standard input.
    pub(crate) fn start(caller: &Caller) -> io::Result<Self> {
        let (channel, theirs) = UnixStream::pair()?;
        channel.set_read_timeout(Some(START))?;
        channel.set_write_timeout(Some(START))?;
        let child = Command::new(&caller.program)
            .args(&caller.arguments)
            .env(VARIABLE, VERSION)
            .stdin(OwnedFd::from(theirs))
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", caller.program.display())))?;
        Ok(Self {
            child: Some(child),
            channel,
        })
    }

    /// The successor's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Gives it everything and waits until it is ready. Takes as long as its start, up to a minute; ends at once when the
    /// successor does.
    pub(crate) async fn prepare(
        &self,
        sockets: Vec<(Key, Vec<Listening>)>,
        learnt: Value,
    ) -> Result<(), String> {
        let channel = self
            .channel
            .try_clone()
            .map_err(|error| error.to_string())?;
        let talk = tokio::task::spawn_blocking(move || {
            parcel(&channel, &sockets, &learnt)?;
            drop(sockets);
            Word::Ready.hear(&channel)
        });
        talk.await
            .map_err(|error| error.to_string())?
            .map_err(|error| self.explain(&error))
    }

    /// Lets it serve, and waits until it does.
    pub(crate) async fn release(&self) -> Result<(), String> {
        let channel = self
            .channel
            .try_clone()
            .map_err(|error| error.to_string())?;
        let talk = tokio::task::spawn_blocking(move || {
            Word::Go.say(&channel)?;
            Word::Serving.hear(&channel)
        });
        talk.await
            .map_err(|error| error.to_string())?
            .map_err(|error| self.explain(&error))
    }

    /// It has taken over and goes on without us.
    pub(crate) fn leave(mut self) {
        self.child = None;
    }

    fn explain(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!(
                    "the new process {} was not ready within {START:?}",
                    self.pid()
                )
            }
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => {
                format!(
                    "the new process {} ended; its own words are in the log",
                    self.pid()
                )
            }
            _ => format!("the new process {}: {error}", self.pid()),
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn parcel(
    channel: &UnixStream,
    sockets: &[(Key, Vec<Listening>)],
    learnt: &Value,
) -> io::Result<()> {
    let list: Vec<_> = sockets
        .iter()
        .map(|(key, sockets)| json!({ "key": key.to_json(), "count": sockets.len() }))
        .collect();
    let text = json!({ "version": VERSION, "sockets": list, "learnt": learnt }).to_string();
    let descriptors: Vec<_> = sockets
        .iter()
        .flat_map(|(_, sockets)| sockets)
        .map(AsFd::as_fd)
        .collect();
    channel::send(channel, text.as_bytes(), &descriptors)
}
