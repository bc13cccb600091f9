//! From the paths of all routes to the arrays that are searched.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portcullis_config::{PathTemplate, Regex};

use super::{EXACT, Paths, Place, Root, Special, depth, depth_bit, exact, prefixed};
use crate::regexes::Regexes;
use crate::route::edges::{self, EdgesBuilder};
use crate::route::templates::TemplatesBuilder;
use crate::route::{Candidate, NONE, id};

/// The paths while they grow.
#[derive(Default)]
pub(in crate::route) struct PathsBuilder {
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
    pub(in crate::route) fn root(&mut self) -> u32 {
        self.root_with(edges::seed(id(self.roots.len())))
    }

    /// The number of a new root with this seed.
    pub(in crate::route) fn root_with(&mut self, seed: u64) -> u32 {
        self.roots.push(Root {
            number: id(self.roots.len()),
            ..Root::default()
        });
        self.seeds.push(seed);
        id(self.roots.len() - 1)
    }

    /// Adds a candidate for one path alone.
    pub(in crate::route) fn add_exact(&mut self, root: u32, path: &str, candidate: Candidate) {
        if let Some(root) = self.roots.get_mut(root as usize) {
            root.depths |= EXACT;
        }
        self.push(exact(root), path, candidate);
    }

    /// Adds a candidate for a prefix without closing slash; the empty one is every path.
    pub(in crate::route) fn add_prefix(&mut self, root: u32, prefix: &str, candidate: Candidate) {
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
    pub(in crate::route) fn add_template(
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
    pub(in crate::route) fn add_regex(
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
    pub(in crate::route) fn freeze(
        mut self,
        order: impl Fn(&mut Vec<Candidate>),
    ) -> (Paths, Vec<Root>) {
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
