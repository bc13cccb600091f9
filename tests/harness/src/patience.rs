//! Waiting for events: polls until something holds, bounded, never for a fixed time.

use std::thread::yield_now;
use std::time::{Duration, Instant};

/// How long anything in a test may take before the test has failed. Generous, because the machine may be
/// busy: it is only ever spent by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Calls `probe` until it gives a value.
///
/// # Panics
/// When it has given none within [`PATIENCE`]; `what` says what was waited for.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < give_up, "never happened: {what}");
        yield_now();
        std::thread::sleep(Duration::from_millis(2));
    }
}
