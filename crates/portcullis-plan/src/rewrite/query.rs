//! Changes to the parameters of a query.

use super::encode;
use crate::Facts;
use crate::headers::Template;
use crate::route::parts;

/// What becomes of the query: a new one, or the received one with some of its parameters changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryEdits {
    whole: Option<Template>,
    keep: Option<Box<[Box<str>]>>,
    remove: Box<[Box<str>]>,
    set: Box<[Parameter]>,
    add: Box<[Parameter]>,
}

/// A parameter to write: its name, the same percent-encoded, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: Box<str>,
    encoded: Box<[u8]>,
    value: Template,
}

impl QueryEdits {
    /// A whole query instead of the one received.
    #[must_use]
    pub fn whole(template: Template) -> Self {
        Self {
            whole: Some(template),
            ..Self::default()
        }
    }

    /// Edits: of what was received only `keep` stays (`None` keeps all), without `remove`; then come `set`, in place of all of their
    /// name, and `add`. Names are as they are after decoding.
    #[must_use]
    pub fn new(
        keep: Option<Vec<Box<str>>>,
        remove: Vec<Box<str>>,
        set: Vec<(Box<str>, Template)>,
        add: Vec<(Box<str>, Template)>,
    ) -> Self {
        let parameters = |list: Vec<(Box<str>, Template)>| {
            list.into_iter()
                .map(|(name, value)| Parameter {
                    encoded: encode::name(&name),
                    name,
                    value,
                })
                .collect()
        };
        Self {
            whole: None,
            keep: keep.map(Into::into),
            remove: remove.into(),
            set: parameters(set),
            add: parameters(add),
        }
    }

    /// Appends the question mark and the query that the server sees; nothing if it has none. A parameter whose value comes out empty is not
    /// written.
    pub fn write(&self, facts: &Facts<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        out.push(b'?');
        match &self.whole {
            Some(template) => encode::query(template, facts, out),
            None => self.edit(facts, out),
        }
        if out.len() == begin + 1 {
            out.truncate(begin);
        }
    }

    fn edit(&self, facts: &Facts<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        let received = facts.query.unwrap_or_default();
        for pair in received.split(|&byte| byte == b'&') {
            let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
            if !pair.is_empty() && self.keeps(name) {
                separate(out, begin);
                out.extend_from_slice(pair);
            }
        }
        for parameter in self.set.iter().chain(&self.add) {
            let before = out.len();
            separate(out, begin);
            out.extend_from_slice(&parameter.encoded);
            out.push(b'=');
            let value = out.len();
            encode::query(&parameter.value, facts, out);
            if out.len() == value {
                out.truncate(before);
            }
        }
    }

    fn keeps(&self, name: &[u8]) -> bool {
        // Compared decoded, so that no encoding hides a parameter from an edit.
        let is = |own: &str| parts::decodes_to(name, own.as_bytes());
        self.keep
            .as_ref()
            .is_none_or(|keep| keep.iter().any(|own| is(own)))
            && !self.remove.iter().any(|own| is(own))
            && !self.set.iter().any(|own| is(&own.name))
    }

    /// The edits in words, for explanations: `set a: {host}`, `remove b`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let whole = self.whole.iter().map(|template| format!("to {template}"));
        let keep = self
            .keep
            .iter()
            .map(|keep| format!("keep {}", keep.join(", ")));
        let remove = self.remove.iter().map(|name| format!("remove {name}"));
        let written = |word: &'static str, list: &[Parameter]| {
            list.iter()
                .map(|one| format!("{word} {}: {}", one.name, one.value))
                .collect::<Vec<_>>()
        };
        whole
            .chain(keep)
            .chain(remove)
            .chain(written("set", &self.set))
            .chain(written("add", &self.add))
            .collect()
    }
}

fn separate(out: &mut Vec<u8>, begin: usize) {
    if out.len() > begin {
        out.push(b'&');
    }
}
