//! Changes counted, for the one line that an operator reads first.

use std::collections::BTreeMap;

use super::{Change, ChangeKind};

impl Change {
    /// What kind of object it is about, in the singular: `route`, `server`, `listener`.
    #[must_use]
    pub fn noun(&self) -> &str {
        match self.object.split(' ').next().unwrap_or_default() {
            "process" => "process setting",
            "routes" => "order of routes",
            noun => noun,
        }
    }

    /// What becomes of it, in one word.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed(_) => "changed",
        }
    }
}

/// `2 routes changed, 1 server added`; `no change` for none.
#[must_use]
pub fn summary(changes: &[Change]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for change in changes {
        let many = match &change.kind {
            ChangeKind::Changed(keys) if change.noun() == "process setting" => keys.len(),
            _ => 1,
        };
        *counts.entry((change.noun(), change.verb())).or_default() += many;
    }
    if counts.is_empty() {
        return "no change".to_owned();
    }
    let parts = counts.iter().map(|((noun, verb), count)| match count {
        1 => format!("1 {noun} {verb}"),
        _ => format!("{count} {noun}s {verb}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Effect;
    use super::*;

    #[test]
    fn changes_are_counted_by_object_and_kind() {
        let change = |object: &str, kind| Change {
            object: object.to_owned(),
            kind,
            effect: Effect::Kept,
        };
        let changes = [
            change("server `app/s2` (127.0.0.1:1)", ChangeKind::Added),
            change("route `a`", ChangeKind::Changed(vec!["path"])),
            change("route `b`", ChangeKind::Changed(vec!["path", "action"])),
            change("process", ChangeKind::Changed(vec!["log.level", "errors"])),
        ];
        assert_eq!(
            summary(&changes),
            "2 process settings changed, 2 routes changed, 1 server added"
        );
        assert_eq!(summary(&[]), "no change");
    }
}
