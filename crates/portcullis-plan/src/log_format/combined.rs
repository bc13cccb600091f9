//! The `combined` form of Apache and nginx, as GoAccess, AWStats and fail2ban read it.

use super::Record;
use super::escape::push_quotable;
use crate::calendar::push_common;
use crate::digits::{push_ip, push_u64};
use crate::variables::started;

/// `client - - [date] "request" status body-bytes "referer" "user agent"`.
pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    let (facts, outcome) = (record.facts, record.outcome);
    match facts.client {
        Some(client) => push_ip(client, out),
        None => out.push(b'-'),
    }
    out.extend_from_slice(b" - - [");
    push_common(started(&outcome.timings).unwrap_or(0), out);
    out.extend_from_slice(b"] \"");
    write_request_line(record, out);
    out.extend_from_slice(b"\" ");
    // Status 0 is nginx's 499: the client was gone before there was one.
    push_u64(
        if outcome.status > 0 {
            u64::from(outcome.status)
        } else {
            499
        },
        out,
    );
    out.push(b' ');
    push_u64(outcome.body_out, out);
    for name in ["referer", "user-agent"] {
        out.extend_from_slice(b" \"");
        push_quotable(facts.fields.first(name).unwrap_or(b"-"), out);
        out.push(b'"');
    }
}

/// Nothing of a request without a method can be trusted to be a request line; `-` stands for it.
fn write_request_line(record: &Record<'_>, out: &mut Vec<u8>) {
    let facts = record.facts;
    if facts.method.is_empty() {
        out.push(b'-');
        return;
    }
    push_quotable(facts.method, out);
    out.push(b' ');
    push_quotable(facts.target, out);
    out.push(b' ');
    out.extend_from_slice(facts.version.as_bytes());
}
