//! The paths of all hosts: each host has a root, each root its exact paths, templates, expressions and prefixes.
//!
//! A root knows at which depths it has prefixes, so a request asks only for those, from the longest on:
//! most hosts have one or two. Everything lies in one map, so the cost does not grow with the number of paths. The expressions
//! of one root are one automaton.
//!
//! With many hosts nothing of this is in the processor's caches, and each step of a search that waits for the one before costs
//! as much as all else in it. So where a path lies follows from the texts of host and path alone, and with it lies the route: what
//! is read of the host itself is only compared.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portcullis_config::{PathTemplate, Regex};

use super::edges::{self, Edges, EdgesBuilder, hash};
use super::templates::{Templates, TemplatesBuilder};
use super::{Candidate, NONE, id};
use crate::RouteId;
use crate::regexes::Regexes;

/// The frozen paths.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// By twice the root for prefixes, one more for exact paths.
    edges: Edges<Place, 15>,
    /// The depths of all roots together.
    depths: u64,
    candidates: Box<[Candidate]>,
    specials: Box<[Special]>,
    templates: Templates,
}

/// The paths of one host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    number: u32,
    /// Which of the specials has its templates and expressions; `NONE` for none.
    special: u32,
    /// Bit `n`: there are prefixes of `n` segments; bit 63: of that many or more; bit 0: there are exact paths.
    depths: u64,
    /// What stands at every path.
    all: Place,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            number: NONE,
            special: NONE,
            depths: 0,
            all: Place::Nothing,
        }
    }
}

impl Root {
    /// The seed of its paths where no other was given.
    pub(super) fn seed(&self) -> u64 {
        edges::seed(self.number)
    }
}

/// The parent of the prefixes of a root.
fn prefixed(root: u32) -> u32 {
    root.wrapping_mul(2)
}

/// The parent of the exact paths of a root.
fn exact(root: u32) -> u32 {
    prefixed(root).wrapping_add(1)
}

/// What stands at a path.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing.
    Nothing,
    /// One route without conditions.
    Route {
        route: RouteId,
        terms: u16,
        any_path: bool,
    },
    /// The candidates that begin here.
    List(u32),
}

impl Place {
    /// What stands where these candidates begin.
    fn of(first: u32, candidates: &[Candidate]) -> Self {
        let found = candidates.get(first as usize);
        let alone = found.filter(|found| found.last && found.unconditional);
        match alone.map(|found| (found, u16::try_from(found.terms))) {
            Some((found, Ok(terms))) => Self::Route {
                route: found.route,
                terms,
                any_path: found.any_path,
            },
            _ => Self::List(first),
        }
    }
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
    /// Whether there are so many that they are not all in the processor's nearer caches.
    #[inline]
    pub(super) fn are_far(&self) -> bool {
        self.edges.bytes() > 128 * 1024
    }

    /// Brings to the processor's caches where the longest prefix of `path` is likely to lie, under a root with this seed.
    #[inline]
    pub(super) fn expect(&self, seed: u64, path: &[u8]) {
        if self.depths & EXACT != 0 {
            self.edges.expect(hash(seed, path));
        }
        if let Some(prefix) = prefixes(self.depths, path).next() {
            self.edges.expect(hash(seed, prefix));
        }
    }

    /// Gives `visit` the candidates for `path` under `root`, which has this seed, from the most specific path on, until it says
    /// `true`. A path that begins with no slash (of CONNECT, an asterisk) has only the candidates for every path.
    #[inline]
    pub(super) fn visit(
        &self,
        root: &Root,
        seed: u64,
        path: &[u8],
        mut visit: impl FnMut(&[Candidate]) -> bool,
    ) -> bool {
        let number = root.number;
        if root.depths & EXACT != 0 && self.at(exact(number), seed, path, &mut visit) {
            return true;
        }
        if root.special != NONE && self.special(root.special, path, &mut visit) {
            return true;
        }
        prefixes(root.depths, path)
            .any(|prefix| self.at(prefixed(number), seed, prefix, &mut visit))
            || self.visit_place(root.all, &mut visit)
    }

    /// Visits what stands at `path` itself.
    #[inline]
    fn at(
        &self,
        parent: u32,
        seed: u64,
        path: &[u8],
        visit: &mut impl FnMut(&[Candidate]) -> bool,
    ) -> bool {
        let place = self.edges.find_hashed(hash(seed, path), parent, path);
        place.is_some_and(|place| self.visit_place(place, visit))
    }

    #[inline]
    fn visit_place(&self, place: Place, visit: &mut impl FnMut(&[Candidate]) -> bool) -> bool {
        match place {
            Place::Nothing => false,
            Place::Route {
                route,
                terms,
                any_path,
            } => visit(&[Candidate {
                route,
                entry: NONE,
                terms: terms.into(),
                unconditional: true,
                any_path,
                last: true,
            }]),
            Place::List(first) => visit(self.list(first)),
        }
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

    /// The candidates from `first` to the one that is marked as the last.
    #[inline]
    fn list(&self, first: u32) -> &[Candidate] {
        let rest = self.candidates.get(first as usize..).unwrap_or_default();
        let last = rest.iter().position(|candidate| candidate.last);
        rest.get(..last.map_or(0, |last| last + 1))
            .unwrap_or_default()
    }
}

/// The prefixes of `path` that have one of these depths, whole segments each, from the longest to the shortest.
#[inline]
fn prefixes(depths: u64, path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut prefix = path;
    let mut depth = if depths & !EXACT == 0 { 0 } else { depth(path) };
    std::iter::from_fn(move || {
        while depth > 0 {
            let (found, of_depth) = (prefix, depth);
            let end = prefix.iter().rposition(|&byte| byte == b'/');
            prefix = prefix.get(..end.unwrap_or_default()).unwrap_or_default();
            depth -= 1;
            if depths & depth_bit(of_depth) != 0 {
                return Some(found);
            }
        }
        None
    })
}

/// Segments of a path or prefix: its slashes.
fn depth(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}

fn depth_bit(depth: usize) -> u64 {
    1 << depth.min(63)
}

/// The paths while they grow.
#[derive(Default)]
pub(super) struct PathsBuilder {
    edges: EdgesBuilder,
    roots: Vec<Root>,
    /// The seed of each root.
    seeds: Vec<u64>,
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
    /// The number of a new root with the seed that follows from it.
    pub(super) fn root(&mut self) -> u32 {
        self.root_with(edges::seed(id(self.roots.len())))
    }

    /// The number of a new root with this seed.
    pub(super) fn root_with(&mut self, seed: u64) -> u32 {
        self.roots.push(Root {
            number: id(self.roots.len()),
            ..Root::default()
        });
        self.seeds.push(seed);
        id(self.roots.len() - 1)
    }

    /// Adds a candidate for one path alone.
    pub(super) fn add_exact(&mut self, root: u32, path: &str, candidate: Candidate) {
        if let Some(root) = self.roots.get_mut(root as usize) {
            root.depths |= EXACT;
        }
        self.push(exact(root), path, candidate);
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
        self.push(prefixed(root), prefix, candidate);
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

    /// The paths to search, and the roots by their numbers; `order` brings the candidates of one place into their order of
    /// precedence.
    pub(super) fn freeze(mut self, order: impl Fn(&mut Vec<Candidate>)) -> (Paths, Vec<Root>) {
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
        let place = |list: u32| Place::of(begin(list), &candidates);
        for (index, root) in self.roots.iter_mut().enumerate() {
            let all = self.all.get(&id(index));
            root.all = all.map_or(Place::Nothing, |&list| place(id(list)));
        }
        let seed = |parent: u32| {
            let seed = self.seeds.get(parent as usize / 2);
            seed.copied().unwrap_or_default()
        };
        let edges = self.edges.freeze_with(seed, place);
        let specials = freeze_specials(self.specials, &mut self.roots, begin);
        let paths = Paths {
            edges,
            depths: self.roots.iter().fold(0, |all, root| all | root.depths),
            candidates: candidates.into(),
            specials,
            templates: self.templates.freeze(begin),
        };
        (paths, self.roots)
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
