//! Families about clients: requests by route, connections and handshakes by listener.

use std::sync::Arc;

use portcullis_plan::Deadline;
use portcullis_plan::live::{CLASSES, ENDINGS, HistogramTotals, Live, RouteTotals};
use portcullis_plan::plan::Plan;

use super::family::Family;

/// Values of `code_class`, in the order of the live classes.
const CLASS_LABELS: [&str; CLASSES] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests by listener and route. Requests that no route took have an empty `route`.
pub(super) fn families(live: &Live) -> Vec<Family> {
    let mut requests = Family::counter(
        "portcullis_http_requests_total",
        "Finished requests; code 0 means that no status was sent, method _OTHER any beyond the registered nine",
    );
    let mut duration = Family::histogram(
        "portcullis_http_request_duration_seconds",
        "Time from the first byte of a request to the last byte of its answer; of a tunnel until it stood",
    );
    let mut ttfb = Family::histogram(
        "portcullis_http_response_ttfb_seconds",
        "Time from the first byte of a request to the head of the server's response",
    );
    let mut bytes_in = Family::counter(
        "portcullis_http_request_bytes_total",
        "Bytes of requests, heads and framing included",
    );
    let mut bytes_out = Family::counter(
        "portcullis_http_response_bytes_total",
        "Bytes of answers, heads and framing included",
    );
    for route in live.routes.iter().chain(std::iter::once(&live.unrouted)) {
        let name = &**route.name();
        let series = route.totals();
        for totals in &series {
            let service = totals.service.as_deref().unwrap_or("");
            for ((method, status), count) in &totals.answers {
                let code = status.to_string();
                let labels = [
                    ("listener", &*totals.listener),
                    ("route", name),
                    ("service", service),
                    ("method", method),
                    ("code", &code),
                ];
                requests.count(labels, *count);
            }
        }
        for listener in by_listener(series) {
            let labels = [("listener", &*listener.name), ("route", name)];
            for (class, totals) in CLASS_LABELS
                .iter()
                .zip(&listener.duration)
                .filter(|(_, totals)| totals.count() > 0)
            {
                duration.observe([labels[0], labels[1], ("code_class", class)], totals);
            }
            if listener.ttfb.count() > 0 {
                ttfb.observe(labels, &listener.ttfb);
            }
            bytes_in.count(labels, listener.bytes_in);
            bytes_out.count(labels, listener.bytes_out);
        }
    }
    vec![requests, duration, ttfb, bytes_in, bytes_out]
}

/// One route's numbers at one listener, over all services it ever had there.
struct AtListener {
    name: Arc<str>,
    duration: [HistogramTotals; CLASSES],
    ttfb: HistogramTotals,
    bytes_in: u64,
    bytes_out: u64,
}

fn by_listener(series: Vec<RouteTotals>) -> Vec<AtListener> {
    let mut sums: Vec<AtListener> = Vec::new();
    for totals in series {
        let RouteTotals {
            listener: name,
            duration,
            ttfb,
            bytes_in,
            bytes_out,
            ..
        } = totals;
        match sums.iter_mut().find(|sum| sum.name == name) {
            Some(sum) => {
                sum.duration
                    .iter_mut()
                    .zip(&duration)
                    .for_each(|(sum, more)| sum.merge(more));
                sum.ttfb.merge(&ttfb);
                sum.bytes_in += bytes_in;
                sum.bytes_out += bytes_out;
            }
            None => sums.push(AtListener {
                name,
                duration,
                ttfb,
                bytes_in,
                bytes_out,
            }),
        }
    }
    sums
}

/// Connections, handshakes and refusals by listener, and what rate limits refused.
pub(super) fn connections(plan: &Plan, live: &Live) -> Vec<Family> {
    let mut in_flight = Family::gauge(
        "portcullis_http_requests_in_flight",
        "Requests that are being answered",
    );
    let mut open = Family::gauge(
        "portcullis_connections_open",
        "Client connections that are open",
    );
    let mut accepted = Family::counter(
        "portcullis_connections_total",
        "Client connections that were let in",
    );
    let mut over_limit = Family::counter(
        "portcullis_connections_over_limit_total",
        "Client connections closed at once for being too many",
    );
    let mut handshakes = Family::counter(
        "portcullis_tls_handshakes_total",
        "TLS handshakes by result",
    );
    let mut refused = Family::counter(
        "portcullis_refusals_total",
        "Requests and connections refused or failed, by reason",
    );
    let mut ended = Family::counter(
        "portcullis_http_requests_ended_total",
        "Finished requests by who ended them",
    );
    let mut deadlines = Family::counter(
        "portcullis_deadlines_total",
        "Deadlines that fired, by their configuration key",
    );
    for listener in &live.listeners {
        let (name, totals) = (&**listener.name(), listener.totals());
        let label = ("listener", name);
        // The counts are read one after the other, so that a difference may be off by what happened in between.
        let (http2_open, http2_in_flight) = listener.http2();
        let http1_in_flight = listener.in_flight().saturating_sub(http2_in_flight);
        in_flight.count([label, ("protocol", "h1")], http1_in_flight);
        in_flight.count([label, ("protocol", "h2")], http2_in_flight);
        let http1_open = u64::from(listener.connections().open()).saturating_sub(http2_open);
        open.count([label, ("protocol", "h1")], http1_open);
        open.count([label, ("protocol", "h2")], http2_open);
        accepted.count([label], listener.connections().opened());
        over_limit.count([label], totals.over_limit);
        for ((result, version), count) in listener.handshakes() {
            handshakes.count([label, ("result", result), ("version", version)], count);
        }
        for (reason, count) in listener.reasons() {
            refused.count([label, ("reason", reason)], count);
        }
        for (ending, count) in ENDINGS.iter().zip(totals.ended) {
            ended.count([label, ("ended_by", ending.as_str())], count);
        }
        for (deadline, count) in Deadline::ALL
            .iter()
            .zip(totals.deadlines)
            .filter(|(_, count)| *count > 0)
        {
            deadlines.count([label, ("deadline", deadline.key())], count);
        }
    }
    let mut families = vec![
        in_flight, open, accepted, over_limit, handshakes, refused, ended, deadlines,
    ];
    families.extend(limits(plan, live));
    families
}

/// Rate limits, by the listener or route that has them.
fn limits(plan: &Plan, live: &Live) -> Vec<Family> {
    let mut limited = Family::counter(
        "portcullis_rate_limited_total",
        "Requests refused for being over a rate limit",
    );
    let mut keys = Family::gauge("portcullis_rate_limit_keys", "Keys a rate limit remembers");
    let mut evicted = Family::counter(
        "portcullis_rate_limit_evictions_total",
        "Keys a rate limit forgot early because its table was full",
    );
    let owners = plan
        .listeners
        .iter()
        .filter_map(|listener| Some(((&*listener.name, ""), listener.rate_limit?)));
    let owners = owners.chain(
        plan.routes
            .iter()
            .filter_map(|route| Some((("", &**route.name()), route.rate_limit?))),
    );
    for ((listener, route), id) in owners {
        let Some(totals) = live.limit(id).map(portcullis_plan::limit::Table::totals) else {
            continue;
        };
        let labels = [("listener", listener), ("route", route)];
        limited.count(labels, totals.refused);
        keys.count(labels, u64::try_from(totals.keys).unwrap_or(u64::MAX));
        evicted.count(labels, totals.evicted);
    }
    vec![limited, keys, evicted]
}
