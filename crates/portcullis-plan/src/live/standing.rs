//! Whether a server may be picked, in one word.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::health::HealthState;

/// What the operator wants of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdminState {
    /// Use it.
    Ready,
    /// No new requests; finish what it has.
    Drain,
    /// No requests and no checks.
    Maint,
}

impl AdminState {
    /// `ready`, `drain` or `maint`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        }
    }
}

/// The greatest weight.
pub const MAX_WEIGHT: u32 = 256;

/// Everything that decides whether a server may be picked, in one word, so that picking loads it once.
#[derive(Debug)]
pub(super) struct Standing(AtomicU32);

const WEIGHT: u32 = 0xffff;
const DOWN: u32 = 1 << 16;
const UNKNOWN: u32 = 1 << 17;
const DRAIN: u32 = 1 << 18;
const MAINT: u32 = 1 << 19;
const UNRESOLVED: u32 = 1 << 20;
const UNUSABLE: u32 = DOWN | DRAIN | MAINT | UNRESOLVED;

impl Standing {
    /// A server that nobody has checked or wants anything of.
    pub(super) fn new(weight: u32, is_resolved: bool) -> Self {
        let standing = Self(AtomicU32::new(UNKNOWN));
        standing.set_weight(weight);
        standing.set_resolved(is_resolved);
        standing
    }

    /// The weight if the server may be picked, else 0.
    #[inline]
    pub(super) fn eligible_weight(&self) -> u32 {
        let word = self.load();
        if word & UNUSABLE == 0 {
            word & WEIGHT
        } else {
            0
        }
    }

    pub(super) fn weight(&self) -> u32 {
        self.load() & WEIGHT
    }

    pub(super) fn set_weight(&self, weight: u32) {
        self.change(WEIGHT, weight.min(MAX_WEIGHT));
    }

    pub(super) fn health(&self) -> HealthState {
        match self.load() {
            word if word & DOWN != 0 => HealthState::Down,
            word if word & UNKNOWN != 0 => HealthState::Unknown,
            _ => HealthState::Up,
        }
    }

    pub(super) fn set_health(&self, state: HealthState) {
        let set = match state {
            HealthState::Unknown => UNKNOWN,
            HealthState::Up => 0,
            HealthState::Down => DOWN,
        };
        self.change(DOWN | UNKNOWN, set);
    }

    pub(super) fn admin(&self) -> AdminState {
        match self.load() {
            word if word & MAINT != 0 => AdminState::Maint,
            word if word & DRAIN != 0 => AdminState::Drain,
            _ => AdminState::Ready,
        }
    }

    /// Gives whether that changed anything.
    pub(super) fn set_admin(&self, state: AdminState) -> bool {
        let set = match state {
            AdminState::Ready => 0,
            AdminState::Drain => DRAIN,
            AdminState::Maint => MAINT,
        };
        self.change(DRAIN | MAINT, set)
    }

    pub(super) fn is_resolved(&self) -> bool {
        self.load() & UNRESOLVED == 0
    }

    pub(super) fn set_resolved(&self, is_resolved: bool) {
        self.change(UNRESOLVED, if is_resolved { 0 } else { UNRESOLVED });
    }

    fn load(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// Clears `clear` and sets `set`, whatever other threads change beside it.
    fn change(&self, clear: u32, set: u32) -> bool {
        let apply = |word: u32| (word & !clear) | set;
        let before = self
            .0
            .fetch_update(Relaxed, Relaxed, |word| Some(apply(word)));
        before.is_ok_and(|before| apply(before) != before)
    }
}
