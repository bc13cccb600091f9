//! How workers reach the counters of the routes.
//!
//! With thousands of routes each request ends at counters that are in no cache, and each step to them that has to wait for the one
//! before costs about a fiftieth of a whole request. So the steps are two, and both can be announced.

use std::sync::{Arc, OnceLock};

use prefetch_index::prefetch_index;

use super::route::{Observed, RouteLive, Shard};
use crate::{RouteId, WorkerId};

/// The shards of all routes of one plan as each worker reaches them: by two steps through memory that many routes share.
#[derive(Debug)]
pub(super) struct AtHand {
    /// For each worker, and then for threads that are none.
    workers: Box<[Box<[OnceLock<Page>]>]>,
}

/// Some routes side by side: a worker gets room for them when it first counts a request of one.
type Page = Box<[OnceLock<Arc<Shard>>; PAGE]>;

const PAGE: usize = 128;

impl AtHand {
    pub(super) fn new(workers: usize, routes: usize) -> Self {
        let pages = || (0..routes.div_ceil(PAGE)).map(|_| OnceLock::new());
        Self {
            workers: (0..=workers).map(|_| pages().collect()).collect(),
        }
    }

    #[inline]
    fn page(&self, worker: WorkerId, route: RouteId) -> Option<&OnceLock<Page>> {
        let others = self.workers.len() - 1; // `new` makes at least one
        let pages = self.workers.get(worker.index().min(others))?;
        pages.get(route.index() / PAGE)
    }

    /// Brings to the processor's caches what [`AtHand::fetch`] will read.
    #[inline]
    pub(super) fn expect(&self, worker: WorkerId, route: RouteId) {
        if let Some(page) = self.page(worker, route).and_then(OnceLock::get) {
            prefetch_index(page.as_slice(), route.index() % PAGE);
        }
    }

    /// Brings to the processor's caches what [`AtHand::record`] will change.
    #[inline]
    pub(super) fn fetch(&self, worker: WorkerId, route: RouteId) {
        let page = self.page(worker, route).and_then(OnceLock::get);
        let cell = page.and_then(|page| page.get(route.index() % PAGE));
        let shard = cell.and_then(OnceLock::get);
        shard.into_iter().for_each(|shard| shard.fetch());
    }

    /// Counts a request of this route, whose numbers are `live`.
    #[inline]
    pub(super) fn record(
        &self,
        worker: WorkerId,
        route: RouteId,
        live: &RouteLive,
        observed: &Observed<'_>,
    ) {
        let empty = || Box::new([const { OnceLock::new() }; PAGE]);
        let page = self.page(worker, route);
        let cell = page.and_then(|page| page.get_or_init(empty).get(route.index() % PAGE));
        match cell.and_then(OnceLock::get) {
            Some(shard) => shard.record(observed),
            None => Self::first(cell, worker, live, observed),
        }
    }

    #[cold]
    fn first(
        cell: Option<&OnceLock<Arc<Shard>>>,
        worker: WorkerId,
        live: &RouteLive,
        observed: &Observed<'_>,
    ) {
        let shard = live.shard(worker, observed);
        if let Some((cell, shard)) = cell.zip(shard) {
            cell.get_or_init(|| Arc::clone(shard));
        }
        shard.into_iter().for_each(|shard| shard.record(observed));
    }
}
