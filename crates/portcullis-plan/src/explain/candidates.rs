//! Every route and what became of it in one search.

use portcullis_config::{HostPattern, PathPattern};

use crate::facts::Facts;
use crate::plan::Plan;
use crate::route::{Entry, HeaderCondition, HeaderTest, Verdict, Witness};
use crate::{ListenerId, RouteId};

/// A route and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub route: String,
    /// Its `file:line`.
    pub place: String,
    /// Whether it is the one.
    pub won: bool,
    /// Why it won or lost.
    pub reason: String,
}

/// What the search said about each route it looked at; the first word about a route is the best.
#[derive(Default)]
struct Record(Vec<(RouteId, Verdict)>);

impl Witness for Record {
    const WHOLE: bool = true;

    fn considered(&mut self, route: RouteId, verdict: Verdict) {
        if !self.0.iter().any(|(known, _)| *known == route) {
            self.0.push((route, verdict));
        }
    }
}

/// All routes of the plan in file order, judged by the listener's own search.
pub(super) fn all(plan: &Plan, listener: ListenerId, facts: &Facts<'_>) -> Vec<Candidate> {
    let mut record = Record::default();
    if let Some(listener) = plan.listener(listener) {
        listener.router.find(facts, &mut record);
    }
    let winner = record
        .0
        .iter()
        .find(|(_, verdict)| *verdict == Verdict::Won)
        .map(|(route, _)| *route);
    let judge = Judge {
        plan,
        facts,
        record: &record,
        winner: winner.and_then(|id| facts.listener.router.entry(id)),
    };
    let routes = plan.routes.iter().enumerate();
    let judged = routes.map(|(index, route)| {
        let id = RouteId::new(index);
        Candidate {
            route: route.name.to_string(),
            place: route.place.to_string(),
            won: winner == Some(id),
            reason: judge.reason(id),
        }
    });
    judged.collect()
}

struct Judge<'j> {
    plan: &'j Plan,
    facts: &'j Facts<'j>,
    record: &'j Record,
    winner: Option<&'j Entry>,
}

impl Judge<'_> {
    fn reason(&self, id: RouteId) -> String {
        let Some(entry) = self.facts.listener.router.entry(id) else {
            return self.elsewhere(id);
        };
        match self.record.0.iter().find(|(route, _)| *route == id) {
            None => self.not_considered(entry),
            Some((_, Verdict::Won)) => "matches, and comes first".to_owned(),
            Some((_, Verdict::Outranked)) => self.outranked(entry),
            Some((_, Verdict::Method)) => method_reason(entry, self.facts),
            Some((_, Verdict::NeedsPath)) => "has a path, and this request has none".to_owned(),
            Some((_, Verdict::Header(index))) => match entry.rule.headers().get(*index) {
                Some(condition) => header_reason(condition, self.facts),
                None => "a header condition does not hold".to_owned(),
            },
        }
    }

    fn elsewhere(&self, id: RouteId) -> String {
        let offers = self
            .plan
            .listeners
            .iter()
            .filter(|listener| listener.router.entry(id).is_some());
        let names: Vec<_> = offers
            .map(|listener| format!("`{}`", listener.name))
            .collect();
        format!(
            "is only on listener {}",
            if names.is_empty() {
                "nowhere".to_owned()
            } else {
                names.join(", ")
            }
        )
    }

    /// The search never came by: the host or the path must differ.
    fn not_considered(&self, entry: &Entry) -> String {
        if host_of(entry, self.facts.host).is_none() {
            let hosts: Vec<_> = entry.hosts.iter().map(|host| format!("`{host}`")).collect();
            return format!("host `{}` is not {}", self.facts.host, hosts.join(" or "));
        }
        match &entry.path {
            Some(PathPattern::Exact(path)) => format!("path is not exactly `{path}`"),
            Some(PathPattern::Prefix(path)) => format!("path is not `{path}` nor below it"),
            None => "does not match".to_owned(),
        }
    }

    /// Which rule of precedence told it from the winner.
    fn outranked(&self, entry: &Entry) -> String {
        let Some(winner) = self.winner else {
            return "comes later".to_owned();
        };
        let name = self
            .plan
            .route(winner.route)
            .map_or("?", |route| &route.name);
        let host = self.facts.host;
        let rule = if host_rank(entry, host) != host_rank(winner, host) {
            let own = host_of(entry, host)
                .flatten()
                .map_or("any host".to_owned(), |pattern| format!("host `{pattern}`"));
            format!("{own} is less specific")
        } else if path_rank(entry) != path_rank(winner) {
            format!("path {} is less specific", path_text(entry))
        } else if entry.rule.methods().is_empty() != winner.rule.methods().is_empty() {
            "it names no methods".to_owned()
        } else if entry.rule.headers().len() != winner.rule.headers().len() {
            "it has fewer header conditions".to_owned()
        } else {
            "it comes later in the file".to_owned()
        };
        format!("matches, but `{name}` comes first: {rule}")
    }
}

/// The most specific pattern of a route that matches: `None` if none does, an inner `None` for a route without hosts.
fn host_of<'e>(entry: &'e Entry, host: &str) -> Option<Option<&'e HostPattern>> {
    if entry.hosts.is_empty() {
        return Some(None);
    }
    let asked = HostPattern::Exact(host.into());
    let matching = entry.hosts.iter().filter(|pattern| pattern.covers(&asked));
    matching.max_by_key(|pattern| rank(pattern)).map(Some)
}

fn rank(pattern: &HostPattern) -> usize {
    match pattern {
        HostPattern::Exact(_) => usize::MAX,
        HostPattern::Wildcard(suffix) => suffix.len(),
    }
}

fn host_rank(entry: &Entry, host: &str) -> usize {
    host_of(entry, host).flatten().map_or(0, rank)
}

fn path_rank(entry: &Entry) -> usize {
    match &entry.path {
        None => 0,
        Some(PathPattern::Prefix(path)) => path.trim_end_matches('/').len(),
        Some(PathPattern::Exact(_)) => usize::MAX,
    }
}

fn path_text(entry: &Entry) -> String {
    entry
        .path
        .as_ref()
        .map_or("`/`".to_owned(), |path| format!("`{path}`"))
}

fn method_reason(entry: &Entry, facts: &Facts<'_>) -> String {
    let asked = String::from_utf8_lossy(facts.method);
    match entry.rule.methods() {
        [] => format!("{asked} is taken only by routes that name it"),
        methods => format!("method {asked} is not {}", methods.join(" or ")),
    }
}

fn header_reason(condition: &HeaderCondition, facts: &Facts<'_>) -> String {
    let name = &condition.name;
    match &condition.test {
        HeaderTest::Present => format!("header `{name}` is absent"),
        HeaderTest::Absent => format!("header `{name}` is present"),
        HeaderTest::Equals(wanted) => {
            let wanted = String::from_utf8_lossy(wanted);
            let found = facts.fields.first(name).map(String::from_utf8_lossy);
            let found = found.map_or("absent".to_owned(), |found| {
                format!("`{}`", found.escape_default())
            });
            format!("header `{name}` is {found}, not `{wanted}`")
        }
    }
}
