//! What a new plan changes, in the operator's words.
//!
//! Objects are the same when their names are: a renamed object is one removed and one added, and its
//! state starts anew. Moved lines are no change.

mod danger;
mod listener;
mod object;
mod reset;
mod route;
mod service;
mod summary;

use std::collections::HashMap;
use std::fmt;

use crate::LimitId;
use crate::limit::RateLimit;
use crate::plan::Plan;

pub use object::Object;
pub use reset::{Reset, resets};
pub use summary::summary;

/// One object that a new plan adds, removes or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What and which.
    pub object: Object,
    /// What becomes of it.
    pub kind: ChangeKind,
    /// What it means for what has been observed, or for the process.
    pub effect: Effect,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// These keys of it have other values.
    Changed(Vec<&'static str>),
}

/// What a change means beyond itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: what has been observed is kept.
    Kept,
    /// It starts with no state.
    Fresh,
    /// Its state is dropped once its last exchange is over.
    Dropped,
    /// Its rate limit forgets its clients; everything else is kept.
    LimitReset,
    /// It has another address, so it is another server: health, weight and counters start anew.
    StateReset,
    /// It takes effect only after a restart.
    NeedsRestart,
}

impl Effect {
    /// For machines: `kept`, `fresh`, `dropped`, `limit-reset`, `state-reset` or `needs-restart`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Fresh => "fresh",
            Self::Dropped => "dropped",
            Self::LimitReset => "limit-reset",
            Self::StateReset => "state-reset",
            Self::NeedsRestart => "needs-restart",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ChangeKind::Added => write!(f, "{} added", self.object)?,
            ChangeKind::Removed => write!(f, "{} removed", self.object)?,
            ChangeKind::Changed(keys) => write!(f, "{} changed: {}", self.object, keys.join(", "))?,
        }
        match self.effect {
            Effect::Kept | Effect::Fresh | Effect::Dropped => Ok(()),
            Effect::LimitReset => f.write_str(" (its rate limit starts anew)"),
            Effect::StateReset => f.write_str(" (its state starts anew)"),
            Effect::NeedsRestart => {
                f.write_str(" (needs a restart; until then the old value holds)")
            }
        }
    }
}

/// Everything that `new` changes about `old`: the process, listeners, routes, services with their servers. Empty
/// when only places (lines of the files) differ.
#[must_use]
pub fn diff(old: &Plan, new: &Plan) -> Vec<Change> {
    let plans = Plans { old, new };
    let mut changes = process(plans);
    changes.extend(listener::changes(plans));
    changes.extend(route::changes(plans));
    changes.extend(service::changes(plans));
    changes
}

/// The two plans that are compared.
#[derive(Clone, Copy)]
struct Plans<'p> {
    old: &'p Plan,
    new: &'p Plan,
}

impl<'p> Plans<'p> {
    fn limits(
        self,
        old: Option<LimitId>,
        new: Option<LimitId>,
    ) -> (Option<&'p RateLimit>, Option<&'p RateLimit>) {
        (
            old.and_then(|id| self.old.limit(id)),
            new.and_then(|id| self.new.limit(id)),
        )
    }
}

fn process(Plans { old, new }: Plans<'_>) -> Vec<Change> {
    let (a, b) = (&old.process, &new.process);
    let keys = differing(&[
        (
            "global.max_connections",
            a.max_connections == b.max_connections,
        ),
        (
            "global.shutdown_timeout",
            a.shutdown_timeout == b.shutdown_timeout,
        ),
        ("global.drain_timeout", a.drain_timeout == b.drain_timeout),
        ("global.watch", a.watch == b.watch),
        (
            "global.certificate_warning",
            a.certificate_warning == b.certificate_warning,
        ),
        ("global.lame_duck", a.lame_duck == b.lame_duck),
        ("global.tunnel_drain", a.tunnel_drain == b.tunnel_drain),
        ("log.level", a.log_level == b.log_level),
        ("log.access", old.access_log == new.access_log),
        ("admin.socket", a.admin_socket == b.admin_socket),
        ("admin.http", a.admin_http == b.admin_http),
        ("errors", old.error_pages == new.error_pages),
    ]);
    let fixed = differing(&[
        ("global.threads", a.threads == b.threads),
        ("global.sandbox", a.sandbox == b.sandbox),
        ("global.user", a.user == b.user),
        ("global.group", a.group == b.group),
    ]);
    let changes = [
        changed(Object::Process, fixed, Effect::NeedsRestart),
        changed(Object::Process, keys, Effect::Kept),
    ];
    changes.into_iter().flatten().collect()
}

/// The keys whose values are not the same.
fn differing(keys: &[(&'static str, bool)]) -> Vec<&'static str> {
    keys.iter()
        .filter(|(_, same)| !same)
        .map(|(key, _)| *key)
        .collect()
}

fn changed(object: Object, keys: Vec<&'static str>, effect: Effect) -> Option<Change> {
    if keys.is_empty() {
        return None;
    }
    let kind = ChangeKind::Changed(keys);
    Some(Change {
        object,
        kind,
        effect,
    })
}

/// Pairs what has the same name: removed ones first, then those of the new plan in their order.
fn by_name<'p, T: 'p>(
    old: impl Iterator<Item = &'p T>,
    new: impl Iterator<Item = &'p T>,
    name: impl Fn(&'p T) -> &'p str,
    object: impl Fn(&'p T) -> Object,
    compare: impl Fn(&'p T, &'p T) -> Option<Change>,
) -> Vec<Change> {
    let old: Vec<&T> = old.collect();
    let new: Vec<&T> = new.collect();
    let known: HashMap<&str, &T> = old.iter().map(|item| (name(item), *item)).collect();
    let staying: HashMap<&str, ()> = new.iter().map(|item| (name(item), ())).collect();
    let gone = old.iter().filter(|item| !staying.contains_key(name(item)));
    let removed = gone.map(|item| Change {
        object: object(item),
        kind: ChangeKind::Removed,
        effect: Effect::Dropped,
    });
    let others = new.iter().filter_map(|item| match known.get(name(item)) {
        Some(before) => compare(before, item),
        None => Some(Change {
            object: object(item),
            kind: ChangeKind::Added,
            effect: Effect::Fresh,
        }),
    });
    removed.chain(others).collect()
}

#[cfg(test)]
mod tests;
