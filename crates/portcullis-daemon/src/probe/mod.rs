//! Active health checks: one task for each checked server, on the control thread. Results go into `ServerLive`,
//! changes of state into the program log.

mod check;
mod http2;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::health::{Check, HealthState, Transition};
use portcullis_plan::live::{AdminState, ServerLive};
use portcullis_plan::plan::{Address, HealthCheck, ProxyVersion, Server, ServerProtocols, Service};
use portcullis_proxy::{Clock, ServiceTls, Snapshot, persist};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// First checks are spread over at most this, so that a start does not knock at every server at once.
const SPREAD: Duration = Duration::from_millis(500);
/// The least time between the starts of two checks, whatever is configured.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// What one task checks. Equal ones go on undisturbed through a reload.
#[derive(Clone, Debug)]
struct Probe {
    service: Arc<str>,
    server: Arc<str>,
    address: Address,
    address_text: Arc<str>,
    check: HealthCheck,
    tls: Option<Arc<ServiceTls>>,
    proxy_protocol: Option<ProxyVersion>,
    protocols: ServerProtocols,
}

/// TLS is the same if it is the very same: the daemon keeps it as long as nothing about it changes.
impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        let what = |probe: &Self| (probe.check.clone(), probe.proxy_protocol, probe.protocols);
        let tls = |probe: &Self| probe.tls.as_ref().map(Arc::as_ptr);
        (&self.service, &self.server) == (&other.service, &other.server)
            && (&self.address, &self.address_text) == (&other.address, &other.address_text)
            && what(self) == what(other)
            && tls(self) == tls(other)
    }
}

struct Running {
    probe: Probe,
    task: AbortHandle,
}

/// The checks of a plan. Dropping it ends them.
pub(crate) struct Probes {
    clock: Clock,
    tasks: JoinSet<()>,
    running: HashMap<u64, Running>,
}

impl Probes {
    /// No checks yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            tasks: JoinSet::new(),
            running: HashMap::new(),
        }
    }

    /// Takes over the checks of `snapshot`: new and changed ones start, those gone end, others go on.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot) {
        while self.tasks.try_join_next().is_some() {}
        let mut wanted: HashMap<u64, (Probe, Arc<ServerLive>)> = HashMap::new();
        let plan = &snapshot.plan;
        for (server, live) in plan.servers.iter().zip(&snapshot.live.servers) {
            match plan
                .service(server.service)
                .and_then(|service| Probe::of(snapshot, service, server))
            {
                Some(probe) => drop(wanted.insert(live.uid(), (probe, Arc::clone(live)))),
                // A check that ended between swap and here must not be the last word on a server without checks.
                None => drop(live.force_health(HealthState::Unknown, self.clock.now())),
            }
        }
        self.running.retain(|uid, running| {
            let stays = wanted
                .get(uid)
                .is_some_and(|(probe, _)| *probe == running.probe);
            if !stays {
                running.task.abort();
            }
            stays
        });
        for (uid, (probe, live)) in wanted {
            if !self.running.contains_key(&uid) {
                let (clock, check) = (self.clock, probe.clone());
                let checking =
                    persist(move || keep_checking(check.clone(), Arc::clone(&live), clock));
                let task = self.tasks.spawn(checking);
                self.running.insert(uid, Running { probe, task });
            }
        }
    }
}

impl Probe {
    fn of(snapshot: &Snapshot, service: &Service, server: &Server) -> Option<Self> {
        Some(Self {
            service: Arc::clone(&service.name),
            server: Arc::clone(&server.name),
            address: server.address.clone(),
            address_text: Arc::clone(&server.address_text),
            check: service.health.clone()?,
            tls: snapshot.upstream_tls.of(server.service).map(Arc::clone),
            proxy_protocol: service.proxy_protocol,
            protocols: service.protocols,
        })
    }
}

async fn keep_checking(probe: Probe, live: Arc<ServerLive>, clock: Clock) {
    let interval = probe.check.interval.max(LEAST_INTERVAL);
    sleep(jitter(interval.min(SPREAD))).await;
    loop {
        let started = Instant::now();
        if live.admin() != AdminState::Maint && live.is_resolved() {
            check_once(&probe, &live, clock).await;
        }
        sleep_until(started + interval).await;
    }
}

async fn check_once(probe: &Probe, live: &ServerLive, clock: Clock) {
    let before = clock.now();
    match check::run(probe, live).await {
        Ok(finding) => {
            let at = clock.now();
            let check = Check {
                status: finding.status,
                code: finding.code,
                duration: at.since(before),
                text: finding.text,
                at,
            };
            let transition = live.checked(check.clone(), (&probe.check).into());
            if let Some(transition) = transition {
                log(probe, &check, transition);
            }
        }
        // A lack of our own says nothing about the server.
        Err(error) => {
            tracing::warn!(service = %probe.service, server = %probe.server, %error, "cannot check the server");
        }
    }
}

fn log(probe: &Probe, check: &Check, transition: Transition) {
    let (service, server) = (&*probe.service, &*probe.server);
    let (result, status, text) = (check.status.word(), check.code, &*check.text);
    match (transition.from, transition.to) {
        (_, HealthState::Down) => {
            tracing::warn!(service, server, result, status, text, "server is down");
        }
        (HealthState::Unknown, _) => tracing::info!(
            service,
            server,
            result,
            status,
            "server is up, by its first check"
        ),
        _ => tracing::info!(service, server, result, status, "server is up again"),
    }
}

/// A part of `most`, different for every caller.
fn jitter(most: Duration) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(RandomState::new().hash_one(0) % nanos)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::SocketAddr;

    use portcullis_plan::health::CheckStatus;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::testing::{Folder, eventually_async, snapshot};

    /// Answers every request with the head it is told, until dropped.
    async fn origin(answer: &'static str) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else {
                    continue;
                };
                let mut request = [0; 1024];
                if stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        (address, tasks)
    }

    fn config(servers: &str, health: &str) -> String {
        format!(
            "[listener.web]\nbind = '127.0.0.1:0'\n[[route]]\nservice = 'app'\n[service.app]\nservers = [{servers}]\nhealth = {health}\n"
        )
    }

    fn status(live: &ServerLive) -> Option<(CheckStatus, Option<u16>)> {
        live.health_report()
            .last_check
            .map(|check| (check.status, check.code))
    }

    async fn first_status(address: &str, health: &str) -> (CheckStatus, Option<u16>) {
        let snapshot = snapshot(&config(&format!("'{address}'"), health));
        let mut probes = Probes::new(Clock::start());
        probes.apply(&snapshot);
        let live = &snapshot.live.servers[0];
        eventually_async(|| status(live).is_some()).await;
        status(live).unwrap()
    }

    const HTTP: &str =
        "{ http = '/health', interval = '20ms', timeout = '2s', rise = 1, fall = 1 }";
    const HASTY: &str =
        "{ http = '/health', interval = '20ms', timeout = '30ms', rise = 1, fall = 1 }";
    const TCP: &str = "{ tcp = true, interval = '20ms', timeout = '2s', rise = 1, fall = 1 }";

    #[tokio::test]
    async fn an_expected_status_passes() {
        let (address, _origin) = origin("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(
            first_status(&address.to_string(), HTTP).await,
            (CheckStatus::L7Ok, Some(204))
        );
    }

    #[tokio::test]
    async fn another_status_fails_with_its_code() {
        let (address, _origin) = origin("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(
            first_status(&address.to_string(), HTTP).await,
            (CheckStatus::L7Status, Some(500))
        );
    }

    #[tokio::test]
    async fn garbage_and_silence_are_told_apart() {
        let (garbage, _origin) = origin("garbage\r\n\r\n").await;
        assert_eq!(
            first_status(&garbage.to_string(), HTTP).await,
            (CheckStatus::L7Response, None)
        );
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap().to_string();
        assert_eq!(
            first_status(&address, HASTY).await,
            (CheckStatus::L7Timeout, None)
        );
    }

    #[tokio::test]
    async fn a_connection_is_enough_for_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(first_status(&address, TCP).await, (CheckStatus::L4Ok, None));
        drop(listener);
        assert_eq!(
            first_status(&address, TCP).await,
            (CheckStatus::L4Connection, None)
        );
    }

    #[tokio::test]
    async fn checks_reach_unix_sockets() {
        let folder = Folder::new();
        let path = folder.path().join("app.sock");
        let address = format!("unix:{}", path.display());
        assert_eq!(
            first_status(&address, TCP).await,
            (CheckStatus::SocketError, None)
        );
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        assert_eq!(first_status(&address, TCP).await, (CheckStatus::L4Ok, None));
    }

    #[tokio::test]
    async fn goes_down_and_comes_up_with_the_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let snapshot = snapshot(&config(&format!("'{address}'"), TCP));
        let live = &snapshot.live.servers[0];
        let mut probes = Probes::new(Clock::start());
        probes.apply(&snapshot);
        eventually_async(|| live.health() == HealthState::Up).await;
        drop(listener);
        eventually_async(|| live.health() == HealthState::Down).await;
        assert!(!live.is_eligible(), "a server that is down gets nothing");
        let _listener = TcpListener::bind(address).await.unwrap();
        eventually_async(|| live.health() == HealthState::Up).await;
    }

    #[tokio::test]
    async fn an_unchanged_check_goes_on_and_a_removed_one_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let first = snapshot(&config(&format!("'{address}'"), TCP));
        let mut probes = Probes::new(Clock::start());
        probes.apply(&first);
        let uid = first.live.servers[0].uid();
        let task = probes.running[&uid].task.id();
        probes.apply(&first);
        assert_eq!(
            probes.running[&uid].task.id(),
            task,
            "the same check is the same task"
        );
        let gone = snapshot(
            "[listener.web]\nbind = '127.0.0.1:0'\n[[route]]\nrespond = { status = 200 }\n",
        );
        probes.apply(&gone);
        assert!(probes.running.is_empty());
    }

    #[test]
    fn jitter_stays_within_its_bound() {
        for _ in 0..100 {
            assert!(jitter(Duration::from_millis(5)) < Duration::from_millis(5));
        }
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    }
}
