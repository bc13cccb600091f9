//! What one worker thread owns: buffers, idle server connections, deadlines, its view of the snapshot.
//!
//! A worker is never shared between threads. Everything a connection needs in steady state is lent
//! from here and comes back, so that exchanges allocate nothing.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::{Moment, WorkerId};
use tokio::sync::Notify;

use crate::buffer::BufferPool;
use crate::clock::Clock;
use crate::crash::caught;
use crate::deadline::{TICK, Wheel};
use crate::former::Formers;
use crate::http2::Seats;
use crate::performer::Performer;
use crate::quiet::Quiet;
use crate::snapshot::{CachedSnapshot, Pinned, Snapshot, SnapshotCell};
use crate::upstream::pool::IdlePool;
use crate::upstream::shelf::Shelves;

/// Bytes read from a server at a time; also the most a slow client makes us hold.
const RELAY_BYTES: usize = 64 * 1024;
/// Relay buffers kept for the next response, at most.
const RELAY_KEEP: usize = 64;
/// Performers kept for the next request, at most.
const PERFORMER_KEEP: usize = 256;
/// Of either, what is kept when nobody asks for them.
const KEEP_AT_REST: usize = 4;
/// Between looks at the idle server connections.
const PURGE_EVERY: Duration = Duration::from_secs(1);
/// How long a log line may wait for company.
const LOG_EVERY: Duration = Duration::from_millis(200);

/// Where access-log lines go. One per worker; never blocks.
pub trait LogSink {
    /// Appends one line; `render` writes it, line end included, or nothing.
    fn append(&self, render: &mut dyn FnMut(&mut Vec<u8>));
    /// Hands over what was gathered. Called about five times a second while there is traffic.
    fn flush(&self);
}

/// A log that goes nowhere.
impl LogSink for () {
    fn append(&self, _: &mut dyn FnMut(&mut Vec<u8>)) {}
    fn flush(&self) {}
}

/// One worker thread's half of the data plane.
pub struct Worker {
    pub(crate) id: WorkerId,
    clock: Clock,
    recent: Cell<Moment>,
    snapshots: CachedSnapshot,
    pub(crate) wheel: Rc<RefCell<Wheel>>,
    pub(crate) relay_buffers: BufferPool,
    performers: RefCell<Vec<Performer>>,
    /// The fewest performers that lay idle since the last purge: so many were not needed.
    spare: Cell<usize>,
    /// Tasks for the streams of HTTP/2.
    pub(crate) seats: Seats,
    /// Keeps what is said of connections that were ended for breaking rules from filling the log.
    pub(crate) http2_broken: Quiet,
    pub(crate) pool: IdlePool,
    /// Connections to servers that speak HTTP/2.
    pub(crate) shelves: Shelves,
    pub(crate) log: Box<dyn LogSink>,
    unlogged: Cell<bool>,
    chance: Cell<u64>,
    draining: Cell<Draining>,
    pub(crate) formers: Formers,
    ends_tunnels: Cell<bool>,
    date: Cell<(u64, [u8; 29])>,
    pub(crate) counts: Counts,
    active: Notify,
}

/// When the upkeep did last what it does not do at every tick.
struct Done {
    purged: Moment,
    flushed: Moment,
}

/// Whether connections come to their end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Draining {
    No,
    /// With the next answer: somebody else takes what comes then.
    WithTheNextAnswer,
    /// As soon as they are idle.
    Now,
}

/// What a worker is busy with.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: Cell<usize>,
    pub(crate) exchanges: Cell<usize>,
    pub(crate) tunnels: Cell<usize>,
    /// Copies of requests under way.
    pub(crate) mirrors: Cell<usize>,
}

impl Worker {
    /// The worker `id`, to be made on its own thread.
    #[must_use]
    pub fn new(
        id: WorkerId,
        snapshots: Arc<SnapshotCell>,
        clock: Clock,
        log: Box<dyn LogSink>,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            clock,
            recent: Cell::new(clock.now()),
            snapshots: CachedSnapshot::new(snapshots),
            wheel: Rc::new(RefCell::new(Wheel::new(clock.now()))),
            relay_buffers: BufferPool::new(RELAY_BYTES, RELAY_KEEP),
            performers: RefCell::new(Vec::new()),
            spare: Cell::new(0),
            seats: Seats::default(),
            http2_broken: Quiet::default(),
            pool: IdlePool::default(),
            shelves: Shelves::default(),
            log,
            unlogged: Cell::new(false),
            chance: Cell::new(RandomState::new().hash_one(id.index())),
            draining: Cell::new(Draining::No),
            formers: Formers::default(),
            ends_tunnels: Cell::new(false),
            date: Cell::new((u64::MAX, [0; 29])),
            counts: Counts::default(),
            active: Notify::new(),
        })
    }

    /// The worker's upkeep: deadlines, ageing of idle server connections, handing over of log lines.
    /// Spawn it once per worker; it never ends by itself, and rests while there is nothing to keep up.
    pub async fn maintain(self: Rc<Self>) {
        let mut done = Done {
            purged: self.now(),
            flushed: self.now(),
        };
        loop {
            if self.is_at_rest() {
                self.active.notified().await;
            }
            tokio::time::sleep(TICK).await;
            // Without deadlines nothing would ever end, so no fault may end them.
            let _ = caught(|| self.keep_up(&mut done));
        }
    }

    fn keep_up(&self, done: &mut Done) {
        let now = self.now();
        self.wheel.borrow_mut().sweep(now);
        if self.formers.expire(now) {
            self.wheel.borrow().wake_all();
        }
        if now.since(done.purged) >= PURGE_EVERY {
            done.purged = now;
            self.pool.purge(self.id, now);
            self.shelves.purge(now);
            self.trim();
        }
        if now.since(done.flushed) >= LOG_EVERY && self.unlogged.replace(false) {
            done.flushed = now;
            self.log.flush();
        }
    }

    /// Whether there is nothing to keep up.
    fn is_at_rest(&self) -> bool {
        self.wheel.borrow().is_empty()
            && self.formers.is_empty()
            && self.pool.is_empty()
            && self.shelves.is_empty()
            && !self.unlogged.get()
            && self.performers.borrow().len() <= KEEP_AT_REST
            && self.seats.held() <= KEEP_AT_REST
            && self.relay_buffers.held() <= KEEP_AT_REST
    }

    /// Begins the graceful end: idle connections close now, others after their exchange.
    pub fn drain(&self) {
        self.draining.set(Draining::Now);
        self.wheel.borrow().wake_all();
    }

    /// Begins the graceful end of a worker that has a successor: connections close with their next answer, so that none is
    /// closed under a request that is on its way.
    pub fn hand_over(&self) {
        if self.draining.get() == Draining::No {
            self.draining.set(Draining::WithTheNextAnswer);
        }
        self.wheel.borrow().wake_all();
    }

    /// Says goodbye to WebSockets where one frame has ended and none has begun.
    pub fn end_tunnels(&self) {
        self.ends_tunnels.set(true);
        self.wheel.borrow().wake_all();
    }

    /// Makes idle connections look at the snapshot again. Clients of listeners that are gone since `former` are still served by
    /// that for so long, and close meanwhile; of other listeners they close at once.
    pub fn revise(&self, former: Option<(Arc<Snapshot>, Duration)>) {
        if let Some((snapshot, patience)) = former {
            self.formers.keep(snapshot, self.now(), patience);
            self.wake_upkeep();
        }
        self.wheel.borrow().wake_all();
    }

    /// Open client connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.counts.connections.get()
    }

    /// Exchanges in progress, tunnels apart.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.counts.exchanges.get()
    }

    /// Open tunnels.
    #[must_use]
    pub fn tunnels(&self) -> usize {
        self.counts.tunnels.get()
    }

    /// The current snapshot; what holds it keeps it, whatever is swapped in meanwhile.
    #[must_use]
    pub fn snapshot(&self) -> Rc<Pinned> {
        self.snapshots.current()
    }

    /// Now, by the process's clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        let now = self.clock.now();
        self.recent.set(now);
        now
    }

    /// The last moment this worker read: late by less than a tick, which is as fine as deadlines are, and free.
    pub(crate) const fn recent(&self) -> Moment {
        self.recent.get()
    }

    /// The worker's number.
    #[must_use]
    pub const fn id(&self) -> WorkerId {
        self.id
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The value of `Date` at `now`, made once a second.
    pub(crate) fn date(&self, now: Moment) -> [u8; 29] {
        let second = self.clock.wall_nanos(now) / 1_000_000_000;
        let (made, text) = self.date.get();
        if made == second {
            return text;
        }
        let text = portcullis_http1::date::imf_fixdate(second);
        self.date.set((second, text));
        text
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get() != Draining::No
    }

    /// Whether connections that wait for a request are closed.
    pub(crate) fn closes_idle(&self) -> bool {
        self.draining.get() == Draining::Now
    }

    pub(crate) const fn ends_tunnels(&self) -> bool {
        self.ends_tunnels.get()
    }

    /// Tells the upkeep that there is something to keep up.
    pub(crate) fn wake_upkeep(&self) {
        self.active.notify_one();
    }

    pub(crate) fn log_line(&self, render: &mut dyn FnMut(&mut Vec<u8>)) {
        self.log.append(render);
        self.unlogged.set(true);
    }

    pub(crate) fn take_performer(&self) -> Performer {
        let mut idle = self.performers.borrow_mut();
        let performer = idle.pop();
        self.spare.set(self.spare.get().min(idle.len()));
        performer.unwrap_or_else(Performer::new)
    }

    pub(crate) fn put_performer(&self, performer: Performer) {
        let mut idle = self.performers.borrow_mut();
        if idle.len() < PERFORMER_KEEP {
            idle.push(performer);
        }
    }

    /// Gives back half of the memory that nobody needed since the last time.
    fn trim(&self) {
        self.relay_buffers.trim(KEEP_AT_REST);
        self.seats.trim(KEEP_AT_REST);
        let mut idle = self.performers.borrow_mut();
        let spare = self.spare.replace(idle.len());
        let keep = idle
            .len()
            .saturating_sub(spare.div_ceil(2))
            .max(KEEP_AT_REST);
        idle.truncate(keep);
    }

    /// Begins a task that ends with its work, at the latest with the worker's thread. The caller is on that thread.
    /// A panic ends this task only; the runtime catches it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(work);
    }

    /// Sixty-four bits nobody can foresee from outside, good enough to spread and to name, not to keep secrets (splitmix64).
    pub(crate) fn chance(&self) -> u64 {
        let state = self.chance.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.chance.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Adds one to a count for as long as it lives.
pub(crate) struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    pub(crate) fn new(cell: &'a Cell<usize>) -> Self {
        cell.set(cell.get() + 1);
        Self(cell)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
