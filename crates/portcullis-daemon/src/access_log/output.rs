//! Where log lines end up: a file, a standard stream, or nowhere.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use portcullis_plan::plan::LogTarget;

/// How often a stream that takes nothing is tried again before its lines count as lost.
const BUSY_TRIES: u32 = 100;
/// Between those tries.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// An open target.
pub(crate) struct Output {
    sink: Sink,
    path: Option<PathBuf>,
    /// The last write broke off within a line.
    is_torn: bool,
}

enum Sink {
    Off,
    File(File),
    Stdout(io::Stdout),
    Stderr(io::Stderr),
}

impl Output {
    /// Opens `target`; a file is created if need be and appended to.
    pub(crate) fn open(target: &LogTarget) -> io::Result<Self> {
        let (sink, path) = match target {
            LogTarget::Off => (Sink::Off, None),
            LogTarget::Stdout => (Sink::Stdout(io::stdout()), None),
            LogTarget::Stderr => (Sink::Stderr(io::stderr()), None),
            LogTarget::File(path) => (Sink::File(append_to(path)?), Some(path.clone())),
        };
        Ok(Self {
            sink,
            path,
            is_torn: false,
        })
    }

    /// Opens the file at the same path anew; streams stay as they are. An error leaves the old file in use.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.sink = Sink::File(append_to(path)?);
            self.is_torn = false;
        }
        Ok(())
    }

    /// The file's path.
    pub(crate) fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// Whether lines go nowhere.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.sink, Sink::Off)
    }

    /// Writes whole lines. After a write that broke off, the next begins on a line of its own.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let Self { sink, is_torn, .. } = self;
        let stream: &mut dyn Write = match sink {
            Sink::Off => return Ok(()),
            Sink::File(file) => file,
            Sink::Stdout(stdout) => stdout,
            Sink::Stderr(stderr) => stderr,
        };
        if *is_torn {
            write_all(stream, b"\n").map_err(|(_, error)| error)?;
            *is_torn = false;
        }
        write_all(stream, lines).map_err(|(written, error)| {
            *is_torn = written > 0 && lines.get(written - 1) != Some(&b'\n');
            error
        })
    }
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Writes everything, waiting a while for a stream that is busy; an error says how much was written before it.
fn write_all(stream: &mut dyn Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    let mut busy = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(n) => (written, busy) = (written + n, 0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && busy < BUSY_TRIES => {
                busy += 1;
                std::thread::sleep(BUSY_PAUSE);
            }
            Err(error) => return Err((written, error)),
        }
    }
    stream.flush().map_err(|error| (written, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Takes `room` bytes, then fails.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room).min(3);
            if n == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= n;
            self.taken.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_error_says_how_much_was_written() {
        let mut narrow = Narrow {
            room: 5,
            taken: Vec::new(),
        };
        let (written, error) = write_all(&mut narrow, b"abcdefgh").unwrap_err();
        assert_eq!((written, error.kind()), (5, ErrorKind::StorageFull));
        assert_eq!(narrow.taken, b"abcde");
    }

    #[test]
    fn a_torn_line_is_closed_before_the_next() {
        let folder = crate::testing::Folder::new();
        let path = folder.path().join("log");
        let mut output = Output::open(&LogTarget::File(path.clone())).unwrap();
        output.write(b"half").unwrap();
        output.is_torn = true;
        output.write(b"whole\n").unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"half\nwhole\n");
    }
}
