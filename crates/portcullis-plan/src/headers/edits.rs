//! Edits of message heads: groups of changes, each under conditions of its own, made one after the other.

use std::ops::Range;

use crate::Facts;
use crate::headers::{Template, write_field};
use crate::outcome::Outcome;
use crate::rewrite::Substitution;
use crate::route::Condition;
use crate::split::any_holds;

/// Edits of one message head, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderEdits {
    groups: Box<[EditGroup]>,
}

/// Changes that are made together. Names are lower case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EditGroup {
    /// When they are made.
    pub when: EditCondition,
    /// Fields taken away.
    pub remove: Box<[Box<str>]>,
    /// Fields whose values are changed, each at most once.
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

    /// Groups of changes in their order.
    #[must_use]
    pub fn of(groups: Vec<EditGroup>) -> Self {
        Self {
            groups: groups.into(),
        }
    }

    /// The groups in their order.
    #[must_use]
    pub fn groups(&self) -> &[EditGroup] {
        &self.groups
    }

    /// Changes a head that lies in `out[begin..]` as `name: value\r\n` lines, names in any case; other lines are no fields.
    ///
    /// The head is whole but for fields of framing and connection, edits of which `check` refuses. So changes see what would be
    /// sent without them: our own fields are there, received ones that do not pass are not. A
    /// field whose value comes out empty is not written: `set` to a variable without a value removes the field.
    pub fn apply(&self, begin: usize, facts: &Facts<'_>, outcome: &Outcome<'_>, out: &mut Vec<u8>) {
        let outcome = Some(outcome);
        let groups = self.groups.iter();
        for group in groups.filter(|group| group.when.holds(facts, outcome)) {
            group.change(begin, out);
            for (name, value) in group.set.iter().chain(&group.add) {
                write_field(name, value, facts, outcome, out);
            }
            for (name, value) in &group.set_if_absent {
                let is_own = |line| name_of(line).eq_ignore_ascii_case(name.as_bytes());
                if !lines(out, begin).any(is_own) {
                    write_field(name, value, facts, outcome, out);
                }
            }
        }
    }
}

impl EditGroup {
    /// Takes fields out of `out[begin..]` and changes values there; what stays keeps its order.
    fn change(&self, begin: usize, out: &mut Vec<u8>) {
        let touches = |line| self.clears(name_of(line)) || self.substitution(line).is_some();
        if !lines(out, begin).any(touches) {
            return;
        }
        // Written anew behind itself, then moved to the front: no second buffer.
        let end = out.len();
        let mut at = begin;
        while let Some(line) = out.get(at..end).and_then(first_line) {
            let next = at + line.len();
            self.copy_line(at..next, out);
            at = next;
        }
        out.drain(begin..end);
    }

    fn copy_line(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let line = out.get(range.clone()).unwrap_or_default();
        let name = name_of(line);
        if self.clears(name) {
            return;
        }
        let mut changed = Vec::new();
        let value = line.get(name.len() + 1..).unwrap_or_default().trim_ascii();
        let substitution = self.substitution(line);
        if !substitution.is_some_and(|substitution| substitution.write(value, &mut changed)) {
            out.extend_from_within(range);
            return;
        }
        let value = changed.trim_ascii();
        if !value.is_empty() {
            let name_end = range.start + name.len();
            out.extend_from_within(range.start..name_end);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Whether every field of this name, in whatever case, is taken away.
    fn clears(&self, name: &[u8]) -> bool {
        let is = |own: &str| own.as_bytes().eq_ignore_ascii_case(name);
        self.remove.iter().any(|own| is(own)) || self.set.iter().any(|(own, _)| is(own))
    }

    /// What changes the value of this line, if anything does.
    fn substitution(&self, line: &[u8]) -> Option<&Substitution> {
        let name = name_of(line);
        let mut replace = self.replace.iter();
        let found = replace.find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name));
        found.map(|(_, substitution)| substitution)
    }
}

/// The lines of `out[begin..]`, with their ends.
fn lines(out: &[u8], begin: usize) -> impl Iterator<Item = &[u8]> {
    let head = out.get(begin..).unwrap_or_default();
    head.split_inclusive(|&byte| byte == b'\n')
}

fn first_line(head: &[u8]) -> Option<&[u8]> {
    lines(head, 0).next()
}

/// What stands before the colon.
fn name_of(line: &[u8]) -> &[u8] {
    let mut parts = line.split(|&byte| byte == b':');
    parts.next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
