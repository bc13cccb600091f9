//! Makes a router: every priority its table, every host its root of paths, every path its candidates in order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portcullis_config::{HostMatch, HostPattern, PathPattern, Regex};

use super::edges::{self, EdgesBuilder};
use super::paths::PathsBuilder;
use super::tree::TreeBuilder;
use super::{Candidate, Entry, HOSTS, RegexHosts, Router, Table, Terms, host_hash, id};
use crate::plan::{Conduct, ExchangeTimeouts};
use crate::regexes::Regexes;

/// The router over the entries of one listener, in file order.
pub(super) fn router(entries: Vec<Entry>) -> Router {
    let mut terms = TermsBuilder::default();
    let order = Order::of(&entries);
    let mut tables: BTreeMap<Reverse<i32>, TableBuilder> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let candidate = Candidate {
            route: entry.route,
            entry: id(index),
            terms: terms.number(entry),
            unconditional: entry.rule.is_unconditional(),
            any_path: entry.path.is_none(),
            last: false,
        };
        let table = tables.entry(Reverse(entry.priority)).or_default();
        table.add(&order, entry, candidate);
    }
    let tables = tables.into_values().map(|table| table.freeze(&entries));
    Router {
        tables: tables.collect(),
        terms: terms.all.into(),
        entries: entries.into(),
    }
}

/// Where each expression comes first among those of hosts and those of paths.
struct Order<'e> {
    hosts: HashMap<&'e str, usize>,
    paths: HashMap<&'e str, usize>,
}

impl<'e> Order<'e> {
    fn of(entries: &'e [Entry]) -> Self {
        let mut order = Self {
            hosts: HashMap::new(),
            paths: HashMap::new(),
        };
        for entry in entries {
            for host in &entry.hosts {
                if let HostMatch::Regex(regex) = host {
                    let next = order.hosts.len();
                    order.hosts.entry(regex.as_str()).or_insert(next);
                }
            }
            if let Some(PathPattern::Regex(regex)) = &entry.path {
                let next = order.paths.len();
                order.paths.entry(regex.as_str()).or_insert(next);
            }
        }
        order
    }

    fn host(&self, regex: &Regex) -> usize {
        self.hosts
            .get(regex.as_str())
            .copied()
            .unwrap_or(usize::MAX)
    }

    fn path(&self, regex: &Regex) -> usize {
        self.paths
            .get(regex.as_str())
            .copied()
            .unwrap_or(usize::MAX)
    }
}

/// Few distinct terms stand behind many routes.
#[derive(Default)]
struct TermsBuilder {
    all: Vec<Terms>,
    /// By conduct (routes that do the same share one) and deadlines.
    index: HashMap<(*const Conduct, ExchangeTimeouts), u32>,
    /// The last ones asked about: neighbours mostly share theirs.
    last: Option<(Arc<Conduct>, Arc<ExchangeTimeouts>, u32)>,
}

impl TermsBuilder {
    fn number(&mut self, entry: &Entry) -> u32 {
        let (conduct, timeouts) = (&entry.conduct, &entry.timeouts);
        if let Some((last_conduct, last_timeouts, number)) = &self.last
            && Arc::ptr_eq(last_conduct, conduct)
            && Arc::ptr_eq(last_timeouts, timeouts)
        {
            return *number;
        }
        let fresh = id(self.all.len());
        let key = (Arc::as_ptr(conduct), (**timeouts).clone());
        let number = *self.index.entry(key).or_insert(fresh);
        if number == fresh {
            self.all.push(Terms {
                conduct: Arc::clone(conduct),
                timeouts: (**timeouts).clone(),
            });
        }
        self.last = Some((Arc::clone(conduct), Arc::clone(timeouts), number));
        number
    }
}

/// The routes of one priority while they are gathered.
#[derive(Default)]
struct TableBuilder {
    hosts: EdgesBuilder,
    wildcards: TreeBuilder<Option<u32>>,
    /// By the place of the expression: the expression, and the root of its paths.
    regexes: BTreeMap<usize, (Regex, u32)>,
    any: Option<u32>,
    paths: PathsBuilder,
}

impl TableBuilder {
    fn add(&mut self, order: &Order<'_>, entry: &Entry, candidate: Candidate) {
        if entry.hosts.is_empty() {
            let root = *self.any.get_or_insert_with(|| self.paths.root());
            self.add_path(order, root, entry.path.as_ref(), candidate);
        }
        for host in &entry.hosts {
            let root = self.host_root(order, host);
            self.add_path(order, root, entry.path.as_ref(), candidate);
        }
    }

    fn host_root(&mut self, order: &Order<'_>, host: &HostMatch) -> u32 {
        match host {
            HostMatch::Name(HostPattern::Exact(name)) => {
                let name = name.as_bytes();
                self.hosts
                    .entry(HOSTS, name, || self.paths.root_with(host_hash(name)))
            }
            HostMatch::Name(HostPattern::Wildcard(suffix)) => {
                let labels = suffix.as_bytes().rsplit(|&byte| byte == b'.');
                let node = self.wildcards.first_root();
                let node = labels.fold(node, |node, label| self.wildcards.child(node, label));
                let paths = &mut self.paths;
                let root = self.wildcards.value(node);
                *root.get_or_insert_with(|| paths.root())
            }
            HostMatch::Regex(regex) => {
                let paths = &mut self.paths;
                let place = order.host(regex);
                let make = || (regex.clone(), paths.root());
                self.regexes.entry(place).or_insert_with(make).1
            }
        }
    }

    fn add_path(
        &mut self,
        order: &Order<'_>,
        root: u32,
        path: Option<&PathPattern>,
        candidate: Candidate,
    ) {
        match path {
            Some(PathPattern::Exact(path)) => self.paths.add_exact(root, path, candidate),
            Some(PathPattern::Prefix(prefix)) => {
                let prefix = prefix.trim_end_matches('/');
                self.paths.add_prefix(root, prefix, candidate);
            }
            Some(PathPattern::Template(template)) => {
                self.paths.add_template(root, template, candidate);
            }
            Some(PathPattern::Regex(regex)) => {
                self.paths
                    .add_regex(root, order.path(regex), regex, candidate);
            }
            None => self.paths.add_prefix(root, "", candidate),
        }
    }

    fn freeze(self, entries: &[Entry]) -> Table {
        let rank = |candidate: &Candidate| {
            entries
                .get(candidate.entry as usize)
                .map(|entry| entry.rule.rank())
        };
        let (paths, roots) = self.paths.freeze(|list| {
            if list.len() > 1 {
                list.sort_by_cached_key(rank);
                list.dedup_by_key(|candidate| candidate.entry);
            }
        });
        let root_of = |number: u32| roots.get(number as usize).copied().unwrap_or_default();
        let set = Regexes::new(self.regexes.values().map(|(regex, _)| regex));
        let regexes = set
            .filter(|_| !self.regexes.is_empty())
            .map(|set| RegexHosts {
                set: Arc::new(set),
                roots: self
                    .regexes
                    .values()
                    .map(|(_, root)| root_of(*root))
                    .collect(),
            });
        Table {
            exact: self.hosts.freeze_with(edges::seed, root_of),
            wildcards: self
                .wildcards
                .freeze(|root| root.map(root_of), Option::is_some),
            regexes,
            any: self.any.map(root_of),
            paths,
        }
    }
}
