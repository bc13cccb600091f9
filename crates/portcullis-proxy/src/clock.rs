//! The one place of the data plane that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use portcullis_plan::Moment;

/// Monotonic time since the start of the process, and the wall clock that belongs to it.
///
/// All threads share copies of one clock, so their moments compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall_nanos_at_start: u64,
}

impl Clock {
    /// Starts the clock of a process.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            wall_nanos_at_start: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let elapsed = self.start.elapsed();
        Moment::from_nanos(
            elapsed
                .as_secs()
                .saturating_mul(1_000_000_000)
                .saturating_add(u64::from(elapsed.subsec_nanos())),
        )
    }

    /// Nanoseconds since 1970 at `moment`. The monotonic clock runs on from the wall clock read at the start,
    /// so a step of the wall clock is not followed: log lines of one process stay in order.
    #[must_use]
    pub const fn wall_nanos(&self, moment: Moment) -> u64 {
        self.wall_nanos_at_start.saturating_add(moment.as_nanos())
    }
}
