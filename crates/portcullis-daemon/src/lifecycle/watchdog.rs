//! Proves the data plane alive to a service manager that wants proof (`WatchdogSec=`): a notice goes out only after every
//! worker has answered a question put to its own thread. A worker that hangs, or is gone, ends the notices, and the manager
//! does what it was told to.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::notify::Notifier;
use crate::runtime::Pulse;

/// The task that tells the manager. Dropping this ends it.
pub(crate) struct Watchdog {
    _task: JoinSet<()>,
}

impl Watchdog {
    /// Begins to tell the manager, if it wants to be told.
    pub(crate) fn start(notifier: &Arc<Notifier>, pulse: Pulse) -> Self {
        let mut task = JoinSet::new();
        if let Some(interval) = interval(|name| std::env::var(name).ok()) {
            tracing::debug!(?interval, "the service manager watches");
            task.spawn(tell(Arc::clone(notifier), pulse, interval / 3));
        }
        Self { _task: task }
    }
}

/// What the manager allows between two notices; `None` where it does not watch this process.
fn interval(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let process = variable("WATCHDOG_PID").unwrap_or_default();
    let is_meant = process.is_empty() || process == std::process::id().to_string();
    // Who took over from the process that was meant is watched in its place, and is told by no variable of its own.
    if !is_meant && variable(super::handover::VARIABLE).is_none() {
        return None;
    }
    let micros = variable("WATCHDOG_USEC")?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// Three times as often as is allowed, so that one late notice is no alarm.
async fn tell(notifier: Arc<Notifier>, pulse: Pulse, every: Duration) {
    let mut next = Instant::now();
    loop {
        if !pulse.felt().await {
            tracing::error!("a worker thread is gone: the service manager is told nothing more");
            return;
        }
        notifier.alive();
        next = (next + every).max(Instant::now());
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_process_that_is_meant_is_watched() {
        let ours = std::process::id().to_string();
        let asked = |process: &'static str, micros: &'static str| {
            let ours = ours.clone();
            interval(move |name| match name {
                "WATCHDOG_PID" if process == "ours" => Some(ours.clone()),
                "WATCHDOG_PID" => Some(process.to_owned()),
                "WATCHDOG_USEC" => Some(micros.to_owned()),
                _ => None,
            })
        };
        assert_eq!(asked("ours", "3000000"), Some(Duration::from_secs(3)));
        assert_eq!(asked("", "3000000"), Some(Duration::from_secs(3)));
        assert_eq!(asked("1", "3000000"), None, "somebody else is meant");
        assert_eq!(asked("ours", "0"), None);
        assert_eq!(asked("ours", "soon"), None);
        assert_eq!(interval(|_| None), None);
    }
}
