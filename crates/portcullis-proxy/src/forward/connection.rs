//! The connection of an attempt: one that is kept, a place on one that is shared, or a new one.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use portcullis_plan::plan::ServerProtocols;
use portcullis_plan::{Deadline, Moment};

use super::Attempt;
use crate::client::Client;
use crate::deadline::Slot;
use crate::desk::RequestPart;
use crate::failure::Failure;
use crate::io::ServerIo;
use crate::relay::allowed_upgrade;
use crate::scene::Story;
use crate::upstream::Upstream;
use crate::upstream::carry::Beginning;
use crate::upstream::connect::{Target, connect};
use crate::upstream::shared::Lease;
use crate::upstream::shelf::{Keeping, Making, Place, Shelf};
use crate::upstream::terms::{Introduction, Terms, Wanted};

impl Attempt<'_> {
    /// A connection for this request: kept, shared or new. Waiting for it and making it are bounded together.
    pub(super) async fn connection(
        &self,
        client: &mut Client,
        request: &RequestPart,
        story: &mut Story,
        now: Moment,
    ) -> Result<Upstream, Failure> {
        let wanted = self.wanted(client, request)?;
        if let Some(upstream) = self.at_once(&wanted, now) {
            story.reused = true;
            story.timings.connected = Some(now);
            return Ok(upstream);
        }
        let mut until = now.plus(self.scene.timeouts.connect);
        if let Some(bound) = self.refused.filter(|bound| *bound > now) {
            until = until.min(bound);
        }
        client
            .timer
            .arm(Slot::Upload, Some(Deadline::Connect), until);
        let made = if self.service.protocols.has_http2() && !wanted.http1_only {
            Box::pin(self.place(client, wanted)).await
        } else {
            let made = self.connect(client, wanted).await;
            made.map(|upstream| (upstream, false))
        };
        client.timer.disarm(Slot::Upload);
        let (upstream, reused) = made?;
        story.reused = reused;
        story.timings.connected = Some(upstream.born);
        Ok(upstream)
    }

    /// A connection that is there and free.
    fn at_once(&self, wanted: &Wanted<'_>, now: Moment) -> Option<Upstream> {
        let protocols = self.service.protocols;
        if !self.fresh
            && protocols.has_http1()
            && let Some(upstream) =
                self.worker
                    .pool
                    .take(self.worker.id(), self.server, wanted, now)
        {
            return Some(upstream);
        }
        if !protocols.has_http2() || wanted.http1_only || wanted.tunnel {
            return None;
        }
        let lease = self.shelf().free(wanted, &self.service.http2)?;
        Some(on_place(lease, now))
    }

    fn shelf(&self) -> Rc<Shelf> {
        let service = self.service;
        self.worker.shelves.of(
            self.server,
            Keeping {
                idle: service.upstream_idle,
                age: service.max_age,
                most_unused: service.max_idle,
            },
        )
    }

    /// A place on a shared connection, be it made for that, or a connection of its own where the server speaks HTTP/1.1;
    /// and whether the connection was there before.
    async fn place(
        &self,
        client: &Client,
        wanted: Wanted<'_>,
    ) -> Result<(Upstream, bool), Failure> {
        let (shelf, worker, http2) = (self.shelf(), self.worker, &self.service.http2);
        loop {
            let place = shelf.place(worker, client, &wanted, http2).await?;
            let (upstream, reused) = match place {
                Place::Lease(lease) => (on_place(lease, worker.now()), true),
                Place::Http1 => {
                    let upstream = self.connect(client, wanted).await?;
                    // Should the server speak HTTP/2 by now, others may have found that out before.
                    if upstream.io.chose_http2() && !shelf.takes_another(&wanted, http2) {
                        continue;
                    }
                    (self.settle(shelf.make(&wanted), upstream, wanted)?, false)
                }
                Place::Make(making) => match self.connect(client, wanted).await {
                    Ok(upstream) => (self.settle(making, upstream, wanted)?, false),
                    Err(failure) => {
                        if !is_its_own(failure) {
                            making.failed(failure);
                        }
                        return Err(failure);
                    }
                },
            };
            let ServerIo::Http2(lease) = &upstream.io else {
                return Ok((upstream, reused));
            };
            if wanted.tunnel && !shelf.takes_tunnels(lease, worker, client).await? {
                return Err(Failure::NO_TUNNEL);
            }
            if !wanted.settled || shelf.takes_all(lease, worker, client).await? {
                return Ok((upstream, reused));
            }
        }
    }

    /// What becomes of a new connection now that it is known what the server speaks.
    fn settle(
        &self,
        making: Making,
        upstream: Upstream,
        wanted: Wanted<'_>,
    ) -> Result<Upstream, Failure> {
        let protocols = self.service.protocols;
        let is_clear = matches!(upstream.io, ServerIo::Plain(_));
        if upstream.io.chose_http2() || is_clear && protocols == ServerProtocols::Http2 {
            let beginning = Beginning {
                worker: self.worker,
                server: self.server,
                http2: &self.service.http2,
                terms: wanted.into(),
            };
            let lease = beginning.begin(making, upstream.io);
            self.worker.wake_upkeep();
            return Ok(on_place(lease, upstream.born));
        }
        if !protocols.has_http1() {
            making.failed(Failure::NO_HTTP2);
            return Err(Failure::NO_HTTP2);
        }
        making.speaks_http1();
        Ok(upstream)
    }

    /// What the service asks of its connections.
    fn wanted(&self, client: &Client, request: &RequestPart) -> Result<Wanted<'_>, Failure> {
        let tls = self.scene.snapshot.upstream_tls.of(self.forward.service);
        if self.service.tls.is_some() != tls.is_some() {
            return Err(Failure::UPSTREAM_TLS); // never in clear text what is to be encrypted
        }
        let introduction = Introduction::of(self.service, client, request);
        // Every server that knows WebSockets knows them over HTTP/1.1; few know them over HTTP/2.
        let tunnel = self.service.protocols.has_http2()
            && allowed_upgrade(request, &self.forward.conduct.upgrade);
        Ok(Wanted {
            tls,
            introduction,
            http1_only: self.http1 || tunnel && self.service.protocols.has_http1(),
            tunnel,
            settled: self.refused.is_some(),
        })
    }

    /// A new connection.
    async fn connect(&self, client: &Client, wanted: Wanted<'_>) -> Result<Upstream, Failure> {
        let plan = &self.scene.snapshot.plan;
        let address = plan
            .server(self.server_id)
            .map(|server| &server.address)
            .ok_or(Failure::NO_SERVER)?;
        let target = Target::of(address, self.server, self.worker.chance())?;
        // Boxed, because connecting is rare and its state would make every connection's memory larger.
        let mut connecting = Box::pin(connect(target, address, wanted));
        let io = poll_fn(|cx| match connecting.as_mut().poll(cx) {
            Poll::Ready(made) => Poll::Ready(made),
            Poll::Pending if client.wire.is_gone() => Poll::Ready(Err(Failure::CLIENT_GONE)),
            Poll::Pending if client.timer.fired() => match client.timer.passed(self.worker.now()) {
                Some((_, Some(deadline))) => Poll::Ready(Err(Failure::deadline(deadline, true))),
                _ => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        })
        .await?;
        Ok(Upstream {
            io,
            born: self.worker.now(),
            terms: wanted.into(),
        })
    }

    /// Puts a connection that can serve again into the pool.
    pub(super) fn keep(&self, upstream: Upstream, story: &Story) {
        if matches!(upstream.io, ServerIo::Http2(_)) {
            return; // a place is given back, not kept from others
        }
        let now = story.timings.response.unwrap_or_default();
        let mut expires = now.plus(self.service.upstream_idle);
        if let Some(age) = self.service.max_age {
            expires = expires.min(upstream.born.plus(age));
        }
        self.worker.pool.put(
            self.worker.id(),
            self.server,
            upstream,
            expires,
            self.service.max_idle,
        );
        self.worker.wake_upkeep();
    }
}

/// Whether a failure to connect is that of one request: its client left, or its time is over. Others may have more time.
fn is_its_own(failure: Failure) -> bool {
    failure == Failure::CLIENT_GONE || failure.deadline.is_some()
}

/// A place on a connection, as an attempt holds it.
fn on_place(lease: Lease, born: Moment) -> Upstream {
    Upstream {
        io: ServerIo::Http2(lease),
        born,
        terms: Terms::default(),
    }
}
