//! Idle connections to servers: per worker, per server, bounded, newest first, aged.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Waker};

use portcullis_plan::live::ServerLive;
use portcullis_plan::{Moment, WorkerId};

use super::Upstream;
use super::terms::{Fit, Wanted};

/// The idle connections of one worker. Keys are the servers' identities, which no reload reuses.
#[derive(Default)]
pub(crate) struct IdlePool {
    stacks: RefCell<HashMap<u64, Stack, BuildIdentity>>,
}

struct Stack {
    server: Arc<ServerLive>,
    idle: Vec<Idle>,
}

struct Idle {
    upstream: Upstream,
    expires: Moment,
}

impl IdlePool {
    /// The newest idle connection to `server` that is neither aged nor closed by the server, nor has bytes nobody asked
    /// for, and that was made under what is wanted. What was made under an older configuration is closed.
    pub(crate) fn take(
        &self,
        worker: WorkerId,
        server: &ServerLive,
        wanted: &Wanted<'_>,
        now: Moment,
    ) -> Option<Upstream> {
        let mut stacks = self.stacks.borrow_mut();
        let stack = stacks.get_mut(&server.uid())?;
        for at in (0..stack.idle.len()).rev() {
            let idle = stack.idle.get_mut(at)?;
            let fit = idle.upstream.terms.fit(wanted);
            if fit == Fit::OtherClient {
                continue;
            }
            let usable = fit == Fit::Fits && idle.expires > now && idle.is_quiet();
            let idle = stack.idle.remove(at);
            server.idle_connections(worker, -1);
            if usable {
                return Some(idle.upstream);
            }
        }
        None
    }

    /// Keeps a connection until `expires`; beyond `most` for its server the oldest is closed.
    pub(crate) fn put(
        &self,
        worker: WorkerId,
        server: &Arc<ServerLive>,
        upstream: Upstream,
        expires: Moment,
        most: usize,
    ) {
        if most == 0 {
            return;
        }
        let mut stacks = self.stacks.borrow_mut();
        let stack = stacks.entry(server.uid()).or_insert_with(|| Stack {
            server: Arc::clone(server),
            idle: Vec::new(),
        });
        if stack.idle.len() >= most {
            stack.idle.remove(0);
            server.idle_connections(worker, -1);
        }
        stack.idle.push(Idle { upstream, expires });
        server.idle_connections(worker, 1);
    }

    /// Closes what is aged or was closed by its server.
    pub(crate) fn purge(&self, worker: WorkerId, now: Moment) {
        for stack in self.stacks.borrow_mut().values_mut() {
            let before = stack.idle.len();
            stack
                .idle
                .retain_mut(|idle| idle.expires > now && idle.is_quiet());
            let closed = before - stack.idle.len();
            if closed > 0 {
                stack
                    .server
                    .idle_connections(worker, -i64::try_from(closed).unwrap_or(0));
            }
            if stack.idle.is_empty() {
                stack.idle = Vec::new();
            }
        }
        self.stacks
            .borrow_mut()
            .retain(|_, stack| !stack.idle.is_empty());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stacks.borrow().is_empty()
    }
}

impl Idle {
    fn is_quiet(&mut self) -> bool {
        self.upstream
            .io
            .is_quiet(&mut Context::from_waker(Waker::noop()))
    }
}

/// Server identities are counters of our own, so they hash to themselves (spread by a multiplication).
#[derive(Clone, Default)]
pub(crate) struct BuildIdentity;

impl std::hash::BuildHasher for BuildIdentity {
    type Hasher = Identity;

    fn build_hasher(&self) -> Identity {
        Identity(0)
    }
}

pub(crate) struct Identity(u64);

impl std::hash::Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::io::{ServerIo, Stream};
    use crate::testing::{MINIMAL, planned};
    use crate::upstream::terms::{Introduction, Terms};
    use portcullis_plan::plan::ProxyVersion;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    fn upstream(born: u64) -> (Upstream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (
            Upstream {
                io: ServerIo::Plain(Stream::Unix(ours)),
                born: at(born),
                terms: Terms::default(),
            },
            theirs,
        )
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    fn server() -> Arc<ServerLive> {
        Arc::clone(planned(MINIMAL).1.servers.first().unwrap())
    }

    const ME: fn() -> WorkerId = || WorkerId::new(0);

    #[tokio::test]
    async fn gives_the_newest_first_and_closes_the_oldest_beyond_its_bound() {
        let (pool, server) = (IdlePool::default(), server());
        let peers: Vec<_> = (1..=3)
            .map(|born| {
                let (one, peer) = upstream(born);
                pool.put(ME(), &server, one, at(60), 2);
                peer
            })
            .collect();
        assert_eq!(server.connections(), (0, 2), "the bound holds");
        assert_eq!(
            pool.take(ME(), &server, &Wanted::default(), at(4))
                .unwrap()
                .born,
            at(3)
        );
        assert_eq!(
            pool.take(ME(), &server, &Wanted::default(), at(4))
                .unwrap()
                .born,
            at(2)
        );
        assert!(
            pool.take(ME(), &server, &Wanted::default(), at(4))
                .is_none()
        );
        assert_eq!(server.connections(), (0, 0));
        drop(peers);
    }

    #[tokio::test]
    async fn never_gives_an_aged_one() {
        let (pool, server) = (IdlePool::default(), server());
        let (one, _peer) = upstream(1);
        pool.put(ME(), &server, one, at(10), 8);
        assert!(
            pool.take(ME(), &server, &Wanted::default(), at(11))
                .is_none()
        );
    }

    #[tokio::test]
    async fn notices_what_the_server_closed_or_sent_unasked() {
        let (pool, server) = (IdlePool::default(), server());
        let (closed, peer) = upstream(1);
        let (chatty, mut talker) = upstream(2);
        pool.put(ME(), &server, closed, at(60), 8);
        pool.put(ME(), &server, chatty, at(60), 8);
        drop(peer);
        talker
            .write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            .await
            .unwrap();
        while !pool.is_empty() {
            tokio::task::yield_now().await;
            pool.purge(ME(), at(1));
        }
        assert_eq!(server.connections(), (0, 0));
    }

    #[tokio::test]
    async fn a_connection_that_names_one_client_waits_for_that_client() {
        let (pool, server) = (IdlePool::default(), server());
        let of = |client: &str| Wanted {
            introduction: Some(Introduction {
                version: ProxyVersion::V2,
                source: client.parse().ok(),
                destination: None,
            }),
            ..Wanted::default()
        };
        let (mut one, _peer) = upstream(1);
        one.terms = of("192.0.2.1:1").into();
        pool.put(ME(), &server, one, at(60), 8);
        assert!(
            pool.take(ME(), &server, &of("192.0.2.2:1"), at(2))
                .is_none()
        );
        assert!(
            pool.take(ME(), &server, &of("192.0.2.1:1"), at(2))
                .is_some()
        );
    }

    #[tokio::test]
    async fn a_connection_of_an_older_configuration_is_closed() {
        let (pool, server) = (IdlePool::default(), server());
        let tls = || Arc::new(crate::testing::service_tls());
        let (old, new) = (tls(), tls());
        let by = |tls| Wanted {
            tls: Some(tls),
            ..Wanted::default()
        };
        for wanted in [Wanted::default(), by(&new)] {
            let (mut one, _peer) = upstream(1);
            one.terms = by(&old).into();
            pool.put(ME(), &server, one, at(60), 8);
            assert!(pool.take(ME(), &server, &wanted, at(2)).is_none());
            assert_eq!(server.connections(), (0, 0), "it was closed");
        }
        let (mut one, _peer) = upstream(1);
        one.terms = by(&old).into();
        pool.put(ME(), &server, one, at(60), 8);
        assert!(
            pool.take(ME(), &server, &by(&old), at(2)).is_some(),
            "the very same TLS is reused"
        );
    }
}
