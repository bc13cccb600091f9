//! Rows of `show stat` from what is intended and what was observed. Listeners come first, then each service's
//! servers before the service itself, which is the order tools rely on.

use std::time::Duration;

use portcullis_plan::Moment;
use portcullis_plan::health::{HealthState, Thresholds};
use portcullis_plan::live::{AdminState, Live, PhaseTimes, Rate, ServerLive, UpstreamTotals};
use portcullis_plan::plan::{Address, Balance, Listener, Plan, Server, Service};

use super::{Column, Kind, Row, Value};
use crate::admin::numbers::{proxy_number, server_number};

/// Every row.
pub(crate) fn rows(plan: &Plan, live: &Live, now: Moment) -> Vec<Row> {
    let mut rows =
        Vec::with_capacity(plan.listeners.len() + plan.services.len() + plan.servers.len());
    for (index, listener) in plan.listeners.iter().enumerate() {
        rows.extend(frontend(plan, live, index, listener));
    }
    for (index, service) in plan.services.iter().enumerate() {
        let iid = proxy_number(plan.listeners.len() + index);
        for (position, id) in service.server_ids().enumerate() {
            if let (Some(server), Some(live)) = (plan.server(id), live.server(id)) {
                rows.push(server_row(
                    service,
                    server,
                    live,
                    (iid, server_number(position)),
                    now,
                ));
            }
        }
        rows.extend(backend(plan, live, index, service, now));
    }
    rows
}

fn frontend(plan: &Plan, live: &Live, index: usize, listener: &Listener) -> Option<Row> {
    let live = live.listeners.get(index)?;
    let totals = live.totals_since_clear();
    let connections = live.connections();
    let limit = live
        .max_connections(listener.max_connections)
        .min(plan.process.max_connections);
    let status = match () {
        () if live.is_paused() => "PAUSED",
        () if connections.open() >= limit => "FULL",
        () => "OPEN",
    };
    let mut row = Row::new(Kind::Frontend, proxy_number(index), 0);
    name(&mut row, &listener.name, "FRONTEND");
    row.u32(Column::Scur, connections.open())
        .u32(Column::Smax, connections.peak())
        .u32(Column::Slim, limit);
    row.u64(Column::Stot, connections.opened())
        .u64(Column::Bin, totals.bytes_in)
        .u64(Column::Bout, totals.bytes_out);
    row.u64(Column::Dreq, totals.denied)
        .u64(Column::Dresp, 0)
        .u64(Column::Ereq, totals.request_errors);
    row.text(Column::Status, status).u32(Column::RateLim, 0_u32);
    rates(&mut row, live.connection_rate());
    classes(&mut row, &totals.classes);
    row.u32(Column::ReqRate, live.request_rate().current())
        .u32(Column::ReqRateMax, live.request_rate().peak());
    row.u64(Column::ReqTot, totals.requests);
    row.u32(Column::ConnRate, live.connection_rate().current())
        .u32(Column::ConnRateMax, live.connection_rate().peak());
    row.u64(Column::ConnTot, connections.opened())
        .u64(Column::Intercepted, totals.intercepted);
    row.u64(Column::Dcon, totals.over_limit)
        .u64(Column::Dses, totals.denied_connections);
    row.u64(Column::Eint, totals.internal_errors);
    nothing_of_ours(&mut row);
    Some(row)
}

fn server_row(
    service: &Service,
    server: &Server,
    live: &ServerLive,
    (iid, sid): (u32, u32),
    now: Moment,
) -> Row {
    let (used, idle) = live.connections();
    let sessions = live.sessions_since_clear();
    let mut row = Row::new(Kind::Server, iid, sid);
    row.in_maintenance = is_in_maintenance(live);
    row.is_up = !row.in_maintenance && live.health() != HealthState::Down;
    name(&mut row, &service.name, &server.name);
    row.u32(Column::Scur, live.in_flight().open())
        .u32(Column::Smax, live.in_flight().peak());
    row.u64(Column::Stot, sessions).u64(Column::Lbtot, sessions);
    row.text(Column::Status, status(service, live))
        .u32(Column::Weight, live.weight());
    row.u32(Column::Act, 1_u32)
        .u32(Column::Bck, 0_u32)
        .u32(Column::Lastchg, now.since(live.changed()).as_secs());
    rates(&mut row, live.rate());
    upstream(&mut row, &live.totals_since_clear(), &live.times());
    row.set(Column::Lastsess, last_session(live.last_session(), now));
    row.text(Column::Addr, address(server, live))
        .u32(Column::Uweight, live.weight());
    row.u32(Column::SrvIcur, idle)
        .u32(Column::IdleConnCur, idle)
        .u32(Column::SafeConnCur, 0_u32);
    row.u32(Column::UsedConnCur, used)
        .u32(Column::NeedConnEst, used);
    if let Some(check) = &service.health {
        checks(&mut row, check.into(), live, now);
    }
    row
}

/// What active checks found. In maintenance no check runs, and the last one no longer says anything.
fn checks(row: &mut Row, rule: Thresholds, live: &ServerLive, now: Moment) {
    let report = live.health_report();
    row.u64(Column::Chkfail, report.health.failures())
        .u64(Column::Chkdown, report.health.downs());
    row.u32(Column::Downtime, report.health.downtime(now).as_secs());
    if row.in_maintenance {
        return;
    }
    row.u32(Column::CheckRise, rule.rise)
        .u32(Column::CheckFall, rule.fall);
    row.u32(Column::CheckHealth, report.health.score(rule));
    let Some(check) = report.last_check else {
        row.text(Column::CheckStatus, "INI")
            .text(Column::CheckDesc, "Initializing");
        return;
    };
    row.text(Column::CheckStatus, check.status.word())
        .text(Column::CheckDesc, check.status.description());
    row.u64(Column::CheckDuration, millis(check.duration));
    if let Some(code) = check.code {
        row.u32(Column::CheckCode, code);
    }
    if !check.text.is_empty() {
        row.text(Column::LastChk, &*check.text);
    }
}

fn backend(plan: &Plan, live: &Live, index: usize, service: &Service, now: Moment) -> Option<Row> {
    let own = live.services.get(index)?;
    let servers: Vec<&ServerLive> = service
        .server_ids()
        .filter_map(|id| live.server(id))
        .collect();
    let usable = servers.iter().filter(|server| server.is_eligible()).count();
    let weight: u32 = servers
        .iter()
        .filter(|server| server.is_eligible())
        .map(|server| server.weight())
        .sum();
    let sessions: u64 = servers
        .iter()
        .map(|server| server.sessions_since_clear())
        .sum();
    let standing = own.standing();
    let totals = own.totals_since_clear();
    let mut row = Row::new(Kind::Backend, proxy_number(plan.listeners.len() + index), 0);
    name(&mut row, &service.name, "BACKEND");
    row.u32(Column::Scur, own.in_flight().open())
        .u32(Column::Smax, own.in_flight().peak());
    // Every client connection carries at most one request at a time.
    row.u32(Column::Slim, plan.process.max_connections)
        .u64(Column::Dreq, 0);
    row.u64(Column::Stot, sessions.max(totals.requests))
        .u64(Column::Lbtot, sessions);
    row.text(Column::Status, if usable > 0 { "UP" } else { "DOWN" });
    row.u32(Column::Weight, weight)
        .u32(Column::Uweight, weight)
        .u32(Column::Act, usable)
        .u32(Column::Bck, 0_u32);
    row.u64(Column::Chkdown, standing.downs)
        .u32(Column::Lastchg, now.since(standing.since).as_secs());
    row.u32(Column::Downtime, standing.downtime(now).as_secs());
    rates(&mut row, own.rate());
    upstream(&mut row, &totals, &own.times());
    let last = servers
        .iter()
        .filter_map(|server| server.last_session())
        .max();
    row.set(Column::Lastsess, last_session(last, now))
        .text(Column::Algo, algorithm(service.balance));
    row.u32(Column::AggServerStatus, 0_u32)
        .u32(Column::AggServerCheckStatus, 0_u32)
        .u32(Column::AggCheckStatus, 0_u32);
    nothing_of_ours(&mut row);
    row.is_up = usable > 0;
    Some(row)
}

/// Columns that every row has.
fn name(row: &mut Row, proxy: &str, server: &str) {
    let (iid, sid, kind) = (row.iid, row.sid, row.kind.number());
    row.text(Column::Pxname, proxy).text(Column::Svname, server);
    row.u32(Column::Pid, 1_u32)
        .u32(Column::Iid, iid)
        .u32(Column::Sid, sid)
        .u32(Column::Type, kind);
    row.text(Column::Mode, "http").u64(Column::Wrew, 0);
}

/// Columns of notions that Portcullis does not have yet: compression and cache.
fn nothing_of_ours(row: &mut Row) {
    row.u64(Column::CompIn, 0)
        .u64(Column::CompOut, 0)
        .u64(Column::CompByp, 0)
        .u64(Column::CompRsp, 0);
    row.u64(Column::CacheLookups, 0).u64(Column::CacheHits, 0);
}

fn rates(row: &mut Row, rate: &Rate) {
    row.u32(Column::Rate, rate.current())
        .u32(Column::RateMax, rate.peak());
}

/// Answers by class: `classes[0]` are exchanges without a proper status.
fn classes(row: &mut Row, classes: &[u64; 6]) {
    let [other, c1, c2, c3, c4, c5] = *classes;
    row.u64(Column::Hrsp1xx, c1)
        .u64(Column::Hrsp2xx, c2)
        .u64(Column::Hrsp3xx, c3);
    row.u64(Column::Hrsp4xx, c4)
        .u64(Column::Hrsp5xx, c5)
        .u64(Column::HrspOther, other);
}

/// Columns that services and servers have in common.
fn upstream(row: &mut Row, totals: &UpstreamTotals, times: &PhaseTimes) {
    row.u32(Column::Qcur, 0_u32).u32(Column::Qmax, 0_u32);
    row.u64(Column::Bin, totals.bytes_in)
        .u64(Column::Bout, totals.bytes_out)
        .u64(Column::Dresp, 0);
    row.u64(Column::Econ, totals.connect_errors)
        .u64(Column::Eresp, totals.response_errors);
    row.u64(Column::Wretr, totals.retries)
        .u64(Column::Wredis, totals.redispatches);
    classes(row, &totals.classes);
    row.u64(Column::ReqTot, totals.requests)
        .u64(Column::CliAbrt, totals.client_aborts);
    row.u64(Column::SrvAbrt, totals.server_aborts)
        .u64(Column::Connect, totals.connects);
    row.u64(Column::Reuse, totals.reuses)
        .u64(Column::Eint, totals.internal_errors);
    for (average, peak, time) in [
        (Column::Qtime, Column::QtimeMax, times.queue),
        (Column::Ctime, Column::CtimeMax, times.connect),
        (Column::Rtime, Column::RtimeMax, times.response),
        (Column::Ttime, Column::TtimeMax, times.total),
    ] {
        row.u32(average, millis(time.average))
            .u32(peak, millis(time.peak));
    }
}

/// Whether a server gets nothing because an operator said so, or because its name has no address.
pub(crate) fn is_in_maintenance(live: &ServerLive) -> bool {
    live.admin() == AdminState::Maint || !live.is_resolved()
}

/// HAProxy's word for the state of a server.
pub(crate) fn status(service: &Service, live: &ServerLive) -> String {
    if live.admin() == AdminState::Maint {
        return "MAINT".to_owned();
    }
    if !live.is_resolved() {
        return "MAINT (resolution)".to_owned();
    }
    let is_drained = live.admin() == AdminState::Drain;
    let word = match &service.health {
        Some(check) => live.health_report().health.word(check.into()),
        None if is_drained => "UP".to_owned(),
        None => "no check".to_owned(),
    };
    if is_drained {
        word.replace("UP", "DRAIN")
    } else {
        word
    }
}

fn address(server: &Server, live: &ServerLive) -> String {
    match &server.address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(_) => "unix".to_owned(),
        Address::Name { .. } => {
            let resolved = live.addresses();
            let first = resolved.as_ref().and_then(|addresses| addresses.first());
            first.map_or_else(|| server.address_text.to_string(), ToString::to_string)
        }
    }
}

const fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "roundrobin",
        Balance::LeastRequests => "leastconn",
    }
}

fn last_session(last: Option<Moment>, now: Moment) -> Value {
    Value::S32(last.map_or(-1, |last| {
        i32::try_from(now.since(last).as_secs()).unwrap_or(i32::MAX)
    }))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::stat::write::csv;
    use crate::testing::{CONFIG, admin, record};

    /// The CSV rows by `pxname,svname`, as cells.
    fn table(change: impl Fn(&Live)) -> Vec<Vec<String>> {
        let admin = admin(CONFIG);
        record(&admin, "GET", 200);
        record(&admin, "GET", 503);
        let snapshot = admin.daemon.snapshot();
        change(&snapshot.live);
        let rows = rows(
            &snapshot.plan,
            &snapshot.live,
            Moment::from_nanos(60_000_000_000),
        );
        let text = csv(&rows.iter().collect::<Vec<_>>());
        text.lines()
            .skip(1)
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect()
    }

    fn cell(table: &[Vec<String>], server: &str, column: Column) -> String {
        let row = table
            .iter()
            .find(|row| row.get(1).is_some_and(|own| own == server));
        row.and_then(|row| row.get(column.position()).cloned())
            .unwrap_or_else(|| "no such cell".to_owned())
    }

    fn filled(table: &[Vec<String>], server: &str) -> Vec<usize> {
        let row = table
            .iter()
            .find(|row| row.get(1).is_some_and(|own| own == server))
            .map_or(&[][..], Vec::as_slice);
        row.iter()
            .take(103)
            .enumerate()
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(position, _)| position)
            .collect()
    }

    #[test]
    fn rows_come_in_the_order_tools_rely_on() {
        let names: Vec<_> = table(|_| {})
            .iter()
            .map(|row| format!("{}/{}", row[0], row[1]))
            .collect();
        assert_eq!(
            names,
            [
                "web/FRONTEND",
                "app/s1",
                "app/s2",
                "app/BACKEND",
                "plain/n1",
                "plain/BACKEND"
            ]
        );
    }

    /// Which columns HAProxy 2.6.12 fills in each kind of row.
    #[test]
    fn the_columns_of_each_kind_are_those_of_haproxy() {
        let table = table(|_| {});
        let frontend: Vec<usize> = [
            0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 26, 27, 28, 32, 33, 34, 35, 39, 40, 41, 42, 43,
            44, 46, 47, 48, 51, 52, 53, 54,
        ]
        .into_iter()
        .chain([75, 77, 78, 79, 80, 81, 82, 83, 86, 87, 94])
        .collect();
        assert_eq!(filled(&table, "FRONTEND"), frontend);
        let backend: Vec<usize> = (2..=11)
            .chain([
                13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 26, 27, 28, 30, 32, 33, 35,
            ])
            .chain(39..=44)
            .chain([
                48, 49, 50, 51, 52, 53, 54, 55, 58, 59, 60, 61, 75, 76, 83, 84, 85, 86, 87, 90, 91,
                92, 93, 94, 99, 100, 101, 102,
            ])
            .collect();
        assert_eq!(filled(&table, "BACKEND"), [vec![0, 1], backend].concat());
        let unchecked: Vec<usize> = [
            0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 14, 15, 16, 17, 18, 19, 20, 23, 26, 27, 28, 30, 32,
            33, 35,
        ]
        .into_iter()
        .chain(39..=44)
        .chain([
            48, 49, 50, 55, 58, 59, 60, 61, 73, 75, 83, 84, 85, 88, 90, 91, 92, 93, 94, 95, 96, 97,
            98, 99,
        ])
        .collect();
        assert_eq!(filled(&table, "n1"), unchecked);
    }

    #[test]
    fn counters_show_what_was_recorded() {
        let table = table(|_| {});
        for (server, column, expected) in [
            ("FRONTEND", Column::ReqTot, "2"),
            ("FRONTEND", Column::Hrsp2xx, "1"),
            ("FRONTEND", Column::Hrsp5xx, "1"),
            ("FRONTEND", Column::Bin, "200"),
            ("FRONTEND", Column::Slim, "500"),
            ("FRONTEND", Column::Status, "OPEN"),
            ("s1", Column::Stot, "2"),
            ("s1", Column::Rtime, "2"),
            ("s1", Column::TtimeMax, "4"),
            ("s1", Column::Lastsess, "59"),
            ("s1", Column::Addr, "127.0.0.1:18101"),
            ("s2", Column::Lastsess, "-1"),
            ("s2", Column::Addr, "unix"),
            ("s2", Column::Weight, "4"),
            ("n1", Column::Addr, "[::1]:80"),
            ("BACKEND", Column::Weight, "5"),
            ("BACKEND", Column::Act, "2"),
            ("BACKEND", Column::Algo, "roundrobin"),
        ] {
            assert_eq!(
                cell(&table, server, column),
                expected,
                "{server} {}",
                column.name()
            );
        }
        for row in &table {
            for (position, cell) in row
                .iter()
                .take(51)
                .enumerate()
                .skip(2)
                .filter(|(position, _)| ![17, 36].contains(position))
            {
                assert!(
                    cell.is_empty() || cell.parse::<i64>().is_ok(),
                    "column {position} must be a number: {cell}"
                );
            }
        }
    }

    #[test]
    fn states_have_haproxys_words() {
        let now = Moment::default();
        let table = table(|live| {
            live.servers[0].force_health(HealthState::Up, now);
            live.servers[0].set_admin(AdminState::Drain, now);
            live.servers[1].set_admin(AdminState::Maint, now);
        });
        assert_eq!(cell(&table, "s1", Column::Status), "DRAIN");
        assert_eq!(cell(&table, "s2", Column::Status), "MAINT");
        assert_eq!(
            cell(&table, "s2", Column::CheckStatus),
            "",
            "no check runs in maintenance"
        );
        assert_eq!(cell(&table, "n1", Column::Status), "no check");
        assert_eq!(cell(&table, "BACKEND", Column::Status), "DOWN");
        assert_eq!(cell(&table, "BACKEND", Column::Act), "0");
    }
}
