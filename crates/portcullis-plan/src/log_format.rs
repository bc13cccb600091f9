//! Access log lines: one line for each finished exchange, escaped so that no request can forge or break one.
//! Rendering appends to a buffer and allocates nothing else.

mod combined;
mod escape;
mod haproxy;
mod json;
mod template;

use crate::facts::Facts;
use crate::headers::Template;
use crate::live::Live;
use crate::outcome::Outcome;
use crate::plan::{Plan, Route, Server, Service};

/// The form of an access log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object with everything known.
    Json,
    /// The combined log format of Apache and nginx.
    Combined,
    /// HAProxy's `option httplog`.
    Haproxy,
    /// An own line of text and variables.
    Template(Template),
}

impl LogFormat {
    /// Appends one line with its line feed. `plan` and `live` are those of the exchange's snapshot.
    pub fn write_line(
        &self,
        plan: &Plan,
        live: &Live,
        facts: &Facts<'_>,
        outcome: &Outcome<'_>,
        out: &mut Vec<u8>,
    ) {
        let record = Record {
            live,
            facts,
            outcome,
            route: outcome.route.and_then(|id| plan.route(id)),
            service: outcome.service.and_then(|id| plan.service(id)),
            server: outcome.server.and_then(|id| plan.server(id)),
        };
        match self {
            Self::Json => json::write(&record, out),
            Self::Combined => combined::write(&record, out),
            Self::Haproxy => haproxy::write(&record, out),
            Self::Template(template) => template::write(template, &record, out),
        }
        out.push(b'\n');
    }
}

/// What every form draws from.
struct Record<'a> {
    live: &'a Live,
    facts: &'a Facts<'a>,
    outcome: &'a Outcome<'a>,
    route: Option<&'a Route>,
    service: Option<&'a Service>,
    server: Option<&'a Server>,
}

#[cfg(test)]
mod tests;
