//! Which server a request goes to. Pure but for the turn each worker keeps; no lock, no allocation.

mod tried;

use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::Relaxed;

pub use tried::Tried;

use crate::live::counter::Shards;
use crate::live::{Live, ServerLive};
use crate::plan::{Balance, Plan};
use crate::{ServerId, ServiceId, WorkerId};

/// Whose turn it is in one service: for each worker the current weight of each server. Each worker takes its own
/// turns, so that none waits for another; the spread over all is the same.
#[derive(Debug)]
pub(crate) struct Rotation {
    shards: Shards<Box<[AtomicI32]>>,
}

impl Rotation {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
        }
    }
}

/// Picks the server for the next try, or `None` if no eligible one is left untried.
///
/// `chance` is any random number; it decides where a worker's very first turn falls, so that workers and proxies
/// that start together do not all begin with the same server. Servers that are down, drained, in maintenance,
/// unresolved or of weight 0 are never picked, nor are `tried` ones.
#[must_use]
#[inline]
pub fn pick(
    plan: &Plan,
    live: &Live,
    service: ServiceId,
    worker: WorkerId,
    tried: &Tried,
    chance: u32,
) -> Option<ServerId> {
    let wanted = plan.service(service)?;
    let first = wanted.first_server.index();
    let servers = live
        .servers
        .get(first..first.checked_add(wanted.server_count)?)?;
    if let [only] = servers {
        let usable = only.is_eligible() && !tried.contains(wanted.first_server);
        return usable.then_some(wanted.first_server);
    }
    let shards = &live.rotations.get(service.index())?.shards;
    let candidates = Candidates {
        first,
        servers,
        turns: shards.of_or(worker, || first_turns(servers, chance)),
        tried,
    };
    let position = match wanted.balance {
        Balance::RoundRobin => candidates.next_in_turn(|_, _| true),
        Balance::LeastRequests => candidates.least_loaded(),
    };
    position.map(|position| ServerId::new(first + position))
}

/// The turns of a worker that has already taken some number of them.
fn first_turns(servers: &[Arc<ServerLive>], chance: u32) -> Box<[AtomicI32]> {
    let turns: Box<[AtomicI32]> = servers.iter().map(|_| AtomicI32::new(0)).collect();
    let candidates = Candidates {
        first: 0,
        servers,
        turns: &turns,
        tried: &Tried::none(),
    };
    for _ in 0..chance as usize % servers.len().max(1) {
        candidates.next_in_turn(|_, _| true);
    }
    turns
}

/// The servers of one service as one pick sees them.
struct Candidates<'a> {
    first: usize,
    servers: &'a [Arc<ServerLive>],
    turns: &'a [AtomicI32],
    tried: &'a Tried,
}

impl Candidates<'_> {
    /// Weight of the server at `position` if it may be picked, else 0.
    #[inline]
    fn weight(&self, position: usize, server: &ServerLive) -> u32 {
        let weight = server.eligible_weight();
        if weight > 0 && self.tried.contains(ServerId::new(self.first + position)) {
            return 0;
        }
        weight
    }

    /// Smooth weighted round-robin among those that `fits`: everyone gains its weight, the richest is picked and
    /// pays what all gained. Over any sum-of-weights picks each is picked weight times, evenly spaced.
    #[inline]
    fn next_in_turn(&self, fits: impl Fn(&ServerLive, u32) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut richest = None;
        let mut most = i32::MIN;
        for (position, (server, turn)) in self.servers.iter().zip(self.turns).enumerate() {
            let weight = self.weight(position, server);
            if weight == 0 || !fits(server, weight) {
                continue;
            }
            let wealth = turn.load(Relaxed).saturating_add(weight as i32);
            turn.store(wealth, Relaxed);
            total += weight as i32;
            if wealth > most {
                most = wealth;
                richest = Some((position, turn));
            }
        }
        let (position, turn) = richest?;
        turn.store(most.saturating_sub(total), Relaxed);
        Some(position)
    }

    /// The fewest requests in flight for its weight; among equals, and so among idle ones, in turn.
    #[inline]
    fn least_loaded(&self) -> Option<usize> {
        let mut least = u64::MAX;
        let mut fallback = None;
        for (position, server) in self.servers.iter().enumerate() {
            let weight = self.weight(position, server);
            if weight > 0 && load(server, weight) < least {
                least = load(server, weight);
                fallback = Some(position);
            }
        }
        // Loads move while we look; if the least has risen since, it is still a good pick.
        self.next_in_turn(|server, weight| load(server, weight) <= least)
            .or(fallback)
    }
}

/// Requests in flight, were it to get this one, for its weight. Idle servers are equal whatever their weight,
/// else the light ones would never be used under light traffic.
fn load(server: &ServerLive, weight: u32) -> u64 {
    match u64::from(server.in_flight().open()) {
        0 => 0,
        open => ((open + 1) << 16) / u64::from(weight.max(1)),
    }
}

#[cfg(test)]
mod tests;
