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
        let patience = plan.process.shutdown_timeout;
        let tunnels = plan
            .process
            .tunnel_drain
            .min(patience.saturating_sub(LAST_GOODBYE));
        let begun = Instant::now();
        self.daemon.snapshot().live.process.drain();
        match after {
            After::Nobody => {
                self.workers.tell(|| Command::Drain);
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

        let deadline = begun + patience;
        let (mut say, mut goodbye) = (begun + SAY, Some(begun + tunnels));
        // Who has asked for nothing until then will not miss the connection.
        let mut hurry =
            (after == After::Successor).then(|| begun + patience.saturating_sub(LAST_GOODBYE));
        let exit = loop {
            let mut busy = workers.busy().await;
            // Those in their handshake are known to nobody else.
            busy.connections = busy
                .connections
                .max(daemon.snapshot().live.process.connections().open() as usize);
            let now = Instant::now();
            if busy.is_over() {
                break Exit::Clean;
            }
            if now >= deadline {
                tracing::warn!("the time is over: {} cut", waited_for(busy));
                break Exit::Forced;
            }
            if goodbye.is_some_and(|at| now >= at) {
                goodbye = None;
                workers.tell(|| Command::EndTunnels);
            }
            if hurry.is_some_and(|at| now >= at) {
                hurry = None;
                workers.tell(|| Command::Drain);
            }
            if now >= say {
                say = now + SAY;
                let text = format!(
                    "draining: {}, {} s left",
                    waited_for(busy),
                    (deadline - now).as_secs()
                );
                tracing::info!("{text}");
                if after == After::Nobody {
                    notifier.still_stopping(&text, deadline - now);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                name = signals.stop() => {
                    tracing::warn!(signal = name, "stopping at once: {} cut", waited_for(busy));
                    break Exit::Forced;
                }
            }
        };
        workers.stop();
        access_log.finish(LAST_LINES);
        tracing::info!("stopped");
        exit
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
