//! Addresses of servers given by host name: looked up on the control thread by the system's own resolver, so that
//! `/etc/hosts` and the name services of the machine count, and again every `resolve` of the service.
//!
//! A failure keeps the last good answer; a name that never had one keeps its server down. Nothing here delays a
//! request or the start.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::live::{Events, ServerLive};
use portcullis_plan::plan::Address;
use portcullis_proxy::{Snapshot, persist};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Bound of one lookup. The system's resolver goes on in its own thread after that; its answer is not waited for.
const LOOKUP: Duration = Duration::from_secs(5);
/// Bound of the first lookups together, which the start waits for.
const FIRST_LOOKUPS: Duration = Duration::from_secs(5);
/// Addresses kept of one answer.
const ADDRESSES: usize = 64;
/// The least time between lookups, whatever is configured.
const LEAST_PERIOD: Duration = Duration::from_secs(1);

/// How lookups went.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    done: Events,
    failed: Events,
}

impl Lookups {
    /// Lookups that gave addresses.
    pub(crate) fn successes(&self) -> u64 {
        self.done.total()
    }

    /// Lookups that failed or took too long.
    pub(crate) fn failures(&self) -> u64 {
        self.failed.total()
    }
}

/// One name to keep resolved. Equal ones go on undisturbed through a reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    server: u64,
    host: Box<str>,
    port: u16,
    period: Duration,
}

/// Keeps the names of a plan resolved. Dropping it ends all lookups.
#[derive(Default)]
pub(crate) struct Resolver {
    lookups: Arc<Lookups>,
    tasks: JoinSet<()>,
    running: HashMap<Name, AbortHandle>,
}

impl Resolver {
    /// The counts of lookups, for metrics.
    pub(crate) fn lookups(&self) -> Arc<Lookups> {
        Arc::clone(&self.lookups)
    }

    /// Takes over the names of `snapshot`: new ones are looked up at once, those gone are forgotten, others go on.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot) {
        while self.tasks.try_join_next().is_some() {}
        let wanted: HashMap<Name, Arc<ServerLive>> = names(snapshot).collect();
        self.running.retain(|name, task| {
            let stays = wanted.contains_key(name);
            if !stays {
                task.abort();
            }
            stays
        });
        for (name, live) in wanted {
            if !self.running.contains_key(&name) {
                let (lookups, host) = (Arc::clone(&self.lookups), name.clone());
                let resolving = persist(move || {
                    keep_resolved(host.clone(), Arc::clone(&live), Arc::clone(&lookups))
                });
                self.running.insert(name, self.tasks.spawn(resolving));
            }
        }
    }

    /// Waits, at the start, until every name of `snapshot` was looked up once, for a bounded time.
    pub(crate) async fn settle(&self, snapshot: &Snapshot) {
        let wanted = u64::try_from(names(snapshot).count()).unwrap_or(u64::MAX);
        let answered = async {
            while self.lookups.successes() + self.lookups.failures() < wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        // Servers that are not resolved by then are down until they are.
        let _ = timeout(FIRST_LOOKUPS, answered).await;
    }
}

/// The names among the servers of a snapshot.
fn names(snapshot: &Snapshot) -> impl Iterator<Item = (Name, Arc<ServerLive>)> {
    let plan = &snapshot.plan;
    plan.servers
        .iter()
        .zip(&snapshot.live.servers)
        .filter_map(|(server, live)| {
            let Address::Name { host, port } = &server.address else {
                return None;
            };
            let period = plan.service(server.service)?.resolve;
            Some((
                Name {
                    server: live.uid(),
                    host: host.clone(),
                    port: *port,
                    period,
                },
                Arc::clone(live),
            ))
        })
}

async fn keep_resolved(name: Name, live: Arc<ServerLive>, lookups: Arc<Lookups>) {
    let mut is_failing = false;
    loop {
        match lookup(&name.host, name.port).await {
            Ok(addresses) => {
                lookups.done.count();
                if std::mem::take(&mut is_failing) {
                    tracing::info!(host = %name.host, "host name can be resolved again");
                }
                note(&name, &live, addresses);
            }
            Err(error) => {
                lookups.failed.count();
                if !std::mem::replace(&mut is_failing, true) {
                    let kept = live.is_resolved();
                    tracing::warn!(host = %name.host, %error, last_answer_kept = kept, "cannot resolve host name");
                }
            }
        }
        sleep(name.period.max(LEAST_PERIOD)).await;
    }
}

/// Puts an answer to use if it differs from the one before, whatever the order.
fn note(name: &Name, live: &ServerLive, addresses: Box<[SocketAddr]>) {
    let is_same = live.addresses().as_ref().is_some_and(|known| {
        known.len() == addresses.len() && known.iter().all(|address| addresses.contains(address))
    });
    if !is_same {
        tracing::info!(host = %name.host, server = %live.name(), ?addresses, "host name resolved");
        live.set_addresses(addresses);
    }
}

async fn lookup(host: &str, port: u16) -> io::Result<Box<[SocketAddr]>> {
    let answer = timeout(LOOKUP, tokio::net::lookup_host((host, port))).await;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
        if addresses.len() < ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(addresses.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{eventually_async, snapshot};

    fn config(host: &str, period: &str) -> String {
        format!(
            "[listener.web]\nbind = '127.0.0.1:0'\n[[route]]\nservice = 'app'\n[service.app]\nservers = ['{host}:8080']\nresolve = '{period}'\n"
        )
    }

    #[tokio::test]
    async fn a_name_is_resolved_before_its_server_is_used() {
        let snapshot = snapshot(&config("localhost", "1h"));
        let live = &snapshot.live.servers[0];
        assert!(!live.is_eligible(), "no address yet");
        let mut resolver = Resolver::default();
        resolver.apply(&snapshot);
        resolver.settle(&snapshot).await;
        assert!(live.is_eligible());
        let addresses = live.addresses();
        let addresses = addresses
            .as_ref()
            .map(|addresses| addresses.to_vec())
            .unwrap_or_default();
        assert!(
            addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 8080),
            "{addresses:?}"
        );
        assert_eq!(
            (
                resolver.lookups().successes(),
                resolver.lookups().failures()
            ),
            (1, 0)
        );
    }

    #[tokio::test]
    async fn a_failure_is_counted_and_leaves_the_server_down() {
        // RFC 6761: a name under .invalid never resolves.
        let snapshot = snapshot(&config("nobody.invalid", "1h"));
        let mut resolver = Resolver::default();
        resolver.apply(&snapshot);
        resolver.settle(&snapshot).await;
        assert!(!snapshot.live.servers[0].is_eligible());
        assert_eq!(
            (
                resolver.lookups().successes(),
                resolver.lookups().failures()
            ),
            (0, 1)
        );
    }

    #[tokio::test]
    async fn names_are_looked_up_again() {
        let snapshot = snapshot(&config("localhost", "1s"));
        let mut resolver = Resolver::default();
        resolver.apply(&snapshot);
        let lookups = resolver.lookups();
        eventually_async(|| lookups.successes() >= 2).await;
        assert!(snapshot.live.servers[0].is_resolved());
    }

    #[tokio::test]
    async fn an_unchanged_name_goes_on_and_a_removed_one_ends() {
        let first = snapshot(&config("localhost", "1h"));
        let mut resolver = Resolver::default();
        resolver.apply(&first);
        resolver.apply(&first);
        resolver.settle(&first).await;
        assert_eq!(
            resolver.lookups().successes(),
            1,
            "the same name was not started twice"
        );
        resolver.apply(&snapshot(
            "[listener.web]\nbind = '127.0.0.1:0'\n[[route]]\nrespond = { status = 200 }\n",
        ));
        assert!(resolver.running.is_empty());
    }
}
