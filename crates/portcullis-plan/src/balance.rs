//! Which server a request goes to. Pure but for the turn each worker keeps; no lock, no allocation.

mod tried;

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
    servers: usize,
}

impl Rotation {
    pub(crate) fn new(workers: usize, servers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
            servers,
        }
    }

    #[inline]
    fn of(&self, worker: WorkerId) -> &[AtomicI32] {
        self.shards.of_or(worker, || {
            (0..self.servers).map(|_| AtomicI32::new(0)).collect()
        })
    }
}

/// Picks the server for the next try, or `None` if no eligible one is left untried.
///
/// `chance` is any random number; it only settles ties, so that workers and proxies do not move in step.
/// Servers that are down, drained, in maintenance, unresolved or of weight 0 are never picked, nor are `tried` ones.
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
    let candidates = Candidates {
        first,
        servers,
        turns: live.rotations.get(service.index())?.of(worker),
        tried,
        start: ((u64::from(chance) * servers.len() as u64) >> 32) as usize,
    };
    match wanted.balance {
        Balance::RoundRobin => candidates.next_in_turn(|_, _| true),
        Balance::LeastRequests => candidates.least_loaded(),
    }
}

/// The servers of one service as one pick sees them.
struct Candidates<'a> {
    first: usize,
    servers: &'a [std::sync::Arc<ServerLive>],
    turns: &'a [AtomicI32],
    tried: &'a Tried,
    /// Where walks begin, which decides ties.
    start: usize,
}

struct Candidate<'a> {
    id: ServerId,
    server: &'a ServerLive,
    weight: u32,
    turn: &'a AtomicI32,
}

impl<'a> Candidates<'a> {
    #[inline]
    fn eligible(&self) -> impl Iterator<Item = Candidate<'a>> + use<'a, '_> {
        let positions = (self.start..self.servers.len()).chain(0..self.start);
        positions.filter_map(|position| {
            let server = self.servers.get(position)?;
            let weight = server.eligible_weight();
            let id = ServerId::new(self.first + position);
            (weight > 0 && !self.tried.contains(id)).then_some(())?;
            Some(Candidate {
                id,
                server,
                weight,
                turn: self.turns.get(position)?,
            })
        })
    }

    /// Smooth weighted round-robin among those that `fits`: everyone gains its weight, the richest is picked and
    /// pays what all gained. Over any sum-of-weights picks each is picked weight times, evenly spaced.
    #[inline]
    fn next_in_turn(&self, fits: impl Fn(&ServerLive, u32) -> bool) -> Option<ServerId> {
        let mut total = 0;
        let mut richest: Option<(Candidate<'_>, i32)> = None;
        for candidate in self.eligible() {
            if !fits(candidate.server, candidate.weight) {
                continue;
            }
            let gain = candidate.weight as i32;
            let wealth = candidate.turn.load(Relaxed).saturating_add(gain);
            candidate.turn.store(wealth, Relaxed);
            total += gain;
            if richest.as_ref().is_none_or(|(_, most)| wealth > *most) {
                richest = Some((candidate, wealth));
            }
        }
        let (picked, wealth) = richest?;
        picked.turn.store(wealth.saturating_sub(total), Relaxed);
        Some(picked.id)
    }

    /// The fewest requests in flight for its weight; among equals, and so among idle ones, in turn.
    #[inline]
    fn least_loaded(&self) -> Option<ServerId> {
        let least = self
            .eligible()
            .map(|candidate| (load(candidate.server, candidate.weight), candidate.id))
            .min_by_key(|(load, _)| *load)?;
        // Loads move while we look; if the least has risen since, it is still a good pick.
        self.next_in_turn(|server, weight| load(server, weight) <= least.0)
            .or(Some(least.1))
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
