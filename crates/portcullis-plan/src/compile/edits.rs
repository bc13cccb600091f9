//! Changes to the headers of requests and responses.

use portcullis_config as config;

use super::Compiler;
use crate::headers::{EditCondition, EditGroup, HeaderEdits, Template};

impl Compiler<'_> {
    /// The changes of one direction, in their order.
    pub(super) fn header_edits(
        &mut self,
        written: Option<&config::Val<Vec<config::Val<config::HeaderEdits>>>>,
    ) -> HeaderEdits {
        let list = written.map_or(&[][..], |list| &list.value);
        HeaderEdits::of(list.iter().map(|one| self.edit_group(one)).collect())
    }

    fn edit_group(&mut self, written: &config::HeaderEdits) -> EditGroup {
        let replace = written
            .replace
            .iter()
            .filter_map(|(name, change)| Some((name.as_str().into(), self.substitution(change)?)));
        EditGroup {
            replace: replace.collect(),
            when: EditCondition {
                requests: self.any_of(written.when.as_ref()),
                statuses: written
                    .status
                    .as_ref()
                    .map_or(&[][..], |set| set.ranges())
                    .into(),
                media: written
                    .content_type
                    .iter()
                    .flat_map(|types| types.iter())
                    .map(|one| one.as_str().into())
                    .collect(),
            },
            remove: written
                .remove
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            set: fields(&written.set),
            add: fields(&written.add),
            set_if_absent: fields(&written.set_if_absent),
        }
    }
}

fn fields(
    list: &[(
        config::Val<config::FieldName>,
        config::Val<config::Template>,
    )],
) -> Box<[(Box<str>, Template)]> {
    list.iter()
        .map(|(name, value)| (name.as_str().into(), Template::from(&value.value)))
        .collect()
}
