//! A maximum that an operator may set in place of the configured one.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// What the operator set, if anything.
#[derive(Debug)]
pub(super) struct Maximum(AtomicU32);

/// No operator's maximum.
const NOT_SET: u32 = u32::MAX;

impl Default for Maximum {
    fn default() -> Self {
        Self(AtomicU32::new(NOT_SET))
    }
}

impl Maximum {
    /// The one in force: what the operator set, else `configured`.
    pub(super) fn in_force(&self, configured: u32) -> u32 {
        match self.0.load(Relaxed) {
            NOT_SET => configured,
            set => set,
        }
    }

    /// Sets one, or takes that back.
    pub(super) fn set(&self, max: Option<u32>) {
        self.0.store(max.unwrap_or(NOT_SET), Relaxed);
    }
}
