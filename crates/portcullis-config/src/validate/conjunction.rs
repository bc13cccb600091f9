//! What must hold for a route or a condition, as one list, whether it is written directly, in `all` or behind a name; and which of it
//! follows from which.

use super::Check;
use crate::schema::{Condition, Conditions, CookieMatch, HeaderMatch, QueryMatch, Route};
use crate::schema::{Val, ValueMatch};
use crate::source::Span;
use crate::values::{
    CookieName, FieldName, HostMatch, HostPattern, MethodName, Network, ParameterName, PathPattern,
};

/// The most demands of one route that are looked at.
const MOST_DEMANDS: usize = 256;

/// A list of which one must hold.
pub(super) type List<T> = Val<Vec<Val<T>>>;

/// One thing that must hold.
#[derive(Clone, Copy)]
pub(super) enum Demand<'a> {
    Hosts(&'a List<HostMatch>),
    Path(&'a Val<PathPattern>),
    Methods(&'a List<MethodName>),
    Header(&'a Val<FieldName>, &'a Val<HeaderMatch>),
    Query(&'a Val<ParameterName>, &'a Val<QueryMatch>),
    Cookie(&'a Val<CookieName>, &'a Val<CookieMatch>),
    Clients(&'a List<Network>),
    TlsNames(&'a List<HostPattern>),
    Listeners(&'a List<String>),
    /// At least one of these.
    Any(&'a Val<Conditions>),
    /// Not this one.
    Not(&'a Val<Condition>),
}

/// Everything that must hold together.
pub(super) struct Conjunction<'a> {
    pub(super) demands: Vec<Demand<'a>>,
    /// Whether nothing is left out: there were not too many, and every name leads somewhere.
    pub(super) is_whole: bool,
}

impl<'a> Conjunction<'a> {
    /// All that a route demands.
    pub(super) fn of_route(check: &Check<'a>, route: &'a Route) -> Self {
        let place = [
            route.hosts.as_ref().map(Demand::Hosts),
            route.path.as_ref().map(Demand::Path),
            route.methods.as_ref().map(Demand::Methods),
            route.listeners.as_ref().map(Demand::Listeners),
        ];
        let mut own = Self::beside_place(check, route);
        own.demands.splice(..0, place.into_iter().flatten());
        own
    }

    /// What a route demands but for its own host, path, methods and listeners.
    pub(super) fn beside_place(check: &Check<'a>, route: &'a Route) -> Self {
        let mut own = Self::empty();
        own.values(&route.headers, &route.query, &route.cookies);
        own.demands
            .extend(route.clients.as_ref().map(Demand::Clients));
        own.demands
            .extend(route.tls_names.as_ref().map(Demand::TlsNames));
        if let Some(when) = &route.when {
            own.gather(check, when, &mut Vec::new());
        }
        own
    }

    /// All that a condition demands.
    pub(super) fn of_condition(check: &Check<'a>, condition: &'a Condition) -> Self {
        let mut own = Self::empty();
        own.gather(check, condition, &mut Vec::new());
        own
    }

    fn empty() -> Self {
        Self {
            demands: Vec::new(),
            is_whole: true,
        }
    }

    fn values(
        &mut self,
        headers: &'a [(Val<FieldName>, Val<HeaderMatch>)],
        query: &'a [(Val<ParameterName>, Val<QueryMatch>)],
        cookies: &'a [(Val<CookieName>, Val<CookieMatch>)],
    ) {
        let headers = headers.iter().map(|(name, one)| Demand::Header(name, one));
        let query = query.iter().map(|(name, one)| Demand::Query(name, one));
        let cookies = cookies.iter().map(|(name, one)| Demand::Cookie(name, one));
        self.demands.extend(headers.chain(query).chain(cookies));
    }

    /// Names that lead in a circle or nowhere are told elsewhere.
    fn gather(&mut self, check: &Check<'a>, condition: &'a Condition, path: &mut Vec<&'a str>) {
        if self.demands.len() >= MOST_DEMANDS {
            self.is_whole = false;
            return;
        }
        let lists = [
            condition.hosts.as_ref().map(Demand::Hosts),
            condition.path.as_ref().map(Demand::Path),
            condition.methods.as_ref().map(Demand::Methods),
            condition.clients.as_ref().map(Demand::Clients),
            condition.tls_names.as_ref().map(Demand::TlsNames),
            condition.listeners.as_ref().map(Demand::Listeners),
            condition.any.as_ref().map(Demand::Any),
        ];
        self.demands.extend(lists.into_iter().flatten());
        self.values(&condition.headers, &condition.query, &condition.cookies);
        let not = condition.not.iter().flat_map(|not| not.0.iter());
        self.demands.extend(not.map(Demand::Not));
        if let Some(name) = &condition.named {
            let target = check.config.condition(&name.value);
            match target.filter(|_| !path.contains(&name.value.as_str())) {
                Some(target) => {
                    path.push(&name.value);
                    self.gather(check, target, path);
                    path.pop();
                }
                None => self.is_whole = false,
            }
        }
        for inner in condition.all.iter().flat_map(|all| all.0.iter()) {
            self.gather(check, inner, path);
        }
    }

    /// Whether everything of `other` holds whenever all of this does; `false` where that cannot be told.
    pub(super) fn implies(&self, other: &Self) -> bool {
        let follows = |wanted: &Demand<'_>| self.demands.iter().any(|own| own.implies(wanted));
        other.is_whole && other.demands.iter().all(follows)
    }
}

impl Demand<'_> {
    /// Where it is written.
    pub(super) fn span(&self) -> Option<Span> {
        match self {
            Self::Hosts(list) => list.span,
            Self::Path(path) => path.span,
            Self::Methods(list) => list.span,
            Self::Header(name, _) => name.span,
            Self::Query(name, _) => name.span,
            Self::Cookie(name, _) => name.span,
            Self::Clients(list) => list.span,
            Self::TlsNames(list) => list.span,
            Self::Listeners(list) => list.span,
            Self::Any(list) => list.span,
            Self::Not(one) => one.span,
        }
    }

    /// Whether `other` holds whenever this does; `false` where that cannot be told.
    pub(super) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Hosts(own), Self::Hosts(other)) => within(other, own, HostMatch::covers),
            (Self::Path(own), Self::Path(other)) => other.covers(own),
            (Self::Methods(own), Self::Methods(other)) => within(other, own, |a, b| a == b),
            (Self::Header(name, own), Self::Header(again, other)) => {
                name == again && value_implies(own, other)
            }
            (Self::Query(name, own), Self::Query(again, other)) => {
                name == again && value_implies(own, other)
            }
            (Self::Cookie(name, own), Self::Cookie(again, other)) => {
                name == again && value_implies(own, other)
            }
            (Self::Clients(own), Self::Clients(other)) => within(other, own, network_covers),
            (Self::TlsNames(own), Self::TlsNames(other)) => within(other, own, HostPattern::covers),
            (Self::Listeners(own), Self::Listeners(other)) => within(other, own, |a, b| a == b),
            (Self::Any(own), Self::Any(other)) => own == other,
            (Self::Not(own), Self::Not(other)) => own == other,
            _ => false,
        }
    }
}

fn value_implies<V: PartialEq>(own: &ValueMatch<V>, other: &ValueMatch<V>) -> bool {
    own == other
        || matches!(
            (own, other),
            (
                ValueMatch::Value(_) | ValueMatch::Regex(_),
                ValueMatch::Present
            )
        )
}

/// Whether one list takes all that another one takes.
fn within<T>(wide: &List<T>, narrow: &List<T>, covers: impl Fn(&T, &T) -> bool) -> bool {
    narrow
        .iter()
        .all(|own| wide.iter().any(|wide| covers(&wide.value, &own.value)))
}

fn network_covers(wide: &Network, narrow: &Network) -> bool {
    match (wide, narrow) {
        (Network::Unix, Network::Unix) => true,
        (Network::Ip(wide), Network::Ip(narrow)) => wide.contains(narrow),
        _ => false,
    }
}
