//! What was observed of the requests that one route took, by listener and service.

use std::slice;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prefetch_index::prefetch_index;

use super::append::Append;
use super::counter::Counter;
use super::histogram::{Histogram, HistogramTotals, Twins};
use super::listener::ListenerLive;
use super::record::{CLASSES, Measured, status_class};
use super::service::ServiceLive;
use crate::WorkerId;
use crate::outcome::Outcome;

/// Methods with a label of their own.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// Value of the label `method`: one of the nine registered methods, else `_OTHER`.
#[must_use]
pub fn method_label(method: &[u8]) -> &'static str {
    label_at(method_index(method))
}

/// Position among the methods with a label; 9 for all others. Numbers compare faster than texts.
#[inline]
fn method_index(method: &[u8]) -> u8 {
    let position = METHODS.iter().position(|known| known.as_bytes() == method);
    position.unwrap_or(METHODS.len()) as u8
}

fn label_at(index: u8) -> &'static str {
    METHODS.get(usize::from(index)).copied().unwrap_or("_OTHER")
}

/// What was observed of the requests of one route. A clone is the same numbers.
///
/// Readers come this way; workers find their own shards over [`AtHand`](super::at_hand::AtHand).
#[derive(Clone, Debug)]
pub struct RouteLive {
    name: Arc<str>,
    /// One for each worker, made when it first needs it; then one for threads that are no worker.
    shards: Arc<[OnceLock<Arc<Shard>>]>,
}

/// One worker's numbers of a route. With thousands of routes they are in no cache when a request ends, so what the first and most
/// frequent kind of request counts lies together in two cache lines at the front.
///
/// Series are few: a route is reached by a few listeners and has one service.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Shard {
    first: Series,
    more: OnceLock<Box<Append<SeriesKey, Box<Series>, 1>>>,
    unlisted: Counter,
}

/// A listener and a service (0 for answers of our own), by their identities.
type SeriesKey = (u64, u64);
/// A method's index and a status.
type AnswerKey = (u8, u16);

#[derive(Debug)]
#[repr(C)]
struct Series {
    key: SeriesKey,
    first: (AnswerKey, Counter),
    bytes_in: Counter,
    bytes_out: Counter,
    /// To the head of the server's response, and the whole of successes.
    times: Twins,
    more: OnceLock<Box<Append<AnswerKey, Counter, 8>>>,
    unlisted: Counter,
    /// Durations by class, without the successes.
    duration: OnceLock<Box<[Histogram; CLASSES]>>,
    listener: Arc<str>,
    service: Option<Arc<str>>,
}

/// Which of the [`Twins`] is the time to the first byte, and which the time of successes.
const TTFB: usize = 0;
const SUCCESSES: usize = 1;

/// The class of 2xx.
const SUCCESS: usize = 2;

/// One route's numbers at one listener towards one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTotals {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The service's name; `None` for answers of our own.
    pub service: Option<Arc<str>>,
    /// Requests by method and status; status 0 means none was sent.
    pub answers: Vec<((&'static str, u16), u64)>,
    /// Requests whose method and status were too many to list.
    pub unlisted: u64,
    /// First byte in to last byte out by class of status: none or odd, then 1xx to 5xx.
    pub duration: [HistogramTotals; CLASSES],
    /// First byte in to the head of the server's response.
    pub ttfb: HistogramTotals,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of answers.
    pub bytes_out: u64,
}

impl RouteLive {
    pub(super) fn new(name: &Arc<str>, workers: usize) -> Self {
        Self {
            name: Arc::clone(name),
            shards: (0..=workers).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Its name in the configuration; empty for requests that no route took.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The shard of this worker, made for this observation the first time.
    pub(super) fn shard(&self, worker: WorkerId, observed: &Observed<'_>) -> Option<&Arc<Shard>> {
        let others = self.shards.len() - 1; // `new` makes at least one
        let cell = self.shards.get(worker.index().min(others));
        cell.map(|cell| cell.get_or_init(|| Arc::new(Shard::new(observed))))
    }

    /// Counts a request where nobody has the shards at hand.
    pub(super) fn record(&self, worker: WorkerId, observed: &Observed<'_>) {
        if let Some(shard) = self.shard(worker, observed) {
            shard.record(observed);
        }
    }

    /// Sums over workers, one for each listener and service that were seen.
    #[must_use]
    pub fn totals(&self) -> Vec<RouteTotals> {
        let mut all: Vec<(SeriesKey, RouteTotals)> = Vec::new();
        for series in self.shards().flat_map(Shard::iter) {
            match all.iter_mut().find(|(known, _)| *known == series.key) {
                Some((_, totals)) => series.add_to(totals),
                None => {
                    let mut totals = series.labels();
                    series.add_to(&mut totals);
                    all.push((series.key, totals));
                }
            }
        }
        all.into_iter().map(|(_, totals)| totals).collect()
    }

    /// Requests that are in no total because the route had too many listeners and services over time.
    #[must_use]
    pub fn unlisted(&self) -> u64 {
        self.shards().map(|shard| shard.unlisted.total()).sum()
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        let made = self.shards.iter().filter_map(OnceLock::get);
        made.map(Arc::as_ref)
    }
}

/// One finished request as its route counts it.
pub(super) struct Observed<'a> {
    key: SeriesKey,
    answer: AnswerKey,
    listener: &'a ListenerLive,
    service: Option<&'a ServiceLive>,
    outcome: &'a Outcome<'a>,
    measured: &'a Measured,
}

impl<'a> Observed<'a> {
    #[inline]
    pub(super) fn new(
        method: &[u8],
        listener: &'a ListenerLive,
        service: Option<&'a ServiceLive>,
        outcome: &'a Outcome<'a>,
        measured: &'a Measured,
    ) -> Self {
        Self {
            key: (listener.uid(), service.map_or(0, ServiceLive::uid)),
            answer: (method_index(method), outcome.status),
            listener,
            service,
            outcome,
            measured,
        }
    }
}

impl Shard {
    fn new(observed: &Observed<'_>) -> Self {
        Self {
            first: Series::new(observed),
            more: OnceLock::new(),
            unlisted: Counter::default(),
        }
    }

    /// Brings to the processor's caches what the first series counts of most requests.
    #[inline]
    pub(super) fn fetch(&self) {
        prefetch_index(slice::from_ref(&self.first.key), 0);
        prefetch_index(self.first.times.buckets(), 0);
    }

    #[inline]
    pub(super) fn record(&self, observed: &Observed<'_>) {
        if self.first.key == observed.key {
            return self.first.record(observed);
        }
        let more = self.more.get_or_init(Box::default);
        match more.entry(observed.key, || Box::new(Series::new(observed))) {
            Some(series) => series.record(observed),
            None => self.unlisted.add(1),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Series> {
        let more = self.more.get().into_iter().flat_map(|more| more.iter());
        let more = more.map(|(_, series)| series.as_ref());
        std::iter::once(&self.first).chain(more)
    }
}

impl Series {
    fn new(observed: &Observed<'_>) -> Self {
        let service = observed.service.map(ServiceLive::name);
        Self {
            key: observed.key,
            first: (observed.answer, Counter::default()),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            times: Twins::default(),
            more: OnceLock::new(),
            unlisted: Counter::default(),
            duration: OnceLock::new(),
            listener: Arc::clone(observed.listener.name()),
            service: service.map(Arc::clone),
        }
    }

    fn labels(&self) -> RouteTotals {
        RouteTotals {
            listener: Arc::clone(&self.listener),
            service: self.service.clone(),
            ..RouteTotals::default()
        }
    }

    #[inline]
    fn record(&self, observed: &Observed<'_>) {
        let (outcome, measured) = (observed.outcome, observed.measured);
        match self.answers(observed.answer) {
            Some(counter) => counter.add(1),
            None => self.unlisted.add(1),
        }
        self.bytes_in.add(outcome.bytes_in);
        self.bytes_out.add(outcome.bytes_out);
        match status_class(outcome.status) {
            SUCCESS => self.times.observe_nanos::<SUCCESSES>(measured.duration),
            class => self.observe_other(class, measured.duration),
        }
        if let Some(ttfb) = measured.ttfb {
            self.times.observe_nanos::<TTFB>(ttfb);
        }
    }

    #[inline]
    fn answers(&self, key: AnswerKey) -> Option<&Counter> {
        if self.first.0 == key {
            return Some(&self.first.1);
        }
        self.more
            .get_or_init(Box::default)
            .entry(key, Counter::default)
    }

    fn observe_other(&self, class: usize, nanos: u64) {
        let classes = self.duration.get_or_init(Box::default);
        if let Some(histogram) = classes.get(class) {
            histogram.observe_nanos(nanos);
        }
    }

    fn add_to(&self, totals: &mut RouteTotals) {
        let more = self.more.get().into_iter().flat_map(|more| more.iter());
        for ((method, status), counter) in std::iter::once(&self.first).chain(more) {
            let label = (label_at(*method), *status);
            match totals.answers.iter_mut().find(|(known, _)| *known == label) {
                Some((_, sum)) => *sum += counter.total(),
                None => totals.answers.push((label, counter.total())),
            }
        }
        if let Some(classes) = self.duration.get() {
            let pairs = totals.duration.iter_mut().zip(classes.iter());
            pairs.for_each(|(sum, histogram)| histogram.add_to(sum));
        }
        self.times
            .add_to::<SUCCESSES>(&mut totals.duration[SUCCESS]);
        self.times.add_to::<TTFB>(&mut totals.ttfb);
        totals.unlisted += self.unlisted.total();
        totals.bytes_in += self.bytes_in.total();
        totals.bytes_out += self.bytes_out.total();
    }
}

impl RouteTotals {
    /// Time of all requests, whatever their status.
    #[must_use]
    pub fn duration_of_all(&self) -> HistogramTotals {
        let mut all = HistogramTotals::default();
        self.duration.iter().for_each(|class| all.merge(class));
        all
    }

    /// Mean time of a request; zero without requests.
    #[must_use]
    pub fn mean_duration(&self) -> Duration {
        let all = self.duration_of_all();
        Duration::from_nanos(all.sum_nanos.checked_div(all.count()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_labelled_exactly() {
        assert_eq!(method_label(b"GET"), "GET");
        assert_eq!(method_label(b"get"), "_OTHER");
        assert_eq!(method_label(b"PROPFIND"), "_OTHER");
        assert_eq!(method_label(b""), "_OTHER");
    }
}
