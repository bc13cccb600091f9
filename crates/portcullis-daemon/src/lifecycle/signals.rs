//! Signals as operators know them from other servers: HUP reloads, USR1 reopens logs, TERM, INT and QUIT stop
//! gracefully.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// HUP.
    Reload,
    /// USR1.
    Reopen,
    /// USR2.
    HandOver,
    /// TERM, INT or QUIT, by name.
    Stop(&'static str),
}

/// The signals of this process, watched from when this is made.
pub(super) struct Signals {
    hup: Stream,
    usr1: Stream,
    usr2: Stream,
    term: Stream,
    int: Stream,
    quit: Stream,
}

impl Signals {
    /// Watches from now on; the system's own reactions to these signals end.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The next signal. Stopping goes before everything else that has come.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.term.recv() => Signal::Stop("TERM"),
            _ = self.int.recv() => Signal::Stop("INT"),
            _ = self.quit.recv() => Signal::Stop("QUIT"),
            _ = self.hup.recv() => Signal::Reload,
            _ = self.usr1.recv() => Signal::Reopen,
            _ = self.usr2.recv() => Signal::HandOver,
        }
    }

    /// The next signal that says to stop; others wait.
    pub(super) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "TERM",
            _ = self.int.recv() => "INT",
            _ = self.quit.recv() => "QUIT",
        }
    }
}
