//! Deadlines after inheritance, and where each is written.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_config::{ByteRate, Timeouts, Val};

use super::Compiler;
use crate::plan::{ExchangeTimeouts, ListenerTimeouts};

/// The distinct sets of places that deadlines come from.
pub(super) type Origins = HashSet<Arc<[(&'static str, Box<str>)]>>;

/// `"off"` where the plan has no word for it: longer than any clock runs.
pub(super) fn bounded(timeout: &Val<Option<Duration>>) -> Duration {
    timeout.value.unwrap_or(Duration::MAX)
}

pub(super) fn exchange(timeouts: &Timeouts) -> ExchangeTimeouts {
    ExchangeTimeouts {
        client_body_idle: bounded(&timeouts.client_body_idle),
        client_body_rate: timeouts.client_body_rate.value.map(|ByteRate(rate)| rate),
        client_write: bounded(&timeouts.client_write),
        connect: bounded(&timeouts.connect),
        response_header: bounded(&timeouts.response_header),
        response_idle: bounded(&timeouts.response_idle),
        request: timeouts.request.value,
        tunnel_idle: bounded(&timeouts.tunnel_idle),
    }
}

pub(super) fn listener(timeouts: &Timeouts) -> ListenerTimeouts {
    ListenerTimeouts {
        handshake: bounded(&timeouts.handshake),
        client_header: bounded(&timeouts.client_header),
        client_idle: bounded(&timeouts.client_idle),
        connection_age: timeouts.connection_age.value,
        exchange: exchange(timeouts),
    }
}

impl Compiler<'_> {
    /// Where the deadlines of an exchange are written, in the order of [`ExchangeTimeouts`].
    pub(super) fn origins(&mut self, timeouts: &Timeouts) -> Arc<[(&'static str, Box<str>)]> {
        let durations = [
            ("client_body_idle", &timeouts.client_body_idle),
            ("client_write", &timeouts.client_write),
            ("connect", &timeouts.connect),
            ("response_header", &timeouts.response_header),
            ("response_idle", &timeouts.response_idle),
            ("request", &timeouts.request),
            ("tunnel_idle", &timeouts.tunnel_idle),
        ];
        let spans = durations.into_iter().map(|(key, value)| (key, value.span));
        let rate = std::iter::once(("client_body_rate", timeouts.client_body_rate.span));
        let named = spans.chain(rate).map(|(key, span)| match span {
            Some(_) => (key, Box::from(&*self.place(span))),
            None => (key, Box::from("default")),
        });
        let origins: Arc<[_]> = named.collect();
        if let Some(known) = self.origins.get(&origins) {
            return Arc::clone(known);
        }
        self.origins.insert(Arc::clone(&origins));
        origins
    }
}
