//! Splits, faults and maintenance of routes and listeners.

use portcullis_config as config;

use super::Compiler;
use super::listener::networks;
use super::route::is_offered;
use super::timeouts;
use crate::RouteId;
use crate::fault::Fault;
use crate::maintenance::Maintenance;
use crate::mirror::Mirror;
use crate::plan::Page;
use crate::split::{Split, SplitTimeouts, Sticky, Variant, VariantTimeouts};

impl Compiler<'_> {
    /// The services that a route's requests are split between.
    pub(super) fn split(&mut self, written: &config::Split) -> Split {
        let mut variants = Vec::new();
        for variant in written.services.iter() {
            variants.push(Variant {
                service: self.service_id(&variant.service),
                name: variant.service.as_str().into(),
                weight: *variant.weight,
                force: self.any_of(variant.force.as_ref()),
            });
        }
        Split {
            total: variants.iter().map(|variant| variant.weight).sum(),
            variants: variants.into(),
            sticky: written.sticky.as_ref().and_then(|by| sticky(&by.value)),
        }
    }

    /// The deadlines of every split that a listener offers. They depend on the service, which is chosen for each request.
    pub(super) fn split_timeouts(&mut self, listener: &config::Listener) -> Box<[SplitTimeouts]> {
        let config = self.config;
        let mut all = Vec::new();
        for (index, route) in config.routes.iter().enumerate() {
            let config::RouteAction::Split(split) = &route.action else {
                continue;
            };
            if !is_offered(route, listener) {
                continue;
            }
            let variants = split.services.iter().map(|variant| {
                let service = config.service(&variant.service);
                let deadlines = config.request_timeouts_with(listener, route, service);
                VariantTimeouts {
                    timeouts: timeouts::exchange(&deadlines),
                    origins: self.origins(&deadlines),
                }
            });
            all.push(SplitTimeouts {
                route: RouteId::new(index),
                variants: variants.collect(),
            });
        }
        all.into()
    }

    /// Who gets copies of a route's requests.
    pub(super) fn mirror(&mut self, written: &config::Mirror) -> Mirror {
        Mirror {
            service: self.service_id(&written.service),
            share: written.share.millionths(),
            body_limit: super::size(written.body_limit.0),
            max_in_flight: super::size(*written.max_in_flight),
            timeout: written.timeout.value,
        }
    }

    /// The faults that a route injects.
    pub(super) fn fault(&mut self, written: &config::Fault) -> Fault {
        Fault {
            delay: written
                .delay
                .as_ref()
                .map(|delay| (delay.time.value, delay.share.millionths())),
            abort: written
                .abort
                .as_ref()
                .map(|abort| (abort.status.code(), abort.share.millionths())),
            when: self.any_of(written.when.as_ref()),
        }
    }

    /// How a listener or a route is closed, if it is.
    pub(super) fn maintenance(
        &self,
        written: &config::Val<config::Maintenance>,
    ) -> Option<Maintenance> {
        let config::Maintenance::On(closed) = &written.value else {
            return None;
        };
        Some(Maintenance {
            status: closed.status.code(),
            page: closed.page.as_ref().map(|page| Page {
                content_type: page.content_type().into(),
                body: std::sync::Arc::clone(&page.bytes),
            }),
            retry_after: closed
                .retry_after
                .as_ref()
                .map(|after| super::count(after.as_secs())),
            allow: networks(&closed.allow),
            place: (*self.place(written.span)).into(),
        })
    }
}

fn sticky(written: &config::Sticky) -> Option<Sticky> {
    let config::Sticky::By(by) = written else {
        return Some(Sticky::ClientIp);
    };
    let header = by
        .header
        .as_ref()
        .map(|name| Sticky::Header(name.as_str().into()));
    let cookie = by
        .cookie
        .as_ref()
        .map(|name| Sticky::Cookie(name.as_str().into()));
    let own = by.set_cookie.as_ref().map(|name| Sticky::SetCookie {
        name: name.as_str().into(),
        max_age: by.max_age.as_secs(),
    });
    header.or(cookie).or(own)
}
