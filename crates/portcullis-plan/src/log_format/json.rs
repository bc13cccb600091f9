//! The `json` form: one object a line, always with the same keys; what does not apply is null.

use std::time::Duration;

use super::Record;
use super::escape::push_json;
use crate::calendar::push_rfc3339;
use crate::digits::{push_ip, push_millis, push_u64};
use crate::facts::TlsFacts;
use crate::live::Measured;
use crate::variables::{started, transfer};

pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    write_places(record, &mut object);
    write_request(record, &mut object);
    write_result(record, &mut object);
    write_times(record, &mut object);
    object.nested("tls", record.facts.tls, write_tls);
    object.close();
}

fn write_places(record: &Record<'_>, object: &mut Object<'_>) {
    let time = started(&record.outcome.timings);
    object.quoted("time", time, push_rfc3339);
    object.text("listener", Some(&record.facts.listener.name));
    object.text("route", record.route.map(|route| &*route.name));
    object.text("route_place", record.route.map(|route| &*route.place));
    object.text("service", record.service.map(|service| &*service.name));
    object.text("server", record.server.map(|server| &*server.name));
    object.text(
        "server_address",
        record.server.map(|server| &*server.address_text),
    );
    object.number("attempts", Some(u64::from(record.outcome.attempts)));
}

fn write_request(record: &Record<'_>, object: &mut Object<'_>) {
    let facts = record.facts;
    object.quoted("client", facts.client, push_ip);
    object.number("client_port", facts.client_port.map(u64::from));
    object.quoted("peer", facts.peer.map(|peer| peer.ip()), push_ip);
    object.bytes("request_id", some(facts.request_id));
    object.bytes("method", some(facts.method));
    object.text("scheme", Some(facts.scheme.as_str()));
    object.text("host", some(facts.host.as_bytes()).map(|_| facts.host));
    object.bytes("target", some(facts.target));
    object.text("version", Some(facts.version));
    object.bytes("referer", facts.fields.first("referer"));
    object.bytes("user_agent", facts.fields.first("user-agent"));
}

fn write_result(record: &Record<'_>, object: &mut Object<'_>) {
    let outcome = record.outcome;
    object.number(
        "status",
        (outcome.status > 0).then_some(u64::from(outcome.status)),
    );
    object.number("bytes_in", Some(outcome.bytes_in));
    object.number("bytes_out", Some(outcome.bytes_out));
    object.number("body_in", Some(outcome.body_in));
    object.number("body_out", Some(outcome.body_out));
    object.text("ended_by", Some(outcome.ended_by.as_str()));
    object.text("deadline", outcome.deadline.map(|deadline| deadline.key()));
    object.text("reason", outcome.reason);
    object.flag("reused", outcome.reused);
    object.flag("upgraded", outcome.upgraded);
}

fn write_times(record: &Record<'_>, object: &mut Object<'_>) {
    let timings = &record.outcome.timings;
    let phases = Measured::of(timings, false);
    object.millis("duration_ms", Some(phases.duration));
    object.millis("handshake_ms", timings.handshake);
    object.millis(
        "head_ms",
        timings.head.map(|head| head.since(timings.start)),
    );
    object.millis("queue_ms", phases.queue);
    object.millis("connect_ms", phases.connect);
    object.millis("response_ms", phases.response);
    object.millis("transfer_ms", transfer(timings));
}

fn write_tls(tls: &TlsFacts, object: &mut Object<'_>) {
    object.text("version", Some(tls.version));
    object.text("cipher", Some(tls.cipher));
    object.text("name", some(tls.name.as_bytes()).map(|_| &*tls.name));
    object.text("client_subject", tls.client_subject.as_deref());
    object.flag("resumed", tls.resumed);
}

/// Nothing instead of an empty value.
fn some(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

/// An object being written. Keys are ours and need no escaping.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn member<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        push: impl FnOnce(T, &mut Vec<u8>),
    ) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        match value {
            Some(value) => push(value, self.out),
            None => self.out.extend_from_slice(b"null"),
        }
    }

    fn bytes(&mut self, key: &'static str, value: Option<&[u8]>) {
        self.member(key, value, push_json);
    }

    fn text(&mut self, key: &'static str, value: Option<&str>) {
        self.bytes(key, value.map(str::as_bytes));
    }

    fn number(&mut self, key: &'static str, value: Option<u64>) {
        self.member(key, value, push_u64);
    }

    fn millis(&mut self, key: &'static str, value: Option<Duration>) {
        self.member(key, value, push_millis);
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.member(key, Some(word), |word, out| out.extend_from_slice(word));
    }

    /// A value that is written by `push` without quotes of its own and holds nothing to escape.
    fn quoted<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        push: impl FnOnce(T, &mut Vec<u8>),
    ) {
        self.member(key, value, |value, out| {
            out.push(b'"');
            push(value, out);
            out.push(b'"');
        });
    }

    fn nested<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        write: impl FnOnce(T, &mut Object<'_>),
    ) {
        self.member(key, value, |value, out| {
            let mut object = Object::open(out);
            write(value, &mut object);
            object.close();
        });
    }
}
