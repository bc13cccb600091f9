//! The program log: `tracing` to standard error, for humans on a terminal and as JSON otherwise.
//!
//! It is quiet by default, and what a client can cause goes through [`Occasionally`], so that no client can flood it.
//! The access log is another thing and lives in `access_log`.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis_plan::Moment;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts the program log at level `info`. A second call, or a subscriber set by somebody else, changes nothing.
pub(crate) fn start() {
    let (filter, handle) = reload::Layer::new(targets(LevelFilter::INFO));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if io::stderr().is_terminal() {
        registry
            .with(fmt::layer().with_writer(io::stderr).with_target(false))
            .try_init()
    } else {
        registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(io::stderr),
            )
            .try_init()
    };
    if started.is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Sets the least severe level that is written: `error`, `warn`, `info`, `debug` or `trace`; other words count as `info`.
pub(crate) fn set_level(level: &str) {
    if let Some(handle) = LEVEL.get() {
        let _ =
            handle.modify(|filter| *filter = targets(level.parse().unwrap_or(LevelFilter::INFO)));
    }
}

/// Ours at the level asked for; the libraries beneath us say only what is wrong, unless everything is asked for.
fn targets(level: LevelFilter) -> Targets {
    let libraries = if level == LevelFilter::TRACE {
        LevelFilter::DEBUG
    } else {
        level.min(LevelFilter::WARN)
    };
    Targets::new()
        .with_default(libraries)
        .with_target("portcullis", level)
}

/// Lets something through at most once in a period and counts what it held back meanwhile. Shared by threads.
#[derive(Debug)]
pub(crate) struct Occasionally {
    period: Duration,
    /// Nanoseconds of the next moment something may pass; 0 before the first.
    next: AtomicU64,
    held_back: AtomicU64,
}

impl Occasionally {
    /// A guard that lets through one in `period`.
    pub(crate) const fn every(period: Duration) -> Self {
        Self {
            period,
            next: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
        }
    }

    /// Whether one may pass at `now`; if so, the number held back since the last one that passed.
    pub(crate) fn pass(&self, now: Moment) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let later = now.plus(self.period).as_nanos();
        if now.as_nanos() < next
            || self
                .next
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            self.held_back.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.held_back.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_in_a_period_and_the_rest_is_counted() {
        let guard = Occasionally::every(Duration::from_secs(1));
        let at = |millis: u64| Moment::from_nanos(millis * 1_000_000);
        assert_eq!(guard.pass(at(0)), Some(0));
        assert_eq!(guard.pass(at(1)), None);
        assert_eq!(guard.pass(at(999)), None);
        assert_eq!(guard.pass(at(1000)), Some(2));
        assert_eq!(guard.pass(at(1001)), None);
    }

    #[test]
    fn libraries_stay_quiet_unless_everything_is_asked_for() {
        let info = targets(LevelFilter::INFO);
        assert!(info.would_enable("portcullis_daemon::listen", &tracing::Level::INFO));
        assert!(!info.would_enable("portcullis_daemon::listen", &tracing::Level::DEBUG));
        assert!(!info.would_enable("h2", &tracing::Level::INFO));
        assert!(info.would_enable("rustls", &tracing::Level::WARN));
        let error = targets(LevelFilter::ERROR);
        assert!(!error.would_enable("rustls", &tracing::Level::WARN));
    }
}
