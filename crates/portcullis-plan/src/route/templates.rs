//! Paths of segments, some of them any: a tree for each root, searched from the most specific segment on.
//!
//! At each segment its own text comes before a name, and a name before the rest of the path. A search never visits a node
//! twice, so it costs no more than the tree has nodes, and mostly one look-up for each segment.

use super::NONE;
use super::edges::{Edges, EdgesBuilder};
use super::id;
use portcullis_config::Segment;

/// The frozen trees of all roots.
#[derive(Debug, Default)]
pub(super) struct Templates {
    edges: Edges,
    nodes: Box<[Node]>,
}

/// A place in a path.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Whether there are children by their text.
    branches: bool,
    /// The child by any segment.
    one: u32,
    /// The candidates when the path ends here.
    end: u32,
    /// The candidates whatever follows.
    rest: u32,
}

impl Templates {
    /// Gives `visit` the list of each template that `path` matches from `node` on, until it says `true`. The path
    /// is empty or begins with a slash.
    pub(super) fn visit(
        &self,
        node: u32,
        path: &[u8],
        visit: &mut impl FnMut(u32) -> bool,
    ) -> bool {
        let Some(found) = self.nodes.get(node as usize) else {
            return false;
        };
        let Some(rest) = path.strip_prefix(b"/") else {
            return found.end != NONE && visit(found.end);
        };
        let length = rest
            .iter()
            .position(|&byte| byte == b'/')
            .unwrap_or(rest.len());
        let (segment, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if found.branches
            && let Some(child) = self.edges.find(node, segment)
            && self.visit(child, after, visit)
        {
            return true;
        }
        if found.one != NONE && !segment.is_empty() && self.visit(found.one, after, visit) {
            return true;
        }
        found.rest != NONE && visit(found.rest)
    }
}

/// The trees while they grow.
#[derive(Default)]
pub(super) struct TemplatesBuilder {
    edges: EdgesBuilder,
    nodes: Vec<Node>,
}

impl TemplatesBuilder {
    /// The node of a new tree.
    pub(super) fn root(&mut self) -> u32 {
        self.nodes.push(Node {
            branches: false,
            one: NONE,
            end: NONE,
            rest: NONE,
        });
        id(self.nodes.len() - 1)
    }

    /// The number of the list of a template under `root`, made by `make` where there is none.
    pub(super) fn list(
        &mut self,
        root: u32,
        segments: &[Segment],
        make: impl FnOnce() -> u32,
    ) -> u32 {
        let mut node = root;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => self.child(node, text),
                Segment::One(_) => self.one(node),
                Segment::Rest(_) => {
                    return self
                        .nodes
                        .get_mut(node as usize)
                        .map_or(NONE, |node| filled(&mut node.rest, make));
                }
            };
        }
        self.nodes
            .get_mut(node as usize)
            .map_or(NONE, |node| filled(&mut node.end, make))
    }

    fn child(&mut self, parent: u32, text: &str) -> u32 {
        let fresh = id(self.nodes.len());
        let child = self.edges.entry(parent, text.as_bytes(), || fresh);
        if child == fresh {
            self.root();
            self.nodes
                .get_mut(parent as usize)
                .into_iter()
                .for_each(|node| node.branches = true);
        }
        child
    }

    fn one(&mut self, parent: u32) -> u32 {
        let known = self
            .nodes
            .get(parent as usize)
            .map_or(NONE, |node| node.one);
        if known != NONE {
            return known;
        }
        let fresh = self.root();
        self.nodes
            .get_mut(parent as usize)
            .into_iter()
            .for_each(|node| node.one = fresh);
        fresh
    }

    /// The trees to search; `begin` tells where the candidates of a list begin.
    pub(super) fn freeze(mut self, begin: impl Fn(u32) -> u32) -> Templates {
        for node in &mut self.nodes {
            node.end = begin(node.end);
            node.rest = begin(node.rest);
        }
        Templates {
            edges: self.edges.freeze(),
            nodes: self.nodes.into(),
        }
    }
}

fn filled(place: &mut u32, make: impl FnOnce() -> u32) -> u32 {
    if *place == NONE {
        *place = make();
    }
    *place
}
