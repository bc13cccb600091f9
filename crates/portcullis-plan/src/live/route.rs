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

/// What was observed of the requests of one route.
#[derive(Debug)]
pub struct RouteLive {
    name: Arc<str>,
    shards: Shards<Shard>,
}

/// Series are few: a route is reached by a few listeners and has one service.
#[derive(Debug, Default)]
struct Shard {
    series: Append<(u64, u64), Series, 1>,
    unlisted: Counter,
}

#[derive(Debug)]
struct Series {
    listener: Arc<str>,
    service: Option<Arc<str>>,
    answers: Append<(u8, u16), Counter, 8>,
    unlisted: Counter,
    duration: [OnceLock<Box<Histogram>>; CLASSES],
    ttfb: Histogram,
    bytes_in: Counter,
    bytes_out: Counter,
}

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
        let shard = self.shards.of(worker);
        let key = (listener.uid(), service.map_or(0, ServiceLive::uid));
        match shard.series.entry(key, || Series::new(listener, service)) {
            Some(series) => series.record(method_index(method), outcome, measured),
            None => shard.unlisted.add(1),
        }
    }

    /// Sums over workers, one for each listener and service that were seen.
    #[must_use]
    pub fn totals(&self) -> Vec<RouteTotals> {
        let mut all: Vec<((u64, u64), RouteTotals)> = Vec::new();
        for (key, series) in self.shards.iter().flat_map(|shard| shard.series.iter()) {
            match all.iter_mut().find(|(known, _)| known == key) {
                Some((_, totals)) => series.add_to(totals),
                None => {
                    let mut totals = series.labels();
                    series.add_to(&mut totals);
                    all.push((*key, totals));
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

impl Series {
    fn new(listener: &ListenerLive, service: Option<&ServiceLive>) -> Self {
        Self {
            listener: Arc::clone(listener.name()),
            service: service.map(|service| Arc::clone(service.name())),
            answers: Append::default(),
            unlisted: Counter::default(),
            duration: std::array::from_fn(|_| OnceLock::new()),
            ttfb: Histogram::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
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
    fn record(&self, method: u8, outcome: &Outcome<'_>, measured: &Measured) {
        match self
            .answers
            .entry((method, outcome.status), Counter::default)
        {
            Some(counter) => counter.add(1),
            None => self.unlisted.add(1),
        }
        if let Some(cell) = self.duration.get(status_class(outcome.status)) {
            cell.get_or_init(Box::default)
                .observe_nanos(measured.duration);
        }
        if let Some(ttfb) = measured.ttfb {
            self.ttfb.observe_nanos(ttfb);
        }
        self.bytes_in.add(outcome.bytes_in);
        self.bytes_out.add(outcome.bytes_out);
    }

    fn add_to(&self, totals: &mut RouteTotals) {
        for ((method, status), counter) in self.answers.iter() {
            let label = (label_at(*method), *status);
            match totals.answers.iter_mut().find(|(known, _)| *known == label) {
                Some((_, sum)) => *sum += counter.total(),
                None => totals.answers.push((label, counter.total())),
            }
        }
        for (sum, cell) in totals.duration.iter_mut().zip(&self.duration) {
            if let Some(histogram) = cell.get() {
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
