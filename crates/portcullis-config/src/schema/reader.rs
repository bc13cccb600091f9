//! Reading the keys of one table, and knowing afterwards which nobody asked for.

use super::decode::{Context, not_yet};
use super::meant::meant_key;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::tree::{Entry, Node, Table};
use crate::values::quoted;

/// Takes the keys of one table, and afterwards knows which were not asked for.
pub(crate) struct Reader<'a> {
    table: &'a Table,
    pub(crate) span: Option<Span>,
    known: Vec<&'static str>,
    later: &'static [&'static str],
    absent: Vec<(&'static [&'static str], Diagnostic)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(table: &'a Table, span: Option<Span>) -> Self {
        Self {
            table,
            span,
            known: Vec::new(),
            later: &[],
            absent: Vec::new(),
        }
    }

    /// The value of a key. Repeated keys (from merged files) have been reported before.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.known.push(key);
        self.table.entries.iter().find(|entry| entry.key == key)
    }

    /// Names keys of later versions, which are refused with their own message.
    pub(crate) fn later(&mut self, keys: &'static [&'static str]) {
        self.later = keys;
    }

    /// Reports that a key is missing.
    pub(crate) fn missing<T>(&mut self, keys: &'static [&'static str]) -> Option<T> {
        let key = keys.first().copied().unwrap_or_default();
        let diagnostic = Diagnostic::error("missing-key", format!("the key `{key}` is missing"))
            .at(self.span, format!("needs `{key}`"));
        self.lacks(keys, diagnostic);
        None
    }

    /// Reports that all of some keys are missing, unless one of them was misspelt or one of a later version is there instead:
    /// then the reason is reported already.
    pub(crate) fn lacks(&mut self, keys: &'static [&'static str], diagnostic: Diagnostic) {
        self.absent.push((keys, diagnostic));
    }

    /// Reports every key that nothing asked for.
    pub(crate) fn finish(self, cx: &mut Context<'_>) {
        let mut meant = Vec::new();
        let mut has_later = false;
        for entry in &self.table.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) || cx.diagnostics.is_full() {
                continue;
            }
            has_later |= self.later.contains(&key);
            let near = meant_key(key, &self.known);
            meant.extend(near);
            cx.report(self.unknown(entry, near));
        }
        for (keys, diagnostic) in self.absent {
            if !has_later && !keys.iter().any(|key| meant.contains(key)) {
                cx.report(diagnostic);
            }
        }
    }

    fn unknown(&self, entry: &Entry, near: Option<&str>) -> Diagnostic {
        let key = entry.key.as_str();
        if self.later.contains(&key) {
            return not_yet(&format!("`{key}`"), entry.key_span);
        }
        let diagnostic = Diagnostic::error("unknown-key", format!("unknown key {}", quoted(key)))
            .at(entry.key_span, "not known here");
        match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("the keys here are {}", self.known.join(", "))),
        }
    }
}
