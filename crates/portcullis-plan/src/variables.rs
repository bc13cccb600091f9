//! The values of `{variables}` in templates: header values, redirect targets, log lines.

use portcullis_config::Variable;

use crate::calendar::{push_common, push_rfc3339};
use crate::digits::{push_ip, push_millis, push_u64};
use crate::facts::{Facts, Fields};
use crate::live::Measured;
use crate::outcome::{Outcome, Timings};

/// Appends the value of `variable`, raw; nothing if it has none. Values that depend on the outcome are empty
/// without one, times among them: a caller that has only a beginning gives the outcome so far, with
/// [`Timings::wall_nanos`] set.
pub fn write_variable(
    variable: &Variable,
    facts: &Facts<'_>,
    outcome: Option<&Outcome<'_>>,
    out: &mut Vec<u8>,
) {
    match variable {
        Variable::ClientIp => push_some(facts.client, push_ip, out),
        Variable::ClientPort => push_some(facts.client_port, push_port, out),
        Variable::PeerIp => push_some(facts.peer.map(|peer| peer.ip()), push_ip, out),
        Variable::PeerPort => push_some(facts.peer.map(|peer| peer.port()), push_port, out),
        Variable::LocalIp => push_some(facts.local.map(|local| local.ip()), push_ip, out),
        Variable::LocalPort => push_some(facts.local.map(|local| local.port()), push_port, out),
        Variable::Host => out.extend_from_slice(facts.host.as_bytes()),
        Variable::Port => push_request_port(facts, out),
        Variable::Scheme => out.extend_from_slice(facts.scheme.as_str().as_bytes()),
        Variable::Method => out.extend_from_slice(facts.method),
        Variable::Path => out.extend_from_slice(facts.path),
        Variable::Query => out.extend_from_slice(facts.query.unwrap_or_default()),
        Variable::Target => out.extend_from_slice(facts.target),
        Variable::Uri => push_uri(facts, out),
        Variable::HttpVersion => out.extend_from_slice(facts.version.as_bytes()),
        Variable::RequestId => out.extend_from_slice(facts.request_id),
        Variable::TlsName => push_some(
            facts.tls,
            |tls, out| out.extend_from_slice(tls.name.as_bytes()),
            out,
        ),
        Variable::TlsVersion => push_some(
            facts.tls,
            |tls, out| out.extend_from_slice(tls.version.as_bytes()),
            out,
        ),
        Variable::TlsCipher => push_some(
            facts.tls,
            |tls, out| out.extend_from_slice(tls.cipher.as_bytes()),
            out,
        ),
        Variable::ClientCertSubject => {
            push_text(facts.tls.and_then(|tls| tls.client_subject.as_deref()), out);
        }
        Variable::Listener => push_text(Some(&facts.listener.name), out),
        Variable::Route => push_text(facts.route.map(|route| &**route.name()), out),
        Variable::RoutePlace => push_text(facts.route.map(|route| &**route.place()), out),
        Variable::Service => push_text(facts.service.map(|service| &*service.name), out),
        Variable::Server => push_text(facts.server.map(|server| &*server.name), out),
        Variable::ServerAddress => push_text(facts.server.map(|server| &*server.address_text), out),
        Variable::PathCapture(name) => push_capture(name, facts, out),
        Variable::RequestHeader(name) => push_field(facts.fields, name.as_str(), out),
        of_outcome => push_some(
            outcome,
            |outcome, out| write_of_outcome(of_outcome, outcome, out),
            out,
        ),
    }
}

/// Variables that are only known once something has happened.
fn write_of_outcome(variable: &Variable, outcome: &Outcome<'_>, out: &mut Vec<u8>) {
    let timings = &outcome.timings;
    match variable {
        Variable::ResponseHeader(name) => {
            push_some(
                outcome.response_fields,
                |fields, out| push_field(fields, name.as_str(), out),
                out,
            );
        }
        Variable::Status => push_u64(u64::from(outcome.status), out),
        Variable::Attempts => push_u64(u64::from(outcome.attempts), out),
        Variable::Time => push_some(started(timings), push_rfc3339, out),
        Variable::TimeLocal => push_some(started(timings), push_common, out),
        Variable::BytesIn => push_u64(outcome.bytes_in, out),
        Variable::BytesOut => push_u64(outcome.bytes_out, out),
        Variable::BodyBytesOut => push_u64(outcome.body_out, out),
        Variable::Duration => push_millis(timings.end.nanos_since(timings.start), out),
        Variable::HandshakeTime => push_some(handshake(timings), push_millis, out),
        Variable::HeadTime => push_some(
            timings.head.map(|head| head.nanos_since(timings.start)),
            push_millis,
            out,
        ),
        Variable::QueueTime => push_some(Measured::of(timings, false).queue, push_millis, out),
        Variable::ConnectTime => push_some(Measured::of(timings, false).connect, push_millis, out),
        Variable::ResponseTime => {
            push_some(Measured::of(timings, false).response, push_millis, out);
        }
        Variable::TransferTime => push_some(transfer(timings), push_millis, out),
        Variable::EndedBy => out.extend_from_slice(outcome.ended_by.as_str().as_bytes()),
        Variable::Deadline => push_text(outcome.deadline.map(|deadline| deadline.key()), out),
        Variable::Reason => push_text(outcome.reason, out),
        // Those of the request alone were written by the caller; naming them here keeps this list complete.
        _ => {}
    }
}

/// Wall clock at the first byte, nanoseconds since 1970; `None` if the clock was not read yet.
pub(crate) fn started(timings: &Timings) -> Option<u64> {
    let taken = timings.end.nanos_since(timings.start);
    (timings.wall_nanos > 0).then(|| timings.wall_nanos.saturating_sub(taken))
}

/// Nanoseconds from the head of the response to the end.
pub(crate) fn transfer(timings: &Timings) -> Option<u64> {
    timings
        .response
        .map(|response| timings.end.nanos_since(response))
}

/// Nanoseconds of the TLS handshake.
pub(crate) fn handshake(timings: &Timings) -> Option<u64> {
    timings
        .handshake
        .map(|took| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
}

fn push_some<T>(value: Option<T>, push: impl FnOnce(T, &mut Vec<u8>), out: &mut Vec<u8>) {
    if let Some(value) = value {
        push(value, out);
    }
}

fn push_text(text: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn push_port(port: u16, out: &mut Vec<u8>) {
    push_u64(u64::from(port), out);
}

/// The values of all fields of this name, joined as RFC 9110 section 5.3 allows.
fn push_field(fields: &dyn Fields, name: &str, out: &mut Vec<u8>) {
    let mut is_first = true;
    fields.each(name, &mut |value| {
        if !is_first {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value);
        is_first = false;
    });
}

/// What the path of the route captured under this name, encoded as in the path; nothing before there is a route.
fn push_capture(name: &str, facts: &Facts<'_>, out: &mut Vec<u8>) {
    let captures = facts.route.and_then(|route| route.captures.as_ref());
    let found = captures.and_then(|captures| captures.value(facts.path, name));
    out.extend_from_slice(found.unwrap_or_default());
}

fn push_uri(facts: &Facts<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(facts.path);
    if let Some(query) = facts.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
}

/// The port written in the authority, else the scheme's own.
fn push_request_port(facts: &Facts<'_>, out: &mut Vec<u8>) {
    let written = facts
        .authority
        .rsplit(|byte| *byte == b':')
        .next()
        .unwrap_or_default();
    let is_port = written.len() < facts.authority.len()
        && !written.is_empty()
        && written.iter().all(u8::is_ascii_digit);
    if is_port {
        out.extend_from_slice(written);
    } else {
        push_port(facts.scheme.default_port(), out);
    }
}

#[cfg(test)]
mod tests;
