//! The graceful end: accept no more, let requests and tunnels come to theirs, say once a second what is waited for,
//! and stop at once when the time is over or a second signal comes.

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

impl Process {
    /// Ends the process's work.
    pub(super) async fn drain(self, signals: &mut Signals) -> Exit {
        let patience = self.daemon.snapshot().plan.process.shutdown_timeout;
        let deadline = Instant::now() + patience;
        self.daemon.snapshot().live.process.drain();
        self.notifier.stopping("draining", patience);
        self.workers.tell(|| Command::Drain);
        let Self {
            daemon,
            workers,
            sockets,
            access_log,
            notifier,
            ..
        } = self;
        // Unix socket files go now; TCP ports are free for a successor.
        drop(sockets);

        let mut say = Instant::now() + SAY;
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
            if now >= say {
                say = now + SAY;
                let text = format!(
                    "draining: {}, {} s left",
                    waited_for(busy),
                    (deadline - now).as_secs()
                );
                tracing::info!("{text}");
                notifier.status(&text);
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
