//! `[[route]]`: what matches, and what becomes of it.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_config as config;
use portcullis_config::{PathPattern, Variable};

use super::{Compiler, timeouts};
use crate::headers::{Part, Template};
use crate::plan::{Action, Captures, Conduct, ExchangeTimeouts, FixedResponse, PathRewrite, Route};
use crate::route::Entry;
use crate::{RouteId, ServiceId};

/// Deadlines, and where each is written.
type Deadlines = (Arc<ExchangeTimeouts>, Arc<[(&'static str, Box<str>)]>);

/// The deadlines of routes without timeouts of their own on one listener, by the service they ask.
type Shared = HashMap<Option<ServiceId>, Deadlines>;

impl Compiler<'_> {
    /// All routes in file order.
    pub(super) fn routes(&mut self) -> Box<[Route]> {
        let config = self.config;
        config
            .routes
            .iter()
            .map(|written| self.route(written))
            .collect()
    }

    /// The routes that a listener offers, in file order.
    pub(super) fn entries(&mut self, listener: &config::Listener, routes: &[Route]) -> Vec<Entry> {
        let config = self.config;
        let routes = config.routes.iter().zip(routes).enumerate();
        let offered = routes.filter(|(_, (written, _))| is_offered(written, listener));
        let mut shared = Shared::new();
        offered
            .map(|(index, (written, route))| {
                let (timeouts, origins) = self.deadlines(written, listener, &mut shared);
                let hosts = written.hosts.as_ref().map_or(&[][..], |hosts| &hosts.value);
                Entry {
                    route: RouteId::new(index),
                    priority: written.priority.value,
                    hosts: hosts.iter().map(|host| host.value.clone()).collect(),
                    path: written.path.as_ref().map(|path| path.value.clone()),
                    rule: self.rule(written),
                    conduct: Arc::clone(route.conduct()),
                    timeouts,
                    origins,
                }
            })
            .collect()
    }

    /// The deadlines of a route on a listener. Those of routes without timeouts of their own are those of their service, found once.
    fn deadlines(
        &mut self,
        written: &config::Route,
        listener: &config::Listener,
        shared: &mut Shared,
    ) -> Deadlines {
        // What a route's deadlines depend on beside the listener; `None` where that is more than one service or its own.
        let depends_on = match &written.action {
            _ if written.timeouts.is_written() => None,
            config::RouteAction::Service(name) => {
                self.service_ids.get(name.as_str()).copied().map(Some)
            }
            config::RouteAction::Redirect(_) | config::RouteAction::Respond(_) => Some(None),
            config::RouteAction::Split(_) => None,
        };
        if let Some(known) = depends_on.and_then(|service| shared.get(&service)) {
            return known.clone();
        }
        let deadlines = self.config.request_timeouts(listener, written);
        let found = (
            Arc::new(timeouts::exchange(&deadlines)),
            self.origins(&deadlines),
        );
        shared.extend(depends_on.map(|service| (service, found.clone())));
        found
    }

    fn route(&mut self, written: &config::Val<config::Route>) -> Route {
        let rewrite = written.rewrite.as_ref();
        let name = written.name.as_str();
        let limit = written.rate_limit.as_ref();
        let conduct = Conduct {
            action: self.action(&written.action),
            path: rewrite.map_or(PathRewrite::Keep, |rewrite| {
                path_rewrite(rewrite, written.path.as_deref())
            }),
            host: rewrite
                .and_then(|rewrite| rewrite.host.as_ref())
                .map(|host| Template::from(&host.value)),
            request_headers: self
                .header_edits(rewrite.and_then(|rewrite| rewrite.request_headers.as_ref())),
            response_headers: self
                .header_edits(rewrite.and_then(|rewrite| rewrite.response_headers.as_ref())),
            upgrade: written
                .upgrade
                .iter()
                .map(|name| name.as_str().to_ascii_lowercase().into())
                .collect(),
            body_limit: written
                .body_limit
                .as_ref()
                .map(|limit| limit.value.map(|size| size.0)),
            captures: written.path.as_ref().and_then(|path| Captures::of(path)),
            rate_limit: limit.map(|limit| self.rate_limit(format!("route {name}"), limit)),
            extras: self.extras(written).boxed(),
        };
        let place = self.place(written.span);
        Route::new(name.into(), place, self.shared(conduct))
    }

    /// The same conduct as that of a route to the same service before, where there is one: what many routes do is in the caches.
    fn shared(&mut self, new: Conduct) -> Arc<Conduct> {
        const REMEMBERED: usize = 8;
        let service = match new.action {
            Action::Forward(service) => Some(service),
            _ => None,
        };
        let known = self.conducts.entry(service).or_default();
        if let Some(same) = known.iter().find(|known| ***known == new) {
            return Arc::clone(same);
        }
        let new = Arc::new(new);
        known.truncate(REMEMBERED - 1);
        known.insert(0, Arc::clone(&new));
        new
    }

    fn action(&mut self, written: &config::RouteAction) -> Action {
        match written {
            config::RouteAction::Service(name) => Action::Forward(self.service_id(name)),
            config::RouteAction::Split(split) => Action::Split(Box::new(self.split(split))),
            config::RouteAction::Redirect(redirect) => Action::Redirect {
                status: redirect.status.code(),
                to: location(redirect),
            },
            config::RouteAction::Respond(respond) => Action::Respond(fixed_response(respond)),
        }
    }

    pub(super) fn service_id(&mut self, name: &config::Val<String>) -> ServiceId {
        if let Some(id) = self.service_ids.get(name.as_str()) {
            return *id;
        }
        let problem = config::Diagnostic::error(
            "unknown-service",
            format!("no service named `{}`", name.value),
        );
        self.diagnostics.push(problem.at(name.span, "not defined"));
        ServiceId::new(usize::MAX)
    }
}

/// Whether a listener offers a route.
pub(super) fn is_offered(route: &config::Route, listener: &config::Listener) -> bool {
    match &route.listeners {
        None => true,
        Some(names) => names.iter().any(|name| name.value == listener.name.value),
    }
}

pub(super) fn path_rewrite(rewrite: &config::Rewrite, path: Option<&PathPattern>) -> PathRewrite {
    let own = path.map_or(0, |path| path.fixed_prefix().len());
    let stripped = rewrite
        .strip_prefix
        .as_ref()
        .map(|strip| match &strip.value {
            config::StripPrefix::Matched => own,
            config::StripPrefix::Path(prefix) => prefix.as_str().len(),
        });
    match (stripped, &rewrite.replace_prefix) {
        (_, Some(with)) => PathRewrite::ReplacePrefix {
            length: own,
            with: with.as_str().into(),
        },
        (Some(length), None) if length > 0 => PathRewrite::ReplacePrefix {
            length,
            with: Box::default(),
        },
        _ => PathRewrite::Keep,
    }
}

/// `Location`: the address as written, or the request's own with parts replaced. The port goes with the host and
/// the scheme, so it is dropped when one of them changes.
fn location(redirect: &config::Redirect) -> Template {
    if let Some(to) = &redirect.to {
        return Template::from(&to.value);
    }
    let given =
        |template: &config::Val<config::Template>| Template::from(&template.value).parts().to_vec();
    let scheme = redirect.scheme.as_ref().map(|scheme| match scheme.value {
        config::RedirectScheme::Http => Part::Text("http".into()),
        config::RedirectScheme::Https => Part::Text("https".into()),
    });
    let host = match (&redirect.host, &scheme) {
        (Some(host), _) => given(host),
        (None, Some(_)) => vec![Part::Variable(Variable::Host)],
        (None, None) => vec![Part::Authority],
    };
    let path = redirect
        .path
        .as_ref()
        .map_or_else(|| vec![Part::Variable(Variable::Path)], given);
    let query = match &redirect.query {
        None => vec![Part::Query],
        Some(query) if query.as_str().is_empty() => Vec::new(),
        Some(query) => [vec![Part::Text("?".into())], given(query)].concat(),
    };
    let scheme = scheme.unwrap_or(Part::Variable(Variable::Scheme));
    let parts = [scheme, Part::Text("://".into())]
        .into_iter()
        .chain(host)
        .chain(path);
    Template::new(parts.chain(query))
}

fn fixed_response(written: &config::Respond) -> FixedResponse {
    let (body, media): (Arc<[u8]>, _) = match (&written.body_file, &written.body) {
        (Some(file), _) => (Arc::clone(&file.bytes), Some(file.content_type())),
        (None, Some(text)) => (text.as_bytes().into(), Some("text/plain; charset=utf-8")),
        (None, None) => (Arc::default(), None),
    };
    let fields = written.headers.iter();
    let mut fields: Vec<(Box<str>, _)> = fields
        .map(|(name, value)| (name.as_str().into(), Template::constant(value.as_str())))
        .collect();
    let named = fields.iter().any(|(name, _)| &**name == "content-type");
    if let Some(media) = media.filter(|_| !named) {
        fields.push(("content-type".into(), Template::constant(media)));
    }
    FixedResponse {
        status: written.status.code(),
        fields: fields.into(),
        body,
    }
}
