//! The one place that turns a finished exchange into counters. It costs some tens of stores, and allocates only
//! when a status, reason or combination of labels is seen for the first time.

use prefetch_index::prefetch_index;

use super::Live;
use super::route::Observed;
use crate::facts::Facts;
use crate::outcome::{Outcome, Timings};
use crate::{Moment, Plan, RouteId, WorkerId};

/// Classes of status: none or odd, then 1xx to 5xx.
pub const CLASSES: usize = 6;

/// The position of a status among the [`CLASSES`].
#[must_use]
#[inline]
pub fn status_class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => usize::from(class),
        _ => 0,
    }
}

/// How long the phases of an exchange took, in nanoseconds; phases that were not reached are `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// First byte in to last byte out; of a tunnel only until it stood.
    pub duration: u64,
    /// First byte in to the head of the server's response.
    pub ttfb: Option<u64>,
    /// Head of the request to the start of the last try.
    pub queue: Option<u64>,
    /// Start of the last try to a connection.
    pub connect: Option<u64>,
    /// Connection to the head of the response.
    pub response: Option<u64>,
    /// Start of the last try to the end; of a tunnel only until it stood.
    pub upstream: Option<u64>,
}

impl Measured {
    /// The phases of this exchange.
    #[must_use]
    #[inline]
    pub fn of(timings: &Timings, upgraded: bool) -> Self {
        let end = timings.response.filter(|_| upgraded).unwrap_or(timings.end);
        let between = |from: Option<Moment>, to: Option<Moment>| Some(to?.nanos_since(from?));
        Self {
            duration: end.nanos_since(timings.start),
            ttfb: between(Some(timings.start), timings.response),
            queue: between(timings.head, timings.attempt),
            connect: between(timings.attempt, timings.connected),
            response: between(timings.connected, timings.response),
            upstream: between(timings.attempt, Some(end)),
        }
    }
}

impl Live {
    /// To be called when the route of a request is known: with thousands of them the numbers that [`Live::record`] changes in the
    /// end are far from the processor, and so is the route itself; they come while it does other things. It changes nothing.
    #[inline]
    pub fn expect(&self, plan: &Plan, worker: WorkerId, route: RouteId) {
        prefetch_index(&plan.routes, route.index());
        self.at_hand.expect(worker, route);
    }

    /// The second step after [`Live::expect`], to be called a little later: what the first brought says where the numbers are.
    #[inline]
    pub fn fetch(&self, worker: WorkerId, route: RouteId) {
        self.at_hand.fetch(worker, route);
    }

    /// Counts a finished exchange. To be called once for each, by the worker that carried it.
    ///
    /// `plan` is the one this `Live` was made for.
    pub fn record(&self, plan: &Plan, worker: WorkerId, facts: &Facts<'_>, outcome: &Outcome<'_>) {
        let measured = Measured::of(&outcome.timings, outcome.upgraded);
        let service = outcome.service.and_then(|id| self.service(id));
        if let Some(listener) = self.listener(facts.listener_id) {
            listener.record(worker, outcome);
            let observed = Observed::new(facts.method, listener, service, outcome, &measured);
            match outcome
                .route
                .zip(outcome.route.and_then(|id| self.route(id)))
            {
                Some((id, route)) => self.at_hand.record(worker, id, route, &observed),
                None => self.unrouted.record(worker, &observed),
            }
        }
        let Some(service) = service else { return };
        let alternatives = outcome
            .service
            .and_then(|id| plan.service(id))
            .is_some_and(|service| service.server_count > 1);
        service.record(worker, outcome, &measured, alternatives);
        if let Some(server) = outcome.server.and_then(|id| self.server(id)) {
            server.record(worker, outcome, &measured, alternatives);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn classes_of_odd_statuses_share_the_first_place() {
        assert_eq!(
            [0, 99, 100, 204, 302, 404, 503, 600, 999].map(status_class),
            [0, 0, 1, 2, 3, 4, 5, 0, 0]
        );
    }

    #[test]
    fn phases_not_reached_are_not_measured() {
        let timings = Timings {
            start: at(10),
            head: Some(at(11)),
            attempt: Some(at(12)),
            end: at(40),
            ..Timings::default()
        };
        let measured = Measured::of(&timings, false);
        assert_eq!(measured.queue, Some(MILLI));
        assert_eq!(
            (measured.connect, measured.response, measured.ttfb),
            (None, None, None)
        );
        assert_eq!(measured.upstream, Some(28 * MILLI));
    }

    #[test]
    fn a_tunnel_is_measured_until_it_stood() {
        let timings = Timings {
            start: at(0),
            attempt: Some(at(1)),
            connected: Some(at(2)),
            response: Some(at(5)),
            end: at(60_000),
            ..Timings::default()
        };
        let measured = Measured::of(&timings, true);
        assert_eq!(measured.duration, 5 * MILLI);
        assert_eq!(measured.upstream, Some(4 * MILLI));
    }
}
