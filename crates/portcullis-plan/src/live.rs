//! What has been observed: health, operator's state, counters, buckets. It outlives plans.
//!
//! A [`Live`] lies beside one [`Plan`] and is indexed by the same ids; [`Live::carry_over`] makes the one for
//! the next plan, which shares what kept its name. Workers write to their own shards; readers sum. Nothing here
//! locks on the way of a request, except for the nanoseconds of a rate limit.

mod append;
mod at_hand;
mod average;
pub mod counter;
mod histogram;
mod listener;
mod maximum;
mod mirror;
mod process;
mod record;
mod route;
mod server;
mod service;
mod standing;
mod upstream;

use std::collections::HashMap;
use std::sync::Arc;

use at_hand::AtHand;

pub use average::{PhaseTime, Rate};
pub use counter::Occupancy;
pub use histogram::{BOUNDS, Histogram, HistogramTotals};
pub use listener::{ENDINGS, HandshakeResult, ListenerLive, ListenerTotals};
pub use mirror::{MirrorLive, MirrorResult};
pub use process::{Events, ProcessLive, ReloadResult};
pub use record::{CLASSES, Measured, status_class};
pub use route::{RouteLive, RouteTotals, method_label};
pub use server::{HealthReport, ServerLive};
pub use service::{ServiceLive, ServiceStanding};
pub use standing::{AdminState, MAX_WEIGHT};
pub(crate) use upstream::had_no_server;
pub use upstream::{PhaseTimes, UpstreamError, UpstreamTotals};

use crate::balance::Rotation;
use crate::limit;
use crate::plan::{Plan, Server};
use crate::{LimitId, ListenerId, Moment, RouteId, ServerId, ServiceId};

/// Everything observed, addressed by the ids of the plan beside it.
#[derive(Debug)]
pub struct Live {
    /// Of each listener.
    pub listeners: Box<[Arc<ListenerLive>]>,
    /// Of each route.
    pub routes: Box<[RouteLive]>,
    /// The workers' way to the routes.
    at_hand: AtHand,
    /// Of requests that no route took.
    pub unrouted: RouteLive,
    /// Of each service.
    pub services: Box<[Arc<ServiceLive>]>,
    /// Of the copies of requests that each service gets.
    pub mirrors: Box<[Arc<MirrorLive>]>,
    /// Of each server.
    pub servers: Box<[Arc<ServerLive>]>,
    /// Buckets of each rate limit.
    pub limits: Box<[Arc<limit::Table>]>,
    /// Of the process.
    pub process: Arc<ProcessLive>,
    /// Whose turn it is in each service. Starts anew with each plan.
    pub(crate) rotations: Box<[Rotation]>,
    workers: usize,
}

/// What a new `Live` is made from besides its plan.
struct Maker<'a> {
    plan: &'a Plan,
    process: &'a ProcessLive,
    workers: usize,
    now: Moment,
}

impl Maker<'_> {
    fn listener(&self, name: &Arc<str>) -> Arc<ListenerLive> {
        Arc::new(ListenerLive::new(
            name,
            self.process.next_uid(),
            self.workers,
        ))
    }

    fn route(&self, name: &Arc<str>) -> RouteLive {
        RouteLive::new(name, self.workers)
    }

    fn service(&self, name: &Arc<str>) -> Arc<ServiceLive> {
        Arc::new(ServiceLive::new(
            name,
            self.process.next_uid(),
            self.workers,
            self.now,
        ))
    }

    fn server(&self, server: &Server, service: &Arc<ServiceLive>) -> Arc<ServerLive> {
        let uid = self.process.next_uid();
        Arc::new(ServerLive::new(
            server,
            service,
            uid,
            self.workers,
            self.now,
        ))
    }

    fn rotations(&self) -> Box<[Rotation]> {
        let services = self.plan.services.iter();
        services.map(|_| Rotation::new(self.workers)).collect()
    }
}

impl Live {
    /// Nothing observed yet. `workers` is the number of worker threads; `started_wall_nanos` the wall clock, in
    /// nanoseconds since 1970, at the zero of [`Moment`].
    #[must_use]
    pub fn started(plan: &Plan, workers: usize, started_wall_nanos: u64) -> Self {
        let process = Arc::new(ProcessLive::new(started_wall_nanos, plan.fingerprint));
        let maker = Maker {
            plan,
            process: &process,
            workers,
            now: Moment::default(),
        };
        let services: Box<[_]> = plan
            .services
            .iter()
            .map(|service| maker.service(&service.name))
            .collect();
        let servers = plan.servers.iter().filter_map(|server| {
            let service = services.get(server.service.index())?;
            Some(maker.server(server, service))
        });
        Self {
            listeners: plan
                .listeners
                .iter()
                .map(|listener| maker.listener(&listener.name))
                .collect(),
            routes: plan
                .routes
                .iter()
                .map(|route| maker.route(route.name()))
                .collect(),
            at_hand: AtHand::new(workers, plan.routes.len()),
            unrouted: maker.route(&Arc::from("")),
            servers: servers.collect(),
            mirrors: services.iter().map(|_| Arc::default()).collect(),
            services,
            limits: plan
                .limits
                .iter()
                .map(|limit| Arc::new(limit::Table::new(limit)))
                .collect(),
            rotations: maker.rotations(),
            workers,
            process,
        }
    }

    /// As [`Live::started`], for tests and explanations, where nobody asks when the process started.
    #[must_use]
    pub fn new(plan: &Plan, workers: usize) -> Self {
        Self::started(plan, workers, 0)
    }

    /// The `Live` beside `new_plan`, sharing with this one (which lies beside `old_plan`) everything that kept its
    /// identity: listeners, routes and services by name, servers by service, name and address, limits by name and
    /// rule. To be called last before the swap, since a changed weight takes effect here.
    #[must_use]
    pub fn carry_over(&self, old_plan: &Plan, new_plan: &Plan, now: Moment) -> Self {
        let maker = Maker {
            plan: new_plan,
            process: &self.process,
            workers: self.workers,
            now,
        };
        let old_listeners = by_key(
            old_plan.listeners.iter().map(|listener| &*listener.name),
            &self.listeners,
        );
        let old_routes = by_key(
            old_plan.routes.iter().map(|route| &**route.name()),
            &self.routes,
        );
        let old_services = by_key(
            old_plan.services.iter().map(|service| &*service.name),
            &self.services,
        );
        let old_mirrors = by_key(
            old_plan.services.iter().map(|service| &*service.name),
            &self.mirrors,
        );
        let old_limits = by_key(old_plan.limits.iter(), &self.limits);

        let services: Box<[_]> = new_plan
            .services
            .iter()
            .map(|service| {
                kept(&old_services, &*service.name).unwrap_or_else(|| maker.service(&service.name))
            })
            .collect();
        Self {
            listeners: new_plan
                .listeners
                .iter()
                .map(|listener| {
                    kept(&old_listeners, &*listener.name)
                        .unwrap_or_else(|| maker.listener(&listener.name))
                })
                .collect(),
            routes: new_plan
                .routes
                .iter()
                .map(|route| {
                    kept(&old_routes, &**route.name()).unwrap_or_else(|| maker.route(route.name()))
                })
                .collect(),
            at_hand: AtHand::new(self.workers, new_plan.routes.len()),
            unrouted: self.unrouted.clone(),
            servers: self.carry_servers(old_plan, &maker, &services),
            mirrors: new_plan
                .services
                .iter()
                .map(|service| kept(&old_mirrors, &*service.name).unwrap_or_default())
                .collect(),
            services,
            limits: new_plan
                .limits
                .iter()
                .map(|limit| {
                    kept(&old_limits, limit).unwrap_or_else(|| Arc::new(limit::Table::new(limit)))
                })
                .collect(),
            rotations: maker.rotations(),
            process: Arc::clone(&self.process),
            workers: self.workers,
        }
    }

    fn carry_servers(
        &self,
        old_plan: &Plan,
        maker: &Maker<'_>,
        services: &[Arc<ServiceLive>],
    ) -> Box<[Arc<ServerLive>]> {
        let old = by_key(
            old_plan
                .servers
                .iter()
                .map(|server| identity(old_plan, server)),
            &self.servers,
        );
        let carry = |server: &Server| {
            let is_checked = maker
                .plan
                .service(server.service)
                .is_some_and(|service| service.health.is_some());
            if let Some(live) = kept(&old, identity(maker.plan, server)) {
                live.reconfigure(server, is_checked, maker.now);
                return Some(live);
            }
            Some(maker.server(server, services.get(server.service.index())?))
        };
        maker.plan.servers.iter().filter_map(carry).collect()
    }

    /// What was observed of this listener; `None` for an id of another plan.
    #[must_use]
    #[inline]
    pub fn listener(&self, id: ListenerId) -> Option<&ListenerLive> {
        self.listeners.get(id.index()).map(Arc::as_ref)
    }

    /// What was observed of this route.
    #[must_use]
    #[inline]
    pub fn route(&self, id: RouteId) -> Option<&RouteLive> {
        self.routes.get(id.index())
    }

    /// What was observed of this service.
    #[must_use]
    #[inline]
    pub fn service(&self, id: ServiceId) -> Option<&ServiceLive> {
        self.services.get(id.index()).map(Arc::as_ref)
    }

    /// What was observed of the copies that this service gets.
    #[must_use]
    pub fn mirror(&self, id: ServiceId) -> Option<&MirrorLive> {
        self.mirrors.get(id.index()).map(Arc::as_ref)
    }

    /// What was observed of this server.
    #[must_use]
    #[inline]
    pub fn server(&self, id: ServerId) -> Option<&ServerLive> {
        self.servers.get(id.index()).map(Arc::as_ref)
    }

    /// The buckets of this rate limit.
    #[must_use]
    #[inline]
    pub fn limit(&self, id: LimitId) -> Option<&limit::Table> {
        self.limits.get(id.index()).map(Arc::as_ref)
    }

    /// Worker threads it was made for.
    #[must_use]
    pub const fn workers(&self) -> usize {
        self.workers
    }

    /// Brings rates and downtimes up to date. To be called once a second, by one caller.
    pub fn tick(&self, plan: &Plan, now: Moment) {
        let elapsed = now.since(self.process.start_tick(now));
        let mut requests = 0;
        for listener in &self.listeners {
            listener.tick(now, elapsed);
            requests += listener.totals().requests;
        }
        for server in &self.servers {
            server.tick(elapsed);
        }
        for (live, service) in self.services.iter().zip(&plan.services) {
            let is_up = service
                .server_ids()
                .any(|id| self.server(id).is_some_and(ServerLive::is_eligible));
            live.tick(is_up, now, elapsed);
        }
        self.process.tick(requests, elapsed);
    }

    /// HAProxy's `clear counters`: maxima start again.
    pub fn clear_peaks(&self) {
        self.process.clear_peaks();
        self.listeners
            .iter()
            .for_each(|listener| listener.clear_peaks());
        self.services
            .iter()
            .for_each(|service| service.clear_peaks());
        self.servers.iter().for_each(|server| server.clear_peaks());
    }

    /// HAProxy's `clear counters all`: maxima start again, and so do the `_since_clear` sums. Metrics keep growing.
    pub fn clear(&self) {
        self.clear_peaks();
        self.listeners
            .iter()
            .for_each(|listener| listener.clear_totals());
        self.services
            .iter()
            .for_each(|service| service.clear_totals());
        self.servers.iter().for_each(|server| server.clear_totals());
    }
}

/// What makes a server the same across plans.
fn identity<'a>(
    plan: &'a Plan,
    server: &'a Server,
) -> (&'a str, &'a str, &'a crate::plan::Address) {
    let service = plan
        .service(server.service)
        .map_or("", |service| &service.name);
    (service, &server.name, &server.address)
}

/// The objects of one kind by what identifies them.
fn by_key<K: std::hash::Hash + Eq, T>(keys: impl Iterator<Item = K>, live: &[T]) -> HashMap<K, &T> {
    keys.zip(live).collect()
}

/// Cloning shares: what is live lies behind an `Arc`.
fn kept<K: std::hash::Hash + Eq, T: Clone>(old: &HashMap<K, &T>, key: K) -> Option<T> {
    old.get(&key).map(|live| (*live).clone())
}

#[cfg(test)]
mod tests;
