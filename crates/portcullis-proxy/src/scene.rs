//! The fixed parts of one exchange (which snapshot, which listener, which route) and its running record.

use portcullis_plan::plan::{ExchangeTimeouts, Listener};
use portcullis_plan::{
    Deadline, EndedBy, Facts, ListenerId, Moment, Outcome, RouteId, Scheme, ServerId, ServiceId,
    Timings,
};

use crate::client::Who;
use crate::desk::{RequestPart, ResponsePart};
use crate::snapshot::Snapshot;

/// Where an exchange takes place. Copied freely; everything in it lives as long as the exchange's snapshot.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) listener_id: ListenerId,
    pub(crate) listener: &'a Listener,
    /// The listener is in force no more: the client is to go.
    pub(crate) is_former: bool,
    pub(crate) timeouts: &'a ExchangeTimeouts,
    pub(crate) route: Option<RouteId>,
    pub(crate) service: Option<ServiceId>,
    pub(crate) server: Option<ServerId>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, listener_id: ListenerId) -> Option<Self> {
        let listener = snapshot.plan.listener(listener_id)?;
        Some(Self {
            snapshot,
            listener_id,
            listener,
            is_former: false,
            timeouts: &listener.timeouts.exchange,
            route: None,
            service: None,
            server: None,
        })
    }

    /// Everything known of the request, borrowed.
    pub(crate) fn facts<'f>(&self, who: &'f Who, request: &'f RequestPart) -> Facts<'f>
    where
        'a: 'f,
    {
        let plan = &self.snapshot.plan;
        let bytes = &request.bytes;
        let head = &request.head;
        Facts {
            listener_id: self.listener_id,
            listener: self.listener,
            peer: who.peer,
            local: who.local,
            client: request.client,
            client_port: request.client_port,
            scheme: request.scheme.unwrap_or(connection_scheme(who)),
            tls: who.tls.as_deref(),
            version: request.version(),
            method: head.method_span().of(bytes),
            target: head.target().of(bytes),
            host: &request.host,
            authority: head.authority().of(bytes),
            path: request.normal_path(),
            query: request.query.map(|query| query.of(bytes)),
            request_id: &request.id,
            fields: request,
            route: self.route.and_then(|id| plan.route(id)),
            service: self.service.and_then(|id| plan.service(id)),
            server: self.server.and_then(|id| plan.server(id)),
        }
    }
}

/// The scheme of the connection itself.
pub(crate) const fn connection_scheme(who: &Who) -> Scheme {
    if who.tls.is_some() {
        Scheme::Https
    } else {
        Scheme::Http
    }
}

/// The running record of an exchange; `finish` turns it into the one `Outcome`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Story {
    pub(crate) timings: Timings,
    pub(crate) status: u16,
    pub(crate) from_server: bool,
    /// A byte of the final answer may be on its way, so no other answer can be given.
    pub(crate) answered: bool,
    /// Only the end of the connection ends the body that the client gets.
    pub(crate) until_close: bool,
    /// The client was told to go on (100).
    pub(crate) continued: bool,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) body_in: u64,
    pub(crate) body_out: u64,
    pub(crate) attempts: u32,
    pub(crate) reused: bool,
    pub(crate) upgraded: bool,
    /// It waited for an injected delay, so that its first attempt begins later than its head ended.
    pub(crate) delayed: bool,
    pub(crate) ended_by: Option<EndedBy>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) reason: Option<&'static str>,
}

impl Story {
    pub(crate) fn begin(start: Moment) -> Self {
        Self {
            timings: Timings {
                start,
                ..Timings::default()
            },
            ..Self::default()
        }
    }

    /// The record so far.
    pub(crate) fn outcome<'f>(&self, scene: &Scene<'_>, response: &'f ResponsePart) -> Outcome<'f> {
        Outcome {
            route: scene.route,
            service: scene.service,
            server: scene.server,
            status: self.status,
            from_server: self.from_server,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            body_in: self.body_in,
            body_out: self.body_out,
            attempts: self.attempts,
            reused: self.reused,
            timings: self.timings,
            ended_by: self.ended_by.unwrap_or(EndedBy::Completed),
            deadline: self.deadline,
            reason: self.reason,
            upgraded: self.upgraded,
            response_fields: self
                .from_server
                .then_some(response as &dyn portcullis_plan::Fields),
        }
    }
}
