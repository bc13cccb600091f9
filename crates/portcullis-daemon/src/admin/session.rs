//! One session of the runtime API without its socket: bytes in, bytes out, and whether it goes on.

use std::time::Duration;

use portcullis_plan::plan::AdminLevel;

use super::Admin;
use super::command::{self, SeverityOutput};
use super::execute::execute;
use super::reply::Reply;

/// Longest line, and longest payload, that is taken.
pub(crate) const LINE_BYTES: usize = 16 * 1024;
/// How long a session may be silent unless it asks for more.
const IDLE: Duration = Duration::from_secs(10);

/// What a session has settled so far.
pub(crate) struct Session {
    /// What it may do; only ever lowered.
    pub(crate) level: AdminLevel,
    /// How its messages are marked.
    pub(crate) marks: SeverityOutput,
    /// Whether it stays open and shows a prompt.
    pub(crate) is_interactive: bool,
    /// How long it may be silent.
    pub(crate) idle: Duration,
    /// A command that waits for the end of its payload.
    pending: Option<String>,
}

/// Whether a session goes on after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It reads on.
    Continue,
    /// It closes, unless more whole lines have arrived already.
    CloseWhenIdle,
    /// It closes.
    Close,
}

impl Session {
    /// A fresh session of `level`.
    pub(crate) const fn new(level: AdminLevel) -> Self {
        Self { level, marks: SeverityOutput::None, is_interactive: false, idle: IDLE, pending: None }
    }

    /// Takes one line without its end, appends what is to be sent, and says how to go on.
    pub(crate) async fn line(&mut self, line: &str, admin: &Admin, out: &mut String) -> Next {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match self.pending.take() {
            // No command takes a payload yet. It is read all the same, so that none of it is taken for commands.
            Some(command) if line.is_empty() => self.commands(&command, admin, out).await,
            Some(command) => {
                self.pending = Some(command);
                Next::Continue
            }
            None => match announces_payload(line) {
                Some(command) => {
                    self.pending = Some(command.to_owned());
                    out.push_str(if self.is_interactive { "+ " } else { "" });
                    Next::Continue
                }
                None => self.commands(line, admin, out).await,
            },
        }
    }

    async fn commands(&mut self, line: &str, admin: &Admin, out: &mut String) -> Next {
        for words in command::split(line) {
            let reply = execute(command::parse(&words), self, admin).await;
            if reply == Reply::Close {
                return Next::Close;
            }
            out.push_str(&reply.to_wire(self.marks));
            if self.is_interactive {
                out.push_str("> ");
            }
        }
        if self.is_interactive { Next::Continue } else { Next::CloseWhenIdle }
    }
}

/// The command of a line that ends in a free-standing `<<`.
fn announces_payload(line: &str) -> Option<&str> {
    let command = line.trim_end().strip_suffix("<<")?;
    (command.is_empty() || command.ends_with([' ', '\t'])).then(|| command.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_announced_by_a_word_of_its_own() {
        assert_eq!(announces_payload("set ssl cert f <<"), Some("set ssl cert f"));
        assert_eq!(announces_payload("set ssl cert f << "), Some("set ssl cert f"));
        assert_eq!(announces_payload("show info<<"), None);
        assert_eq!(announces_payload("show info"), None);
    }
}
