//! Host, path and conditions of a request to the one route that wins.
//!
//! **Precedence**, from the first rule that tells two matching routes apart:
//!
//! 1. `priority`: the higher number first, whatever else; 0 where none is written;
//! 2. host: an exact name before a wildcard, a longer wildcard before a shorter one, any wildcard before an expression, among
//!    expressions the one that comes first in the files, any of them before a route without hosts. `*.example.com` matches
//!    every name below `example.com`, however deep, and not `example.com` itself;
//! 3. path: an exact path before a template, a template before an expression, an expression before a prefix, a longer prefix
//!    before a shorter one (`/` and a route without path are equally short). Templates are told apart segment by
//!    segment: text before `{name}`, `{name}` before `{name...}`. Among expressions the one that comes first in the files. Prefixes
//!    match whole segments: `/v1` matches `/v1`, `/v1/` and `/v1/x`, not `/v10`; a closing slash of a prefix means nothing;
//! 4. methods: a route that names methods before one that does not;
//! 5. more conditions on headers before fewer; then on query parameters; then on cookies; then of the other kinds (`clients`,
//!    `tls_names`, and the whole of `when`, each counting one);
//! 6. the order of the files.
//!
//! When the conditions of a route fail, the search goes on with the next one, down to less specific
//! paths and then to less specific hosts. `CONNECT` and `TRACE` match only routes that name them.
//! Requests without a path (`CONNECT`, `OPTIONS *`) match only routes without a path.
//!
//! The cost of a search is, for each priority in use, one look-up for the host, one for each label of it only while wildcards
//! may still match, and one for each length of path that the host has routes for; it does not grow with
//! the number of routes. Expressions cost one step for each byte, however many there are at one place. Nothing is allocated.

mod build;
mod condition;
mod edges;
pub(crate) mod parts;
mod paths;
mod rule;
mod templates;
mod tree;

use std::fmt;
use std::sync::Arc;

use portcullis_config::{HostMatch, PathPattern};

use crate::plan::{Conduct, ExchangeTimeouts};
use crate::regexes::Regexes;
use crate::{Facts, RouteId};
use edges::Edges;
use paths::{Paths, Root};
use tree::Tree;

pub use condition::{Condition, Test, ValueTest};
pub(crate) use parts::{cookies, parameters_named};
pub use rule::Rule;

/// One route as one listener offers it.
#[derive(Clone)]
pub struct Entry {
    /// The route.
    pub route: RouteId,
    /// The higher one is looked at first.
    pub priority: i32,
    /// Hosts; empty means any.
    pub hosts: Box<[HostMatch]>,
    /// The path; `None` means any, and requests without one.
    pub path: Option<PathPattern>,
    /// Methods and other conditions.
    pub rule: Rule,
    /// What it does with the requests that match; the same as the route's.
    pub conduct: Arc<Conduct>,
    /// Deadlines of its exchanges, after inheritance; shared by routes that have the same.
    pub timeouts: Arc<ExchangeTimeouts>,
    /// Where each deadline is written: its key, and `file:line` or `default`. Shared by routes that have them all from the same places.
    pub origins: Arc<[(&'static str, Box<str>)]>,
}

/// Without what many share, which a router tells once.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.route, self.priority)?;
        self.hosts
            .iter()
            .try_for_each(|host| write!(f, " {host:?}"))?;
        write!(f, " {:?}", self.path)?;
        if self.rule.is_unconditional() {
            return Ok(());
        }
        write!(f, " {:?}", self.rule)
    }
}

/// Tells who looked at what during a search; the data plane passes `()`, which costs nothing.
pub trait Witness {
    /// Whether the search goes on behind the winner, to show what it outranked.
    const WHOLE: bool = false;

    /// A route whose host and path match was considered. Routes with several matching hosts come more than once.
    fn considered(&mut self, route: RouteId, verdict: Verdict);
}

impl Witness for () {
    fn considered(&mut self, _: RouteId, _: Verdict) {}
}

/// What was found about one considered route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It matches and comes first.
    Won,
    /// It matches, but another comes first.
    Outranked,
    /// It does not take the method.
    Method,
    /// Its condition of this index does not hold.
    Condition(usize),
    /// It has a path and the request has none.
    NeedsPath,
}

/// The result of a search.
#[derive(Clone, Copy, Debug)]
pub enum Found<'r> {
    /// This route, on these terms.
    Route(RouteId, &'r Terms),
    /// Nothing matches, whatever the method.
    Nothing,
    /// Routes match but for the method; or the method is CONNECT or TRACE and no route allows it.
    OtherMethods,
}

/// What a route does with the requests of one listener, and how long that may take. Many routes have the same terms, which lie
/// together and stay in the processor's caches.
#[derive(Debug)]
pub struct Terms {
    /// What it does.
    pub conduct: Arc<Conduct>,
    /// Deadlines of its exchanges.
    pub timeouts: ExchangeTimeouts,
}

/// The routes of one listener, ready to be searched.
#[derive(Default)]
pub struct Router {
    /// One for each priority in use, the highest first.
    tables: Box<[Table]>,
    entries: Box<[Entry]>,
    terms: Box<[Terms]>,
}

/// The routes of one priority.
struct Table {
    /// Exact hosts, a cache line for each.
    exact: Edges<Root, 31>,
    /// Labels from the right, to wildcards.
    wildcards: Tree<Option<Root>>,
    regexes: Option<RegexHosts>,
    /// The paths of routes without hosts.
    any: Option<Root>,
    paths: Paths,
}

/// The expressions of hosts, in the order of the files, and the paths of each.
struct RegexHosts {
    set: Arc<Regexes>,
    roots: Box<[Root]>,
}

/// The entries say all; the rest is made of them.
impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last: Option<&Entry> = None;
        for entry in &self.entries {
            let is_same = |last: &&Entry| {
                Arc::ptr_eq(&last.timeouts, &entry.timeouts)
                    && Arc::ptr_eq(&last.origins, &entry.origins)
            };
            if !last.as_ref().is_some_and(is_same) {
                writeln!(f, "{:?} {:?}", entry.timeouts, entry.origins)?;
            }
            writeln!(f, "{entry:?}")?;
            last = Some(entry);
        }
        Ok(())
    }
}

/// A route at one path.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    route: RouteId,
    /// Its entry; looked at only where there are conditions.
    entry: u32,
    terms: u32,
    /// No condition but host and path.
    unconditional: bool,
    /// It has no path of its own.
    any_path: bool,
    /// The last of those at the same path.
    last: bool,
}

/// The parent under which exact hosts are stored.
const HOSTS: u32 = 0;

/// The hash of an exact host, which is the seed of its paths too.
#[inline]
fn host_hash(host: &[u8]) -> u64 {
    edges::hash(edges::seed(HOSTS), host)
}

/// No index into a flat array.
const NONE: u32 = u32::MAX;

impl Router {
    /// A router over the entries of one listener, in file order.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        build::router(entries)
    }

    /// Finds the route for a request, telling `witness` what was considered.
    #[inline]
    pub fn find<W: Witness>(&self, facts: &Facts<'_>, witness: &mut W) -> Found<'_> {
        let mut search = Search {
            router: self,
            facts,
            tunnels: matches!(facts.method, b"CONNECT" | b"TRACE"),
            hit: None,
            other_methods: false,
            witness,
        };
        for table in &self.tables {
            if search.hosts(table) {
                break;
            }
        }
        match search.hit {
            Some(hit) => match self.terms.get(hit.terms as usize) {
                Some(terms) => Found::Route(hit.route, terms),
                None => Found::Nothing,
            },
            None if search.other_methods || search.tunnels => Found::OtherMethods,
            None => Found::Nothing,
        }
    }

    /// Appends the value of `Allow` for a request that found [`Found::OtherMethods`]: the methods that its target takes.
    pub fn write_allow(&self, facts: &Facts<'_>, out: &mut Vec<u8>) {
        let mut allowed = Allowed {
            router: self,
            facts,
            methods: Vec::new(),
        };
        self.find(facts, &mut allowed);
        out.extend_from_slice(allowed.methods.join(", ").as_bytes());
    }

    /// The entries in file order, for explanations and differences.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a route, if this listener offers it.
    #[must_use]
    pub fn entry(&self, route: RouteId) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by_key(&route, |entry| entry.route)
            .ok()?;
        self.entries.get(at)
    }
}

/// One walk over a router.
struct Search<'r, 'f, W> {
    router: &'r Router,
    facts: &'f Facts<'f>,
    /// The method is one that only routes naming it take.
    tunnels: bool,
    hit: Option<Candidate>,
    other_methods: bool,
    witness: &'f mut W,
}

impl<W: Witness> Search<'_, '_, W> {
    /// From the most specific host to the least. `true` ends the search.
    #[inline]
    fn hosts(&mut self, table: &Table) -> bool {
        let host = self.facts.host.as_bytes();
        if !table.exact.is_empty() && self.exact(table, host) {
            return true;
        }
        if !table.wildcards.is_empty() && self.wildcards(table, host) {
            return true;
        }
        if let Some(regexes) = &table.regexes
            && self.regexes(table, regexes, host)
        {
            return true;
        }
        let any = table.any.as_ref();
        any.is_some_and(|root| self.paths(table, root, root.seed()))
    }

    #[inline]
    fn exact(&mut self, table: &Table, host: &[u8]) -> bool {
        let hash = host_hash(host);
        if table.paths.are_far() {
            // Host and path come at the same time.
            table.exact.expect(hash);
            table.paths.expect(hash, self.facts.path);
        }
        let root = table.exact.find_hashed(hash, HOSTS, host);
        root.is_some_and(|root| self.paths(table, &root, hash))
    }

    /// From the longest matching wildcard to the shortest. A wildcard wants at least one label more than it has.
    fn wildcards(&mut self, table: &Table, host: &[u8]) -> bool {
        let tree = &table.wildcards;
        let (node, complete) = tree.descend(tree.root(), host.rsplit(|&byte| byte == b'.'));
        let mut next = if complete { tree.up(node) } else { Some(node) };
        while let Some(node) = next {
            if let Some(root) = tree.value(node)
                && self.paths(table, root, root.seed())
            {
                return true;
            }
            next = tree.up(node);
        }
        false
    }

    /// A request without a host matches no expression.
    fn regexes(&mut self, table: &Table, regexes: &RegexHosts, host: &[u8]) -> bool {
        let roots = &regexes.roots;
        !host.is_empty()
            && regexes.set.any(host, |number| {
                roots
                    .get(number)
                    .is_some_and(|root| self.paths(table, root, root.seed()))
            })
    }

    /// From the most specific path to the least. `true` ends the search.
    #[inline]
    fn paths(&mut self, table: &Table, root: &Root, seed: u64) -> bool {
        let path = self.facts.path;
        table
            .paths
            .visit(root, seed, path, |candidates| self.range(candidates))
    }

    fn range(&mut self, candidates: &[Candidate]) -> bool {
        let pathless = self.facts.path.first() != Some(&b'/');
        for candidate in candidates {
            let verdict = self.judge(candidate, pathless);
            self.witness.considered(candidate.route, verdict);
            if verdict == Verdict::Won {
                self.hit = Some(*candidate);
                if !W::WHOLE {
                    return true;
                }
            }
        }
        false
    }

    #[inline]
    fn judge(&mut self, candidate: &Candidate, pathless: bool) -> Verdict {
        if pathless && !candidate.any_path {
            return Verdict::NeedsPath;
        }
        if candidate.unconditional && !self.tunnels {
            self.matched()
        } else {
            self.conditions(candidate)
        }
    }

    fn conditions(&mut self, candidate: &Candidate) -> Verdict {
        if candidate.unconditional {
            self.other_methods = true; // CONNECT and TRACE, which want to be named
            return Verdict::Method;
        }
        let Some(entry) = self.router.entries.get(candidate.entry as usize) else {
            return Verdict::Outranked;
        };
        let failed = entry.rule.failed(self.facts);
        if !entry.rule.takes_method(self.facts.method) {
            self.other_methods |= failed.is_none();
            return Verdict::Method;
        }
        match failed {
            Some(index) => Verdict::Condition(index),
            None => self.matched(),
        }
    }

    fn matched(&self) -> Verdict {
        if W::WHOLE && self.hit.is_some() {
            Verdict::Outranked
        } else {
            Verdict::Won
        }
    }
}

/// Collects the methods of routes that match but for the method.
struct Allowed<'r, 'f> {
    router: &'r Router,
    facts: &'f Facts<'f>,
    methods: Vec<&'r str>,
}

/// What a route without methods takes, as far as it can be listed.
const COMMON: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Witness for Allowed<'_, '_> {
    const WHOLE: bool = true;

    fn considered(&mut self, route: RouteId, verdict: Verdict) {
        if verdict != Verdict::Method {
            return;
        }
        let Some(entry) = self.router.entry(route) else {
            return;
        };
        if entry.rule.failed(self.facts).is_some() {
            return;
        }
        let named = entry.rule.methods();
        let common = COMMON.iter().copied().filter(|_| named.is_empty());
        for method in named.iter().map(|name| &**name).chain(common) {
            if !self.methods.contains(&method) {
                self.methods.push(method);
            }
        }
    }
}

fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
