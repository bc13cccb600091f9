//! Makes a router: every host its root, every path its node, every node its candidates in order.

use std::collections::HashMap;

use portcullis_config::{HostPattern, PathPattern};

use super::edges::EdgesBuilder;
use super::tree::TreeBuilder;
use super::{Candidate, Entry, HOSTS, Ranges, Router, Wildcard, id};
use crate::plan::ExchangeTimeouts;

#[derive(Default)]
pub(super) struct Builder {
    hosts: EdgesBuilder,
    wildcards: TreeBuilder<Wildcard>,
    any: Option<u32>,
    paths: TreeBuilder<Lists>,
    timeouts: Vec<ExchangeTimeouts>,
    timeouts_index: HashMap<ExchangeTimeouts, u32>,
}

/// Candidates of one node while the router is built.
#[derive(Clone, Debug, Default)]
struct Lists {
    exact: Vec<Candidate>,
    prefix: Vec<Candidate>,
}

impl Builder {
    pub(super) fn build(mut self, entries: Vec<Entry>) -> Router {
        for (index, entry) in entries.iter().enumerate() {
            self.add(index, entry);
        }
        let mut candidates = Vec::new();
        let mut lay = |mut list: Vec<Candidate>| {
            list.sort_by_key(|candidate| {
                entries
                    .get(candidate.entry as usize)
                    .map(|entry| entry.rule.rank())
            });
            list.dedup_by_key(|candidate| candidate.entry);
            let from = id(candidates.len());
            candidates.extend(list);
            (from, id(candidates.len()))
        };
        let paths = self.paths.freeze(
            |lists| Ranges {
                exact: lay(lists.exact),
                prefix: lay(lists.prefix),
            },
            |ranges| ranges.prefix.0 < ranges.prefix.1,
        );
        Router {
            exact: self.hosts.freeze(),
            wildcards: self
                .wildcards
                .freeze(|wildcard| wildcard, |wildcard| wildcard.root.is_some()),
            any: self.any,
            paths,
            candidates: candidates.into(),
            entries: entries.into(),
            timeouts: self.timeouts.into(),
        }
    }

    fn add(&mut self, index: usize, entry: &Entry) {
        let candidate = Candidate {
            route: entry.route,
            entry: id(index),
            timeouts: self.timeouts_of(&entry.timeouts),
            unconditional: entry.rule.is_unconditional(),
            any_path: entry.path.is_none(),
        };
        if entry.hosts.is_empty() {
            let root = *self.any.get_or_insert_with(|| self.paths.root());
            self.add_path(root, entry.path.as_ref(), candidate);
        }
        for host in &entry.hosts {
            let root = self.host_root(host);
            self.add_path(root, entry.path.as_ref(), candidate);
        }
    }

    fn host_root(&mut self, host: &HostPattern) -> u32 {
        match host {
            HostPattern::Exact(name) => self
                .hosts
                .entry(HOSTS, name.as_bytes(), || self.paths.root()),
            HostPattern::Wildcard(suffix) => {
                let labels = suffix.as_bytes().rsplit(|&byte| byte == b'.');
                let node = self.wildcards.first_root();
                let node = labels.fold(node, |node, label| self.wildcards.child(node, label));
                let paths = &mut self.paths;
                *self
                    .wildcards
                    .value(node)
                    .root
                    .get_or_insert_with(|| paths.root())
            }
        }
    }

    fn add_path(&mut self, root: u32, path: Option<&PathPattern>, candidate: Candidate) {
        let (text, exact) = match path {
            None => ("", false),
            Some(PathPattern::Exact(path)) => (&**path, true),
            Some(PathPattern::Prefix(path)) => (path.trim_end_matches('/'), false),
        };
        let segments = text
            .strip_prefix('/')
            .map(|rest| rest.split('/'))
            .into_iter()
            .flatten();
        let node = segments.fold(root, |node, segment| {
            self.paths.child(node, segment.as_bytes())
        });
        let lists = self.paths.value(node);
        if exact {
            lists.exact.push(candidate);
        } else {
            lists.prefix.push(candidate);
        }
    }

    /// Few distinct sets of deadlines stand behind many routes.
    fn timeouts_of(&mut self, timeouts: &ExchangeTimeouts) -> u32 {
        if let Some(&known) = self.timeouts_index.get(timeouts) {
            return known;
        }
        let new = id(self.timeouts.len());
        self.timeouts.push(timeouts.clone());
        self.timeouts_index.insert(timeouts.clone(), new);
        new
    }
}
