//! The generations of the configuration since the process began: when, who asked, what changed, what came of it - and,
//! of the last ones, what they were made from, to go back to.

use std::collections::VecDeque;
use std::sync::Arc;

use portcullis_plan::diff::summary;
use serde_json::{Value, json};

use crate::admin::iso_time;
use crate::recording::Recording;
use crate::report::Report;

/// Entries remembered; the oldest goes first.
const ENTRIES: usize = 100;
/// Generations whose files are kept in memory.
const KEPT: usize = 10;
/// Bytes of files that are kept at most, beside those of the last generation.
const KEPT_BYTES: usize = 64 << 20;
/// Changes told of one entry.
const CHANGES: usize = 50;

/// What happened to the configuration.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<Entry>,
    kept: VecDeque<(u64, Arc<Recording>)>,
}

/// One start, reload or attempt of one.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The generation in force afterwards.
    pub(crate) generation: u64,
    /// When, in nanoseconds since 1970.
    pub(crate) at: u64,
    /// Names the files of the generation.
    pub(crate) hash: String,
    /// Who asked: `start`, `signal`, `socket`, `watch`, `guard`.
    pub(crate) by: &'static str,
    /// What came of it: `started`, `reloaded`, `renewed`, `rolled back`, `rejected`.
    pub(crate) outcome: &'static str,
    /// In one line.
    pub(crate) summary: String,
    /// Change by change.
    pub(crate) changes: Vec<String>,
}

impl Entry {
    /// What there is to remember of a report; `None` where nothing happened.
    pub(crate) fn of(
        report: &Report,
        (generation, at): (u64, u64),
        (by, outcome): (&'static str, &'static str),
        hash: String,
    ) -> Option<Self> {
        let (outcome, summary, mut changes) = match report {
            Report::Unchanged => return None,
            Report::Reloaded(done) => {
                let changes = done.changes.iter().map(ToString::to_string);
                let resets = done
                    .resets
                    .iter()
                    .map(|reset| format!("starts anew: {reset}"));
                let summary = summary(&done.changes);
                (outcome, summary, changes.chain(resets).collect::<Vec<_>>())
            }
            Report::WentBack(back) => {
                let changes = back.back.changes.iter().map(ToString::to_string);
                let evidence = back.evidence.iter().map(|what| format!("worse: {what}"));
                let summary = back.evidence.join("; ");
                (outcome, summary, evidence.chain(changes).collect())
            }
            Report::Rejected { reasons } => {
                let first = reasons.lines().next().unwrap_or_default().to_owned();
                ("rejected", first, Vec::new())
            }
        };
        changes.truncate(CHANGES);
        Some(Self {
            generation,
            at,
            hash,
            by,
            outcome,
            summary,
            changes,
        })
    }
}

impl History {
    /// Remembers an entry.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        while self.entries.len() > ENTRIES {
            self.entries.pop_front();
        }
    }

    /// Keeps what the generation in force now was made from, and forgets the oldest beyond the bounds.
    ///
    /// A generation that differs from the last by certificates alone takes its place: there would be nothing to go back to.
    pub(crate) fn keep(&mut self, generation: u64, recording: &Arc<Recording>) {
        let mut recording = Recording::clone(recording);
        if let Some((_, last)) = self.kept.back() {
            recording.share(last);
        }
        self.kept
            .pop_back_if(|(_, last)| last.same_text(&recording));
        self.kept.push_back((generation, Arc::new(recording)));
        let size = |kept: &VecDeque<(u64, Arc<Recording>)>| -> usize {
            kept.iter().map(|(_, recording)| recording.size()).sum()
        };
        while self.kept.len() > KEPT || (self.kept.len() > 1 && size(&self.kept) > KEPT_BYTES) {
            self.kept.pop_front();
        }
    }

    /// What a generation was made from; without a number, that of the one before the last.
    pub(crate) fn recording(
        &self,
        generation: Option<u64>,
    ) -> Result<(u64, Arc<Recording>), String> {
        let found = match generation {
            Some(wanted) => self.kept.iter().find(|(number, _)| *number == wanted),
            None => self.kept.iter().rev().nth(1),
        };
        if let Some((number, recording)) = found {
            return Ok((*number, Arc::clone(recording)));
        }
        let numbers: Vec<String> = self
            .kept
            .iter()
            .map(|(number, _)| number.to_string())
            .collect();
        Err(match generation {
            Some(wanted) => format!(
                "error: generation {wanted} is not kept; those that are: {}\n",
                numbers.join(", ")
            ),
            None => "error: there is no generation before this one\n".to_owned(),
        })
    }

    fn is_kept(&self, generation: u64) -> bool {
        self.kept.iter().any(|(number, _)| *number == generation)
    }

    /// For operators, the last one last.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            let line = format!(
                "{:>4}  {}  {}  {:<6}  {:<11}  {}",
                entry.generation,
                iso_time(entry.at / 1_000_000),
                entry.hash,
                entry.by,
                entry.outcome,
                entry.summary
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let entry = |entry: &Entry| {
            json!({
                "generation": entry.generation,
                "time": iso_time(entry.at / 1_000_000),
                "hash": entry.hash,
                "by": entry.by,
                "outcome": entry.outcome,
                "summary": entry.summary,
                "changes": entry.changes,
                "kept": self.is_kept(entry.generation),
            })
        };
        self.entries.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::PathBuf;

    use super::*;
    use crate::recording::Content;

    fn entry(generation: u64) -> Entry {
        Entry::of(
            &Report::rejected("error: no\nmore"),
            (generation, 0),
            ("socket", "reloaded"),
            "0".repeat(16),
        )
        .unwrap()
    }

    fn saying(number: u64) -> Arc<Recording> {
        let mut recording = Recording::default();
        let content = Content {
            stamp: None,
            bytes: number.to_string().into_bytes().into(),
        };
        recording.texts.insert(PathBuf::new(), content);
        Arc::new(recording)
    }

    #[test]
    fn going_back_passes_over_renewed_certificates() {
        let mut history = History::default();
        for (generation, text) in [(1, 1), (2, 2), (3, 2)] {
            history.keep(generation, &saying(text));
        }
        assert_eq!(history.recording(None).unwrap().0, 1);
        assert!(history.recording(Some(3)).is_ok() && history.recording(Some(2)).is_err());
    }

    #[test]
    fn entries_and_generations_are_bounded() {
        let mut history = History::default();
        for generation in 1..=(ENTRIES as u64 + 5) {
            history.add(entry(generation));
            history.keep(generation, &saying(generation));
        }
        assert_eq!(history.entries.len(), ENTRIES);
        assert_eq!(history.kept.len(), KEPT);
        let last = ENTRIES as u64 + 5;
        assert_eq!(history.recording(None).unwrap().0, last - 1);
        assert_eq!(history.recording(Some(last - 9)).unwrap().0, last - 9);
        let gone = history.recording(Some(3)).unwrap_err();
        assert!(gone.contains("generation 3 is not kept"), "{gone}");
    }

    #[test]
    fn a_rejection_is_told_by_its_first_line() {
        let mut history = History::default();
        history.add(entry(4));
        assert!(history.text().contains("socket  rejected     error: no\n"));
        assert_eq!(history.json()[0]["outcome"], "rejected");
    }

    #[test]
    fn the_first_generation_has_none_before_it() {
        let mut history = History::default();
        history.keep(1, &Arc::default());
        assert!(history.recording(None).is_err());
    }
}
