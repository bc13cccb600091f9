//! Writing to standard output and error. A reader that has left (`portcullis schema | head`) is no failure.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Writes to standard output.
pub(crate) fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes to standard error; if that fails there is nobody left to tell.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Whether what goes to standard error may be coloured (<https://no-color.org>).
pub(crate) fn is_coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
