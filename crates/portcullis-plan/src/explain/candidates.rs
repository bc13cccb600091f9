//! Every route and what became of it in one search.

use portcullis_config::PathPattern;

use super::{conditions, precedence};
use crate::facts::Facts;
use crate::plan::Plan;
use crate::route::{Condition, Entry, Verdict, Witness};
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
    /// The `file:line` of the condition that does not hold, where it is one of those beside host, path and methods.
    pub condition_place: Option<String>,
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
            route: route.name().to_string(),
            place: route.place().to_string(),
            won: winner == Some(id),
            reason: judge.reason(id),
            condition_place: judge
                .condition(id)
                .map(|condition| conditions::to_blame(condition, facts).place.to_string()),
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
            Some((_, Verdict::Condition(_))) => match self.condition(id) {
                Some(condition) => conditions::unmet(condition, self.facts),
                None => "a condition does not hold".to_owned(),
            },
        }
    }

    /// The condition that a route lost by.
    fn condition(&self, id: RouteId) -> Option<&Condition> {
        let entry = self.facts.listener.router.entry(id)?;
        match self.record.0.iter().find(|(route, _)| *route == id)? {
            (_, Verdict::Condition(index)) => entry.rule.conditions().get(*index),
            _ => None,
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
        if precedence::host_of(entry, self.facts.host).is_none() {
            let hosts: Vec<_> = entry.hosts.iter().map(|host| format!("`{host}`")).collect();
            return format!("host `{}` is not {}", self.facts.host, hosts.join(" or "));
        }
        if entry.path.is_some() && self.facts.path.first() != Some(&b'/') {
            return "has a path, and this request has none".to_owned();
        }
        match &entry.path {
            Some(PathPattern::Exact(path)) => format!("path is not exactly `{path}`"),
            Some(PathPattern::Prefix(path)) => format!("path is not `{path}` nor below it"),
            Some(PathPattern::Template(template)) => format!("path does not fit `{template}`"),
            Some(PathPattern::Regex(regex)) => format!("path does not match `{regex}`"),
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
            .map_or("?", |route| route.name());
        let rule = precedence::lost_by(entry, winner, self.facts.host);
        format!("matches, but `{name}` comes first: {rule}")
    }
}

fn method_reason(entry: &Entry, facts: &Facts<'_>) -> String {
    let asked = String::from_utf8_lossy(facts.method);
    match entry.rule.methods() {
        [] => format!("{asked} is taken only by routes that name it"),
        methods => format!("method {asked} is not {}", methods.join(" or ")),
    }
}
