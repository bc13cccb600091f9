//! What a connection has counted, for metrics.

use crate::Refusal;

/// How often each refusal happened, and how much went through.
#[derive(Debug, Clone)]
pub struct Counters {
    refusals: [u32; Refusal::ALL.len()],
    /// Frames received.
    pub frames: u64,
    /// Streams opened, by whichever side.
    pub streams: u64,
    /// Streams that the peer reset.
    pub resets: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            refusals: [0; Refusal::ALL.len()],
            frames: 0,
            streams: 0,
            resets: 0,
        }
    }
}

impl Counters {
    /// How often `refusal` happened.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u32 {
        self.refusals
            .get(refusal as usize)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn count(&mut self, refusal: Refusal) {
        if let Some(count) = self.refusals.get_mut(refusal as usize) {
            *count = count.saturating_add(1);
        }
    }
}
