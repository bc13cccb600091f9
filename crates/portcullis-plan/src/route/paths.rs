//! The paths of all hosts: each host has a root, each root its exact paths, templates, expressions and prefixes.
//!
//! A root knows at which depths it has prefixes, so a request asks only for those, from the longest on:
//! most hosts have one or two. Everything lies in one map, so the cost does not grow with the number of paths. The expressions
//! of one root are one automaton.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portcullis_config::{PathTemplate, Regex};

use super::edges::{Edges, EdgesBuilder};
use super::templates::{Templates, TemplatesBuilder};
use super::{Candidate, NONE, id};
use crate::regexes::Regexes;

/// The frozen paths.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// By twice the root for prefixes, one more for exact paths: where their candidates begin.
    edges: Edges,
    roots: Box<[Root]>,
    candidates: Box<[Candidate]>,
    specials: Box<[Special]>,
    templates: Templates,
}

#[derive(Clone, Copy, Debug)]
struct Root {
    /// Bit `n`: there are prefixes of `n` segments; bit 63: of that many or more; bit 0: there are exact paths.
    depths: u64,
    /// Where the candidates for every path begin; `NONE` for none.
    all: u32,
    /// Which of the specials has its templates and expressions; `NONE` for none.
    special: u32,
}

/// The templates and expressions of one root; most have none.
#[derive(Debug)]
struct Special {
    /// The tree of its templates; `NONE` for none.
    templates: u32,
    /// Its expressions in the order of the files, the same ones shared with other roots; and where the candidates of each begin.
    regexes: Option<(Arc<Regexes>, Box<[u32]>)>,
}

/// There are exact paths.
const EXACT: u64 = 1;

impl Paths {
    /// Gives `visit` the candidates for `path` under `root`, from the most specific path on, until it says `true`.
    /// A path that begins with no slash (of CONNECT, an asterisk) has only the candidates for every path.
    #[inline]
    pub(super) fn visit(
        &self,
        root: u32,
        path: &[u8],
        mut visit: impl FnMut(&[Candidate]) -> bool,
    ) -> bool {
        let Some(found) = self.roots.get(root as usize) else {
            return false;
        };
        if found.depths & EXACT != 0
            && let Some(first) = self.edges.find(exact_key(root), path)
            && visit(self.list(first))
        {
            return true;
        }
        if found.special != NONE && self.special(found.special, path, &mut visit) {
            return true;
        }
        found.depths & !EXACT != 0 && self.prefixes(root, found.depths, path, &mut visit)
            || found.all != NONE && visit(self.list(found.all))
    }

    #[cold]
    fn special(
        &self,
        special: u32,
        path: &[u8],
        visit: &mut impl FnMut(&[Candidate]) -> bool,
    ) -> bool {
        let Some(special) = self.specials.get(special as usize) else {
            return false;
        };
        if path.first() != Some(&b'/') {
            return false;
        }
        let mut visit = |first| visit(self.list(first));
        if special.templates != NONE && self.templates.visit(special.templates, path, &mut visit) {
            return true;
        }
        special.regexes.as_ref().is_some_and(|(regexes, firsts)| {
            regexes.any(path, |number| {
                firsts.get(number).is_some_and(|&first| visit(first))
            })
        })
    }

    fn prefixes(
        &self,
        root: u32,
        depths: u64,
        path: &[u8],
        visit: &mut impl FnMut(&[Candidate]) -> bool,
    ) -> bool {
        let mut prefix = path;
        let mut depth = depth(path);
        while depth > 0 {
            if depths & depth_bit(depth) != 0
                && let Some(first) = self.edges.find(prefix_key(root), prefix)
                && visit(self.list(first))
            {
                return true;
            }
            let end = prefix
                .iter()
                .rposition(|&byte| byte == b'/')
                .unwrap_or_default();
            prefix = prefix.get(..end).unwrap_or_default();
            depth -= 1;
        }
        false
    }

    /// The candidates from `first` to the one that is marked as the last.
    #[inline]
    fn list(&self, first: u32) -> &[Candidate] {
        let rest = self.candidates.get(first as usize..).unwrap_or_default();
        let last = rest.iter().position(|candidate| candidate.last);
        rest.get(..last.map_or(0, |last| last + 1))
            .unwrap_or_default()
    }
}

/// Segments of a path or prefix: its slashes.
fn depth(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}

fn depth_bit(depth: usize) -> u64 {
    1 << depth.min(63)
}

fn prefix_key(root: u32) -> u32 {
    root.wrapping_mul(2)
}

fn exact_key(root: u32) -> u32 {
    prefix_key(root).wrapping_add(1)
}

/// The paths while they grow.
#[derive(Default)]
pub(super) struct PathsBuilder {
    edges: EdgesBuilder,
    roots: Vec<Root>,
    lists: Vec<Vec<Candidate>>,
    /// The list of each root for every path.
    all: HashMap<u32, usize>,
    templates: TemplatesBuilder,
    specials: BTreeMap<u32, SpecialBuilder>,
}

/// The templates and expressions of one root while they grow.
#[derive(Default)]
struct SpecialBuilder {
    templates: Option<u32>,
    /// By the place of an expression among all of the listener: the expression, and its list.
    regexes: BTreeMap<usize, (Regex, u32)>,
}

impl PathsBuilder {
    /// A new root.
    pub(super) fn root(&mut self) -> u32 {
        self.roots.push(Root {
            depths: 0,
            all: NONE,
            special: NONE,
        });
        id(self.roots.len() - 1)
    }

    /// Adds a candidate for one path alone.
    pub(super) fn add_exact(&mut self, root: u32, path: &str, candidate: Candidate) {
        if let Some(root) = self.roots.get_mut(root as usize) {
            root.depths |= EXACT;
        }
        self.push(exact_key(root), path, candidate);
    }

    /// Adds a candidate for a prefix without closing slash; the empty one is every path.
    pub(super) fn add_prefix(&mut self, root: u32, prefix: &str, candidate: Candidate) {
        if prefix.is_empty() {
            let fresh = self.lists.len();
            let list = *self.all.entry(root).or_insert(fresh);
            return self.push_to(list, candidate);
        }
        if let Some(root) = self.roots.get_mut(root as usize) {
            root.depths |= depth_bit(depth(prefix.as_bytes()));
        }
        self.push(prefix_key(root), prefix, candidate);
    }

    /// Adds a candidate for the paths of a template.
    pub(super) fn add_template(
        &mut self,
        root: u32,
        template: &PathTemplate,
        candidate: Candidate,
    ) {
        let special = self.specials.entry(root).or_default();
        let tree = *special
            .templates
            .get_or_insert_with(|| self.templates.root());
        let fresh = id(self.lists.len());
        let list = self.templates.list(tree, template.segments(), || fresh);
        self.push_to(list as usize, candidate);
    }

    /// Adds a candidate for the paths that an expression matches; `place` is that of the expression among all of the listener.
    pub(super) fn add_regex(
        &mut self,
        root: u32,
        place: usize,
        regex: &Regex,
        candidate: Candidate,
    ) {
        let fresh = id(self.lists.len());
        let special = self.specials.entry(root).or_default();
        let (_, list) = special
            .regexes
            .entry(place)
            .or_insert_with(|| (regex.clone(), fresh));
        let list = *list as usize;
        self.push_to(list, candidate);
    }

    fn push(&mut self, parent: u32, path: &str, candidate: Candidate) {
        let fresh = id(self.lists.len());
        let list = self.edges.entry(parent, path.as_bytes(), || fresh);
        self.push_to(list as usize, candidate);
    }

    fn push_to(&mut self, list: usize, candidate: Candidate) {
        if list == self.lists.len() {
            self.lists.push(Vec::new());
        }
        self.lists
            .get_mut(list)
            .into_iter()
            .for_each(|list| list.push(candidate));
    }

    /// The paths to search; `order` brings the candidates of one place into their order of precedence.
    pub(super) fn freeze(mut self, order: impl Fn(&mut Vec<Candidate>)) -> Paths {
        let mut candidates = Vec::new();
        let mut begins = Vec::with_capacity(self.lists.len());
        for mut list in self.lists {
            order(&mut list);
            list.last_mut()
                .into_iter()
                .for_each(|candidate| candidate.last = true);
            begins.push(id(candidates.len()));
            candidates.append(&mut list);
        }
        let begin = |list: u32| begins.get(list as usize).copied().unwrap_or(NONE);
        for (index, root) in self.roots.iter_mut().enumerate() {
            root.all = self
                .all
                .get(&id(index))
                .map_or(NONE, |&list| begin(id(list)));
        }
        let specials = freeze_specials(self.specials, &mut self.roots, begin);
        Paths {
            edges: self.edges.freeze(begin),
            roots: self.roots.into(),
            candidates: candidates.into(),
            specials,
            templates: self.templates.freeze(begin),
        }
    }
}

/// The specials of all roots; equal sets of expressions become one automaton.
fn freeze_specials(
    specials: BTreeMap<u32, SpecialBuilder>,
    roots: &mut [Root],
    begin: impl Fn(u32) -> u32,
) -> Box<[Special]> {
    let mut sets: HashMap<Vec<usize>, Option<Arc<Regexes>>> = HashMap::new();
    let mut frozen = Vec::with_capacity(specials.len());
    for (root, special) in specials {
        if let Some(root) = roots.get_mut(root as usize) {
            root.special = id(frozen.len());
        }
        let places: Vec<usize> = special.regexes.keys().copied().collect();
        let set = sets.entry(places).or_insert_with(|| {
            let regexes = special.regexes.values().map(|(regex, _)| regex);
            (!special.regexes.is_empty())
                .then(|| Regexes::new(regexes))
                .flatten()
                .map(Arc::new)
        });
        let firsts = special.regexes.values().map(|(_, list)| begin(*list));
        frozen.push(Special {
            templates: special.templates.unwrap_or(NONE),
            regexes: set.as_ref().map(|set| (Arc::clone(set), firsts.collect())),
        });
    }
    frozen.into()
}
