//! From the name of a root file to a whole configuration: reading, including, merging, decoding, checking.

mod cases;
mod files;
mod merge;
mod noise;
mod slips;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::schema::{
    Context, Listener, Name, Reader, Root, Route, Section as _, Server, Service, Val,
};
use crate::source::{Loader, SourceMap};
use crate::tree::{Kind, Table};
use crate::validate;

pub use cases::{LoadedCases, load_cases};

/// What came of loading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; `None` when there was any error.
    pub config: Option<Config>,
    /// The files that were read, for showing places.
    pub sources: SourceMap,
    /// Everything that was found, errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether there was any error, which is exactly when there is no configuration.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Loads a configuration from a file and everything it includes.
///
/// Never panics and never stops at the first problem. A file that would serve nothing is an error.
#[must_use]
pub fn load(root: &Path, loader: &dyn Loader) -> Loaded {
    let mut files = files::Files::new(loader);
    files.root(root);
    finish(files, loader)
}

/// Loads a configuration from text, which is called `name` in messages; relative paths in it start from the current directory.
#[must_use]
pub fn load_text(name: &str, text: &str, loader: &dyn Loader) -> Loaded {
    let mut files = files::Files::new(loader);
    files.root_text(name, text);
    finish(files, loader)
}

fn finish(files: files::Files<'_>, loader: &dyn Loader) -> Loaded {
    let files::Files {
        sources,
        mut diagnostics,
        trees,
        ..
    } = files;
    // Without any text there is nothing to say beyond why.
    if !trees.is_empty() {
        let (mut tree, clashes) = merge::merge(trees);
        diagnostics.extend(clashes);
        diagnostics.extend(slips::take(&mut tree));
        let (config, found) = decode(&tree, &sources, loader);
        diagnostics.extend(found);
        let declared = validate::Declared {
            listeners: names(&tree, "listener"),
            services: names(&tree, "service"),
            conditions: names(&tree, "condition"),
        };
        drop(tree);
        let found = validate::validate(&config, &declared, &sources, &diagnostics);
        diagnostics.extend(found);
        noise::drop_echoes(&mut diagnostics, &sources);
        diagnostics.sort_by_key(|diagnostic| diagnostic.span);
        if !diagnostics.iter().any(Diagnostic::is_error) {
            return Loaded {
                config: Some(config),
                sources,
                diagnostics,
            };
        }
    }
    Loaded {
        config: None,
        sources,
        diagnostics,
    }
}

/// The names written under a table, whether or not what they name could be read.
fn names(tree: &Table, key: &str) -> HashSet<String> {
    let table = tree
        .entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.node.kind);
    match table {
        Some(Kind::Table(table)) => table
            .entries
            .iter()
            .map(|entry| entry.key.clone())
            .collect(),
        _ => HashSet::new(),
    }
}

fn decode(tree: &Table, sources: &SourceMap, loader: &dyn Loader) -> (Config, Vec<Diagnostic>) {
    let mut cx = Context::new(sources, loader);
    let mut reader = Reader::new(tree, None);
    let root = Root::read(&mut reader, &mut cx);
    reader.finish(&mut cx);
    #[allow(
        clippy::expect_used,
        reason = "no key of the root is required, so reading it always gives one"
    )]
    let root = root.expect("the root has only keys with defaults");
    let mut routes = root.route.value;
    for (route, position) in routes.iter_mut().zip(1..) {
        name_route(&mut route.value, position);
    }
    let config = Config {
        global: root.global,
        admin: root.admin,
        log: root.log,
        errors: root.errors.value,
        timeouts: root.defaults.value.timeouts.value,
        listeners: root
            .listener
            .value
            .into_iter()
            .map(named_listener)
            .collect(),
        routes,
        conditions: root
            .condition
            .value
            .into_iter()
            .map(|(name, condition)| (Val::written(name.value.0, name.span), condition))
            .collect(),
        services: root.service.value.into_iter().map(named_service).collect(),
    };
    (config, cx.diagnostics.into_vec())
}

fn named_listener((name, mut listener): (Val<Name>, Val<Listener>)) -> Val<Listener> {
    listener.value.name = Val::written(name.value.0, name.span);
    listener
}

fn named_service((name, mut service): (Val<Name>, Val<Service>)) -> Val<Service> {
    service.value.name = Val::written(name.value.0, name.span);
    for (server, position) in service.value.servers.value.iter_mut().zip(1..) {
        name_server(&mut server.value, position);
    }
    service
}

fn name_server(server: &mut Server, position: usize) {
    if !server.name.is_written() {
        server.name.value = format!("s{position}");
    }
}

fn name_route(route: &mut Route, position: usize) {
    if !route.name.is_written() {
        route.name.value = format!("route-{position}");
    }
}

/// The loader of defaults, which name no files.
pub(crate) struct NoLoader;

impl Loader for NoLoader {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn glob(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
