//! The paths of all hosts: each host has a root, each root its exact paths, templates, expressions and prefixes.
//!
//! A root knows at which depths it has prefixes, so a request asks only for those, from the longest on:
//! most hosts have one or two. Everything lies in one map, so the cost does not grow with the number of paths. The expressions
//! of one root are one automaton.
//!
//! With many hosts nothing of this is in the processor's caches, and each step of a search that waits for the one before costs
//! as much as all else in it. So where a path lies follows from the texts of host and path alone, and with it lies the route: what
//! is read of the host itself is only compared.

mod build;

use std::sync::Arc;

use super::edges::{self, Edges, hash};
use super::templates::Templates;
use super::{Candidate, NONE};
use crate::RouteId;
use crate::regexes::Regexes;

pub(super) use build::PathsBuilder;

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
