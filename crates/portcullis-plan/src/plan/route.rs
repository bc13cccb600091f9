//! What becomes of the requests that match: their answer or service, and what is changed on the way.

use std::sync::Arc;

use crate::captures::Captures;
use crate::fault::Fault;
use crate::headers::{HeaderEdits, Template};
use crate::maintenance::Maintenance;
use crate::map_back::MapBack;
use crate::mirror::Mirror;
use crate::rewrite::TargetRewrite;
use crate::split::Split;
use crate::{LimitId, ServiceId};

/// One route: two pointers, since with many of them each request finds its own in no cache. What it is called is seldom read.
#[derive(Debug)]
pub struct Route {
    label: Box<Label>,
    conduct: Arc<Conduct>,
}

#[derive(Debug)]
struct Label {
    name: Arc<str>,
    place: Arc<str>,
}

/// What a route does with the requests that match. Most routes of a configuration do the same as others, and share it; it is read
/// through the route itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Conduct {
    /// The answer or the service.
    pub action: Action,
    /// What becomes of the path.
    pub path: PathRewrite,
    /// Host sent to the server instead of the client's.
    pub host: Option<Template>,
    /// Edits of the request head towards the server.
    pub request_headers: HeaderEdits,
    /// Edits of the response head towards the client.
    pub response_headers: HeaderEdits,
    /// Protocols a request may upgrade to, lower case.
    pub upgrade: Box<[Box<str>]>,
    /// Bytes of a request body; the outer `None` takes the listener's.
    pub body_limit: Option<Option<u64>>,
    /// What `{path.NAME}` stands for, where the path captures anything.
    pub captures: Option<Box<Captures>>,
    /// Limit for the requests of this route.
    pub rate_limit: Option<LimitId>,
    /// What few routes have.
    pub extras: Option<Box<Extras>>,
}

impl std::ops::Deref for Route {
    type Target = Conduct;

    fn deref(&self) -> &Conduct {
        &self.conduct
    }
}

/// For tests, before their plan is made: the route gets a conduct of its own.
#[cfg(test)]
impl std::ops::DerefMut for Route {
    fn deref_mut(&mut self) -> &mut Conduct {
        Arc::make_mut(&mut self.conduct)
    }
}

impl Route {
    /// A route of this name, written at this `file:line`.
    #[must_use]
    pub fn new(name: Arc<str>, place: Arc<str>, conduct: Arc<Conduct>) -> Self {
        let label = Box::new(Label { name, place });
        Self { label, conduct }
    }

    /// Its identity.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.label.name
    }

    /// What it does, which other routes may do as well.
    #[must_use]
    pub fn conduct(&self) -> &Arc<Conduct> {
        &self.conduct
    }

    /// `file:line` of its table.
    #[must_use]
    pub fn place(&self) -> &Arc<str> {
        &self.label.place
    }
}

impl Conduct {}

impl Conduct {
    /// `action`, and nothing changed on the way.
    #[must_use]
    pub fn plain(action: Action) -> Self {
        Self {
            action,
            path: PathRewrite::Keep,
            host: None,
            request_headers: HeaderEdits::default(),
            response_headers: HeaderEdits::default(),
            upgrade: Box::default(),
            body_limit: None,
            captures: None,
            rate_limit: None,
            extras: None,
        }
    }

    /// Changes of path and query that need the request's values, if there are any.
    #[must_use]
    pub fn target(&self) -> Option<&TargetRewrite> {
        self.extras.as_ref()?.target.as_ref()
    }

    /// `file:line` of a key that few routes have.
    #[must_use]
    pub fn key_place(&self, key: &str) -> Option<&str> {
        let places = &self.extras.as_ref()?.places;
        places
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, place)| &**place)
    }

    /// How it is closed, if it is.
    #[must_use]
    pub fn maintenance(&self) -> Option<&Maintenance> {
        self.extras.as_ref()?.maintenance.as_ref()
    }

    /// Who gets copies of its requests, if anybody does.
    #[must_use]
    pub fn mirror(&self) -> Option<&Mirror> {
        self.extras.as_ref()?.mirror.as_ref()
    }

    /// Faults that are injected, if any are.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.extras.as_ref()?.fault.as_ref()
    }

    /// How addresses in answers are mapped back, if they are.
    #[must_use]
    pub fn map_back(&self) -> Option<&MapBack> {
        self.extras.as_ref()?.map_back.as_ref()
    }
}

/// What few routes have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// Changes of path and query that need the request's values.
    pub target: Option<TargetRewrite>,
    /// How addresses in answers come back.
    pub map_back: Option<MapBack>,
    /// How it is closed, if it is.
    pub maintenance: Option<Maintenance>,
    /// Who gets copies of its requests.
    pub mirror: Option<Mirror>,
    /// Faults that are injected.
    pub fault: Option<Fault>,
    /// `file:line` of keys that explanations tell the place of.
    pub places: Box<[(&'static str, Arc<str>)]>,
}

impl Extras {
    /// Boxed if there is anything in it.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        let Self {
            target,
            map_back,
            maintenance,
            mirror,
            fault,
            places,
        } = &self;
        let empty = target.is_none()
            && map_back.is_none()
            && maintenance.is_none()
            && mirror.is_none()
            && fault.is_none()
            && places.is_empty();
        (!empty).then(|| Box::new(self))
    }
}

/// A route's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Pass to a server of this service.
    Forward(ServiceId),
    /// Pass to a server of one of several services.
    Split(Box<Split>),
    /// Send elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Value of `Location`.
        to: Template,
    },
    /// A fixed answer.
    Respond(FixedResponse),
}

impl Action {
    /// The services its requests are split between, if they are.
    #[must_use]
    pub fn split(&self) -> Option<&Split> {
        match self {
            Self::Split(split) => Some(split),
            _ => None,
        }
    }
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    /// Its status.
    pub status: u16,
    /// Its fields, Content-Type among them.
    pub fields: Box<[(Box<str>, Template)]>,
    /// Its body.
    pub body: Arc<[u8]>,
}

/// What becomes of the normalised path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PathRewrite {
    /// Sent as matched.
    #[default]
    Keep,
    /// The first `length` bytes, a whole number of segments, are replaced by `with` (empty to strip).
    ReplacePrefix {
        /// Bytes of the matched prefix, without a closing slash.
        length: usize,
        /// What stands there instead, without a closing slash.
        with: Box<str>,
    },
}

impl PathRewrite {
    /// Appends the path that the server sees. A path never becomes empty; an asterisk stays one.
    pub fn write(&self, path: &[u8], out: &mut Vec<u8>) {
        let Self::ReplacePrefix { length, with } = self else {
            return out.extend_from_slice(path);
        };
        if path.first() != Some(&b'/') {
            return out.extend_from_slice(path);
        }
        let rest = path.get(*length..).unwrap_or_default();
        out.extend_from_slice(with.as_bytes());
        if rest.first() == Some(&b'/') {
            out.extend_from_slice(rest);
        } else if with.is_empty() {
            out.push(b'/');
        }
    }
}
