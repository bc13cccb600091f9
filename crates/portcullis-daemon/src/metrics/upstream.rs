//! Families about servers: requests, errors, connections, health, by service and server.

use portcullis_plan::health::HealthState;
use portcullis_plan::live::{
    AdminState, Live, MirrorLive, MirrorResult, ServerLive, UpstreamError, UpstreamTotals,
};
use portcullis_plan::plan::Plan;

use super::family::Family;

/// Every family with labels `service` and `server`, then those with `service` alone.
pub(super) fn families(plan: &Plan, live: &Live) -> Vec<Family> {
    let mut all = Families::new();
    for (at, (service, service_live)) in plan.services.iter().zip(&live.services).enumerate() {
        let name = ("service", &*service.name);
        let totals = service_live.totals();
        all.retries.count([name], totals.retries);
        all.redispatches.count([name], totals.redispatches);
        if let Some(mirror) = live.mirrors.get(at) {
            all.mirrored(name, mirror);
        }
        // Without a server to blame, the service has the error.
        all.error([name, ("server", "")], &totals, UpstreamError::NoServer);
        for id in service.server_ids() {
            if let (Some(server), Some(live)) = (plan.server(id), live.server(id)) {
                all.server(
                    [name, ("server", &*server.name)],
                    live,
                    service.health.is_some(),
                );
            }
        }
    }
    all.into_vec()
}

struct Families {
    duration: Family,
    connect: Family,
    requests: Family,
    errors: Family,
    in_flight: Family,
    up: Family,
    weight: Family,
    connections: Family,
    http2_connections: Family,
    http2_streams: Family,
    checks: Family,
    check_duration: Family,
    retries: Family,
    redispatches: Family,
    mirrored: Family,
}

impl Families {
    fn new() -> Self {
        Self {
            duration: Family::histogram(
                "portcullis_upstream_request_duration_seconds",
                "Time from the last try at a server to the end of the exchange; of a tunnel until it stood",
            ),
            connect: Family::histogram(
                "portcullis_upstream_connect_duration_seconds",
                "Time to make a new connection to a server",
            ),
            requests: Family::counter(
                "portcullis_upstream_requests_total",
                "Answers that came from servers",
            ),
            errors: Family::counter(
                "portcullis_upstream_errors_total",
                "Tries at servers that failed",
            ),
            in_flight: Family::gauge(
                "portcullis_upstream_requests_in_flight",
                "Requests at servers",
            ),
            up: Family::gauge(
                "portcullis_upstream_up",
                "Whether a server takes requests: 1, or 0 when down, unresolved or in maintenance",
            ),
            weight: Family::gauge("portcullis_upstream_weight", "Weight of a server, 0 to 256"),
            connections: Family::gauge("portcullis_upstream_connections", "Connections to servers"),
            http2_connections: Family::gauge(
                "portcullis_upstream_http2_connections",
                "Connections to servers that speak HTTP/2, used and idle",
            ),
            http2_streams: Family::gauge(
                "portcullis_upstream_http2_streams",
                "Requests on connections to servers that speak HTTP/2",
            ),
            checks: Family::counter(
                "portcullis_health_check_total",
                "Active checks of servers by result",
            ),
            check_duration: Family::histogram(
                "portcullis_health_check_duration_seconds",
                "Time active checks took",
            ),
            retries: Family::counter("portcullis_retries_total", "Tries after the first"),
            redispatches: Family::counter(
                "portcullis_redispatches_total",
                "Tries after the first at another server",
            ),
            mirrored: Family::counter(
                "portcullis_mirrored_requests_total",
                "Copies of requests for a service that is a mirror, made or not, by what became of them",
            ),
        }
    }

    /// What never happened to a copy is left out: most services get none.
    fn mirrored(&mut self, name: (&str, &str), mirror: &MirrorLive) {
        for result in MirrorResult::ALL {
            let total = mirror.total(result);
            if total > 0 {
                self.mirrored
                    .count([name, ("result", result.label())], total);
            }
        }
    }

    fn error(&mut self, labels: [(&str, &str); 2], totals: &UpstreamTotals, error: UpstreamError) {
        let count = UpstreamError::ALL
            .iter()
            .zip(totals.errors)
            .find(|(own, _)| **own == error)
            .map_or(0, |(_, count)| count);
        let [service, server] = labels;
        self.errors
            .count([service, server, ("reason", error.label())], count);
    }

    fn server(&mut self, labels: [(&str, &str); 2], live: &ServerLive, is_checked: bool) {
        let [service, server] = labels;
        let totals = live.totals();
        for error in UpstreamError::ALL
            .into_iter()
            .filter(|error| *error != UpstreamError::NoServer)
        {
            self.error(labels, &totals, error);
        }
        for (code, count) in live.codes() {
            self.requests
                .count([service, server, ("code", &code.to_string())], count);
        }
        self.duration.observe(labels, &live.duration());
        self.connect.observe(labels, &live.connect_duration());
        self.in_flight.count(labels, live.in_flight().open().into());
        self.up.count(labels, is_up(live).into());
        self.weight.count(labels, live.weight().into());
        let (used, idle) = live.connections();
        self.connections
            .count([service, server, ("state", "idle")], idle);
        self.connections
            .count([service, server, ("state", "used")], used);
        let (connections, streams) = live.http2();
        self.http2_connections.count(labels, connections);
        self.http2_streams.count(labels, streams);
        if is_checked {
            let report = live.health_report();
            for (result, count, times) in [
                ("pass", report.passes, &report.pass_time),
                ("fail", report.failures, &report.failure_time),
            ] {
                self.checks
                    .count([service, server, ("result", result)], count);
                self.check_duration
                    .observe([service, server, ("result", result)], times);
            }
        }
    }

    fn into_vec(self) -> Vec<Family> {
        let Self {
            duration,
            connect,
            requests,
            errors,
            in_flight,
            up,
            weight,
            connections,
            http2_connections,
            http2_streams,
            checks,
            check_duration,
            retries,
            redispatches,
            mirrored,
        } = self;
        vec![
            duration,
            connect,
            requests,
            errors,
            in_flight,
            up,
            weight,
            connections,
            http2_connections,
            http2_streams,
            checks,
            check_duration,
            retries,
            redispatches,
            mirrored,
        ]
    }
}

fn is_up(live: &ServerLive) -> bool {
    live.health() != HealthState::Down && live.is_resolved() && live.admin() != AdminState::Maint
}
