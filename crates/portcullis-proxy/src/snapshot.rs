//! What the data plane acts on: one plan with the live state that belongs to it, swapped by one pointer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use portcullis_plan::{Live, Plan};

use crate::upstream::tls::UpstreamTls;

/// A plan and its live state. A request keeps one snapshot from its first byte to its log line.
pub struct Snapshot {
    /// What we intend.
    pub plan: Arc<Plan>,
    /// What we have observed.
    pub live: Arc<Live>,
    /// How servers are spoken to that want TLS.
    pub upstream_tls: Arc<UpstreamTls>,
    /// Counts swaps, from 1.
    pub generation: u64,
}

/// Holds the current snapshot. Only the daemon's `reload` swaps it.
pub struct SnapshotCell {
    current: ArcSwap<Snapshot>,
    generation: AtomicU64,
}

impl SnapshotCell {
    /// A cell with its first snapshot.
    #[must_use]
    pub fn new(plan: Arc<Plan>, live: Arc<Live>, upstream_tls: Arc<UpstreamTls>) -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot {
                plan,
                live,
                upstream_tls,
                generation: 1,
            }),
            generation: AtomicU64::new(1),
        }
    }

    /// The current snapshot.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts a new snapshot in place and gives back the old one, which lives on with the requests that hold it.
    pub fn swap(
        &self,
        plan: Arc<Plan>,
        live: Arc<Live>,
        upstream_tls: Arc<UpstreamTls>,
    ) -> Arc<Snapshot> {
        let generation = self.load().generation.saturating_add(1);
        let old = self.current.swap(Arc::new(Snapshot {
            plan,
            live,
            upstream_tls,
            generation,
        }));
        self.generation.store(generation, Ordering::Release);
        old
    }
}

/// A worker's copy of the current snapshot: one atomic load a request tells whether it still is the current one,
/// and requests share it by a count that no other thread touches.
pub(crate) struct CachedSnapshot {
    cell: Arc<SnapshotCell>,
    cached: RefCell<Rc<Pinned>>,
}

/// A snapshot held by a worker and its requests.
pub struct Pinned(Arc<Snapshot>);

impl From<Arc<Snapshot>> for Pinned {
    fn from(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }
}

impl std::ops::Deref for Pinned {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl CachedSnapshot {
    pub(crate) fn new(cell: Arc<SnapshotCell>) -> Self {
        let cached = RefCell::new(Rc::new(Pinned(cell.load())));
        Self { cell, cached }
    }

    pub(crate) fn current(&self) -> Rc<Pinned> {
        let mut cached = self.cached.borrow_mut();
        if cached.generation != self.cell.generation.load(Ordering::Acquire) {
            *cached = Rc::new(Pinned(self.cell.load()));
        }
        Rc::clone(&cached)
    }
}
