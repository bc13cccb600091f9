//! Makes a router: every host its root of paths, every path its candidates in order.

use std::collections::HashMap;

use portcullis_config::{HostPattern, PathPattern};

use super::edges::EdgesBuilder;
use super::paths::PathsBuilder;
use super::tree::TreeBuilder;
use super::{Candidate, Entry, HOSTS, Router, Wildcard, id};
use crate::plan::ExchangeTimeouts;

#[derive(Default)]
pub(super) struct Builder {
    hosts: EdgesBuilder,
    wildcards: TreeBuilder<Wildcard>,
    any: Option<u32>,
    paths: PathsBuilder,
    timeouts: Vec<ExchangeTimeouts>,
    timeouts_index: HashMap<ExchangeTimeouts, u32>,
}

impl Builder {
    pub(super) fn build(mut self, entries: Vec<Entry>) -> Router {
        for (index, entry) in entries.iter().enumerate() {
            self.add(index, entry);
        }
        let rank = |candidate: &Candidate| {
            entries
                .get(candidate.entry as usize)
                .map(|entry| entry.rule.rank())
        };
        let paths = self.paths.freeze(|list| {
            list.sort_by_key(rank);
            list.dedup_by_key(|candidate| candidate.entry);
        });
        Router {
            exact: self.hosts.freeze(|root| root),
            wildcards: self
                .wildcards
                .freeze(|wildcard| wildcard, |wildcard| wildcard.root.is_some()),
            any: self.any,
            paths,
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
            last: false,
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
        match path {
            Some(PathPattern::Exact(path)) => self.paths.add_exact(root, path, candidate),
            Some(PathPattern::Prefix(prefix)) => {
                let prefix = prefix.trim_end_matches('/');
                self.paths.add_prefix(root, prefix, candidate);
            }
            None => self.paths.add_prefix(root, "", candidate),
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
