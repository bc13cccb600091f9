//! What the tests of this crate have in common: a folder that goes away, and waiting for an event instead of a time.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portcullis_config::FsLoader;
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::live::Live;
use portcullis_plan::{
    EndedBy, Facts, ListenerId, Moment, Outcome, RouteId, Scheme, ServerId, ServiceId, Timings,
    WorkerId,
};
use portcullis_proxy::{Clock, Snapshot, SnapshotCell};
use tokio::sync::mpsc;

use crate::admin::Admin;
use crate::daemon::{Daemon, Request};
use crate::resolve::Lookups;
use crate::tls::Store;

/// A listener, a route to a service of two servers, of which one is a Unix socket.
pub(crate) const CONFIG: &str = "
[listener.web]
bind = '127.0.0.1:0'
max_connections = 500
[[route]]
name = 'all'
service = 'app'
[service.app]
servers = ['127.0.0.1:18101', { name = 's2', address = 'unix:/run/app.sock', weight = 4 }]
health = { http = '/health', interval = '2s', rise = 2, fall = 3 }
[service.plain]
servers = [{ name = 'n1', address = '[::1]:80' }]
balance = 'least-requests'
[[route]]
name = 'other'
path = '/other'
service = 'plain'
[admin]
socket = { path = '/run/p/admin.sock', level = 'operator' }
http = { bind = '127.0.0.1:0' }
";

/// The snapshot of a configuration that must be good.
pub(crate) fn snapshot(text: &str) -> Snapshot {
    let loaded = portcullis_config::load_text("test.toml", text, &FsLoader);
    let config = loaded
        .config
        .unwrap_or_else(|| unreachable!("{:?}", loaded.diagnostics));
    let (plan, diagnostics) = compile(&config, &loaded.sources, Machine { threads: 1 });
    let plan = Arc::new(plan.unwrap_or_else(|| unreachable!("{diagnostics:?}")));
    let live = Arc::new(Live::started(&plan, 1, 1_795_197_918_000_000_000));
    Snapshot {
        plan,
        live,
        upstream_tls: Arc::default(),
        generation: 1,
    }
}

/// The doors of a process with this configuration, and the reloads they ask for.
pub(crate) fn admin_and_requests(text: &str) -> (Arc<Admin>, mpsc::Receiver<Request>) {
    let Snapshot { plan, live, .. } = snapshot(text);
    let (requests, asked) = mpsc::channel(1);
    let snapshots = Arc::new(SnapshotCell::new(plan, live, Arc::default()));
    let daemon = Daemon {
        snapshots,
        store: ArcSwap::from_pointee(Store::default()),
        clock: Clock::start(),
        requests,
    };
    (
        Admin::new(Arc::new(daemon), Arc::new(Lookups::default())),
        asked,
    )
}

/// The doors of a process with this configuration.
pub(crate) fn admin(text: &str) -> Arc<Admin> {
    admin_and_requests(text).0
}

/// Counts an exchange of 4 ms that the first server of the first route's service answered.
pub(crate) fn record(admin: &Admin, method: &str, status: u16) {
    let snapshot = admin.daemon.snapshot();
    let (plan, live) = (&snapshot.plan, &snapshot.live);
    let at = |millis: u64| Moment::from_nanos(millis * 1_000_000);
    let facts = Facts {
        listener_id: ListenerId::new(0),
        listener: &plan.listeners[0],
        peer: None,
        local: None,
        client: None,
        client_port: None,
        scheme: Scheme::Http,
        tls: None,
        version: "HTTP/1.1",
        method: method.as_bytes(),
        target: b"/",
        host: "localhost",
        authority: b"localhost",
        path: b"/",
        query: None,
        request_id: b"",
        fields: &(),
        route: plan.routes.first(),
        service: plan.services.first(),
        server: plan.servers.first(),
    };
    let timings = Timings {
        start: at(10),
        head: Some(at(10)),
        attempt: Some(at(10)),
        connected: Some(at(11)),
        response: Some(at(13)),
        end: at(14),
        ..Timings::default()
    };
    let outcome = Outcome {
        route: Some(RouteId::new(0)),
        service: Some(ServiceId::new(0)),
        server: Some(ServerId::new(0)),
        status,
        from_server: true,
        bytes_in: 100,
        bytes_out: 200,
        body_in: 0,
        body_out: 50,
        attempts: 1,
        reused: false,
        timings,
        ended_by: EndedBy::Completed,
        deadline: None,
        reason: None,
        upgraded: false,
        response_fields: None,
    };
    let worker = WorkerId::new(0);
    live.servers[0].begin();
    live.record(plan, worker, &facts, &outcome);
    live.servers[0].end();
}

/// A new folder, removed with everything in it when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("portcullis-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until `condition` holds; a condition that never comes fails the test.
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "the awaited event did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The same within a task.
pub(crate) async fn eventually_async(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "the awaited event did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
