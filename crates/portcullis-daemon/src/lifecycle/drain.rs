//! The graceful end: accept no more, let requests and tunnels come to theirs, say once a second what is waited for,
//! and stop at once when the time is over or a second signal comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::signals::Signals;
use super::{Exit, Process};
use crate::report::counted;
use crate::runtime::{Busy, Command};

/// How often it is looked whether everything is over.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is said what is waited for.
const SAY: Duration = Duration::from_secs(1);
/// How long the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long before the end WebSockets are told at the latest.
const LAST_GOODBYE: Duration = Duration::from_secs(1);

/// Who takes the connections that come from now on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nobody: idle connections are closed at once.
    Nobody,
    /// A successor: connections close with their next answer, so that no request is lost on its way.
    Successor,
}

impl Process {
    /// Serves on while health pages already say that we stop; a second signal cuts that short.
    pub(super) async fn lame_duck(&self, signals: &mut Signals) {
        let plan = Arc::clone(&self.daemon.snapshot().plan);
        let process = &plan.process;
        let Some(patience) = process.lame_duck else {
            return;
        };
        self.daemon.snapshot().live.process.drain();
        let whole = patience + process.shutdown_timeout;
        tracing::info!("serving on for {patience:?}, health pages say that we stop");
        self.notifier.stopping("lame duck: serving on", whole);
        tokio::select! {
            () = tokio::time::sleep(patience) => {}
            name = signals.stop() => tracing::info!(signal = name, "draining without further delay"),
        }
    }

    /// Ends the process's work.
    pub(super) async fn drain(self, after: After, signals: &mut Signals) -> Exit {
        let plan = Arc::clone(&self.daemon.snapshot().plan);
        let mut course = Course::new(&plan.process, after, Instant::now());
        self.daemon.snapshot().live.process.drain();
        match after {
            After::Nobody => {
                self.workers.tell(|| Command::Drain);
                let patience = plan.process.shutdown_timeout;
                self.notifier.stopping("draining", patience);
            }
            After::Successor => self.workers.tell(|| Command::HandOver),
        }
        let Self {
            daemon,
            workers,
            sockets,
            access_log,
            notifier,
            ..
        } = self;
        // Unix socket files go now, unless a successor has them; TCP ports are free.
        drop(sockets);

        let exit = loop {
            let mut busy = workers.busy().await;
            // Those in their handshake are known to nobody else.
            busy.connections = busy
                .connections
                .max(daemon.snapshot().live.process.connections().open() as usize);
            match course.step(Instant::now(), busy.is_over()) {
                Step::Done => break Exit::Clean,
                Step::TimeIsOver => {
                    tracing::warn!("the time is over: {} cut", waited_for(busy));
                    break Exit::Forced;
                }
                Step::Tell(command) => workers.tell(command),
                Step::Say(left) => {
                    let text = format!("draining: {}, {} s left", waited_for(busy), left.as_secs());
                    tracing::info!("{text}");
                    if after == After::Nobody {
                        notifier.still_stopping(&text, left);
                    }
                }
                Step::Wait => tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    name = signals.stop() => {
                        tracing::warn!(signal = name, "stopping at once: {} cut", waited_for(busy));
                        break Exit::Forced;
                    }
                },
            }
        };
        workers.stop();
        access_log.finish(LAST_LINES);
        tracing::info!("stopped");
        exit
    }
}

/// When what happens in a drain.
struct Course {
    deadline: Instant,
    say: Instant,
    /// When tunnels are told to end, until they were.
    goodbye: Option<Instant>,
    /// When connections are closed that a successor's process left open for their next request: who has asked for nothing
    /// until then will not miss them.
    hurry: Option<Instant>,
}

/// What is to be done next.
enum Step {
    /// Nothing is left.
    Done,
    /// What is left is cut.
    TimeIsOver,
    /// The workers are told this.
    Tell(fn() -> Command),
    /// It is said what is waited for, and that so much time is left.
    Say(Duration),
    /// Look again later.
    Wait,
}

impl Course {
    fn new(process: &portcullis_plan::plan::Process, after: After, begun: Instant) -> Self {
        let patience = process.shutdown_timeout;
        let last_goodbye = patience.saturating_sub(LAST_GOODBYE);
        Self {
            deadline: begun + patience,
            say: begun + SAY,
            goodbye: Some(begun + process.tunnel_drain.min(last_goodbye)),
            hurry: (after == After::Successor).then(|| begun + last_goodbye),
        }
    }

    fn step(&mut self, now: Instant, is_over: bool) -> Step {
        let is_due = |at: &mut Instant| now >= *at;
        if is_over {
            Step::Done
        } else if now >= self.deadline {
            Step::TimeIsOver
        } else if self.goodbye.take_if(is_due).is_some() {
            Step::Tell(|| Command::EndTunnels)
        } else if self.hurry.take_if(is_due).is_some() {
            Step::Tell(|| Command::Drain)
        } else if now >= self.say {
            self.say = now + SAY;
            Step::Say(self.deadline - now)
        } else {
            Step::Wait
        }
    }
}

/// `3 requests, 1 tunnel`; connections only where nothing else is left.
fn waited_for(busy: Busy) -> String {
    let parts: Vec<String> = [(busy.exchanges, "request"), (busy.tunnels, "tunnel")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(count, noun))
        .collect();
    if parts.is_empty() {
        return counted(busy.connections, "connection");
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::snapshot;

    const TIMES: &str = "[global]\nshutdown_timeout = '10s'\ntunnel_drain = '4s'\n\
        [listener.web]\nbind = '127.0.0.1:0'\n[[route]]\nrespond = { status = 200 }\n";

    /// What is done in each second of a drain that never comes to its end.
    fn course(after: After) -> Vec<(u64, &'static str)> {
        let begun = Instant::now();
        let process = &snapshot(TIMES).plan.process;
        let mut course = Course::new(process, after, begun);
        let mut done = Vec::new();
        for second in 0..=10 {
            let now = begun + Duration::from_secs(second);
            loop {
                let what = match course.step(now, false) {
                    Step::Wait => break,
                    Step::Say(_) => continue,
                    Step::Done => "done",
                    Step::TimeIsOver => {
                        done.push((second, "cut"));
                        return done;
                    }
                    Step::Tell(command) => match command() {
                        Command::EndTunnels => "end tunnels",
                        Command::Drain => "drain",
                        _ => "something else",
                    },
                };
                done.push((second, what));
            }
        }
        done
    }

    #[test]
    fn tunnels_are_told_and_then_what_is_left_is_cut() {
        assert_eq!(course(After::Nobody), [(4, "end tunnels"), (10, "cut")]);
        assert_eq!(
            course(After::Successor),
            [(4, "end tunnels"), (9, "drain"), (10, "cut")]
        );
    }

    #[test]
    fn it_is_said_once_a_second_what_is_waited_for() {
        let begun = Instant::now();
        let mut course = Course::new(&snapshot(TIMES).plan.process, After::Nobody, begun);
        let mut says = |millis| {
            let step = course.step(begun + Duration::from_millis(millis), false);
            matches!(step, Step::Say(_))
        };
        assert_eq!(
            [900, 1000, 1900, 2000].map(&mut says),
            [false, true, false, true]
        );
        let done = course.step(begun + Duration::from_secs(60), true);
        assert!(matches!(done, Step::Done), "even when the time is over");
    }

    #[test]
    fn what_is_waited_for_is_said_in_words() {
        let busy = |connections, exchanges, tunnels| Busy {
            connections,
            exchanges,
            tunnels,
        };
        assert_eq!(waited_for(busy(4, 3, 1)), "3 requests, 1 tunnel");
        assert_eq!(waited_for(busy(4, 0, 2)), "2 tunnels");
        assert_eq!(waited_for(busy(1, 0, 0)), "1 connection");
        assert_eq!(waited_for(busy(0, 0, 0)), "0 connections");
    }
}
