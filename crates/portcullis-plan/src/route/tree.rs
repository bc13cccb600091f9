//! A tree of labels in flat arrays over one map of edges.
//!
//! A node knows the nearest node above it that holds something, so a search goes down as far as
//! the tree has children and comes back over what may match, from the most specific on, without a stack.

use super::edges::{Edges, EdgesBuilder};
use super::id;

/// The frozen tree.
#[derive(Debug)]
pub(super) struct Tree<T> {
    edges: Edges,
    nodes: Box<[Node<T>]>,
    nothing: T,
}

#[derive(Debug)]
struct Node<T> {
    /// The nearest node above that holds something; `NONE` for none.
    up: u32,
    /// Whether it has children.
    branches: bool,
    value: T,
}

const NONE: u32 = u32::MAX;

impl<T: Default> Default for Tree<T> {
    fn default() -> Self {
        Self {
            edges: Edges::default(),
            nodes: Box::default(),
            nothing: T::default(),
        }
    }
}

impl<T> Tree<T> {
    /// Whether there is no node.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The first root.
    pub(super) fn root(&self) -> u32 {
        0
    }

    /// The deepest node that the keys lead to from `node`, and whether all keys were used.
    #[inline]
    pub(super) fn descend<'k>(
        &self,
        mut node: u32,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> (u32, bool) {
        for key in keys {
            let branches = self
                .nodes
                .get(node as usize)
                .is_some_and(|node| node.branches);
            match branches.then(|| self.edges.find(node, key)).flatten() {
                Some(child) => node = child,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// The nearest node above that holds something.
    #[inline]
    pub(super) fn up(&self, node: u32) -> Option<u32> {
        self.nodes
            .get(node as usize)
            .map(|node| node.up)
            .filter(|&up| up != NONE)
    }

    /// What a node holds.
    #[inline]
    pub(super) fn value(&self, node: u32) -> &T {
        self.nodes
            .get(node as usize)
            .map_or(&self.nothing, |node| &node.value)
    }
}

/// The trees while they grow. Parents are always older than their children.
#[derive(Debug)]
pub(super) struct TreeBuilder<T> {
    edges: EdgesBuilder,
    /// Parent (`NONE` for roots), whether there are children, and the value.
    nodes: Vec<Node<T>>,
    spare: T,
}

impl<T: Default> Default for TreeBuilder<T> {
    fn default() -> Self {
        Self {
            edges: EdgesBuilder::default(),
            nodes: Vec::new(),
            spare: T::default(),
        }
    }
}

impl<T: Default> TreeBuilder<T> {
    /// A new root.
    pub(super) fn root(&mut self) -> u32 {
        self.push(NONE)
    }

    /// The first root, made where there is none.
    pub(super) fn first_root(&mut self) -> u32 {
        if self.nodes.is_empty() {
            self.root()
        } else {
            0
        }
    }

    /// The child of `parent` by `key`, made where there is none.
    pub(super) fn child(&mut self, parent: u32, key: &[u8]) -> u32 {
        let fresh = id(self.nodes.len());
        let child = self.edges.entry(parent, key, || fresh);
        if child == fresh {
            self.push(parent);
            if let Some(node) = self.nodes.get_mut(parent as usize) {
                node.branches = true;
            }
        }
        child
    }

    /// What a node holds.
    pub(super) fn value(&mut self, node: u32) -> &mut T {
        self.nodes
            .get_mut(node as usize)
            .map_or(&mut self.spare, |node| &mut node.value)
    }

    fn push(&mut self, parent: u32) -> u32 {
        self.nodes.push(Node {
            up: parent,
            branches: false,
            value: T::default(),
        });
        id(self.nodes.len() - 1)
    }

    /// The trees to search: every value turned by `turn`; `holds` tells which nodes are worth coming back to.
    pub(super) fn freeze<U: Default>(
        self,
        mut turn: impl FnMut(T) -> U,
        holds: impl Fn(&U) -> bool,
    ) -> Tree<U> {
        let mut nodes: Vec<Node<U>> = Vec::with_capacity(self.nodes.len());
        for Node {
            up: parent,
            branches,
            value,
        } in self.nodes
        {
            let up = match nodes.get(parent as usize) {
                Some(above) if !holds(&above.value) => above.up,
                _ => parent,
            };
            nodes.push(Node {
                up,
                branches,
                value: turn(value),
            });
        }
        Tree {
            edges: self.edges.freeze(),
            nodes: nodes.into(),
            nothing: U::default(),
        }
    }
}
