//! Changes counted, for the one line that an operator reads first.

use std::collections::BTreeMap;

use super::{Change, ChangeKind, Object};

impl Change {
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

/// `2 routes changed, 1 service added`; `no change` for none.
#[must_use]
pub fn summary(changes: &[Change]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for change in changes {
        let many = match &change.kind {
            ChangeKind::Changed(keys) if change.object == Object::Process => keys.len(),
            _ => 1,
        };
        *counts
            .entry((change.object.noun(), change.verb()))
            .or_default() += many;
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
        let change = |object, kind| Change {
            object,
            kind,
            effect: Effect::Kept,
        };
        let changes = [
            change(Object::Service("app".into()), ChangeKind::Added),
            change(Object::Route("a".into()), ChangeKind::Changed(vec!["path"])),
            change(
                Object::Route("b".into()),
                ChangeKind::Changed(vec!["path", "action"]),
            ),
            change(
                Object::Process,
                ChangeKind::Changed(vec!["log.level", "errors"]),
            ),
        ];
        assert_eq!(
            summary(&changes),
            "2 process settings changed, 2 routes changed, 1 service added"
        );
        assert_eq!(summary(&[]), "no change");
    }
}
