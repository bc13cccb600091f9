//! What was observed of the requests that one route took, by listener and service.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::append::Append;
use super::counter::{Counter, Shards};
use super::histogram::{Histogram, HistogramTotals};
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
/// With thousands of routes each request finds the numbers of its route in no cache, so they are laid out to be
/// reached over few pointers and to be changed in few cache lines: what the first and most frequent kind of request
/// counts lies together at the front.
#[derive(Clone, Debug)]
pub struct RouteLive {
    shards: Shards<Shard>,
    name: Arc<str>,
}

/// Series are few: a route is reached by a few listeners and has one service.
#[derive(Debug)]
#[repr(C)]
struct Shard {
    first: Series,
    more: Append<SeriesKey, Box<Series>, 1>,
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
    // Up to the fastest bucket of this one it is a cache line; the sum and the fastest of the next share another.
    ttfb: Histogram,
    unlisted: Counter,
    success: Histogram,
    more: Append<AnswerKey, Counter, 8>,
    /// Durations by class, without the successes.
    duration: [OnceLock<Box<Histogram>>; CLASSES],
    listener: Arc<str>,
    service: Option<Arc<str>>,
}

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
            shards: Shards::new(workers),
        }
    }

    /// Its name in the configuration; empty for requests that no route took.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[inline]
    pub(super) fn record(
        &self,
        worker: WorkerId,
        listener: &ListenerLive,
        service: Option<&ServiceLive>,
        method: &[u8],
        outcome: &Outcome<'_>,
        measured: &Measured,
    ) {
        let key = (listener.uid(), service.map_or(0, ServiceLive::uid));
        let answer = (method_index(method), outcome.status);
        let series = || Series::new(key, answer, listener, service);
        let shard = self.shards.of_or(worker, || Shard::new(series()));
        match shard.series(key, series) {
            Some(series) => series.record(answer, outcome, measured),
            None => shard.unlisted.add(1),
        }
    }

    /// Sums over workers, one for each listener and service that were seen.
    #[must_use]
    pub fn totals(&self) -> Vec<RouteTotals> {
        let mut all: Vec<(SeriesKey, RouteTotals)> = Vec::new();
        for series in self.shards.iter().flat_map(Shard::iter) {
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
        self.shards.iter().map(|shard| shard.unlisted.total()).sum()
    }
}

impl Shard {
    fn new(first: Series) -> Self {
        Self {
            first,
            more: Append::default(),
            unlisted: Counter::default(),
        }
    }

    /// The series of this key, made by `make` the first time; `None` when there are too many.
    #[inline]
    fn series(&self, key: SeriesKey, make: impl Fn() -> Series) -> Option<&Series> {
        if self.first.key == key {
            return Some(&self.first);
        }
        self.more.entry(key, || Box::new(make())).map(Box::as_ref)
    }

    fn iter(&self) -> impl Iterator<Item = &Series> {
        let more = self.more.iter().map(|(_, series)| series.as_ref());
        std::iter::once(&self.first).chain(more)
    }
}

impl Series {
    fn new(
        key: SeriesKey,
        first: AnswerKey,
        listener: &ListenerLive,
        service: Option<&ServiceLive>,
    ) -> Self {
        Self {
            key,
            first: (first, Counter::default()),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            ttfb: Histogram::default(),
            unlisted: Counter::default(),
            success: Histogram::default(),
            more: Append::default(),
            duration: std::array::from_fn(|_| OnceLock::new()),
            listener: Arc::clone(listener.name()),
            service: service.map(|service| Arc::clone(service.name())),
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
    fn record(&self, answer: AnswerKey, outcome: &Outcome<'_>, measured: &Measured) {
        match self.answers(answer) {
            Some(counter) => counter.add(1),
            None => self.unlisted.add(1),
        }
        self.bytes_in.add(outcome.bytes_in);
        self.bytes_out.add(outcome.bytes_out);
        match status_class(outcome.status) {
            SUCCESS => self.success.observe_nanos(measured.duration),
            class => self.observe_other(class, measured.duration),
        }
        if let Some(ttfb) = measured.ttfb {
            self.ttfb.observe_nanos(ttfb);
        }
    }

    #[inline]
    fn answers(&self, key: AnswerKey) -> Option<&Counter> {
        if self.first.0 == key {
            return Some(&self.first.1);
        }
        self.more.entry(key, Counter::default)
    }

    fn observe_other(&self, class: usize, nanos: u64) {
        if let Some(cell) = self.duration.get(class) {
            cell.get_or_init(Box::default).observe_nanos(nanos);
        }
    }

    fn add_to(&self, totals: &mut RouteTotals) {
        for ((method, status), counter) in std::iter::once(&self.first).chain(self.more.iter()) {
            let label = (label_at(*method), *status);
            match totals.answers.iter_mut().find(|(known, _)| *known == label) {
                Some((_, sum)) => *sum += counter.total(),
                None => totals.answers.push((label, counter.total())),
            }
        }
        for (class, (sum, cell)) in totals.duration.iter_mut().zip(&self.duration).enumerate() {
            if class == SUCCESS {
                self.success.add_to(sum);
            } else if let Some(histogram) = cell.get() {
                histogram.add_to(sum);
            }
        }
        self.ttfb.add_to(&mut totals.ttfb);
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
