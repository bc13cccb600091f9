//! Passing a request to a server: pick, connect, send, relay; and again with another where that is allowed.

mod connection;
mod refused;
mod streams;

use std::rc::Rc;
use std::sync::Arc;

use portcullis_http1::{Body, BodyFraming, Method};
use portcullis_plan::balance::{self, Tried};
use portcullis_plan::live::ServerLive;
use portcullis_plan::plan::Service;
use portcullis_plan::{Forward, Moment, ServerId, ServiceId, WorkerId};

use crate::client::Client;
use crate::desk::{Desk, RequestPart};
use crate::exchange::Next;
use crate::failure::{Failure, Retry};
use crate::heads::{self, RequestOptions};
use crate::io::ServerIo;
use crate::relay::{Finished, Transfer, Upload, allowed_upgrade};
use crate::scene::{Scene, Story};
use crate::snapshot::Snapshot;
use crate::tunnel;
use crate::upstream::Upstream;
use crate::worker::Worker;
use refused::Refused;

/// A failure, and what is still unread of the request's body.
pub(crate) type Failed = (Failure, Body);

/// Tries until an answer is with the client or no try is left.
pub(crate) async fn forward(
    worker: &Rc<Worker>,
    client: &mut Client,
    desk: &mut Desk,
    scene: &mut Scene<'_>,
    story: &mut Story,
    forward: &Forward<'_>,
    keep_alive: bool,
) -> Result<Next, Failed> {
    let incoming = desk.request.incoming;
    let snapshot = scene.snapshot;
    let Some(service) = snapshot.plan.service(forward.service) else {
        return Err((Failure::NO_SERVER, Body::new(incoming)));
    };
    if let Some(failure) = refuses(&desk.request, forward) {
        return Err((failure, Body::new(incoming)));
    }
    let head_in = story.bytes_in;
    let mut tried = Tried::none();
    let mut last = Failure::NO_SERVER;
    let mut again_at = None;
    let mut http1 = false;
    let mut refused = Refused::default();
    let most = service.attempts.max(1);
    while story.attempts < most + refused.times() {
        let pick = again_at.or_else(|| pick(worker, snapshot, forward.service, &tried));
        let Some((id, server)) =
            pick.and_then(|id| Some((id, snapshot.live.servers.get(id.index())?)))
        else {
            break;
        };
        scene.server = Some(id);
        story.attempts += 1;
        story.bytes_in = head_in;
        story.body_in = 0;
        let fresh = again_at.is_some();
        let attempt = Attempt {
            worker,
            scene: *scene,
            service,
            server,
            server_id: id,
            forward,
            keep_alive,
            fresh,
            http1,
            refused: refused.until(),
        };
        let (failure, upload) = match attempt.run(client, desk, story).await {
            Ok(next) => return Ok(next),
            Err(failed) => failed,
        };
        last = failure;
        let may_repeat = upload.is_repeatable()
            && !story.answered
            && may_retry(service, desk.request.head.method(), failure.retry);
        if may_repeat && failure.retry == Retry::Unprocessed {
            refused.bear(worker.now(), scene.timeouts.connect);
        }
        if !may_repeat || story.attempts >= most + refused.times() {
            return Err((failure, upload.into_rest(&mut desk.input)));
        }
        // A stale connection says nothing about its server, which is asked again on a new one.
        let stale = failure.retry != Retry::Connect;
        http1 = failure.retry == Retry::Http1;
        again_at = stale.then_some(id);
        if !stale {
            tried.add(id);
        }
        server.attempt_failed(worker.id(), failure.as_attempt());
    }
    Err((last, Body::new(incoming)))
}

/// Why the head alone tells that the request cannot go to the service.
pub(crate) fn refuses(request: &RequestPart, forward: &Forward<'_>) -> Option<Failure> {
    if matches!((request.framing, forward.body_limit), (BodyFraming::Length(length), Some(limit)) if length > limit)
    {
        return Some(Failure::BODY_TOO_LARGE);
    }
    let is_upgrade = request.tunnel && request.head.method() != Method::Connect;
    (is_upgrade && !allowed_upgrade(request, &forward.conduct.upgrade))
        .then_some(Failure::UPGRADE_REFUSED)
}

fn pick(
    worker: &Worker,
    snapshot: &Snapshot,
    service: ServiceId,
    tried: &Tried,
) -> Option<ServerId> {
    let chance = worker.chance() as u32;
    balance::pick(
        &snapshot.plan,
        &snapshot.live,
        service,
        worker.id(),
        tried,
        chance,
    )
}

/// Whether the service's rules and the method allow to repeat a request after such a failure. A request of
/// which nothing was sent may always be repeated; else only an idempotent one (RFC 9110 9.2.2).
const fn may_retry(service: &Service, method: Method, retry: Retry) -> bool {
    match retry {
        Retry::No => false,
        Retry::Connect => service.retry_connect,
        Retry::Unprocessed => service.retry_connect || service.retry_reset,
        Retry::Reset => service.retry_reset && may_twice(service, method),
        Retry::Http1 => service.protocols.has_http1() && may_twice(service, method),
    }
}

/// Whether it does no harm if the server acts on a request twice.
const fn may_twice(service: &Service, method: Method) -> bool {
    service.retry_all_methods || method.is_idempotent()
}

/// One try at one server.
struct Attempt<'a> {
    worker: &'a Rc<Worker>,
    scene: Scene<'a>,
    service: &'a Service,
    server: &'a Arc<ServerLive>,
    server_id: ServerId,
    forward: &'a Forward<'a>,
    keep_alive: bool,
    /// Do not take a pooled connection.
    fresh: bool,
    /// The server has asked for HTTP/1.1.
    http1: bool,
    /// A server has refused the stream of an earlier attempt, and until when places may be waited for because of that.
    refused: Option<Moment>,
}

impl Attempt<'_> {
    async fn run(
        &self,
        client: &mut Client,
        desk: &mut Desk,
        story: &mut Story,
    ) -> Result<Next, (Failure, Upload)> {
        let now = if story.attempts == 1 && !story.delayed {
            story.timings.head.unwrap_or_default()
        } else {
            self.worker.now()
        };
        story.timings.attempt = Some(now);
        let _busy = ServerInFlight::new(self.server);
        let mut upload = Upload::new(&desk.request, self.forward.body_limit, now);
        desk.tee.restart();
        let mut upstream = match self.connection(client, &desk.request, story, now).await {
            Ok(upstream) => upstream,
            Err(failure) => return Err((failure, upload)),
        };
        let _in_use = InUse::of(&upstream, self.server, self.worker.id());
        let upgrade = self.write_head(client, desk, story, &upload, now);
        let live = &self.scene.snapshot.live;
        live.fetch(self.worker.id(), self.forward.route_id);
        if let ServerIo::Http2(lease) = &mut upstream.io {
            let opened = self.open(lease, desk, &mut upload, upgrade).await;
            if let Err(failure) = opened {
                return Err((failure, upload));
            }
        }
        let transfer = Transfer::new(
            self.worker,
            self.scene,
            client,
            &mut upstream.io,
            desk,
            story,
            &mut upload,
            upgrade,
            self.keep_alive,
        );
        match transfer.run().await {
            Ok(Finished::Response {
                reusable,
                keep_alive,
            }) => {
                let rest = upload.into_rest(&mut desk.input);
                if reusable {
                    self.keep(upstream, story);
                }
                Ok(match (keep_alive, rest.is_done()) {
                    (true, _) => Next::Request,
                    (false, true) => Next::Close,
                    (false, false) => Next::Linger,
                })
            }
            Ok(Finished::Tunnel(leftover)) => {
                upload.into_rest(&mut desk.input);
                story.upgraded = true;
                let idle = self.scene.timeouts.tunnel_idle;
                Box::pin(tunnel::run(
                    self.worker,
                    client,
                    upstream.io,
                    desk,
                    story,
                    leftover,
                    idle,
                ))
                .await;
                Ok(Next::Close)
            }
            Err(failure) => {
                self.doubt(&upstream, failure);
                Err((failure, upload))
            }
        }
    }

    /// Writes the request head for the server into the desk; tells whether it asks for an upgrade.
    fn write_head(
        &self,
        client: &Client,
        desk: &mut Desk,
        story: &mut Story,
        upload: &Upload,
        now: Moment,
    ) -> bool {
        let options = RequestOptions {
            expect_continue: desk.request.expects_continue()
                && !upload.is_received()
                && !story.continued,
            upgrade: allowed_upgrade(&desk.request, &self.forward.conduct.upgrade),
        };
        desk.to_server.clear();
        desk.response.head.clear();
        story.timings.wall_nanos = self.worker.clock().wall_nanos(now);
        let facts = self.scene.facts(&client.who, &desk.request);
        let outcome = story.outcome(&self.scene, &desk.response);
        heads::request(
            &mut desk.to_server,
            &desk.request,
            &facts,
            &outcome,
            self.forward.conduct,
            &options,
        );
        options.upgrade
    }
}

/// Counts a request at a server for as long as it lives.
pub(crate) struct ServerInFlight<'a>(&'a ServerLive);

impl<'a> ServerInFlight<'a> {
    pub(crate) fn new(server: &'a ServerLive) -> Self {
        server.begin();
        Self(server)
    }
}

impl Drop for ServerInFlight<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Counts a connection that one request has for itself for as long as it lives. Shared ones count themselves.
struct InUse<'a> {
    server: &'a ServerLive,
    worker: WorkerId,
}

impl<'a> InUse<'a> {
    fn of(upstream: &Upstream, server: &'a ServerLive, worker: WorkerId) -> Option<Self> {
        if matches!(upstream.io, ServerIo::Http2(_)) {
            return None;
        }
        server.used_connections(worker, 1);
        Some(Self { server, worker })
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.server.used_connections(self.worker, -1);
    }
}
