//! The `json` form: one object a line, always with the same keys; what does not apply is null.

use super::Record;
use super::escape::push_json;
use crate::calendar::push_rfc3339;
use crate::digits::{push_ip, push_millis, push_u64};
use crate::facts::TlsFacts;
use crate::live::Measured;
use crate::variables::{handshake, started, transfer};

/// A key with the comma before it, ready to be appended in one piece.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    let time = started(&record.outcome.timings);
    quoted("{\"time\":", time, push_rfc3339, out);
    write_places(record, out);
    write_request(record, out);
    write_result(record, out);
    write_times(record, out);
    member(key!("tls"), record.facts.tls, write_tls, out);
    out.push(b'}');
}

fn write_places(record: &Record<'_>, out: &mut Vec<u8>) {
    let (route, service, server) = (record.route, record.service, record.server);
    text(key!("listener"), Some(&record.facts.listener.name), out);
    text(key!("route"), route.map(|route| &**route.name()), out);
    text(
        key!("route_place"),
        route.map(|route| &**route.place()),
        out,
    );
    text(key!("service"), service.map(|service| &*service.name), out);
    text(key!("server"), server.map(|server| &*server.name), out);
    text(
        key!("server_address"),
        server.map(|server| &*server.address_text),
        out,
    );
    number(
        key!("attempts"),
        Some(u64::from(record.outcome.attempts)),
        out,
    );
}

fn write_request(record: &Record<'_>, out: &mut Vec<u8>) {
    let facts = record.facts;
    quoted(key!("client"), facts.client, push_ip, out);
    number(key!("client_port"), facts.client_port.map(u64::from), out);
    quoted(key!("peer"), facts.peer.map(|peer| peer.ip()), push_ip, out);
    bytes(key!("request_id"), some(facts.request_id), out);
    bytes(key!("method"), some(facts.method), out);
    text(key!("scheme"), Some(facts.scheme.as_str()), out);
    bytes(key!("host"), some(facts.host.as_bytes()), out);
    bytes(key!("target"), some(facts.target), out);
    text(key!("version"), Some(facts.version), out);
    bytes(key!("referer"), facts.fields.first("referer"), out);
    bytes(key!("user_agent"), facts.fields.first("user-agent"), out);
}

fn write_result(record: &Record<'_>, out: &mut Vec<u8>) {
    let outcome = record.outcome;
    number(
        key!("status"),
        Some(u64::from(outcome.status)).filter(|status| *status > 0),
        out,
    );
    number(key!("bytes_in"), Some(outcome.bytes_in), out);
    number(key!("bytes_out"), Some(outcome.bytes_out), out);
    number(key!("body_in"), Some(outcome.body_in), out);
    number(key!("body_out"), Some(outcome.body_out), out);
    text(key!("ended_by"), Some(outcome.ended_by.as_str()), out);
    text(
        key!("deadline"),
        outcome.deadline.map(|deadline| deadline.key()),
        out,
    );
    text(key!("reason"), outcome.reason, out);
    flag(key!("reused"), outcome.reused, out);
    flag(key!("upgraded"), outcome.upgraded, out);
}

fn write_times(record: &Record<'_>, out: &mut Vec<u8>) {
    let timings = &record.outcome.timings;
    let phases = Measured::of(timings, false);
    let head = timings.head.map(|head| head.nanos_since(timings.start));
    millis(key!("duration_ms"), Some(phases.duration), out);
    millis(key!("handshake_ms"), handshake(timings), out);
    millis(key!("head_ms"), head, out);
    millis(key!("queue_ms"), phases.queue, out);
    millis(key!("connect_ms"), phases.connect, out);
    millis(key!("response_ms"), phases.response, out);
    millis(key!("transfer_ms"), transfer(timings), out);
}

fn write_tls(tls: &TlsFacts, out: &mut Vec<u8>) {
    text("{\"version\":", Some(tls.version), out);
    text(key!("cipher"), Some(tls.cipher), out);
    bytes(key!("name"), some(tls.name.as_bytes()), out);
    text(key!("client_subject"), tls.client_subject.as_deref(), out);
    flag(key!("resumed"), tls.resumed, out);
    out.push(b'}');
}

/// Nothing instead of an empty value.
fn some(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

#[inline]
fn member<T>(
    key: &'static str,
    value: Option<T>,
    push: impl FnOnce(T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(key.as_bytes());
    match value {
        Some(value) => push(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn bytes(key: &'static str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    member(key, value, push_json, out);
}

fn text(key: &'static str, value: Option<&str>, out: &mut Vec<u8>) {
    bytes(key, value.map(str::as_bytes), out);
}

fn number(key: &'static str, value: Option<u64>, out: &mut Vec<u8>) {
    member(key, value, push_u64, out);
}

fn millis(key: &'static str, nanos: Option<u64>, out: &mut Vec<u8>) {
    member(key, nanos, push_millis, out);
}

fn flag(key: &'static str, value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A value that is written by `push` without quotes of its own and holds nothing to escape.
fn quoted<T>(
    key: &'static str,
    value: Option<T>,
    push: impl FnOnce(T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let in_quotes = |value, out: &mut Vec<u8>| {
        out.push(b'"');
        push(value, out);
        out.push(b'"');
    };
    member(key, value, in_quotes, out);
}
