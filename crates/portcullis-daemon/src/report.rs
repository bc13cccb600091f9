//! What a reload came to, as operators and their tools read it.

use std::fmt;
use std::time::Duration;

use portcullis_plan::diff::{Change, ChangeKind, Reset, summary};
use serde_json::{Value, json};

/// What a reload came to.
#[derive(Debug)]
pub(crate) enum Report {
    /// A new plan is in force.
    Reloaded(Box<Reloaded>),
    /// It made things worse, and the generation before is in force again.
    WentBack(Box<WentBack>),
    /// What runs is what the text says.
    Unchanged,
    /// Nothing has changed, for these reasons.
    Rejected {
        /// The diagnostics as operators read them.
        reasons: String,
    },
}

/// What a reload did.
#[derive(Debug)]
pub(crate) struct Reloaded {
    /// The number of the generation before.
    pub(crate) from: u64,
    /// The number of the generation in force now.
    pub(crate) to: u64,
    /// From the first file read to the swap.
    pub(crate) took: Duration,
    /// What is different.
    pub(crate) changes: Vec<Change>,
    /// Observed state that starts anew.
    pub(crate) resets: Vec<Reset>,
    /// What was suspicious about the text.
    pub(crate) warnings: String,
    /// Client connections that stayed open.
    pub(crate) connections: usize,
    /// Tunnels that stayed open.
    pub(crate) tunnels: usize,
    /// What came of guarding it, if it was.
    pub(crate) guarded: Option<Guarded>,
}

/// What came of a reload that was guarded and stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// Nothing got worse for so long.
    Passed(Duration),
    /// Another change took its place before the time was over.
    Replaced,
}

/// A guarded reload that was taken back.
#[derive(Debug)]
pub(crate) struct WentBack {
    /// The generation whose configuration is in force again.
    pub(crate) to: u64,
    /// How long the change was in force.
    pub(crate) lasted: Duration,
    /// What got worse.
    pub(crate) evidence: Vec<String>,
    /// The way back.
    pub(crate) back: Reloaded,
}

impl Report {
    /// A refusal for these reasons.
    pub(crate) fn rejected(reasons: impl Into<String>) -> Self {
        Self::Rejected {
            reasons: reasons.into(),
        }
    }

    /// The answer of a process that is about to end.
    pub(crate) fn stopping() -> Self {
        Self::rejected("the process is stopping")
    }

    /// Whether what runs is now what the text says.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self, Self::Reloaded(_) | Self::Unchanged)
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Reloaded(done) => done.json(),
            Self::WentBack(back) => back.json(),
            Self::Unchanged => json!({ "result": "unchanged" }),
            Self::Rejected { reasons } => {
                json!({ "result": "rejected", "reasons": reasons.trim_end() })
            }
        }
    }
}

impl Reloaded {
    fn json(&self) -> Value {
        let resets: Vec<Value> = self
            .resets
            .iter()
            .map(|reset| json!({ "kind": reset.noun, "name": reset.name, "why": reset.why }))
            .collect();
        json!({
            "result": "reloaded",
            "generation": { "from": self.from, "to": self.to },
            "milliseconds": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "summary": summary(&self.changes),
            "changes": self.changes.iter().map(change_json).collect::<Vec<_>>(),
            "kept": { "connections": self.connections, "websockets": self.tunnels },
            "reset": resets,
            "warnings": self.warnings.trim_end(),
            "guard": self.guarded.map(Guarded::word),
        })
    }

    /// `generation 7 -> 8 in 12 ms: 2 routes changed; kept 412 connections; reset 1 limiter ("route api": key changed)`.
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "generation {} -> {} in {} ms: {}; kept {}",
            self.from,
            self.to,
            self.took.as_millis(),
            summary(&self.changes),
            counted(self.connections, "connection"),
        );
        if self.tunnels > 0 {
            line += &format!(", {}", counted(self.tunnels, "WebSocket"));
        }
        if !self.resets.is_empty() {
            line += &format!("; reset {}", told(&self.resets));
        }
        line
    }
}

/// A change for machines.
pub(crate) fn change_json(change: &Change) -> Value {
    let keys: &[&str] = match &change.kind {
        ChangeKind::Changed(keys) => keys,
        ChangeKind::Added | ChangeKind::Removed => &[],
    };
    json!({
        "object": change.object.to_string(),
        "kind": change.verb(),
        "keys": keys,
        "effect": change.effect.word(),
    })
}

/// `1 limiter ("route api": key changed), 2 servers ("app/a", "app/b": address changed)`, by kind.
fn told(resets: &[Reset]) -> String {
    let mut kinds: Vec<&str> = resets.iter().map(|reset| reset.noun).collect();
    kinds.dedup();
    let of = |noun: &str| {
        let these: Vec<String> = resets
            .iter()
            .filter(|reset| reset.noun == noun)
            .map(|reset| format!("\"{}\": {}", reset.name, reset.why))
            .collect();
        format!("{} ({})", counted(these.len(), noun), these.join("; "))
    };
    kinds.into_iter().map(of).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reloaded(done) => {
                f.write_str(&done.warnings)?;
                for change in &done.changes {
                    writeln!(f, "{change}")?;
                }
                f.write_str(&done.line())?;
                match done.guarded {
                    Some(guarded) => write!(f, "\n{guarded}"),
                    None => Ok(()),
                }
            }
            Self::WentBack(back) => back.fmt(f),
            Self::Unchanged => f.write_str("unchanged: the configuration in force says the same"),
            Self::Rejected { reasons } => {
                writeln!(f, "{}", reasons.trim_end())?;
                f.write_str("rejected: everything stays as it was")
            }
        }
    }
}

impl Guarded {
    const fn word(self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(window) => write!(
                f,
                "guarded for {}: nothing got worse",
                portcullis_config::values::format_duration(*window)
            ),
            Self::Replaced => f.write_str("guarded no longer: another change has taken its place"),
        }
    }
}

impl WentBack {
    fn json(&self) -> Value {
        let mut told = self.back.json();
        if let Some(fields) = told.as_object_mut() {
            fields.insert("result".to_owned(), "rolled-back".into());
            fields.insert("evidence".to_owned(), json!(self.evidence));
        }
        told
    }
}

impl fmt::Display for WentBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "error: generation {} made things worse within {} s",
            self.back.from,
            self.lasted.as_secs().max(1)
        )?;
        for what in &self.evidence {
            writeln!(f, "  {what}")?;
        }
        writeln!(f, "{}", self.back.line())?;
        write!(
            f,
            "rolled back: the configuration of generation {} is in force again",
            self.to
        )
    }
}

/// `1 request`, `3 requests`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use portcullis_plan::diff::{Effect, Object};

    use super::*;

    fn reloaded() -> Reloaded {
        let change = |object, kind| Change {
            object,
            kind,
            effect: Effect::Kept,
        };
        Reloaded {
            from: 7,
            to: 8,
            took: Duration::from_millis(12),
            changes: vec![
                change(Object::Route("a".into()), ChangeKind::Changed(vec!["path"])),
                change(
                    Object::Server {
                        service: "app".into(),
                        name: "s2".into(),
                        address: Some("127.0.0.1:1".into()),
                    },
                    ChangeKind::Added,
                ),
            ],
            resets: vec![Reset {
                noun: "limiter",
                name: "per_key".to_owned(),
                why: "key changed".to_owned(),
            }],
            warnings: String::new(),
            connections: 412,
            tunnels: 37,
            guarded: None,
        }
    }

    #[test]
    fn a_report_ends_with_a_line_that_sums_it_up() {
        let report = Report::Reloaded(Box::new(reloaded()));
        assert_eq!(
            report.to_string(),
            "route `a` changed: path\nserver `app/s2` (127.0.0.1:1) added\n\
            generation 7 -> 8 in 12 ms: 1 route changed, 1 server added; \
            kept 412 connections, 37 WebSockets; reset 1 limiter (\"per_key\": key changed)"
        );
        assert!(report.is_success());
        let rejected = Report::rejected("error: no\n");
        assert_eq!(
            rejected.to_string(),
            "error: no\nrejected: everything stays as it was"
        );
        assert!(!rejected.is_success());
        assert!(Report::Unchanged.is_success());
    }

    #[test]
    fn machines_are_told_the_same() {
        let told = Report::Reloaded(Box::new(reloaded())).json();
        assert_eq!(told["generation"]["to"], 8);
        assert_eq!(told["changes"][0]["keys"][0], "path");
        assert_eq!(told["kept"]["websockets"], 37);
        assert_eq!(told["reset"][0]["why"], "key changed");
        assert_eq!(Report::rejected("no").json()["result"], "rejected");
    }
}
