//! The start: everything is loaded, opened and begun in one order, and the first thing that is wrong ends it with words
//! on standard error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis_plan::live::Live;
use portcullis_plan::{Moment, Plan};
use portcullis_proxy::{Clock, SnapshotCell, persist};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::admin_doors::{AdminDoors, AdminSockets};
use super::handover::{self, Caller};
use super::notify::Notifier;
use super::watchdog::Watchdog;
use super::{Given, MadeFrom, Options, Process};
use crate::access_log::AccessLog;
use crate::admin::Admin;
use crate::check::{Checked, ConfigSource, check};
use crate::crash;
use crate::daemon::{Daemon, Request};
use crate::history::{Entry, History};
use crate::listen::descriptors;
use crate::listen::door::{Door, Rules};
use crate::listen::set::{Changes, Sockets};
use crate::log;
use crate::privileges;
use crate::probe::Probes;
use crate::reload::{Retired, is_warning};
use crate::resolve::Resolver;
use crate::runtime::Workers;
use crate::tls::Store;
use crate::watch::Watched;

/// A process that serves.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) admin: AdminDoors,
}

/// Why there is no process, in the words for standard error.
pub(super) struct Failed(String);

impl Failed {
    /// Failed by one error.
    pub(super) fn by(error: impl Display) -> Self {
        Self(format!("error: {error}\n"))
    }

    /// Failed by an error in this step.
    fn at<E: Display>(step: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::by(format!("{step}: {error}"))
    }
}

/// Starts a process; `None` after saying why not.
pub(super) async fn start(
    options: Options,
    given: Given,
    requests: mpsc::Sender<Request>,
) -> Option<Started> {
    match begin(options, given, requests).await {
        Ok(started) => Some(started),
        Err(Failed(words)) => {
            // Before there is a log to tell it. If even that fails, the exit code has to do.
            let _ = io::stderr().write_all(words.as_bytes());
            None
        }
    }
}

async fn begin(
    options: Options,
    given: Given,
    requests: mpsc::Sender<Request>,
) -> Result<Started, Failed> {
    let clock = Clock::start();
    crash::tell(clock, None);
    let open_files = descriptors::raise_limit();
    let Options {
        source,
        strict,
        ready,
    } = options;
    let Loaded {
        plan,
        store,
        made_from,
    } = load(&source, strict)?;
    log::set_level(&plan.process.log_level);
    warn_of_few(&plan, open_files);

    let (sockets, learnt, predecessor) = match given {
        Given::Passed(passed) => (Sockets::with(passed), None, None),
        Given::Taken(taken) => (
            Sockets::inherited(taken.sockets),
            Some(taken.learnt),
            Some(taken.predecessor),
        ),
    };
    let opened = open(&plan, &sockets)?;
    let admin = AdminSockets::open(&plan.process, &sockets)?;
    privileges::give_up(&plan).map_err(Failed::by)?;
    let sandbox = privileges::confine(&plan, made_from.recording.files()).map_err(Failed::by)?;

    // From here on there are threads.
    let live = observe(&plan, &store, learnt.as_ref(), clock);
    crash::tell(clock, Some(Arc::clone(&live.process)));
    let access_log = open_log(&plan, &live)?;
    let snapshots = Arc::new(SnapshotCell::new(
        Arc::clone(&plan),
        Arc::clone(&live),
        Arc::clone(store.upstream().table()),
    ));
    let logs = (0..plan.process.threads).map(|_| access_log.producer());
    let workers = Workers::start(&snapshots, clock, logs.collect())
        .map_err(Failed::at("worker threads cannot be started"))?;
    let daemon = Arc::new(Daemon {
        snapshots,
        store: ArcSwap::new(Arc::clone(&store)),
        clock,
        requests,
    });
    let (watched, watching) = watch_files(made_from.watched(&plan), &daemon);
    let notifier = Arc::new(Notifier::from_env());
    let mut process = Process {
        source,
        strict,
        doors: doors(&plan, &live, &store),
        sockets,
        access_log,
        probes: Probes::new(clock),
        resolver: Resolver::default(),
        _watchdog: Watchdog::start(&notifier, workers.pulse()),
        notifier,
        workers,
        caller: Caller::of_this_process().ok(),
        history: begun(&made_from, clock),
        probation: None,
        sandbox,
        retired: Retired::default(),
        made_from,
        watched,
        _watching: watching,
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
            .map_err(Failed::at("the predecessor does not let us serve"))?;
    }
    process.open_and_close(opened);
    process.sockets.renounce();
    let admin = admin
        .serve(&Admin::new(daemon, process.resolver.lookups()))
        .map_err(Failed::at("an admin endpoint cannot be served"))?;
    if let Some(predecessor) = predecessor {
        predecessor
            .dismiss()
            .map_err(Failed::at("the predecessor is gone"))?;
    }
    announce(&process, ready);
    Ok(Started { process, admin })
}

/// What a process begins with.
struct Loaded {
    plan: Arc<Plan>,
    store: Arc<Store>,
    made_from: MadeFrom,
}

/// Loads the configuration and everything it names.
fn load(source: &ConfigSource, strict: bool) -> Result<Loaded, Failed> {
    let mut checked = check(source);
    if strict {
        checked.be_strict();
    }
    let (is_usable, hash) = (checked.is_usable(), checked.hash());
    if !is_usable {
        return Err(Failed(checked.render(io::stderr().is_terminal())));
    }
    log_warnings(&checked);
    let Checked {
        plan: Some(plan),
        tls: Some(store),
        config: Some(config),
        recording,
        sources,
        ..
    } = checked
    else {
        return Err(Failed::by("the configuration cannot be used"));
    };
    Ok(Loaded {
        plan: Arc::new(plan),
        store: Arc::new(store),
        made_from: MadeFrom {
            config: Arc::new(config),
            hash,
            is_past: false,
            recording: Arc::new(recording),
            sources: Arc::new(sources),
        },
    })
}

fn warn_of_few(plan: &Plan, open_files: Option<u64>) {
    let wanted = plan.process.max_connections;
    if let Some(fits) = descriptors::too_few_for(wanted, open_files) {
        tracing::warn!(
            max_connections = wanted,
            fits,
            "the limit on open files is too low for max_connections"
        );
    }
}

/// Opens the addresses of all listeners, or tells every one that cannot be had.
fn open(plan: &Plan, sockets: &Sockets) -> Result<Changes, Failed> {
    let opened = sockets
        .prepare(plan, plan.process.threads)
        .map_err(|errors| Failed(errors.iter().map(|error| Failed::by(error).0).collect()))?;
    for name in sockets.left_over(plan) {
        tracing::warn!(
            "the socket `{name}` was passed, but no listener has `bind = \"fd:{name}\"`: its clients wait in vain"
        );
    }
    Ok(opened)
}

/// The state of a process that has observed nothing yet but what a predecessor has learnt.
fn observe(plan: &Plan, store: &Store, learnt: Option<&Value>, clock: Clock) -> Arc<Live> {
    let begun_at = clock.wall_nanos(Moment::default());
    let mut live = Live::started(plan, plan.process.threads, begun_at);
    if let Some(learnt) = learnt {
        handover::learn_limits(plan, &mut live, learnt, clock.now());
        handover::learn_tickets(store, learnt);
    }
    Arc::new(live)
}

fn open_log(plan: &Plan, live: &Live) -> Result<AccessLog, Failed> {
    let dropped = Arc::clone(&live.process);
    let count_dropped = Arc::new(move |lines| dropped.log_dropped.add(lines));
    AccessLog::start(&plan.access_log.to, count_dropped)
        .map_err(Failed::at("the access log cannot be opened"))
}

fn doors(plan: &Plan, live: &Live, store: &Store) -> BTreeMap<Arc<str>, Arc<Door>> {
    let listeners = plan.listeners.iter().zip(&live.listeners);
    listeners
        .map(|(listener, door_live)| {
            let rules = Rules::of(plan, listener, store);
            let door = Door::new(Arc::clone(door_live), Arc::clone(&live.process), rules);
            (Arc::clone(&listener.name), Arc::new(door))
        })
        .collect()
}

/// Watches files for as long as the set lives; what to watch is told through the sender.
fn watch_files(first: Watched, daemon: &Arc<Daemon>) -> (watch::Sender<Watched>, JoinSet<()>) {
    let (watched, watching) = watch::channel(first);
    let daemon = Arc::clone(daemon);
    let mut task = JoinSet::new();
    task.spawn(persist(move || {
        crate::watch::run(watching.clone(), Arc::clone(&daemon))
    }));
    (watched, task)
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
