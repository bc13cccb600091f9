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
        Self {
            level,
            marks: SeverityOutput::None,
            is_interactive: false,
            idle: IDLE,
            pending: None,
        }
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
        if self.is_interactive {
            Next::Continue
        } else {
            Next::CloseWhenIdle
        }
    }
}

/// The command of a line that ends in a free-standing `<<`.
fn announces_payload(line: &str) -> Option<&str> {
    let command = line.trim_end().strip_suffix("<<")?;
    (command.is_empty() || command.ends_with([' ', '\t'])).then(|| command.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::command::SeverityOutput as Marks;
    use super::*;
    use crate::daemon::Request;
    use crate::report::Report;
    use crate::testing::{CONFIG, admin, admin_and_requests, record};

    /// What a session of `level` answers to lines, and how it goes on after the last.
    async fn session(level: AdminLevel, lines: &[&str], admin: &Admin) -> (String, Next) {
        let (mut session, mut out, mut next) = (Session::new(level), String::new(), Next::Continue);
        for line in lines {
            next = session.line(line, admin, &mut out).await;
        }
        (out, next)
    }

    /// The answer of an admin session to one line.
    async fn answer(line: &str, admin: &Admin) -> String {
        session(AdminLevel::Admin, &[line], admin).await.0
    }

    /// Answers as observed from HAProxy 2.6.12, where the objects are the same.
    #[tokio::test]
    async fn answers_are_those_of_haproxy() {
        let admin = admin(CONFIG);
        for (line, expected) in [
            ("show version", "2.6.0-portcullis0.1.0\n\n"),
            ("show version\r", "2.6.0-portcullis0.1.0\n\n"),
            ("show backend zz", "# name\napp\nplain\n\n"),
            ("show cli level", "admin\n\n"),
            (
                "show cli sockets",
                "# socket lvl processes\nunix@/run/p/admin.sock operator all\n\n",
            ),
            ("get weight app/s2", "4 (initial 4)\n\n"),
            ("get weight #3/#2", "4 (initial 4)\n\n"),
            ("get weight", "Require 'backend/server'.\n\n"),
            ("get weight zz/s", "No such backend.\n\n"),
            ("get weight app/zz", "No such server.\n\n"),
            ("set server app/zz state", "No such server.\n\n"),
            ("set server zz/s1 state foo", "No such backend.\n\n"),
            (
                "set server app/s1 state foo",
                "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n",
            ),
            (
                "set weight app/s1 300",
                "Absolute weight can only be between 0 and 256 inclusive.\n\n",
            ),
            ("set weight app/s1 3", "\n"),
            ("enable server app/s1", "\n"),
            ("set timeout cli 5m", "\n"),
            ("show servers state zz", "Can't find backend.\n\n"),
            ("show stat zz 4 -1", "No such proxy.\n\n"),
            ("show errors zz", "No such proxy.\n\n"),
            ("clear counters", "\n"),
            (
                "show version; get weight app/s2",
                "2.6.0-portcullis0.1.0\n\n4 (initial 4)\n\n",
            ),
        ] {
            assert_eq!(answer(line, &admin).await, expected, "{line}");
        }
    }

    #[tokio::test]
    async fn without_prompt_a_line_is_the_last() {
        let admin = admin(CONFIG);
        assert_eq!(
            session(AdminLevel::User, &["show cli level"], &admin).await,
            ("user\n\n".to_owned(), Next::CloseWhenIdle)
        );
        assert_eq!(
            session(AdminLevel::User, &["quit"], &admin).await,
            (String::new(), Next::Close)
        );
    }

    #[tokio::test]
    async fn a_prompt_follows_every_answer_until_it_is_switched_off() {
        let admin = admin(CONFIG);
        let (out, next) = session(
            AdminLevel::User,
            &[
                "prompt",
                "show cli level; show version",
                "set timeout cli 60",
            ],
            &admin,
        )
        .await;
        assert_eq!(out, "\n> user\n\n> 2.6.0-portcullis0.1.0\n\n> \n> ");
        assert_eq!(next, Next::Continue);
        assert_eq!(
            session(AdminLevel::User, &["prompt", "prompt"], &admin).await,
            ("\n> \n".to_owned(), Next::CloseWhenIdle)
        );
        let (out, next) = session(AdminLevel::User, &["show cli level;prompt"], &admin).await;
        assert_eq!((out.as_str(), next), ("user\n\n\n> ", Next::Continue));
        let (out, next) = session(
            AdminLevel::User,
            &["prompt", "show cli level;quit;show version"],
            &admin,
        )
        .await;
        assert_eq!((out.as_str(), next), ("\n> user\n\n> ", Next::Close));
    }

    #[tokio::test]
    async fn severities_mark_messages() {
        let admin = admin(CONFIG);
        let line = "set severity-output number; get weight zz/s; get weight app/s2; show cli level; set severity-output zz";
        let expected = "\n[3]: No such backend.\n\n4 (initial 4)\n\n[6]: admin\n\n\
            [3]: one of 'none', 'number', 'string' is a required argument\n\n";
        assert_eq!(answer(line, &admin).await, expected);
        assert_eq!(Session::new(AdminLevel::User).marks, Marks::None);
    }

    #[tokio::test]
    async fn levels_can_only_be_lowered() {
        let admin = admin(CONFIG);
        let line = "user; show cli level; operator; set server app/s1 state ready; show cli level";
        assert_eq!(
            answer(line, &admin).await,
            "\nuser\n\nPermission denied\n\nPermission denied\n\nuser\n\n"
        );
        let line = "operator; clear counters; clear counters all; set weight";
        assert_eq!(
            answer(line, &admin).await,
            "\n\nPermission denied\n\nPermission denied\n\n"
        );
    }

    #[tokio::test]
    async fn a_server_is_drained_put_to_rest_and_readied() {
        let admin = admin(CONFIG);
        let live = std::sync::Arc::clone(&admin.daemon.snapshot().live);
        for (line, is_eligible) in [
            ("set server app/s1 state drain", false),
            ("set server app/s1 state ready", true),
            ("disable server app/s1", false),
            ("enable server app/s1", true),
            ("set server app/s1 health down", false),
            ("set server app/s1 health up", true),
            ("set weight app/s1 0", false),
            ("set weight app/s1 100%", true),
        ] {
            assert_eq!(answer(line, &admin).await, "\n", "{line}");
            assert_eq!(live.servers[0].is_eligible(), is_eligible, "{line}");
        }
        answer("set server plain/n1 health down", &admin).await;
        assert!(
            live.servers[2].is_eligible(),
            "a server without checks cannot be forced down"
        );
    }

    #[tokio::test]
    async fn percent_are_of_the_configured_weight() {
        let admin = admin(CONFIG);
        for (percent, weight) in [
            ("50%", "2"),
            ("26%", "1"),
            ("200%", "8"),
            ("99999%", "256"),
            ("0%", "0"),
            ("100%", "4"),
        ] {
            answer(&format!("set weight app/s2 {percent}"), &admin).await;
            assert_eq!(
                answer("get weight app/s2", &admin).await,
                format!("{weight} (initial 4)\n\n"),
                "{percent}"
            );
        }
    }

    #[tokio::test]
    async fn counters_start_again_but_metrics_go_on() {
        let admin = admin(CONFIG);
        record(&admin, "GET", 200);
        let requests = async |line| {
            let out = answer(line, &admin).await;
            out.lines()
                .nth(1)
                .and_then(|row| row.split(',').nth(48).map(str::to_owned))
        };
        assert_eq!(requests("show stat web 1 -1").await.as_deref(), Some("1"));
        answer("clear counters all", &admin).await;
        assert_eq!(requests("show stat web 1 -1").await.as_deref(), Some("0"));
        assert_eq!(
            admin.daemon.snapshot().live.listeners[0].totals().requests,
            1
        );
    }

    #[tokio::test]
    async fn reload_answers_yes_or_no_and_what_there_is_to_say() {
        let (admin, mut asked) = admin_and_requests(CONFIG);
        let reports = [
            Report::Unchanged,
            Report::Rejected {
                reasons: "error: bad\n\n  | x".to_owned(),
            },
        ];
        let reloading = async {
            for report in reports {
                if let Some(Request::Reload(_, answer)) = asked.recv().await {
                    // The session waits for it.
                    let _ = answer.send(std::sync::Arc::new(report));
                }
            }
        };
        let (both, ()) = tokio::join!(
            async {
                (
                    answer("reload", &admin).await,
                    answer("reload", &admin).await,
                )
            },
            reloading
        );
        assert_eq!(
            both.0,
            "Success=1\n--\nunchanged: the configuration in force says the same\n\n"
        );
        assert_eq!(
            both.1,
            "Success=0\n--\nerror: bad\n  | x\nrejected: everything stays as it was\n\n"
        );
    }

    #[tokio::test]
    async fn a_payload_is_never_taken_for_commands() {
        let admin = admin(CONFIG);
        let lines = [
            "set ssl cert f <<",
            "set weight app/s2 9",
            "",
            "show cli level",
        ];
        let (out, _) = session(AdminLevel::Admin, &lines, &admin).await;
        assert!(
            out.starts_with("Unknown command, but maybe") && out.ends_with("\n\nadmin\n\n"),
            "{out}"
        );
        assert_eq!(
            answer("get weight app/s2", &admin).await,
            "4 (initial 4)\n\n"
        );
        let (out, _) = session(AdminLevel::Admin, &["prompt", "show version <<"], &admin).await;
        assert_eq!(out, "\n> + ");
    }

    #[tokio::test]
    async fn no_output_holds_an_empty_line_before_its_end() {
        let admin = admin(CONFIG);
        record(&admin, "GET", 200);
        for line in [
            "help",
            "show info",
            "show info typed desc",
            "show info json",
            "show stat",
            "show stat typed",
            "show stat json",
            "show servers state",
            "show routes",
            "show errors",
            "foo",
            "",
        ] {
            let out = answer(line, &admin).await;
            assert_eq!(out.find("\n\n"), Some(out.len() - 2), "{line}: {out}");
            assert!(out.is_ascii(), "{line}");
        }
    }

    #[test]
    fn a_payload_is_announced_by_a_word_of_its_own() {
        assert_eq!(
            announces_payload("set ssl cert f <<"),
            Some("set ssl cert f")
        );
        assert_eq!(
            announces_payload("set ssl cert f << "),
            Some("set ssl cert f")
        );
        assert_eq!(announces_payload("show info<<"), None);
        assert_eq!(announces_payload("show info"), None);
    }
}
