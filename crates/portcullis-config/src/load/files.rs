//! Reads the root file and everything it includes, within bounds.

use std::collections::VecDeque;
use std::path::{Component, Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::schema::unreadable;
use crate::source::{FileId, Loader, MAX_FILE_BYTES, SourceMap, Span};
use crate::tree::{self, Kind, Table};
use crate::values::quoted;

const MAX_FILES: usize = 256;
const MAX_TOTAL_BYTES: usize = 64 << 20;

/// The files of one configuration while they are being found.
pub(super) struct Files<'a> {
    loader: &'a dyn Loader,
    pub(super) sources: SourceMap,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) trees: Vec<Table>,
    seen: Vec<(PathBuf, Option<Span>)>,
    total: usize,
    full: bool,
}

/// A file that an `include` found.
struct Wanted {
    path: PathBuf,
    from: Option<Span>,
}

impl<'a> Files<'a> {
    pub(super) fn new(loader: &'a dyn Loader) -> Self {
        Self {
            loader,
            sources: SourceMap::default(),
            diagnostics: Vec::new(),
            trees: Vec::new(),
            seen: Vec::new(),
            total: 0,
            full: false,
        }
    }

    /// Reads from the file at `path` on.
    pub(super) fn root(&mut self, path: &Path) {
        self.follow(VecDeque::from([Wanted {
            path: path.to_path_buf(),
            from: None,
        }]));
    }

    /// Reads from a text on.
    pub(super) fn root_text(&mut self, name: &str, text: &str) {
        let Some(file) = self
            .sources
            .add(name.to_owned(), PathBuf::new(), text.to_owned())
        else {
            return;
        };
        let wanted = self.parse(file);
        self.follow(wanted.into());
    }

    /// Breadth first: the files of one `include` before those that they include.
    fn follow(&mut self, mut queue: VecDeque<Wanted>) {
        while let Some(wanted) = queue.pop_front() {
            if !self.has_room(&wanted) {
                return;
            }
            if let Some(file) = self.read(&wanted) {
                queue.extend(self.parse(file));
            }
        }
    }

    fn has_room(&mut self, wanted: &Wanted) -> bool {
        if self.full {
            return false;
        }
        let message = if self.seen.len() >= MAX_FILES {
            format!("more than {MAX_FILES} files are included")
        } else if self.total > MAX_TOTAL_BYTES {
            "the included files have more than 64 MiB together".to_owned()
        } else {
            return true;
        };
        self.full = true;
        self.diagnostics
            .push(Diagnostic::error("too-large", message).at(wanted.from, "no more from here on"));
        false
    }

    fn read(&mut self, wanted: &Wanted) -> Option<FileId> {
        let path = lexical(&wanted.path);
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| *seen == path) {
            let diagnostic = Diagnostic::error(
                "included-twice",
                format!("`{}` is included more than once", wanted.path.display()),
            )
            .at(wanted.from, "included again")
            .note(*first, "included here");
            let help = if first.is_none() {
                "it is the file that is being loaded"
            } else {
                "include every file once"
            };
            self.diagnostics.push(diagnostic.help(help));
            return None;
        }
        self.seen.push((path, wanted.from));
        let bytes = match self.loader.read(&wanted.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.diagnostics
                    .push(unreadable(&wanted.path, &error).at(wanted.from, "included here"));
                return None;
            }
        };
        if bytes.len() > MAX_FILE_BYTES {
            let message = format!(
                "cannot read `{}`: it is larger than 16 MiB",
                wanted.path.display()
            );
            self.diagnostics
                .push(Diagnostic::error("too-large", message).at(wanted.from, "included here"));
            return None;
        }
        self.total += bytes.len();
        self.add(&wanted.path, bytes)
    }

    /// Takes a file's text in; of one that is not UTF-8 what comes before the first bad byte, to show the place.
    fn add(&mut self, path: &Path, bytes: Vec<u8>) -> Option<FileId> {
        let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => self.sources.add(name, directory, text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let bad = bytes.get(at).copied().unwrap_or_default();
                let text =
                    String::from_utf8_lossy(bytes.get(..at).unwrap_or_default()).into_owned();
                let file = self.sources.add(name, directory, text)?;
                self.diagnostics.push(
                    Diagnostic::error(
                        "not-utf8",
                        format!(
                            "`{}` is not UTF-8: byte {bad:#04x} at offset {at}",
                            path.display()
                        ),
                    )
                    .at(Span::new(file, at..at), "the text ends to be text here")
                    .help(if at == 0 {
                        "is it a text file?"
                    } else {
                        "save it as UTF-8"
                    }),
                );
                None
            }
        }
    }

    /// Parses a file that was added and gives the files it includes.
    fn parse(&mut self, file: FileId) -> Vec<Wanted> {
        let Some(source) = self.sources.file(file) else {
            return Vec::new();
        };
        let directory = source.directory.clone();
        let (tree, diagnostics) = tree::parse(&source.text, file);
        self.diagnostics.extend(diagnostics);
        let mut wanted = Vec::new();
        for (pattern, span) in patterns(&tree) {
            wanted.extend(self.expand(&directory, &pattern, span));
        }
        self.trees.push(tree);
        wanted
    }

    fn expand(&mut self, directory: &Path, pattern: &str, span: Option<Span>) -> Vec<Wanted> {
        let wanted = |path| Wanted { path, from: span };
        if !pattern.contains(['*', '?']) {
            return vec![wanted(directory.join(pattern))];
        }
        match self.loader.glob(directory, pattern) {
            Ok(paths) => paths.into_iter().map(wanted).collect(),
            Err(error) => {
                let message = format!("cannot list {}: {error}", quoted(pattern));
                self.diagnostics
                    .push(Diagnostic::error("unreadable-file", message).at(span, ""));
                Vec::new()
            }
        }
    }
}

/// The texts under `include`. Anything else there is reported when the root is decoded.
fn patterns(tree: &Table) -> Vec<(String, Option<Span>)> {
    let Some(entry) = tree.entries.iter().find(|entry| entry.key == "include") else {
        return Vec::new();
    };
    let nodes = match &entry.node.kind {
        Kind::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let texts = nodes.iter().filter_map(|node| match &node.kind {
        Kind::Text(text) => Some((text.clone(), node.span)),
        _ => None,
    });
    texts.collect()
}

/// A path with `.` and `..` resolved as text, to notice the same file under two names.
fn lexical(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if result.file_name().is_some_and(|name| name != "..") => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}
