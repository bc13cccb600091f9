//! `show servers state`: what operators save before a reload, in the format HAProxy reads and writes. Pure.

use std::fmt::Write as _;
use std::net::SocketAddr;

use portcullis_plan::Moment;
use portcullis_plan::health::{CheckStatus, HealthState};
use portcullis_plan::live::{AdminState, Live, ServerLive};
use portcullis_plan::plan::{Address, Plan, Server, Service};

use super::numbers::{proxy_number, server_number};
use super::stat::rows::is_in_maintenance;
use super::text::ascii;

const HEADER: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
    bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
    srv_agent_port\n";

/// Health number of a server without checks, HAProxy's default of `rise`.
const UNCHECKED_HEALTH: u32 = 2;

/// The table, of all services or the one with number `only`.
pub(crate) fn render(plan: &Plan, live: &Live, only: Option<u32>, now: Moment) -> String {
    let mut out = HEADER.to_owned();
    for (index, service) in plan.services.iter().enumerate() {
        let number = proxy_number(plan.listeners.len() + index);
        if only.is_some_and(|only| only != number) {
            continue;
        }
        for (position, id) in service.server_ids().enumerate() {
            if let (Some(server), Some(live)) = (plan.server(id), live.server(id)) {
                push_line(
                    &mut out,
                    (number, service),
                    (server_number(position), server),
                    live,
                    now,
                );
            }
        }
    }
    out
}

fn push_line(
    out: &mut String,
    service: (u32, &Service),
    server: (u32, &Server),
    live: &ServerLive,
    now: Moment,
) {
    let ((be_id, service), (srv_id, server)) = (service, server);
    let (address, port, fqdn) = address(server, live);
    let check = Check::of(service, live);
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{be_id} {} {srv_id} {} {address} {} {} {} {} {} {} {} {} {} 0 0 0 {fqdn} {port} - 0 0 - - 0",
        word(&service.name),
        word(&server.name),
        operational(live),
        administrative(live),
        live.weight(),
        live.initial_weight(),
        now.since(live.changed()).as_secs(),
        check.status,
        check.result,
        check.health,
        check.state,
    );
}

/// A name as one word of the table.
fn word(name: &str) -> String {
    ascii(name).replace(' ', "\\x20")
}

/// 2 running, 0 stopped. A drained server runs.
fn operational(live: &ServerLive) -> u32 {
    if is_in_maintenance(live) || live.health() == HealthState::Down {
        0
    } else {
        2
    }
}

/// Bits: 0x01 maintenance by an operator, 0x08 drained by one, 0x20 no address for its name.
fn administrative(live: &ServerLive) -> u32 {
    let by_operator = match live.admin() {
        AdminState::Ready => 0,
        AdminState::Drain => 0x08,
        AdminState::Maint => 0x01,
    };
    by_operator | if live.is_resolved() { 0 } else { 0x20 }
}

/// The four numbers about checks.
struct Check {
    status: u32,
    /// 0 unknown, 2 failed, 3 passed.
    result: u32,
    health: u32,
    /// Bits: 2 configured, 4 enabled, 8 paused.
    state: u32,
}

impl Check {
    fn of(service: &Service, live: &ServerLive) -> Self {
        const INITIALIZING: u32 = 1;
        let Some(rule) = &service.health else {
            return Self {
                status: INITIALIZING,
                result: 0,
                health: UNCHECKED_HEALTH,
                state: 0,
            };
        };
        let report = live.health_report();
        let last = report.last_check.as_ref().map(|check| check.status);
        let is_paused = is_in_maintenance(live);
        Self {
            status: last.map_or(INITIALIZING, number),
            result: last.map_or(0, |status| if status.is_pass() { 3 } else { 2 }),
            health: if is_paused {
                0
            } else {
                report.health.score(rule.into())
            },
            state: if is_paused { 2 | 4 | 8 } else { 2 | 4 },
        }
    }
}

/// HAProxy 2.6's number of a check result, as observed from it.
const fn number(status: CheckStatus) -> u32 {
    match status {
        CheckStatus::SocketError => 5,
        CheckStatus::L4Ok => 6,
        CheckStatus::L4Timeout => 7,
        CheckStatus::L4Connection => 8,
        CheckStatus::L6Ok => 9,
        CheckStatus::L6Timeout => 10,
        CheckStatus::L6Response => 11,
        CheckStatus::L7Timeout => 12,
        CheckStatus::L7Response => 13,
        CheckStatus::L7Ok => 15,
        CheckStatus::L7Status => 17,
    }
}

/// Address, port and host name; a dash stands for what there is not.
fn address(server: &Server, live: &ServerLive) -> (String, u16, String) {
    let none = || "-".to_owned();
    match &server.address {
        Address::Tcp(address) => (ip(address), address.port(), none()),
        Address::Unix(_) => (none(), 0, none()),
        Address::Name { host, port } => {
            let resolved = live.addresses();
            let first = resolved
                .as_ref()
                .and_then(|addresses| addresses.first())
                .map_or_else(none, ip);
            (first, *port, word(host))
        }
    }
}

fn ip(address: &SocketAddr) -> String {
    address.ip().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portcullis_plan::health::{Check as Found, Thresholds};

    use super::*;
    use crate::testing::{CONFIG, snapshot};

    fn found(status: CheckStatus) -> Found {
        Found {
            status,
            code: None,
            duration: Duration::ZERO,
            text: "".into(),
            at: Moment::default(),
        }
    }

    /// Lines as HAProxy 2.6.12 gives them for servers in the same state.
    #[test]
    fn lines_are_those_of_haproxy() {
        let snapshot = snapshot(CONFIG);
        let (live, rule) = (&snapshot.live, Thresholds { rise: 2, fall: 3 });
        live.servers[0].checked(found(CheckStatus::L7Ok), rule);
        live.servers[1].checked(found(CheckStatus::SocketError), rule);
        let now = Moment::default().plus(Duration::from_secs(21));
        let text = render(&snapshot.plan, live, None, now);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "1");
        assert!(
            lines[1].starts_with("# be_id be_name srv_id ")
                && lines[1].ends_with(" srv_agent_addr srv_agent_port")
        );
        assert_eq!(
            lines[2],
            "3 app 1 s1 127.0.0.1 2 0 1 1 21 15 3 4 6 0 0 0 - 18101 - 0 0 - - 0"
        );
        assert_eq!(
            lines[3],
            "3 app 2 s2 - 0 0 4 4 21 5 2 0 6 0 0 0 - 0 - 0 0 - - 0"
        );
        assert_eq!(
            lines[4],
            "4 plain 1 n1 ::1 2 0 1 1 21 1 0 2 0 0 0 0 - 80 - 0 0 - - 0"
        );
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[1].split(' ').count() - 1, lines[2].split(' ').count());
    }

    #[test]
    fn operators_wishes_are_bits() {
        let snapshot = snapshot(CONFIG);
        let (live, now) = (&snapshot.live, Moment::default());
        live.servers[0].set_admin(AdminState::Drain, now);
        live.servers[1].set_admin(AdminState::Maint, now);
        let text = render(&snapshot.plan, live, Some(3), now);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "only the service that was asked for");
        assert!(
            lines[2].starts_with("3 app 1 s1 127.0.0.1 2 8 1 1 0 "),
            "{}",
            lines[2]
        );
        assert!(
            lines[3].starts_with("3 app 2 s2 - 0 1 4 4 0 1 0 0 14 "),
            "{}",
            lines[3]
        );
    }
}
