//! The order of all decisions about one request.
//!
//! It is fixed and written in [`decide_with`]: operators do not assemble a filter chain.

use std::time::Duration;

use crate::chance::Chance;
use crate::fault::Injected;
use crate::plan::{
    Action, Conduct, ExchangeTimeouts, FixedResponse, Listener, Maintenance, Mirror, Plan, Template,
};
use crate::rewrite::{self, RewriteRefusal};
use crate::route::{Found, Witness};
use crate::split::Chosen;
use crate::{Facts, LimitId, Live, Moment, RouteId, Scheme, ServiceId};

/// What to do with a request.
pub enum Decision<'p> {
    /// Answer it ourselves.
    Answer {
        /// The route that won, if one did.
        route: Option<RouteId>,
        /// The answer.
        answer: Answer<'p>,
        /// How long the client waits for it, where that is an injected fault.
        delay: Option<Duration>,
    },
    /// Pass it on.
    Forward(Forward<'p>),
}

/// An answer we make.
pub enum Answer<'p> {
    /// To the same host and target over https; the port is written unless it is 443.
    HttpsRedirect {
        /// Port of the https listener.
        port: u16,
    },
    /// Elsewhere.
    Redirect {
        /// Status.
        status: u16,
        /// `Location`.
        to: &'p Template,
    },
    /// A configured answer.
    Respond(&'p FixedResponse),
    /// The listener or the route is closed.
    Maintenance(&'p Maintenance),
    /// An error page.
    Refuse(Refusal),
}

/// Why policy refuses a request. The field that an answer needs beside its status: `Allow` for 405
/// ([`Router::write_allow`](crate::route::Router::write_allow)), `Retry-After` for a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No route matches: 404.
    NoRoute,
    /// CONNECT or TRACE that no route allows, or every matching route lists other methods: 405.
    MethodNotAllowed,
    /// The host belongs to names with other client-certificate rules than this connection was made under: 421 (RFC 9110 15.5.20).
    Misdirected,
    /// A redirect would be built from the host and the request has none: 400.
    HostRequired,
    /// The rewrite of the route makes a target or Host of this request that must not be sent: 400.
    Rewritten(RewriteRefusal),
    /// An injected fault.
    FaultAbort {
        /// Its status.
        status: u16,
    },
    /// Over a rate limit.
    RateLimited {
        /// Configured status, 429 unless changed.
        status: u16,
        /// Whole seconds until the next request would pass, at least 1.
        retry_after: u32,
    },
}

impl Refusal {
    /// The status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRoute => 404,
            Self::MethodNotAllowed => 405,
            Self::Misdirected => 421,
            Self::HostRequired | Self::Rewritten(_) => 400,
            Self::FaultAbort { status } | Self::RateLimited { status, .. } => status,
        }
    }

    /// A stable kebab-case word for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Misdirected => "misdirected",
            Self::HostRequired => "host-required",
            Self::Rewritten(refusal) => refusal.code(),
            Self::FaultAbort { .. } => "fault-abort",
            Self::RateLimited { .. } => "rate-limited",
        }
    }
}

/// A request to pass on.
pub struct Forward<'p> {
    /// The route that won.
    pub route_id: RouteId,
    /// What it does.
    pub conduct: &'p Conduct,
    /// The service to try.
    pub service: ServiceId,
    /// Deadlines after inheritance.
    pub timeouts: &'p ExchangeTimeouts,
    /// Bytes of body allowed.
    pub body_limit: Option<u64>,
    /// Why this service, where the route has several, and its position among them.
    pub chosen: Option<(usize, Chosen)>,
    /// How long it waits before it is passed on, where that is an injected fault.
    pub delay: Option<Duration>,
    /// Who gets a copy of it.
    pub mirror: Option<&'p Mirror>,
}

impl Forward<'_> {
    /// Appends the target that the server sees, if the route makes one that is more than the path with another prefix and the query. `facts` are
    /// those of the request with its route and service.
    ///
    /// # Errors
    /// When the request's values make a target or a Host that must not be sent.
    pub fn prepare(&self, facts: &Facts<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !rewrite::is_needed(self.conduct) {
            return Ok(());
        }
        rewrite::prepare(self.conduct, facts, out).map_err(Refusal::Rewritten)
    }
}

/// Decides about one request. Reads no clock, takes no lock, allocates nothing; only rate limits are counted, in `live`.
///
/// What is left to chance is drawn from `chance`.
#[must_use]
pub fn decide<'p>(
    plan: &'p Plan,
    live: &Live,
    facts: &Facts<'_>,
    now: Moment,
    chance: Chance,
) -> Decision<'p> {
    decide_with(plan, live, facts, now, chance, &mut ())
}

/// As [`decide`], telling `witness` which routes were considered and why they lost.
pub fn decide_with<'p, W: Witness>(
    plan: &'p Plan,
    live: &Live,
    facts: &Facts<'_>,
    now: Moment,
    mut chance: Chance,
    witness: &mut W,
) -> Decision<'p> {
    let Some(listener) = plan.listener(facts.listener_id) else {
        return refuse(None, Refusal::NoRoute);
    };
    if is_misdirected(listener, facts) {
        return refuse(None, Refusal::Misdirected);
    }
    if let Some(port) = listener.redirect_https
        && redirects_to_https(facts)
    {
        return https_redirect(port, facts);
    }
    if let Some(refusal) = over_limit(plan, live, listener.rate_limit, facts, now) {
        return refuse(None, refusal);
    }
    if let Some(closed) = closed(listener.maintenance.as_deref(), facts) {
        return answer(None, closed);
    }
    let (route_id, terms) = match listener.router.find(facts, witness) {
        Found::Route(route, terms) => (route, terms),
        Found::Nothing => return refuse(None, Refusal::NoRoute),
        Found::OtherMethods => return refuse(None, Refusal::MethodNotAllowed),
    };
    let (conduct, timeouts) = (&*terms.conduct, &terms.timeouts);
    if let Some(closed) = closed(conduct.maintenance(), facts) {
        return answer(Some(route_id), closed);
    }
    if let Some(refusal) = over_limit(plan, live, conduct.rate_limit, facts, now) {
        return refuse(Some(route_id), refusal);
    }
    let injected = conduct
        .fault()
        .map_or_else(Injected::default, |fault| fault.inject(facts, &mut chance));
    if let Some(status) = injected.abort {
        return refuse(Some(route_id), Refusal::FaultAbort { status }).after(injected.delay);
    }
    let (service, timeouts, chosen) = match &conduct.action {
        Action::Forward(service) => (*service, timeouts, None),
        Action::Split(split) => {
            let (at, why) = split.choose(facts, &mut chance);
            let Some(variant) = split.variants.get(at) else {
                return refuse(Some(route_id), Refusal::NoRoute);
            };
            let own = listener.variant_timeouts(route_id, at);
            let timeouts = own.map_or(timeouts, |own| &own.timeouts);
            (variant.service, timeouts, Some((at, why)))
        }
        other => return own_answer(route_id, other, facts).after(injected.delay),
    };
    Decision::Forward(Forward {
        route_id,
        conduct,
        service,
        timeouts,
        body_limit: conduct.body_limit.unwrap_or(listener.limits.body),
        chosen,
        delay: injected.delay,
        mirror: conduct.mirror().filter(|mirror| chance.hits(mirror.share)),
    })
}

/// The answer of a route that asks no server.
fn own_answer<'p>(route: RouteId, action: &'p Action, facts: &Facts<'_>) -> Decision<'p> {
    match action {
        Action::Redirect { to, .. } if lacks_host(to, facts) => {
            refuse(Some(route), Refusal::HostRequired)
        }
        Action::Redirect { status, to } => {
            let status = *status;
            answer(Some(route), Answer::Redirect { status, to })
        }
        Action::Respond(response) => answer(Some(route), Answer::Respond(response)),
        Action::Forward(_) | Action::Split(_) => refuse(Some(route), Refusal::NoRoute),
    }
}

/// How a listener or a route turns this request away, if it is closed for it.
fn closed<'p>(rule: Option<&'p Maintenance>, facts: &Facts<'_>) -> Option<Answer<'p>> {
    rule.filter(|rule| rule.refuses(facts))
        .map(Answer::Maintenance)
}

impl Decision<'_> {
    /// The same, after a delay.
    fn after(mut self, wait: Option<Duration>) -> Self {
        match &mut self {
            Self::Answer { delay, .. } | Self::Forward(Forward { delay, .. }) => *delay = wait,
        }
        self
    }
}

fn refuse<'p>(route: Option<RouteId>, refusal: Refusal) -> Decision<'p> {
    answer(route, Answer::Refuse(refusal))
}

fn answer(route: Option<RouteId>, answer: Answer<'_>) -> Decision<'_> {
    Decision::Answer {
        route,
        answer,
        delay: None,
    }
}

/// Whether the host is under other client-certificate rules than the connection.
fn is_misdirected(listener: &Listener, facts: &Facts<'_>) -> bool {
    match (&listener.tls, facts.tls) {
        (Some(tls), Some(handshake)) => tls.domains.misdirects(facts.host, handshake.rules),
        _ => false,
    }
}

/// Only what came in clear text, as far as we know or a trusted proxy says, and has a path to send elsewhere.
fn redirects_to_https(facts: &Facts<'_>) -> bool {
    facts.scheme == Scheme::Http && facts.path.first() == Some(&b'/')
}

fn https_redirect<'p>(port: u16, facts: &Facts<'_>) -> Decision<'p> {
    if facts.host.is_empty() {
        return refuse(None, Refusal::HostRequired);
    }
    answer(None, Answer::HttpsRedirect { port })
}

/// A redirect built from an absent host would send the client to whatever stands next in the template.
fn lacks_host(to: &Template, facts: &Facts<'_>) -> bool {
    facts.host.is_empty() && to.needs_host()
}

fn over_limit(
    plan: &Plan,
    live: &Live,
    limit: Option<LimitId>,
    facts: &Facts<'_>,
    now: Moment,
) -> Option<Refusal> {
    let id = limit?;
    let (rule, table) = plan.limit(id).zip(live.limit(id))?;
    let wait = rule.check(table, facts, now).err()?;
    Some(Refusal::RateLimited {
        status: rule.status,
        retry_after: wait.seconds(),
    })
}

#[cfg(test)]
mod tests;
