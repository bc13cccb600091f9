//! Edits of message heads: groups of changes, each under conditions of its own, made one after the other.

use crate::Facts;
use crate::facts::Fields;
use crate::headers::{Template, write_field};
use crate::outcome::Outcome;
use crate::rewrite::Substitution;
use crate::route::Condition;
use crate::split::any_holds;

/// Edits of one message head, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderEdits {
    groups: Box<[EditGroup]>,
    /// Bit `n`: some removed or replaced name has `n` bytes (63 or more share a bit). Most fields of a head are told apart by it alone.
    lengths: u64,
}

/// Changes that are made together. Names are lower case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EditGroup {
    /// When they are made.
    pub when: EditCondition,
    /// Fields taken away.
    pub remove: Box<[Box<str>]>,
    /// Fields whose received values are changed.
    pub replace: Box<[(Box<str>, Substitution)]>,
    /// Fields put in place of all of their name.
    pub set: Box<[(Box<str>, Template)]>,
    /// Fields added.
    pub add: Box<[(Box<str>, Template)]>,
    /// Fields added where there is none of their name.
    pub set_if_absent: Box<[(Box<str>, Template)]>,
}

/// When changes are made; everything that is named must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EditCondition {
    /// One of these holds for the request; any request if there is none.
    pub requests: Box<[Condition]>,
    /// The status of the response is in one of these ranges, bounds included; any if there is none.
    pub statuses: Box<[(u16, u16)]>,
    /// The content type of a server's response is one of these (`image/*` is all of a kind); any if there is none.
    pub media: Box<[Box<str>]>,
}

impl EditCondition {
    fn holds(&self, facts: &Facts<'_>, outcome: Option<&Outcome<'_>>) -> bool {
        let status = || outcome.map_or(0, |outcome| outcome.status);
        let in_range = |(first, last): &(u16, u16)| (*first..=*last).contains(&status());
        (self.requests.is_empty() || any_holds(&self.requests, facts))
            && (self.statuses.is_empty() || self.statuses.iter().any(in_range))
            && (self.media.is_empty() || self.has_media(outcome))
    }

    fn has_media(&self, outcome: Option<&Outcome<'_>>) -> bool {
        let fields = outcome.and_then(|outcome| outcome.response_fields);
        let Some(value) = fields.and_then(|fields| fields.first("content-type")) else {
            return false;
        };
        let own = value.split(|&byte| byte == b';').next().unwrap_or_default();
        let own = own.trim_ascii();
        self.media
            .iter()
            .any(|media| match media.strip_suffix('*') {
                Some(kind) => own
                    .get(..kind.len())
                    .is_some_and(|front| front.eq_ignore_ascii_case(kind.as_bytes())),
                None => own.eq_ignore_ascii_case(media.as_bytes()),
            })
    }
}

impl HeaderEdits {
    /// Unconditional edits: fields to remove, to put in place of all of that name, and to add beside them. Names are lower case.
    #[must_use]
    pub fn new(
        remove: Vec<Box<str>>,
        set: Vec<(Box<str>, Template)>,
        add: Vec<(Box<str>, Template)>,
    ) -> Self {
        Self::of(vec![EditGroup {
            remove: remove.into(),
            set: set.into(),
            add: add.into(),
            ..EditGroup::default()
        }])
    }

    /// Groups of changes in their order; at most 64, those beyond are not made.
    #[must_use]
    pub fn of(groups: Vec<EditGroup>) -> Self {
        let names = groups.iter().flat_map(EditGroup::dropped);
        let lengths = names.fold(0, |bits, name| bits | length_bit(name.len()));
        Self {
            groups: groups.into(),
            lengths,
        }
    }

    /// Whether nothing is ever changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The groups in their order.
    #[must_use]
    pub fn groups(&self) -> &[EditGroup] {
        &self.groups
    }

    /// The edits of one head: which groups there are for it is found out now. A response is told by its `outcome`.
    #[must_use]
    pub fn begin(&self, facts: &Facts<'_>, outcome: Option<&Outcome<'_>>) -> Editing<'_> {
        let mut active = 0;
        for (at, group) in self.groups.iter().take(64).enumerate() {
            if group.when.holds(facts, outcome) {
                active |= 1 << at;
            }
        }
        Editing {
            edits: self,
            active,
        }
    }
}

impl EditGroup {
    /// Names of received fields that are not copied.
    fn dropped(&self) -> impl Iterator<Item = &str> {
        let removed = self.remove.iter().map(|name| &**name);
        let replaced = self.replace.iter().map(|(name, _)| &**name);
        let set = self.set.iter().map(|(name, _)| &**name);
        removed.chain(replaced).chain(set)
    }

    /// Whether every field of this name, received or written before, is gone after the group.
    fn clears(&self, name: &[u8]) -> bool {
        let is = |own: &str| own.as_bytes().eq_ignore_ascii_case(name);
        self.remove.iter().any(|own| is(own)) || self.set.iter().any(|(own, _)| is(own))
    }
}

/// The edits of one head.
#[derive(Clone, Copy)]
pub struct Editing<'e> {
    edits: &'e HeaderEdits,
    /// Bit `n`: group `n` is made.
    active: u64,
}

impl<'e> Editing<'e> {
    fn groups(self) -> impl Iterator<Item = (usize, &'e EditGroup)> {
        let groups = self.edits.groups.iter().take(64).enumerate();
        groups.filter(move |(at, _)| self.active & (1 << at) != 0)
    }

    /// Whether a received field of this name, in whatever case, is not copied: it is removed, or written anew.
    #[must_use]
    pub fn drops(self, name: &[u8]) -> bool {
        self.edits.lengths & length_bit(name.len()) != 0
            && self.groups().any(|(_, group)| {
                let mut dropped = group.dropped();
                dropped.any(|own| own.as_bytes().eq_ignore_ascii_case(name))
            })
    }

    /// Appends the fields that are written anew as complete `name: value\r\n` lines. `received` are the fields of the head that is
    /// edited. A field whose value comes out empty is not written: `set` to a variable without a value removes the field.
    pub fn write(
        self,
        received: &dyn Fields,
        facts: &Facts<'_>,
        outcome: Option<&Outcome<'_>>,
        out: &mut Vec<u8>,
    ) {
        let begin = out.len();
        for (at, group) in self.groups() {
            for (name, _) in &group.replace {
                self.write_replaced(at, name, received, out);
            }
            for (name, value) in group.set.iter().chain(&group.add) {
                if !self.cleared_after(at, name) {
                    write_field(name, value, facts, outcome, out);
                }
            }
            for (name, value) in &group.set_if_absent {
                if !self.cleared_after(at, name) && !self.has(at, name, received, out.get(begin..))
                {
                    write_field(name, value, facts, outcome, out);
                }
            }
        }
    }

    fn cleared_after(self, at: usize, name: &str) -> bool {
        self.groups()
            .any(|(later, group)| later > at && group.clears(name.as_bytes()))
    }

    /// Whether the head has a field of this name once group `at` is made.
    fn has(self, at: usize, name: &str, received: &dyn Fields, written: Option<&[u8]>) -> bool {
        let cleared = self
            .groups()
            .any(|(earlier, group)| earlier <= at && group.clears(name.as_bytes()));
        let is_own = |line: &[u8]| {
            line.get(..name.len()) == Some(name.as_bytes()) && line.get(name.len()) == Some(&b':')
        };
        !cleared && received.first(name).is_some()
            || written
                .unwrap_or_default()
                .split(|&byte| byte == b'\n')
                .any(is_own)
    }

    /// Every received value of a field after all the changes to it; the first group that changes it writes it.
    fn write_replaced(self, at: usize, name: &str, received: &dyn Fields, out: &mut Vec<u8>) {
        let changes =
            |group: &'e EditGroup| group.replace.iter().filter(move |(own, _)| **own == *name);
        let first = self
            .groups()
            .find(|(_, group)| changes(group).next().is_some());
        let cleared = self
            .groups()
            .any(|(_, group)| group.clears(name.as_bytes()));
        if cleared || first.map(|(first, _)| first) != Some(at) {
            return;
        }
        received.each(name, &mut |value| {
            let mut value = value.to_vec();
            for (_, change) in self.groups().flat_map(|(_, group)| changes(group)) {
                let mut changed = Vec::new();
                if change.write(&value, &mut changed) {
                    value = changed;
                }
            }
            let value = value.trim_ascii();
            if !value.is_empty() {
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(value);
                out.extend_from_slice(b"\r\n");
            }
        });
    }
}

/// The fields of a head that was written as `name: value\r\n` lines, names in lower case; other lines are no fields.
pub struct Lines<'l>(pub &'l [u8]);

impl Lines<'_> {
    fn named(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let lines = self.0.split(|&byte| byte == b'\n');
        lines.filter_map(move |line| {
            let rest = line.strip_prefix(name.as_bytes())?;
            Some(rest.strip_prefix(b":")?.trim_ascii())
        })
    }
}

impl Fields for Lines<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.named(name).next()
    }

    fn each(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.named(name).for_each(each);
    }
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[cfg(test)]
mod tests;
