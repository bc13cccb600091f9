//! Handing over to a new process of this program: it starts beside the old one, gets every listening socket and what the old
//! one has learnt, and only when it serves does the old one stop. Until then nothing is given up.
//!
//! The two talk over a socket pair that is the new process's standard input; nobody else can reach it.
//!
//! ```text
//! old  parcel: listening sockets, state      ->  new  reads it, checks its configuration, starts its workers
//! old                                        <-  new  "ready"     everything that can fail is done
//! old  tells the service manager, "go"       ->  new  accepts beside the old one
//! old  drains                                <-  new  "serving"
//! ```

mod channel;
mod give;
mod state;
mod take;

pub(super) use give::{Caller, Successor};
pub(super) use state::{learn, learn_limits, learn_tickets, learnt};
pub(crate) use take::Taken;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// Says that standard input is a predecessor. The text is the version of the parcel.
pub(super) const VARIABLE: &str = "PORTCULLIS_HANDOVER";
/// A process of another version must be able to refuse what it does not understand.
const VERSION: &str = "1";

/// One step of the talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Ready,
    Go,
    Serving,
}

impl Word {
    const fn byte(self) -> u8 {
        match self {
            Self::Ready => b'R',
            Self::Go => b'G',
            Self::Serving => b'S',
        }
    }

    fn say(self, mut channel: &UnixStream) -> io::Result<()> {
        channel.write_all(&[self.byte()])
    }

    /// Waits for this word, as long as the channel's time-out allows.
    fn hear(self, mut channel: &UnixStream) -> io::Result<()> {
        let mut byte = [0];
        channel.read_exact(&mut byte)?;
        if byte == [self.byte()] {
            Ok(())
        } else {
            Err(io::Error::other(format!("{self:?} was expected")))
        }
    }
}
