//! The start: everything is loaded, opened and begun in one order, and the first thing that is wrong ends it with words
//! on standard error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis_plan::Moment;
use portcullis_plan::live::Live;
use portcullis_plan::plan::{AdminHttp, AdminSocket, Bind};
use portcullis_proxy::{Clock, SnapshotCell, persist};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::handover::{self, Caller};
use super::notify::Notifier;
use super::watchdog::Watchdog;
use super::{Given, MadeFrom, Options, Process};
use crate::access_log::AccessLog;
use crate::admin::Admin;
use crate::check::{Checked, check};
use crate::crash;
use crate::daemon::{Daemon, Request};
use crate::history::{Entry, History};
use crate::listen::bind::{BindError, Bound, Listening};
use crate::listen::descriptors;
use crate::listen::door::{Door, Rules};
use crate::listen::set::{Key, Sockets};
use crate::log;
use crate::privileges;
use crate::probe::Probes;
use crate::reload::{Retired, is_warning};
use crate::resolve::Resolver;
use crate::runtime::Workers;

/// Pending connections of the admin endpoints.
const ADMIN_BACKLOG: u32 = 64;

/// A process that serves.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) admin: AdminDoors,
}

/// The admin endpoints: their sockets, and the tasks that serve them. Dropping it closes both.
pub(super) struct AdminDoors {
    tasks: JoinSet<()>,
    bound: Vec<(Key, Bound)>,
    closing: watch::Sender<bool>,
    http: Option<AbortHandle>,
}

/// How long sessions may take to say their last when a successor has taken over.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl AdminDoors {
    /// A descriptor of each socket, for a successor.
    pub(super) fn hand_out(&self) -> io::Result<Vec<(Key, Vec<Listening>)>> {
        let all = self.bound.iter();
        all.map(|(key, bound)| Ok((key.clone(), bound.descriptors()?)))
            .collect()
    }

    /// A successor has the sockets: takes no more sessions, and lets those that are open come to their end.
    pub(super) fn leave(&mut self) {
        for (_, bound) in &mut self.bound {
            bound.leave_file();
        }
        self.closing.send_replace(true);
        if let Some(http) = self.http.take() {
            http.abort();
        }
    }

    /// Closes both, after a moment for those who have been left with an answer on its way.
    pub(super) async fn finish(mut self) {
        if *self.closing.borrow() {
            let ends = async { while self.tasks.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(LAST_WORDS, ends).await;
        }
    }
}

/// Starts a process; `None` after saying why not.
pub(super) async fn start(
    options: Options,
    given: Given,
    requests: mpsc::Sender<Request>,
) -> Option<Started> {
    let clock = Clock::start();
    crash::tell(clock, None);
    let descriptors = descriptors::raise_limit();
    let Options {
        source,
        strict,
        ready,
    } = options;
    let mut checked = check(&source);
    if strict {
        checked.be_strict();
    }
    let usable = checked.is_usable();
    if !usable {
        say(&checked.render(io::stderr().is_terminal()));
        return None;
    }
    log_warnings(&checked);
    let hash = checked.hash();
    let (Some(plan), Some(store), Some(config)) =
        (checked.plan, checked.tls, checked.config.map(Arc::new))
    else {
        return None;
    };
    log::set_level(&plan.process.log_level);
    if let Some(fits) = descriptors::too_few_for(plan.process.max_connections, descriptors) {
        let wanted = plan.process.max_connections;
        tracing::warn!(
            max_connections = wanted,
            fits,
            "the limit on open files is too low for max_connections"
        );
    }

    let (sockets, learnt, predecessor) = match given {
        Given::Passed(passed) => (Sockets::with(passed), None, None),
        Given::Taken(taken) => (
            Sockets::inherited(taken.sockets),
            Some(taken.learnt),
            Some(taken.predecessor),
        ),
    };
    let opened = match sockets.prepare(&plan, plan.process.threads) {
        Ok(opened) => opened,
        Err(errors) => {
            errors.iter().for_each(say_error);
            return None;
        }
    };
    for name in sockets.left_over(&plan) {
        tracing::warn!(
            "the socket `{name}` was passed, but no listener has `bind = \"fd:{name}\"`: its clients wait in vain"
        );
    }
    let admin_socket = plan
        .process
        .admin_socket
        .clone()
        .map(|socket| open_admin_socket(socket, &sockets))
        .transpose()
        .ok()?;
    let admin_http = plan
        .process
        .admin_http
        .clone()
        .map(|http| open_admin_http(http, &sockets))
        .transpose()
        .ok()?;

    privileges::give_up(&plan)
        .map_err(|error| say_error(&error))
        .ok()?;
    let read = checked.recording.files();
    let sandbox = privileges::confine(&plan, read)
        .map_err(|error| say_error(&error))
        .ok()?;

    let begun_at = clock.wall_nanos(Moment::default());
    let mut live = Live::started(&plan, plan.process.threads, begun_at);
    if let Some(learnt) = &learnt {
        handover::learn_limits(&plan, &mut live, learnt, clock.now());
        handover::learn_tickets(&store, learnt);
    }
    let live = Arc::new(live);
    crash::tell(clock, Some(Arc::clone(&live.process)));
    let dropped = Arc::clone(&live.process);
    let access_log = AccessLog::start(
        &plan.access_log.to,
        Arc::new(move |lines| dropped.log_dropped.add(lines)),
    )
    .map_err(|error| say_error(&format!("the access log cannot be opened: {error}")))
    .ok()?;
    let logs = (0..plan.process.threads)
        .map(|_| access_log.producer())
        .collect();
    let (plan, store) = (Arc::new(plan), Arc::new(store));
    let snapshots = Arc::new(SnapshotCell::new(
        Arc::clone(&plan),
        Arc::clone(&live),
        Arc::clone(store.upstream().table()),
    ));
    let workers = Workers::start(&snapshots, clock, logs)
        .map_err(|error| say_error(&format!("worker threads cannot be started: {error}")))
        .ok()?;

    let doors = plan
        .listeners
        .iter()
        .zip(&live.listeners)
        .map(|(listener, door_live)| {
            let rules = Rules::of(&plan, listener, &store);
            let door = Door::new(Arc::clone(door_live), Arc::clone(&live.process), rules);
            (Arc::clone(&listener.name), Arc::new(door))
        });
    let daemon = Arc::new(Daemon {
        snapshots,
        store: ArcSwap::new(Arc::clone(&store)),
        clock,
        requests,
    });
    let made_from = MadeFrom {
        config,
        hash,
        is_past: false,
        recording: Arc::new(checked.recording),
        sources: Arc::new(checked.sources),
    };
    let (watched, watching) = watch::channel(made_from.watched(&plan));
    let mut watcher = JoinSet::new();
    let watches = Arc::clone(&daemon);
    watcher.spawn(persist(move || {
        crate::watch::run(watching.clone(), Arc::clone(&watches))
    }));
    let notifier = Arc::new(Notifier::from_env());
    let watchdog = Watchdog::start(&notifier, workers.pulse());
    let mut process = Process {
        source,
        strict,
        doors: doors.collect::<BTreeMap<_, _>>(),
        workers,
        sockets,
        access_log,
        probes: Probes::new(clock),
        resolver: Resolver::default(),
        notifier,
        _watchdog: watchdog,
        caller: Caller::of_this_process().ok(),
        history: begun(&made_from, clock),
        probation: None,
        sandbox,
        retired: Retired::default(),
        made_from,
        watched,
        _watching: watcher,
        daemon: Arc::clone(&daemon),
    };
    let snapshot = daemon.snapshot();
    if let Some(learnt) = learnt {
        handover::learn(&snapshot, &learnt, clock.now());
    }
    process.resolver.apply(&snapshot);
    process.resolver.settle(&snapshot).await;
    process.probes.apply(&snapshot);
    if let Some(predecessor) = &predecessor {
        predecessor
            .may_we_serve()
            .map_err(|error| say_error(&format!("the predecessor does not let us serve: {error}")))
            .ok()?;
    }
    process.open_and_close(opened);
    process.sockets.renounce();
    let admin = serve_admin(&process, admin_socket, admin_http)?;
    if let Some(predecessor) = predecessor {
        predecessor
            .dismiss()
            .map_err(|error| say_error(&format!("the predecessor is gone: {error}")))
            .ok()?;
    }
    announce(&process, ready);
    Some(Started { process, admin })
}

/// The history of a process that begins.
fn begun(made_from: &MadeFrom, clock: Clock) -> History {
    let mut history = History::default();
    history.add(Entry {
        generation: 1,
        at: clock.wall_nanos(clock.now()),
        hash: made_from.hash.clone(),
        by: "start",
        outcome: "started",
        summary: String::new(),
        changes: Vec::new(),
    });
    history.keep(1, &made_from.recording);
    history
}

fn announce(process: &Process, ready: Option<super::ReadyHook>) {
    process.notifier.ready(&process.status());
    tracing::info!("{}", process.status());
    if let Some(ready) = ready {
        let addresses: Vec<_> = process
            .sockets
            .addresses()
            .map(|(listener, address)| (listener.to_string(), address.to_owned()))
            .collect();
        ready(&addresses);
    }
}

fn open_admin_socket(socket: AdminSocket, sockets: &Sockets) -> Result<(AdminSocket, Bound), ()> {
    let bind = Bind::Unix {
        path: socket.path.clone(),
        mode: socket.mode,
    };
    match open_admin(&bind, &socket_key(&socket), sockets) {
        Ok(bound) => Ok((socket, bound)),
        Err(error) => {
            say_error(&format!("admin socket: {error}"));
            Err(())
        }
    }
}

fn open_admin_http(http: AdminHttp, sockets: &Sockets) -> Result<(AdminHttp, Bound), ()> {
    let bind = Bind::Tcp {
        address: http.bind,
        dual_stack: true,
    };
    match open_admin(&bind, &http_key(&http), sockets) {
        Ok(bound) => Ok((http, bound)),
        Err(error) => {
            say_error(&format!("admin endpoint: {error}"));
            Err(())
        }
    }
}

fn open_admin(bind: &Bind, key: &Key, sockets: &Sockets) -> Result<Bound, BindError> {
    match sockets.inheritance(key) {
        Some(sockets) => Bound::inherited(bind, sockets, ADMIN_BACKLOG, 1),
        None => Bound::open(bind, ADMIN_BACKLOG, 1),
    }
}

fn socket_key(socket: &AdminSocket) -> Key {
    Key::Unix(socket.path.clone())
}

fn http_key(http: &AdminHttp) -> Key {
    Key::Tcp(http.bind, true)
}

fn serve_admin(
    process: &Process,
    socket: Option<(AdminSocket, Bound)>,
    http: Option<(AdminHttp, Bound)>,
) -> Option<AdminDoors> {
    let admin = Admin::new(Arc::clone(&process.daemon), process.resolver.lookups());
    let (mut tasks, mut bound, mut http_task) = (JoinSet::new(), Vec::new(), None);
    let (closing, is_closing) = watch::channel(false);
    let mut failed =
        |error: io::Error| say_error(&format!("an admin endpoint cannot be served: {error}"));
    if let Some((socket, open)) = socket {
        for descriptor in open.descriptors().map_err(&mut failed).ok()? {
            let Listening::Unix(listener) = descriptor else {
                continue;
            };
            let listener = tokio::net::UnixListener::from_std(listener)
                .map_err(&mut failed)
                .ok()?;
            tasks.spawn(crate::admin::socket::serve(
                listener,
                socket.level,
                Arc::clone(&admin),
                is_closing.clone(),
            ));
        }
        tracing::info!(listener = "admin.socket", address = %open.address, "listening");
        bound.push((socket_key(&socket), open));
    }
    if let Some((http, open)) = http {
        for descriptor in open.descriptors().map_err(&mut failed).ok()? {
            let Listening::Tcp(listener) = descriptor else {
                continue;
            };
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(&mut failed)
                .ok()?;
            http_task = Some(tasks.spawn(crate::admin::http::serve(
                listener,
                http.clone(),
                Arc::clone(&admin),
            )));
        }
        tracing::info!(listener = "admin.http", address = %open.address, "listening");
        bound.push((http_key(&http), open));
    }
    Some(AdminDoors {
        tasks,
        bound,
        closing,
        http: http_task,
    })
}

fn log_warnings(checked: &Checked) {
    for diagnostic in checked
        .diagnostics
        .iter()
        .filter(|diagnostic| is_warning(diagnostic))
    {
        let place = diagnostic
            .span
            .map(|span| checked.sources.place(span).to_string())
            .unwrap_or_default();
        tracing::warn!(code = diagnostic.code, place, "{}", diagnostic.message);
    }
}

fn say_error(error: &(impl Display + ?Sized)) {
    say(&format!("error: {error}\n"));
}

/// Says on standard error why there is no process to have a log. If even that fails, the exit code has to do.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
