//! The whole of what the operator wrote.

use crate::schema::{
    Admin, Condition, Errors, Global, Listener, Log, Route, RouteAction, Service, Timeouts, Val,
};

/// A configuration in which everything fits: every reference has its object, every value is valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[global]`.
    pub global: Val<Global>,
    /// `[admin]`.
    pub admin: Val<Admin>,
    /// `[log]`.
    pub log: Val<Log>,
    /// `[errors]`: replaced error pages.
    pub errors: Errors,
    /// `[defaults.timeouts]`.
    pub timeouts: Timeouts,
    /// `[listener.NAME]`, in written order; spans are those of their headers.
    pub listeners: Vec<Val<Listener>>,
    /// `[[route]]`, in written order: the root file's, then those of each included file.
    pub routes: Vec<Val<Route>>,
    /// `[condition.NAME]` by name, in written order.
    pub conditions: Vec<(Val<String>, Val<Condition>)>,
    /// `[service.NAME]`, in written order.
    pub services: Vec<Val<Service>>,
}

impl Config {
    /// The listener of this name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<&Val<Listener>> {
        self.listeners
            .iter()
            .find(|listener| *listener.name == name)
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Val<Service>> {
        self.services.iter().find(|service| *service.name == name)
    }

    /// The condition of this name.
    #[must_use]
    pub fn condition(&self, name: &str) -> Option<&Val<Condition>> {
        let mut conditions = self.conditions.iter();
        conditions
            .find(|(own, _)| own.value == name)
            .map(|(_, condition)| condition)
    }

    /// The service a route forwards to; `None` when it answers by itself, or splits its requests between several.
    #[must_use]
    pub fn service_of(&self, route: &Route) -> Option<&Val<Service>> {
        match &route.action {
            RouteAction::Service(name) => self.service(name),
            RouteAction::Split(_) | RouteAction::Redirect(_) | RouteAction::Respond(_) => None,
        }
    }

    /// The timeouts of a listener before a route is known, each with where it comes from.
    #[must_use]
    pub fn listener_timeouts(&self, listener: &Listener) -> Timeouts {
        self.timeouts.with(&listener.timeouts)
    }

    /// The timeouts of a service by itself (pool, health), each with where it comes from.
    #[must_use]
    pub fn service_timeouts(&self, service: &Service) -> Timeouts {
        self.timeouts.with(&service.timeouts)
    }

    /// The timeouts of a request on `listener` by `route`: the route's own, else its service's, else the listener's, else the defaults.
    #[must_use]
    pub fn request_timeouts(&self, listener: &Listener, route: &Route) -> Timeouts {
        self.request_timeouts_with(listener, route, self.service_of(route))
    }

    /// The same for a route that forwards to several services, when `service` is the one.
    #[must_use]
    pub fn request_timeouts_with(
        &self,
        listener: &Listener,
        route: &Route,
        service: Option<&Val<Service>>,
    ) -> Timeouts {
        let timeouts = self.listener_timeouts(listener);
        let timeouts = match service {
            Some(service) => timeouts.with(&service.timeouts),
            None => timeouts,
        };
        timeouts.with(&route.timeouts)
    }
}
