//! What became of the copies of requests that one service gets.

use super::counter::Counter;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorResult {
    /// It was sent, and its answer read to the end.
    Answered,
    /// No connection was made, or it broke.
    Failed,
    /// It took too long.
    Timeout,
    /// Too many were under way.
    Busy,
    /// The body of the request was too large.
    BodyTooLarge,
    /// The body of the request did not come to its end.
    BodyIncomplete,
    /// No server of the service may be picked.
    NoServer,
    /// A request for an upgrade or a tunnel has no copy.
    Upgrade,
}

impl MirrorResult {
    /// Every result.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::Failed,
        Self::Timeout,
        Self::Busy,
        Self::BodyTooLarge,
        Self::BodyIncomplete,
        Self::NoServer,
        Self::Upgrade,
    ];

    /// Value of the label `result`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyIncomplete => "body-incomplete",
            Self::NoServer => "no-server",
            Self::Upgrade => "upgrade",
        }
    }
}

/// What became of the copies that one service gets. Mirrors are few, so all workers share the numbers.
#[derive(Debug, Default)]
pub struct MirrorLive {
    results: [Counter; MirrorResult::ALL.len()],
}

impl MirrorLive {
    /// Counts a copy.
    pub fn count(&self, result: MirrorResult) {
        if let Some(counter) = self.results.get(result as usize) {
            counter.add(1);
        }
    }

    /// How many copies there were with this result.
    #[must_use]
    pub fn total(&self, result: MirrorResult) -> u64 {
        self.results.get(result as usize).map_or(0, Counter::total)
    }
}
