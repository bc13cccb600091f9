//! The buckets of one limit: sharded, bounded, and never slower than one short lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use siphasher::sip128::SipHasher13;

use super::{RateLimit, Wait, client_key};
use crate::Moment;

/// What a bucket is found by: the key itself if it is short, else 128 bits of a keyed hash, which nobody outside
/// can steer and in which no two of a million keys meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u128);

const EXACT: u32 = 120;
const HASHED: u8 = 0xff;

impl Key {
    /// A short key of its own kind.
    pub(super) fn exact(kind: u8, bytes: [u8; 8]) -> Self {
        Self((u128::from(kind) << EXACT) | u128::from(u64::from_be_bytes(bytes)))
    }
}

impl std::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// Hashes the 128 bits of a [`Key`] by one multiplication with secret numbers.
#[derive(Clone, Debug)]
struct Mix {
    secret: [u64; 2],
}

#[derive(Debug)]
struct Mixer {
    secret: [u64; 2],
    state: u64,
}

impl BuildHasher for Mix {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer {
            secret: self.secret,
            state: 0,
        }
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, key: u128) {
        let low = key as u64 ^ self.secret[0] ^ self.state;
        let high = (key >> 64) as u64 ^ self.secret[1];
        let once = u128::from(low) * u128::from(self.secret[1] | 1);
        let folded = (once as u64) ^ ((once >> 64) as u64) ^ high;
        let twice = u128::from(folded) * u128::from(self.secret[0] | 1);
        self.state = (twice as u64) ^ ((twice >> 64) as u64);
    }
}

/// The buckets of one limit.
#[derive(Debug)]
pub struct Table {
    /// Time for one request, rounded up so that the rate is never exceeded.
    interval: u64,
    /// How far ahead of now a bucket may be before a request: `burst - 1` intervals.
    tolerance: u64,
    /// The secrets of the hash of long keys.
    secrets: [u64; 2],
    mix: Mix,
    shards: Box<[Mutex<Shard>]>,
}

/// What became of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableTotals {
    /// Requests that passed.
    pub passed: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Keys forgotten before they were full again because the table was; each gained what it had used.
    pub evicted: u64,
    /// Keys remembered now.
    pub keys: usize,
}

/// What one table gives to its successor in another process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// What long keys are hashed with.
    pub secrets: [u64; 2],
    /// Keys as they are kept, and the nanoseconds until their bucket is full.
    pub buckets: Vec<(u128, u64)>,
}

/// Shards beyond which workers no longer meet often enough to matter.
const MAX_SHARDS: usize = 16;
/// Keys for which another shard is worth its while.
const KEYS_PER_SHARD: usize = 1024;

impl Table {
    /// An empty table for `limit`.
    #[must_use]
    pub fn new(limit: &RateLimit) -> Self {
        let random = RandomState::new();
        Self::with([random.hash_one(1_u8), random.hash_one(2_u8)], limit)
    }

    fn with(secrets: [u64; 2], limit: &RateLimit) -> Self {
        let per = u64::try_from(limit.per.as_nanos()).unwrap_or(u64::MAX);
        let interval = per.div_ceil(limit.count.max(1)).max(1);
        let max_keys = limit.max_keys.max(1);
        let shards = (max_keys / KEYS_PER_SHARD)
            .clamp(1, MAX_SHARDS)
            .next_power_of_two();
        let random = RandomState::new();
        let mix = Mix {
            secret: [random.hash_one(1_u8), random.hash_one(2_u8)],
        };
        let shard = || Mutex::new(Shard::new(max_keys.div_ceil(shards), mix.clone()));
        Self {
            interval,
            tolerance: interval.saturating_mul(limit.burst.max(1) - 1),
            shards: (0..shards).map(|_| shard()).collect(),
            secrets,
            mix,
        }
    }

    /// The buckets that are not full, at most `most` of them, for a table of the same limit in another process.
    #[must_use]
    pub fn hand_over(&self, now: Moment, most: usize) -> Handed {
        let now = now.as_nanos();
        let mut buckets = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            let used = shard.buckets.iter().filter(|bucket| bucket.full_at > now);
            let room = most.saturating_sub(buckets.len());
            buckets.extend(
                used.take(room)
                    .map(|bucket| (bucket.key.0, bucket.full_at - now)),
            );
        }
        Handed {
            secrets: self.secrets,
            buckets,
        }
    }

    /// A table for `limit` that goes on with the buckets of another process, which handed them over just before `now`.
    #[must_use]
    pub fn taking(limit: &RateLimit, handed: &Handed, now: Moment) -> Self {
        let table = Self::with(handed.secrets, limit);
        for &(key, until_full) in &handed.buckets {
            let key = Key(key);
            if let Some(mut shard) = table.shard(key) {
                let full_at = now.as_nanos().saturating_add(until_full);
                shard.bucket(key, now.as_nanos()).full_at = full_at;
            }
        }
        table
    }

    /// Counts a request of `key`.
    ///
    /// # Errors
    /// Over the limit: how long to wait. A refused request does not count against its key.
    #[inline]
    pub fn check(&self, key: &[u8], now: Moment) -> Result<(), Wait> {
        self.check_key(self.key(key), now)
    }

    /// Counts a request of a client by its address.
    ///
    /// # Errors
    /// Over the limit: how long to wait.
    #[inline]
    pub fn check_client(&self, client: Option<IpAddr>, now: Moment) -> Result<(), Wait> {
        self.check_key(client_key(client), now)
    }

    /// How long a request of this client would have to wait now, without counting one.
    #[must_use]
    pub fn wait_of_client(&self, client: Option<IpAddr>, now: Moment) -> Option<Wait> {
        self.wait_of_key(client_key(client), now)
    }

    /// How long a request of `key` would have to wait now, without counting one.
    #[must_use]
    pub fn wait_of(&self, key: &[u8], now: Moment) -> Option<Wait> {
        self.wait_of_key(self.key(key), now)
    }

    fn wait_of_key(&self, key: Key, now: Moment) -> Option<Wait> {
        let shard = self.shard(key)?;
        let full_at = shard.buckets.get(*shard.index.get(&key)?)?.full_at;
        self.wait(full_at, now.as_nanos())
    }

    /// Sums over all shards.
    #[must_use]
    pub fn totals(&self) -> TableTotals {
        let mut totals = TableTotals::default();
        for shard in &self.shards {
            let shard = lock(shard);
            totals.passed += shard.passed;
            totals.refused += shard.refused;
            totals.evicted += shard.evicted;
            totals.keys += shard.buckets.len();
        }
        totals
    }

    fn key(&self, key: &[u8]) -> Key {
        let [first, second] = self.secrets;
        let bits = SipHasher13::new_with_keys(first, second)
            .hash(key)
            .as_u128();
        Key((u128::from(HASHED) << EXACT) | (bits >> 8))
    }

    fn shard(&self, key: Key) -> Option<MutexGuard<'_, Shard>> {
        // The map inside a shard uses the high and the lowest bits; these are from between.
        let position = (self.mix.hash_one(key) >> 24) as usize & (self.shards.len() - 1);
        self.shards.get(position).map(lock)
    }

    fn check_key(&self, key: Key, now: Moment) -> Result<(), Wait> {
        let Some(mut shard) = self.shard(key) else {
            return Ok(());
        };
        let now = now.as_nanos();
        let bucket = shard.bucket(key, now);
        if let Some(wait) = self.wait(bucket.full_at, now) {
            shard.refused += 1;
            return Err(wait);
        }
        bucket.full_at = bucket.full_at.max(now).saturating_add(self.interval);
        shard.passed += 1;
        Ok(())
    }

    /// GCRA: a request passes if its bucket will be full again soon enough.
    fn wait(&self, full_at: u64, now: u64) -> Option<Wait> {
        let wait = full_at.saturating_sub(self.tolerance).saturating_sub(now);
        (wait > 0).then(|| Wait(Duration::from_nanos(wait)))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Bucket {
    key: Key,
    /// When the bucket will be full again, in nanoseconds; the past means full.
    full_at: u64,
}

/// One part of a table: buckets side by side, and where each key's lies.
#[derive(Debug)]
struct Shard {
    index: HashMap<Key, usize, Mix>,
    buckets: Vec<Bucket>,
    max: usize,
    /// Where the sweep goes on.
    hand: usize,
    passed: u64,
    refused: u64,
    evicted: u64,
}

/// Buckets looked at when a key is new, so that full ones are forgotten as fast as new ones come.
const SWEEP: usize = 2;
/// Buckets among which the victim is chosen when nothing is full.
const CHOICE: usize = 16;

impl Shard {
    fn new(max: usize, mix: Mix) -> Self {
        Self {
            index: HashMap::with_hasher(mix),
            buckets: Vec::new(),
            max,
            hand: 0,
            passed: 0,
            refused: 0,
            evicted: 0,
        }
    }

    /// The bucket of `key`, a full one if the key is new.
    fn bucket(&mut self, key: Key, now: u64) -> &mut Bucket {
        let position = match self.index.get(&key) {
            Some(position) => *position,
            None => self.insert(key, now),
        };
        &mut self.buckets[position]
    }

    fn insert(&mut self, key: Key, now: u64) -> usize {
        for _ in 0..SWEEP {
            self.sweep_one(now);
        }
        if self.buckets.len() >= self.max {
            self.evict(now);
        }
        let position = self.buckets.len();
        self.buckets.push(Bucket { key, full_at: 0 });
        self.index.insert(key, position);
        position
    }

    /// Forgets the bucket under the hand if it is full, else moves on.
    fn sweep_one(&mut self, now: u64) {
        match self.buckets.get(self.hand) {
            Some(bucket) if bucket.full_at <= now => self.remove(self.hand),
            Some(_) => self.hand += 1,
            None => self.hand = 0,
        }
    }

    /// Makes room: of the next few buckets the one that is full first goes.
    fn evict(&mut self, now: u64) {
        let count = self.buckets.len();
        let looked_at = (0..CHOICE.min(count)).map(|step| (self.hand + step) % count);
        let Some(victim) = looked_at.min_by_key(|position| self.buckets[*position].full_at) else {
            return;
        };
        if self.buckets[victim].full_at > now {
            self.evicted += 1;
        }
        self.remove(victim);
        self.hand = (self.hand + CHOICE) % count;
    }

    fn remove(&mut self, position: usize) {
        let gone = self.buckets.swap_remove(position);
        self.index.remove(&gone.key);
        if let Some(moved) = self.buckets.get(position) {
            self.index.insert(moved.key, position);
        }
    }
}

#[cfg(test)]
mod tests;
