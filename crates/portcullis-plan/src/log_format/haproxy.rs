//! The `haproxy` form: the line of `option httplog`, as halog and everybody's scripts read it. Dates are UTC.
//! Without a syslog prefix before the lines, halog is told so by `halog -s -4`.
//!
//! The termination flags say who ended it and in which phase:
//!
//! | first | when | second | phase |
//! | --- | --- | --- | --- |
//! | `-` | it came to its proper end | `-` | proper end |
//! | `L` | we answered by configuration | `R` | no server was tried yet |
//! | `P` | policy refused it | `C` | connecting |
//! | `C` | the client gave up or sent what we refuse (`PR` if that came before any try) | `H` | waiting for the head of the response |
//! | `c` | a deadline of the client's: header, body, write | `D` | the response was on its way |
//! | `S` | the server refused, broke off, sent what we refuse, or none was there | | |
//! | `s` | a deadline of the server's: connect, response, whole request, tunnel | | |
//! | `K` | we were stopping | | |
//! | `I` | a fault of ours | | |
//!
//! Cookies are not used for persistence, so the last two flags are always `--`.

use super::Record;
use super::escape::push_hashed;
use crate::calendar::push_haproxy;
use crate::digits::{push_ip, push_u64};
use crate::live::{Measured, Occupancy, ServerLive, ServiceLive, had_no_server};
use crate::outcome::{Deadline, EndedBy, Outcome};
use crate::variables::started;

pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    write_client(record, out);
    out.extend_from_slice(b" [");
    push_haproxy(started(&record.outcome.timings).unwrap_or(0), out);
    out.extend_from_slice(b"] ");
    write_places(record, out);
    write_times(record.outcome, out);
    write_result(record, out);
    write_load(record, out);
    write_request(record, out);
}

fn write_client(record: &Record<'_>, out: &mut Vec<u8>) {
    match record.facts.client {
        Some(client) => push_ip(client, out),
        None => out.extend_from_slice(b"unix"),
    }
    out.push(b':');
    push_u64(u64::from(record.facts.client_port.unwrap_or(0)), out);
}

/// `frontend backend/server`; a tilde marks TLS, and without a service the frontend stands for it.
fn write_places(record: &Record<'_>, out: &mut Vec<u8>) {
    let listener = record.facts.listener.name.as_bytes();
    out.extend_from_slice(listener);
    if record.facts.tls.is_some() {
        out.push(b'~');
    }
    out.push(b' ');
    out.extend_from_slice(
        record
            .service
            .map_or(listener, |service| service.name.as_bytes()),
    );
    out.push(b'/');
    out.extend_from_slice(
        record
            .server
            .map_or(b"<NOSRV>", |server| server.name.as_bytes()),
    );
    out.push(b' ');
}

/// `head/queue/connect/response/whole` in milliseconds, -1 for what was not reached.
fn write_times(outcome: &Outcome<'_>, out: &mut Vec<u8>) {
    let timings = &outcome.timings;
    let phases = Measured::of(timings, false);
    let head = timings.head.map(|head| head.nanos_since(timings.start));
    for phase in [head, phases.queue, phases.connect, phases.response] {
        match phase {
            Some(time) => push_u64(time / 1_000_000, out),
            None => out.extend_from_slice(b"-1"),
        }
        out.push(b'/');
    }
    push_u64(phases.duration / 1_000_000, out);
}

/// ` status bytes request-cookie response-cookie flags`.
fn write_result(record: &Record<'_>, out: &mut Vec<u8>) {
    let outcome = record.outcome;
    out.push(b' ');
    match outcome.status {
        0 => out.extend_from_slice(b"-1"),
        status => push_u64(u64::from(status), out),
    }
    out.push(b' ');
    push_u64(outcome.bytes_out, out);
    out.extend_from_slice(b" - - ");
    out.extend_from_slice(&flags(outcome));
    out.extend_from_slice(b"-- ");
}

/// `process/frontend/backend/server/retries server-queue/backend-queue `; a plus marks a change of server.
fn write_load(record: &Record<'_>, out: &mut Vec<u8>) {
    let (live, outcome) = (record.live, record.outcome);
    let listener = live
        .listener(record.facts.listener_id)
        .map(|listener| listener.connections());
    let service = outcome
        .service
        .and_then(|id| live.service(id))
        .map(ServiceLive::in_flight);
    let server = outcome
        .server
        .and_then(|id| live.server(id))
        .map(ServerLive::in_flight);
    for level in [Some(live.process.connections()), listener, service, server] {
        push_u64(u64::from(level.map_or(0, Occupancy::open)), out);
        out.push(b'/');
    }
    let retries = outcome.attempts.saturating_sub(1);
    if retries > 0
        && record
            .service
            .is_some_and(|service| service.server_count > 1)
    {
        out.push(b'+');
    }
    push_u64(u64::from(retries), out);
    out.extend_from_slice(b" 0/0 ");
}

/// The request line in quotes; `<BADREQ>` where there was none.
fn write_request(record: &Record<'_>, out: &mut Vec<u8>) {
    let facts = record.facts;
    out.push(b'"');
    if facts.method.is_empty() {
        out.extend_from_slice(b"<BADREQ>");
    } else {
        push_hashed(facts.method, out);
        out.push(b' ');
        push_hashed(facts.target, out);
        out.push(b' ');
        out.extend_from_slice(facts.version.as_bytes());
    }
    out.push(b'"');
}

/// The first two termination flags.
fn flags(outcome: &Outcome<'_>) -> [u8; 2] {
    let first = match outcome.ended_by {
        EndedBy::Completed if outcome.from_server || outcome.upgraded => return *b"--",
        EndedBy::Completed => b'L',
        EndedBy::Policy if had_no_server(outcome) => b'S',
        EndedBy::Policy => b'P',
        EndedBy::Client if outcome.timings.attempt.is_none() && outcome.status > 0 => b'P',
        EndedBy::Client => b'C',
        EndedBy::Server => b'S',
        EndedBy::Deadline => deadline_flag(outcome.deadline),
        EndedBy::Shutdown => b'K',
        EndedBy::Internal => b'I',
    };
    [first, phase_flag(outcome, first)]
}

fn deadline_flag(deadline: Option<Deadline>) -> u8 {
    match deadline {
        None | Some(Deadline::ConnectionAge) => b'-',
        Some(
            Deadline::Handshake
            | Deadline::ClientHeader
            | Deadline::ClientIdle
            | Deadline::ClientBodyIdle
            | Deadline::ClientBodyRate
            | Deadline::ClientWrite,
        ) => b'c',
        Some(
            Deadline::Connect
            | Deadline::ResponseHeader
            | Deadline::ResponseIdle
            | Deadline::Request
            | Deadline::TunnelIdle,
        ) => b's',
    }
}

fn phase_flag(outcome: &Outcome<'_>, first: u8) -> u8 {
    let timings = &outcome.timings;
    match (timings.attempt, timings.connected, timings.response) {
        (None, _, _) if first == b'S' => b'C',
        (None, _, _) => b'R',
        (Some(_), None, _) => b'C',
        (Some(_), Some(_), None) => b'H',
        (Some(_), Some(_), Some(_)) => b'D',
    }
}
