//! What a configuration would do if it took the place of another: the changes, what they cost, and whether they are to be
//! looked at twice. Told before anything happens, by `portcullis plan`.

use portcullis_plan::diff::{Change, ChangeKind, Effect, Object, Reset, diff, resets, summary};
use portcullis_plan::live::Live;
use portcullis_plan::plan::Plan;
use serde_json::{Value, json};

use crate::check::Checked;
use crate::recording::Digest;
use crate::reload::fixed_for_life;
use crate::report::{change_json, counted};
use crate::runtime::Busy;
use crate::tls::Store;

/// What a change of the configuration would do.
#[derive(Debug)]
pub struct Effects {
    /// Names both sides: the configuration in force and the one that would be.
    pub hash: String,
    changes: Vec<Told>,
    resets: Vec<Reset>,
    refused: Vec<String>,
    /// What is suspicious about the new text.
    pub(crate) warnings: String,
    process: Option<Running>,
}

/// A change with what it costs now.
#[derive(Debug)]
struct Told {
    change: Change,
    cost: Option<String>,
}

/// What the running process is busy with.
#[derive(Debug)]
pub(crate) struct Running {
    /// The number of the generation in force.
    pub(crate) generation: u64,
    /// What is open.
    pub(crate) busy: Busy,
}

/// One configuration of the two.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) store: &'a Store,
    /// Names its files and their content.
    pub(crate) hash: &'a str,
}

/// What changes from `old` to `new`, as far as it can be told without a process; `None` where one of them cannot be used.
#[must_use]
pub fn compare(old: &Checked, new: &Checked) -> Option<Effects> {
    let (hashes, warnings) = ((old.hash(), new.hash()), new.render(false));
    let old = Side {
        plan: old.plan.as_ref()?,
        store: old.tls.as_ref()?,
        hash: &hashes.0,
    };
    let new = Side {
        plan: new.plan.as_ref()?,
        store: new.tls.as_ref()?,
        hash: &hashes.1,
    };
    let mut effects = Effects::of(old, new, None);
    effects.warnings = warnings;
    Some(effects)
}

/// Names a change by the two configurations of it.
pub(crate) fn hash_of(old: &str, new: &str) -> String {
    let mut digest = Digest::new();
    digest.add(old.as_bytes());
    digest.add(new.as_bytes());
    digest.finish()
}

/// Everything that differs: in the plans, and in files that they name.
pub(crate) fn changes(old: Side<'_>, new: Side<'_>) -> Vec<Change> {
    let files = new.store.changes_from(old.store).into_iter();
    let files = files.map(|object| Change {
        object,
        kind: ChangeKind::Changed(vec!["content of files"]),
        effect: Effect::Kept,
    });
    diff(old.plan, new.plan).into_iter().chain(files).collect()
}

impl Effects {
    /// What changes from `old`, which may be in force in a process, to `new`.
    pub(crate) fn of(old: Side<'_>, new: Side<'_>, process: Option<(&Live, Running)>) -> Self {
        let live = process.as_ref().map(|(live, _)| *live);
        let cost = |change: &Change| live.and_then(|live| cost(change, old.plan, live));
        let told = changes(old, new).into_iter().map(|change| Told {
            cost: cost(&change),
            change,
        });
        let refused = fixed_for_life(old.plan, new.plan).into_iter();
        Self {
            hash: hash_of(old.hash, new.hash),
            changes: told.collect(),
            resets: resets(old.plan, new.plan),
            refused: refused.map(|finding| finding.message).collect(),
            warnings: String::new(),
            process: process.map(|(_, running)| running),
        }
    }

    /// The exit code of `portcullis plan`: 0 nothing changes, 2 something does, 3 something that is to be looked at twice.
    #[must_use]
    pub fn code(&self) -> u8 {
        match (self.changes.is_empty(), self.is_dangerous()) {
            (_, true) => 3,
            (true, false) => 0,
            (false, false) => 2,
        }
    }

    fn is_dangerous(&self) -> bool {
        !self.refused.is_empty()
            || !self.resets.is_empty()
            || self
                .changes
                .iter()
                .any(|told| told.change.danger().is_some())
    }

    fn summary(&self) -> String {
        let changes: Vec<Change> = self
            .changes
            .iter()
            .map(|told| told.change.clone())
            .collect();
        summary(&changes)
    }

    /// In operators' words, one change a line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = self.warnings.lines().map(str::to_owned).collect();
        for Told { change, cost } in &self.changes {
            let mut line = change.to_string();
            let why = [change.danger().map(str::to_owned), cost.clone()];
            for part in why.into_iter().flatten() {
                line += &format!("; {part}");
            }
            let mark = if change.danger().is_some() { "!" } else { " " };
            lines.push(format!("{mark} {line}"));
        }
        lines.extend(
            self.resets
                .iter()
                .map(|reset| format!("! starts anew: {reset}")),
        );
        lines.extend(
            self.refused
                .iter()
                .map(|what| format!("! needs a restart: {what}")),
        );
        lines.push(match self.code() {
            3 => format!("{}; look twice at what is marked", self.summary()),
            _ => self.summary(),
        });
        if let Some(Running { generation, busy }) = &self.process {
            lines.push(format!(
                "open now: {}, {}, {}; all that is not told above stays open",
                counted(busy.connections, "connection"),
                counted(busy.exchanges, "request"),
                counted(busy.tunnels, "WebSocket"),
            ));
            lines.push(format!("plan {} (from generation {generation})", self.hash));
        } else {
            lines.push(format!("plan {}", self.hash));
        }
        lines.join("\n") + "\n"
    }

    /// The same for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let changes: Vec<Value> = self.changes.iter().map(Told::json).collect();
        let resets = self.resets.iter();
        let resets: Vec<Value> = resets
            .map(|reset| json!({ "kind": reset.noun, "name": reset.name, "why": reset.why }))
            .collect();
        let open = self.process.as_ref().map(|Running { busy, .. }| {
            json!({
                "connections": busy.connections,
                "requests": busy.exchanges,
                "websockets": busy.tunnels,
            })
        });
        json!({
            "plan": self.hash,
            "generation": self.process.as_ref().map(|running| running.generation),
            "code": self.code(),
            "summary": self.summary(),
            "changes": changes,
            "reset": resets,
            "needs_restart": self.refused,
            "warnings": self.warnings.trim_end(),
            "open": open,
            "text": self.text(),
        })
    }
}

impl Told {
    fn json(&self) -> Value {
        let mut told = change_json(&self.change);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("danger".to_owned(), self.change.danger().into());
            fields.insert("cost".to_owned(), self.cost.clone().into());
        }
        told
    }
}

/// What is open now at what goes away.
fn cost(change: &Change, old: &Plan, live: &Live) -> Option<String> {
    if change.kind != ChangeKind::Removed && change.effect != Effect::StateReset {
        return None;
    }
    match &change.object {
        Object::Listener(name) => {
            let found = old.listeners.iter().position(|one| one.name == *name)?;
            let open = live.listeners.get(found)?.connections().open();
            Some(format!("{} drained", counted(open as usize, "connection")))
        }
        Object::Service(name) => {
            let found = old.services.iter().position(|one| one.name == *name)?;
            let open = live.services.get(found)?.in_flight().open();
            Some(in_progress(open))
        }
        Object::Server { service, name, .. } => {
            let service = old.services.iter().find(|one| one.name == *service)?;
            let id = service
                .server_ids()
                .find(|id| old.server(*id).is_some_and(|one| one.name == *name))?;
            Some(in_progress(live.server(id)?.in_flight().open()))
        }
        _ => None,
    }
}

fn in_progress(open: u32) -> String {
    format!("{} in progress there", counted(open as usize, "request"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{CONFIG, snapshot};

    fn effects(from: &str, to: &str) -> Effects {
        let (old, new) = (snapshot(CONFIG), snapshot(&CONFIG.replace(from, to)));
        let store = Store::default();
        let side = |plan, hash| Side {
            plan,
            store: &store,
            hash,
        };
        let running = Running {
            generation: 7,
            busy: Busy::default(),
        };
        old.live.servers[0].begin();
        let (old_side, new_side) = (side(&old.plan, "old"), side(&new.plan, to));
        Effects::of(old_side, new_side, Some((&old.live, running)))
    }

    #[test]
    fn nothing_is_none_an_addition_a_change_and_a_loss_dangerous() {
        assert_eq!(effects("", "").code(), 0);
        let route = "[[route]]\nname = 'new'\npath = '/new'\nrespond = { status = 204 }\n[admin]";
        assert_eq!(effects("[admin]", route).code(), 2);
        assert_eq!(effects("name = 'all'", "name = 'every'").code(), 3);
    }

    #[test]
    fn what_is_lost_is_told_with_what_is_open_there() {
        let told = effects("'127.0.0.1:18101'", "'127.0.0.1:18102'");
        let text = told.text();
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("! server `app/s1` changed: address")
                && first.ends_with("; 1 request in progress there"),
            "{text}"
        );
        assert!(text.contains("! starts anew: server \"app/s1\": address changed\n"));
        assert!(text.ends_with(" (from generation 7)\n"), "{text}");
        assert_eq!(told.json()["code"], 3);
        assert_eq!(told.json()["changes"][0]["effect"], "state-reset");
    }

    #[test]
    fn what_a_running_process_refuses_is_told() {
        let told = effects("[listener.web]", "[global]\nthreads = 4\n[listener.web]");
        assert!(told.text().contains("! needs a restart: `global.threads`"));
    }

    #[test]
    fn the_hash_names_both_sides() {
        let one = effects("", "").hash;
        assert_eq!(one.len(), 16);
        assert_ne!(one, effects("[admin]", "[admin] # x").hash);
    }
}
