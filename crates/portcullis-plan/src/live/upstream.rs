//! The counters that services and servers have in common, and how the tries of an exchange went.

use super::average::{Average, PhaseTime, phase_time};
use super::counter::counters;
use super::record::{CLASSES, Measured, status_class};
use crate::outcome::{Deadline, EndedBy, Outcome};

counters! {
    /// One worker's counters of a service or server.
    UpstreamShard,
    /// Counters of a service or server, summed over workers.
    UpstreamTotals {
        /// Finished requests.
        requests,
        /// Bytes of requests.
        bytes_in,
        /// Bytes of answers.
        bytes_out,
        /// Requests that failed because no connection could be made.
        connect_errors,
        /// Requests that failed between a connection and the head of a response.
        response_errors,
        /// Transfers that the client gave up.
        client_aborts,
        /// Transfers that the server gave up.
        server_aborts,
        /// Tries after the first.
        retries,
        /// Tries after the first at another server than before.
        redispatches,
        /// Requests whose last try made a new connection.
        connects,
        /// Requests whose last try used a pooled connection.
        reuses,
        /// Faults of ours.
        internal_errors,
    }
    arrays {
        /// Answers by class: none or odd, then 1xx to 5xx.
        classes: CLASSES,
        /// Failed tries in the order of [`UpstreamError::ALL`].
        errors: UpstreamError::ALL.len(),
    }
}

/// Why a try at a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamError {
    /// No connection could be made.
    Connect,
    /// A deadline towards the server passed.
    Timeout,
    /// The connection broke.
    Reset,
    /// TLS towards the server failed.
    Tls,
    /// The response was not HTTP as we accept it.
    Malformed,
    /// No server could be tried.
    NoServer,
}

impl UpstreamError {
    /// Every error, in order.
    pub const ALL: [Self; 6] = [
        Self::Connect,
        Self::Timeout,
        Self::Reset,
        Self::Tls,
        Self::Malformed,
        Self::NoServer,
    ];

    /// Value of the label `reason`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Tls => "tls",
            Self::Malformed => "malformed",
            Self::NoServer => "no_server",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Connect => 0,
            Self::Timeout => 1,
            Self::Reset => 2,
            Self::Tls => 3,
            Self::Malformed => 4,
            Self::NoServer => 5,
        }
    }

    /// What the last try of an exchange failed of, if it did.
    pub(super) fn of(outcome: &Outcome<'_>) -> Option<Self> {
        match (outcome.ended_by, outcome.deadline) {
            (
                EndedBy::Deadline,
                Some(Deadline::Connect | Deadline::ResponseHeader | Deadline::ResponseIdle),
            ) => Some(Self::Timeout),
            _ if had_no_server(outcome) => Some(Self::NoServer),
            (EndedBy::Server, _) if outcome.reason.is_some_and(is_of_tls) => Some(Self::Tls),
            (EndedBy::Server, _) if outcome.timings.connected.is_none() => Some(Self::Connect),
            (EndedBy::Server, _) if outcome.reason.is_some_and(is_malformed) => {
                Some(Self::Malformed)
            }
            (EndedBy::Server, _) => Some(Self::Reset),
            _ => None,
        }
    }
}

/// Whether a service was asked that had no server to try. It is our answer, so the status is ours.
pub(crate) fn had_no_server(outcome: &Outcome<'_>) -> bool {
    let is_ours = matches!(outcome.ended_by, EndedBy::Policy | EndedBy::Server);
    is_ours && outcome.service.is_some() && outcome.server.is_none() && outcome.status == 503
}

/// Whether a reason speaks of TLS towards a server.
fn is_of_tls(reason: &str) -> bool {
    matches!(reason, "upstream-certificate" | "upstream-tls")
}

/// Whether a reason speaks of what a server sent, not of how its connection ended.
fn is_malformed(reason: &str) -> bool {
    !["reset", "closed", "eof", "truncated"]
        .iter()
        .any(|word| reason.contains(word))
}

/// Whether a deadline says that the client was too slow.
const fn is_of_client(deadline: Deadline) -> bool {
    matches!(
        deadline,
        Deadline::ClientBodyIdle | Deadline::ClientBodyRate | Deadline::ClientWrite
    )
}

/// One worker's part of a service or server.
#[derive(Debug, Default)]
pub(super) struct UpstreamPart {
    pub(super) counters: UpstreamShard,
    queue: Average,
    connect: Average,
    response: Average,
    total: Average,
}

impl UpstreamPart {
    #[inline]
    pub(super) fn record(&self, outcome: &Outcome<'_>, measured: &Measured, alternatives: bool) {
        let counters = &self.counters;
        counters.requests.add(1);
        counters.bytes_in.add(outcome.bytes_in);
        counters.bytes_out.add(outcome.bytes_out);
        if let Some(class) = counters.classes.get(status_class(outcome.status)) {
            class.add(1);
        }
        if outcome.timings.connected.is_some() {
            let kind = if outcome.reused {
                &counters.reuses
            } else {
                &counters.connects
            };
            kind.add(1);
        }
        if outcome.attempts > 1 {
            let retries = u64::from(outcome.attempts - 1);
            counters.retries.add(retries);
            counters
                .redispatches
                .add(if alternatives { retries } else { 0 });
        }
        if outcome.ended_by != EndedBy::Completed {
            self.record_trouble(outcome);
        }
        self.record_times(measured);
    }

    #[inline]
    fn record_times(&self, measured: &Measured) {
        if let Some(queue) = measured.queue {
            self.queue.add(queue);
        }
        if let Some(connect) = measured.connect {
            self.connect.add(connect);
        }
        if let Some(response) = measured.response {
            self.response.add(response);
        }
        self.total.add(measured.duration);
    }

    fn record_trouble(&self, outcome: &Outcome<'_>) {
        let counters = &self.counters;
        if let Some(error) = UpstreamError::of(outcome) {
            self.failed(error);
            match (outcome.timings.connected, outcome.timings.response) {
                (None, _) => counters.connect_errors.add(1),
                (Some(_), None) => counters.response_errors.add(1),
                (Some(_), Some(_)) => counters.server_aborts.add(1),
            }
        }
        match outcome.ended_by {
            EndedBy::Client => counters.client_aborts.add(1),
            EndedBy::Deadline if outcome.deadline.is_some_and(is_of_client) => {
                counters.client_aborts.add(1);
            }
            EndedBy::Internal => counters.internal_errors.add(1),
            _ => {}
        }
    }

    pub(super) fn failed(&self, error: UpstreamError) {
        if let Some(counter) = self.counters.errors.get(error.index()) {
            counter.add(1);
        }
    }

    pub(super) fn add_to(&self, totals: &mut UpstreamTotals) {
        self.counters.add_to(totals);
    }

    pub(super) fn clear_peaks(&self) {
        for average in [&self.queue, &self.connect, &self.response, &self.total] {
            average.reset_peak();
        }
    }
}

/// Times of the phases of recent requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// Waiting for a server to be picked, retries included.
    pub queue: PhaseTime,
    /// Making a connection; zero where one was reused.
    pub connect: PhaseTime,
    /// From the connection to the head of the response.
    pub response: PhaseTime,
    /// The whole exchange.
    pub total: PhaseTime,
}

impl PhaseTimes {
    pub(super) fn over<'a>(parts: impl Iterator<Item = &'a UpstreamPart> + Clone) -> Self {
        Self {
            queue: phase_time(parts.clone().map(|part| &part.queue)),
            connect: phase_time(parts.clone().map(|part| &part.connect)),
            response: phase_time(parts.clone().map(|part| &part.response)),
            total: phase_time(parts.map(|part| &part.total)),
        }
    }
}
