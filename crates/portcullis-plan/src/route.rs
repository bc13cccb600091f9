//! Host, path and conditions of a request to the one route that wins.
//!
//! **Precedence**, from the first rule that tells two matching routes apart:
//!
//! 1. host: an exact name before a wildcard, a longer wildcard before a shorter one, any wildcard
//!    before a route without hosts. `*.example.com` matches every name below `example.com`,
//!    however deep, and not `example.com` itself;
//! 2. path: an exact path before a prefix, a longer prefix before a shorter one (`/` and a route
//!    without path are equally short). Prefixes match whole segments: `/v1` matches `/v1`, `/v1/`
//!    and `/v1/x`, not `/v10`; a closing slash of a prefix means nothing;
//! 3. methods: a route that names methods before one that does not;
//! 4. headers: more header conditions before fewer;
//! 5. the order of the files.
//!
//! When the conditions of a route fail, the search goes on with the next one, down to less specific
//! paths and then to less specific hosts. `CONNECT` and `TRACE` match only routes that name them.
//! Requests without a path (`CONNECT`, `OPTIONS *`) match only routes without a path.
//!
//! The cost of a search is one look-up for the host, one for each label of it only while wildcards
//! may still match, and one for each length of path that the host has routes for; it does not grow with
//! the number of routes. Nothing is allocated.

mod build;
mod edges;
mod paths;
mod rule;
mod tree;

use std::fmt;
use std::sync::Arc;

use portcullis_config::{HostPattern, PathPattern};

use crate::plan::ExchangeTimeouts;
use crate::{Facts, RouteId};
use edges::Edges;
use paths::Paths;
use tree::Tree;

pub use rule::{HeaderCondition, HeaderTest, Rule};

/// One route as one listener offers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The route.
    pub route: RouteId,
    /// Hosts; empty means any.
    pub hosts: Box<[HostPattern]>,
    /// The path; `None` means any, and requests without one.
    pub path: Option<PathPattern>,
    /// Methods and header conditions.
    pub rule: Rule,
    /// Deadlines of its exchanges, after inheritance.
    pub timeouts: ExchangeTimeouts,
    /// Where each deadline is written: its key, and `file:line` or `default`. Shared by routes that have them all from the same places.
    pub origins: Arc<[(&'static str, Box<str>)]>,
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
    /// Its header condition of this index does not hold.
    Header(usize),
    /// It has a path and the request has none.
    NeedsPath,
}

/// The result of a search.
#[derive(Clone, Copy, Debug)]
pub enum Found<'r> {
    /// This route, with these deadlines.
    Route(RouteId, &'r ExchangeTimeouts),
    /// Nothing matches host, path and headers.
    Nothing,
    /// Routes match but for the method; or the method is CONNECT or TRACE and no route allows it.
    OtherMethods,
}

/// The routes of one listener, ready to be searched.
#[derive(Default)]
pub struct Router {
    /// Exact host to the root of its paths.
    exact: Edges,
    /// Labels from the right, to the roots of wildcards.
    wildcards: Tree<Wildcard>,
    /// Root of the paths of routes without hosts.
    any: Option<u32>,
    paths: Paths,
    entries: Box<[Entry]>,
    timeouts: Box<[ExchangeTimeouts]>,
}

/// The entries say all; the rest is made of them.
impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

/// Where a wildcard's paths begin.
#[derive(Clone, Copy, Debug, Default)]
struct Wildcard {
    root: Option<u32>,
}

/// A route at one path.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    route: RouteId,
    entry: u32,
    timeouts: u32,
    /// No condition but host and path.
    unconditional: bool,
    /// It has no path of its own.
    any_path: bool,
    /// The last of those at the same path.
    last: bool,
}

/// The parent under which exact hosts are stored.
const HOSTS: u32 = 0;

impl Router {
    /// A router over the entries of one listener, in file order.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        build::Builder::default().build(entries)
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
        search.hosts();
        match search.hit {
            Some(hit) => match self.timeouts.get(hit.timeouts as usize) {
                Some(timeouts) => Found::Route(hit.route, timeouts),
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
    fn hosts(&mut self) {
        let router = self.router;
        let host = self.facts.host.as_bytes();
        if let Some(root) = router.exact.find(HOSTS, host)
            && self.paths(root)
        {
            return;
        }
        if !router.wildcards.is_empty() && self.wildcards(host) {
            return;
        }
        if let Some(root) = router.any {
            self.paths(root);
        }
    }

    /// From the longest matching wildcard to the shortest. A wildcard wants at least one label more than it has.
    fn wildcards(&mut self, host: &[u8]) -> bool {
        let tree = &self.router.wildcards;
        let (node, complete) = tree.descend(tree.root(), host.rsplit(|&byte| byte == b'.'));
        let mut next = if complete { tree.up(node) } else { Some(node) };
        while let Some(node) = next {
            if let Some(root) = tree.value(node).root
                && self.paths(root)
            {
                return true;
            }
            next = tree.up(node);
        }
        false
    }

    /// The exact path, then from the longest prefix to the shortest. `true` ends the search.
    fn paths(&mut self, root: u32) -> bool {
        let (router, path) = (self.router, self.facts.path);
        router
            .paths
            .visit(root, path, |candidates| self.range(candidates))
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
        let Some(entry) = self.router.entries.get(candidate.entry as usize) else {
            return Verdict::Outranked;
        };
        let failed = entry.rule.failed_header(self.facts.fields);
        if !entry.rule.takes_method(self.facts.method) {
            self.other_methods |= failed.is_none();
            return Verdict::Method;
        }
        match failed {
            Some(index) => Verdict::Header(index),
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
        if entry.rule.failed_header(self.facts.fields).is_some() {
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
