//! Deadlines of connections: one hashed wheel per worker instead of a timer per operation.
//!
//! A connection owns one entry for its life. Moving its deadline later writes one number; the
//! entry is looked at again when its old time comes, and then put where it belongs. Only a
//! deadline that moves earlier relinks the entry. Firing is late by up to one tick, never early.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use portcullis_plan::{Deadline, Moment};

/// How late a deadline may fire.
pub(crate) const TICK: Duration = Duration::from_millis(25);
const TICK_NANOS: u64 = 25_000_000;
const SLOTS: usize = 2048;
const NONE: u32 = u32::MAX;

/// All deadlines of a worker. Pure: time is an argument.
pub(crate) struct Wheel {
    slots: Box<[u32]>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    live: usize,
    /// Ticks up to and excluding this one have been swept.
    swept: u64,
}

struct Entry {
    due: u64,
    slot: u32,
    slot_tick: u64,
    next: u32,
    prev: u32,
    fired: bool,
    waker: Option<Waker>,
}

const NEVER: u64 = u64::MAX;

impl Wheel {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            entries: Vec::new(),
            free: Vec::new(),
            live: 0,
            swept: now.as_nanos() / TICK_NANOS,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    fn insert(&mut self) -> u32 {
        let entry = Entry {
            due: NEVER,
            slot: NONE,
            slot_tick: NEVER,
            next: NONE,
            prev: NONE,
            fired: false,
            waker: None,
        };
        self.live += 1;
        if let Some(key) = self.free.pop() {
            if let Some(place) = self.entries.get_mut(key as usize) {
                *place = entry;
            }
            return key;
        }
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
    }

    fn remove(&mut self, key: u32) {
        self.unlink(key);
        if let Some(entry) = self.entries.get_mut(key as usize) {
            entry.waker = None;
            self.free.push(key);
            self.live = self.live.saturating_sub(1);
        }
    }

    fn set_waker(&mut self, key: u32, waker: Waker) {
        if let Some(entry) = self.entries.get_mut(key as usize) {
            entry.waker = Some(waker);
        }
    }

    fn set(&mut self, key: u32, due: u64) {
        let Some(entry) = self.entries.get_mut(key as usize) else {
            return;
        };
        entry.due = due;
        entry.fired = false;
        let tick = due.div_ceil(TICK_NANOS);
        if due != NEVER && tick < entry.slot_tick {
            self.unlink(key);
            self.link(key, tick);
        }
    }

    fn fired(&self, key: u32) -> bool {
        self.entries
            .get(key as usize)
            .is_some_and(|entry| entry.fired)
    }

    /// Wakes every entry whose time has come; those whose deadline has moved on are linked anew.
    pub(crate) fn sweep(&mut self, now: Moment) {
        let current = now.as_nanos() / TICK_NANOS;
        // After a long pause one turn of the wheel visits every entry.
        let first = self.swept.max(current.saturating_sub(SLOTS as u64 - 1));
        self.swept = current + 1;
        for tick in first..=current {
            self.sweep_slot(tick, current, now.as_nanos());
        }
    }

    fn sweep_slot(&mut self, tick: u64, current: u64, now: u64) {
        let mut key = self
            .slots
            .get((tick as usize) % SLOTS)
            .copied()
            .unwrap_or(NONE);
        while let Some(entry) = self.entries.get_mut(key as usize) {
            let next = entry.next;
            if entry.slot_tick <= current {
                let due = entry.due;
                if due <= now {
                    entry.fired = true;
                    entry.slot_tick = NEVER;
                    if let Some(waker) = &entry.waker {
                        waker.wake_by_ref();
                    }
                    self.unlink(key);
                } else {
                    self.unlink(key);
                    if due != NEVER {
                        self.link(key, due.div_ceil(TICK_NANOS));
                    }
                }
            }
            key = next;
        }
    }

    /// Wakes every connection, for them to notice that the worker drains.
    pub(crate) fn wake_all(&self) {
        for waker in self.entries.iter().filter_map(|entry| entry.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    fn link(&mut self, key: u32, tick: u64) {
        // Beyond the horizon an entry waits in the last slot and is looked at again there.
        let tick = tick.max(self.swept).min(self.swept + SLOTS as u64 - 1);
        let slot = (tick as usize) % SLOTS;
        let Some(head) = self.slots.get_mut(slot) else {
            return;
        };
        let old = std::mem::replace(head, key);
        if let Some(entry) = self.entries.get_mut(key as usize) {
            entry.slot = slot as u32;
            entry.slot_tick = tick;
            entry.next = old;
            entry.prev = NONE;
        }
        if let Some(entry) = self.entries.get_mut(old as usize) {
            entry.prev = key;
        }
    }

    fn unlink(&mut self, key: u32) {
        let Some(entry) = self.entries.get_mut(key as usize) else {
            return;
        };
        if entry.slot == NONE {
            return;
        }
        let (slot, prev, next) = (entry.slot, entry.prev, entry.next);
        entry.slot = NONE;
        entry.slot_tick = NEVER;
        entry.next = NONE;
        entry.prev = NONE;
        match self.entries.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => {
                if let Some(head) = self.slots.get_mut(slot as usize) {
                    *head = next;
                }
            }
        }
        if let Some(after) = self.entries.get_mut(next as usize) {
            after.prev = prev;
        }
    }
}

/// What several deadlines of one connection may run at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Towards the server: connecting, the request body.
    Upload = 0,
    /// Towards the client: waiting for the answer, its body; also head, idle and tunnel.
    Download = 1,
    /// The whole exchange.
    Whole = 2,
    /// Waiting for a server's 100 before we send our own.
    Continue = 3,
}

const SLOT_COUNT: usize = 4;

/// The deadlines of one connection.
pub(crate) struct Timer {
    wheel: Rc<RefCell<Wheel>>,
    key: u32,
    due: [(u64, Option<Deadline>); SLOT_COUNT],
}

impl Timer {
    /// Deadlines of a new connection. They wake nobody before [`Timer::wakes`] says whom.
    pub(crate) fn new(wheel: &Rc<RefCell<Wheel>>) -> Self {
        let key = wheel.borrow_mut().insert();
        Self {
            wheel: Rc::clone(wheel),
            key,
            due: [(NEVER, None); SLOT_COUNT],
        }
    }

    /// Arms `slot`: at `at` the deadline called `name` has passed. A `Continue` slot has no name.
    pub(crate) fn arm(&mut self, slot: Slot, name: Option<Deadline>, at: Moment) {
        self.put(slot, (at.as_nanos(), name));
    }

    /// Says whom deadlines wake: the connection's own task, for its life.
    pub(crate) fn wakes(&self, waker: &Waker) {
        self.wheel.borrow_mut().set_waker(self.key, waker.clone());
    }

    pub(crate) fn disarm(&mut self, slot: Slot) {
        self.put(slot, (NEVER, None));
    }

    fn put(&mut self, slot: Slot, value: (u64, Option<Deadline>)) {
        if let Some(place) = self.due.get_mut(slot as usize) {
            *place = value;
        }
        let earliest = self.due.iter().map(|(due, _)| *due).min().unwrap_or(NEVER);
        self.wheel.borrow_mut().set(self.key, earliest);
    }

    /// Cheap: whether any deadline has passed since it was armed.
    pub(crate) fn fired(&self) -> bool {
        self.wheel.borrow().fired(self.key)
    }

    /// Which slot has passed at `now`, the most general first.
    pub(crate) fn passed(&self, now: Moment) -> Option<(Slot, Option<Deadline>)> {
        [Slot::Whole, Slot::Upload, Slot::Download, Slot::Continue]
            .into_iter()
            .find_map(|slot| {
                let (due, name) = self
                    .due
                    .get(slot as usize)
                    .copied()
                    .unwrap_or((NEVER, None));
                (due <= now.as_nanos()).then_some((slot, name))
            })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.wheel.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    fn wheel() -> (Rc<RefCell<Wheel>>, Arc<Count>, Waker) {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        (
            Rc::new(RefCell::new(Wheel::new(at(0)))),
            Arc::clone(&count),
            Waker::from(count),
        )
    }

    fn timer(wheel: &Rc<RefCell<Wheel>>, waker: &Waker) -> Timer {
        let timer = Timer::new(wheel);
        timer.wakes(waker);
        timer
    }

    fn run(wheel: &Rc<RefCell<Wheel>>, from: u64, to: u64) {
        for millis in (from..=to).step_by(25) {
            wheel.borrow_mut().sweep(at(millis));
        }
    }

    #[test]
    fn fires_after_its_time_and_not_before() {
        let (wheel, count, waker) = wheel();
        let mut timer = timer(&wheel, &waker);
        timer.arm(Slot::Download, Some(Deadline::Connect), at(1000));
        run(&wheel, 0, 975);
        assert!(!timer.fired());
        run(&wheel, 1000, 1050);
        assert!(timer.fired());
        assert!(timer.passed(at(1050)) == Some((Slot::Download, Some(Deadline::Connect))));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_deadline_moved_later_does_not_fire_at_its_old_time() {
        let (wheel, count, waker) = wheel();
        let mut timer = timer(&wheel, &waker);
        timer.arm(Slot::Download, Some(Deadline::ClientIdle), at(500));
        timer.arm(Slot::Download, Some(Deadline::ClientIdle), at(2000));
        run(&wheel, 0, 1975);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        run(&wheel, 2000, 2050);
        assert!(timer.fired());
    }

    #[test]
    fn a_deadline_moved_earlier_fires_at_its_new_time() {
        let (wheel, _, waker) = wheel();
        let mut timer = timer(&wheel, &waker);
        timer.arm(Slot::Whole, Some(Deadline::Request), at(60_000));
        timer.arm(Slot::Download, Some(Deadline::Connect), at(300));
        run(&wheel, 0, 350);
        assert!(timer.fired());
        timer.disarm(Slot::Download);
        assert!(!timer.fired());
        run(&wheel, 375, 59_975);
        assert!(!timer.fired());
        run(&wheel, 60_000, 60_050);
        assert!(
            timer
                .passed(at(60_050))
                .is_some_and(|(slot, _)| slot == Slot::Whole)
        );
    }

    #[test]
    fn a_deadline_beyond_the_horizon_fires_in_time() {
        let (wheel, _, waker) = wheel();
        let mut timer = timer(&wheel, &waker);
        timer.arm(Slot::Download, Some(Deadline::TunnelIdle), at(3_600_000));
        run(&wheel, 0, 3_599_975);
        assert!(!timer.fired());
        run(&wheel, 3_600_000, 3_600_050);
        assert!(timer.fired());
    }

    #[test]
    fn a_dropped_timer_leaves_nothing_behind() {
        let (wheel, count, waker) = wheel();
        let timers: Vec<_> = (0..10)
            .map(|n| {
                let mut timer = timer(&wheel, &waker);
                timer.arm(Slot::Download, None, at(100 + n));
                timer
            })
            .collect();
        drop(timers);
        assert!(wheel.borrow().is_empty());
        run(&wheel, 0, 500);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        let _again = timer(&wheel, &waker);
        assert_eq!(
            wheel.borrow().entries.len(),
            10,
            "a freed entry is used again"
        );
    }

    #[test]
    fn a_long_pause_fires_everything_due() {
        let (wheel, count, waker) = wheel();
        let timers: Vec<_> = [10, 5_000, 40_000]
            .into_iter()
            .map(|due| {
                let mut timer = timer(&wheel, &waker);
                timer.arm(Slot::Download, None, at(due));
                timer
            })
            .collect();
        wheel.borrow_mut().sweep(at(100_000));
        assert!(timers.iter().all(Timer::fired));
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
    }
}
