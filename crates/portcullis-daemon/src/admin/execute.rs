//! What each command of the runtime API does.

use std::path::PathBuf;

use portcullis_plan::ServerId;
use portcullis_plan::health::HealthState;
use portcullis_plan::live::{AdminState, ServerLive};
use portcullis_plan::plan::{AdminLevel, Plan, Service};
use portcullis_proxy::Snapshot;

use super::command::{
    self, Command, ForcedHealth, ServerChange, SeverityOutput, StatQuery, Target, Weight,
};
use super::info::{self, InfoFacts, VERSION};
use super::numbers::{find_server, find_service};
use super::reply::Reply;
use super::session::Session;
use super::{Admin, routes, stat, state, text, vocabulary};
use crate::daemon::{Asker, Order};
use crate::reload::Guard;
use crate::report::Report;

/// Carries out one command for `session`.
pub(crate) async fn execute(command: Command, session: &mut Session, admin: &Admin) -> Reply {
    if command.level() > session.level {
        return Reply::error("Permission denied");
    }
    let snapshot = admin.daemon.snapshot();
    let plan = &snapshot.plan;
    match command {
        Command::Help(about) => Reply::info(vocabulary::help(&about, session.level)),
        Command::Unknown(words) => Reply::info(vocabulary::unknown(&words, session.level)),
        Command::Prompt => {
            session.is_interactive = !session.is_interactive;
            Reply::Silent
        }
        Command::Quit => Reply::Close,
        Command::Info(form) => Reply::Dump(info::render(&info_facts(admin, &snapshot), form)),
        Command::Stat(query) => stat(admin, &snapshot, &query),
        Command::Version => Reply::info(VERSION),
        Command::ServersState(only) => servers_state(admin, &snapshot, only.as_deref()),
        Command::Backends => Reply::Dump(backends(plan)),
        Command::Errors(only) => errors(admin, plan, only.as_deref()),
        Command::Routes => Reply::Dump(routes::render(plan, &snapshot.live)),
        Command::CliLevel => Reply::info(level_word(session.level)),
        Command::CliSockets => Reply::Dump(sockets(plan)),
        Command::GetWeight(target) => with_server(&snapshot, target, |_, _, server| {
            Reply::Dump(format!(
                "{} (initial {})\n",
                server.weight(),
                server.initial_weight()
            ))
        }),
        Command::Server(target, change) => with_server(&snapshot, target, |service, id, server| {
            change_server(admin, plan, (service, id, server), change)
        }),
        Command::Timeout(timeout) => match timeout {
            Ok(idle) => {
                session.idle = idle;
                Reply::Silent
            }
            Err(complaint) => Reply::error(complaint),
        },
        Command::SeverityOutput(marks) => severity_output(session, marks),
        Command::Lower(level) => lower(session, level),
        Command::ClearCounters { all } => clear_counters(&snapshot, all),
        Command::Reload { json, plan, guard } => {
            match guard.as_ref().map(Guard::parse).transpose() {
                Ok(guard) => {
                    let by = Asker::Socket;
                    let report = admin.daemon.reload(Order { by, plan, guard }).await;
                    reported(&report, json)
                }
                Err(wrong) => Reply::error(&wrong),
            }
        }
        Command::Plan { json, path } => plan_of(admin, json, path).await,
        Command::Rollback { json, to } => match to.as_deref().map(str::parse).transpose() {
            Ok(to) => reported(&*admin.daemon.roll_back(to).await, json),
            Err(_) => Reply::error("'rollback' expects the number of a generation."),
        },
        Command::Generations { json } => {
            let (text, value) = admin.daemon.generations().await;
            answered(true, &if json { value.to_string() } else { text })
        }
        Command::Config => answered(true, &admin.daemon.config().await),
        Command::Upgrade => upgrade(admin).await,
    }
}

fn stat(admin: &Admin, snapshot: &Snapshot, query: &StatQuery) -> Reply {
    let rows = stat::rows::rows(&snapshot.plan, &snapshot.live, admin.daemon.clock.now());
    match stat::resolve(query.filter.as_ref(), &rows) {
        Ok(proxy) => {
            let asked: Vec<_> = rows
                .iter()
                .filter(|row| row.is_asked_by(query, proxy))
                .collect();
            Reply::Dump(stat::render(&asked, query))
        }
        Err(complaint) => Reply::error(complaint),
    }
}

fn servers_state(admin: &Admin, snapshot: &Snapshot, only: Option<&str>) -> Reply {
    let plan = &snapshot.plan;
    let number = only.map(|wanted| find_service(plan, wanted).map(|(number, _)| number));
    match number {
        Some(None) => Reply::error("Can't find backend."),
        found => Reply::Dump(state::render(
            plan,
            &snapshot.live,
            found.flatten(),
            admin.daemon.clock.now(),
        )),
    }
}

fn backends(plan: &Plan) -> String {
    let names = plan
        .services
        .iter()
        .map(|service| text::ascii(&service.name) + "\n");
    std::iter::once("# name\n".to_owned())
        .chain(names)
        .collect()
}

/// Nothing is captured: a malformed request has a line in the access log and a reason in the metrics instead.
fn errors(admin: &Admin, plan: &Plan, only: Option<&str>) -> Reply {
    let is_listener = |wanted: &str| {
        plan.listeners
            .iter()
            .any(|listener| *listener.name == *wanted)
    };
    if only.is_some_and(|wanted| !is_listener(wanted) && find_service(plan, wanted).is_none()) {
        return Reply::error("No such proxy.");
    }
    let millis = admin.daemon.clock.wall_nanos(admin.daemon.clock.now()) / 1_000_000;
    Reply::Dump(format!(
        "Total events captured on [{}] : 0\n",
        text::log_time(millis)
    ))
}

const fn level_word(level: AdminLevel) -> &'static str {
    match level {
        AdminLevel::User => "user",
        AdminLevel::Operator => "operator",
        AdminLevel::Admin => "admin",
    }
}

fn sockets(plan: &Plan) -> String {
    let line = plan.process.admin_socket.as_ref().map(|socket| {
        let path = text::ascii(&socket.path.display().to_string());
        format!("unix@{path} {} all\n", level_word(socket.level))
    });
    "# socket lvl processes\n".to_owned() + &line.unwrap_or_default()
}

fn severity_output(session: &mut Session, marks: Option<SeverityOutput>) -> Reply {
    match marks {
        Some(marks) => {
            session.marks = marks;
            Reply::Silent
        }
        None => Reply::error("one of 'none', 'number', 'string' is a required argument"),
    }
}

fn lower(session: &mut Session, level: AdminLevel) -> Reply {
    if level > session.level {
        return Reply::error("Permission denied");
    }
    session.level = level;
    Reply::Silent
}

fn clear_counters(snapshot: &Snapshot, all: bool) -> Reply {
    if all {
        snapshot.live.clear();
    } else {
        snapshot.live.clear_peaks();
    }
    tracing::info!(all, "counters cleared by the admin socket");
    Reply::Silent
}

/// Looks up a server by what was typed, then does something with it. The order of complaints is HAProxy's.
fn with_server(
    snapshot: &Snapshot,
    target: Target,
    then: impl FnOnce(&Service, ServerId, &ServerLive) -> Reply,
) -> Reply {
    let Some((service, server)) = target else {
        return Reply::error("Require 'backend/server'.");
    };
    let Some((_, service)) = find_service(&snapshot.plan, &service) else {
        return Reply::error("No such backend.");
    };
    let id = find_server(&snapshot.plan, service, &server);
    match id.and_then(|id| Some((id, snapshot.live.server(id)?))) {
        Some((id, live)) => then(service, id, live),
        None => Reply::error("No such server."),
    }
}

fn change_server(
    admin: &Admin,
    plan: &Plan,
    (service, id, live): (&Service, ServerId, &ServerLive),
    change: Result<ServerChange, &'static str>,
) -> Reply {
    let change = match change {
        Ok(change) => change,
        Err(complaint) => return Reply::error(complaint),
    };
    let now = admin.daemon.clock.now();
    match change {
        ServerChange::State(state) => drop(live.set_admin(admin_state(state), now)),
        ServerChange::Weight(weight) => live.set_weight(absolute(weight, live)),
        // Without checks nothing would ever take the forced health back.
        ServerChange::Health(_) if service.health.is_none() => {}
        ServerChange::Health(ForcedHealth::Up) => drop(live.force_health(HealthState::Up, now)),
        ServerChange::Health(ForcedHealth::Down) => drop(live.force_health(HealthState::Down, now)),
        ServerChange::Health(ForcedHealth::Stopping) => {
            return Reply::error(
                "'stopping' is not supported, use 'set server <srv> state drain'.",
            );
        }
    }
    let name = plan.server(id).map_or("", |server| &server.name);
    tracing::info!(service = %service.name, server = %name, ?change, "server changed by the admin socket");
    Reply::Silent
}

const fn admin_state(state: command::AdminState) -> AdminState {
    match state {
        command::AdminState::Ready => AdminState::Ready,
        command::AdminState::Drain => AdminState::Drain,
        command::AdminState::Maint => AdminState::Maint,
    }
}

/// Percent are of the configured weight, rounded down, 256 at most.
fn absolute(weight: Weight, live: &ServerLive) -> u32 {
    const MOST: u64 = 256;
    match weight {
        Weight::Absolute(weight) => weight,
        Weight::Percent(percent) => {
            let weight = u64::from(live.initial_weight()) * u64::from(percent) / 100;
            u32::try_from(weight.min(MOST)).unwrap_or(0)
        }
    }
}

/// What came of a reload.
fn reported(report: &Report, json: bool) -> Reply {
    let told = if json {
        report.json().to_string()
    } else {
        report.to_string()
    };
    answered(report.is_success(), &told)
}

async fn plan_of(admin: &Admin, json: bool, path: Option<String>) -> Reply {
    match admin.daemon.plan(path.map(PathBuf::from)).await {
        Ok(effects) if json => answered(true, &effects.json().to_string()),
        Ok(effects) => answered(true, &effects.text()),
        Err(reasons) => answered(false, &reasons),
    }
}

/// `Success=1` or `Success=0`, a line of dashes, then what there is to say, as later versions of HAProxy answer.
fn answered(is_good: bool, told: &str) -> Reply {
    // An empty line would end the answer early.
    let lines: Vec<_> = told
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let success = u8::from(is_good);
    Reply::Dump(format!("Success={success}\n--\n{}\n", lines.join("\n")))
}

async fn upgrade(admin: &Admin) -> Reply {
    match admin.daemon.hand_over().await {
        Ok(text) => answered(true, &text),
        Err(reason) => {
            let told = format!("no hand-over, everything stays as it was: {reason}");
            answered(false, &told)
        }
    }
}

fn info_facts(admin: &Admin, snapshot: &Snapshot) -> InfoFacts {
    let (plan, live) = (&snapshot.plan, &snapshot.live);
    let process = &live.process;
    let totals: Vec<_> = live
        .listeners
        .iter()
        .map(|listener| listener.totals_since_clear())
        .collect();
    let tls = || {
        plan.listeners
            .iter()
            .zip(&live.listeners)
            .filter(|(listener, _)| listener.tls.is_some())
    };
    let handshakes = tls().flat_map(|(_, live)| live.handshakes());
    InfoFacts {
        threads: live.workers(),
        pid: std::process::id(),
        uptime_millis: admin.daemon.clock.now().as_millis(),
        cpu_millis: cpu_millis(),
        started_micros: process.started_wall_nanos() / 1_000,
        descriptors: rustix::process::getrlimit(rustix::process::Resource::Nofile)
            .current
            .unwrap_or(u64::MAX),
        max_connections: process.max_connections(plan.process.max_connections),
        connections: process.connections().open().into(),
        connections_total: process.connections().opened(),
        requests_total: totals.iter().map(|totals| totals.requests).sum(),
        tls_connections: tls()
            .map(|(_, live)| u64::from(live.connections().open()))
            .sum(),
        tls_connections_total: handshakes
            .filter(|((_, version), _)| !version.is_empty())
            .map(|(_, count)| count)
            .sum(),
        connection_rate: process.connection_rate().current(),
        connection_rate_max: process.connection_rate().peak(),
        node: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        is_draining: process.is_draining(),
        in_flight: live
            .listeners
            .iter()
            .map(|listener| listener.in_flight())
            .sum(),
        listeners: plan.listeners.len(),
        dropped_log_lines: process.log_dropped.total(),
        failed_lookups: admin.lookups.failures(),
        bytes_out: totals.iter().map(|totals| totals.bytes_out).sum(),
        fingerprint: process.fingerprint(),
        reloads: (
            process.reloads.total() + process.reloads_unchanged.total(),
            process.reloads_rejected.total(),
        ),
        panics: process.panics.total(),
    }
}

fn cpu_millis() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let millis = used
        .tv_sec
        .saturating_mul(1_000)
        .saturating_add(used.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or(0)
}

/// The statistics as the HTTP endpoint gives them.
pub(crate) fn statistics(admin: &Admin, query: &StatQuery) -> String {
    match stat(admin, &admin.daemon.snapshot(), query) {
        Reply::Dump(text) => text,
        _ => String::new(),
    }
}
