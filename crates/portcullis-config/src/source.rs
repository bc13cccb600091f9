//! Where configuration text comes from and how a byte in it is named again: files, spans, places.
//!
//! Nothing here interprets text. All access to the outside goes through a [`Loader`], so that tests and
//! other front ends (standard input, the admin socket) need no file system.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most bytes one configuration file may have: 16 MiB.
pub const MAX_FILE_BYTES: usize = 16 << 20;

/// How the outside world is reached while a configuration is loaded.
pub trait Loader {
    /// Reads a whole file of at most [`MAX_FILE_BYTES`] bytes.
    ///
    /// # Errors
    /// When the file cannot be read, is not a regular file, or is larger than the bound.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Lists the files under `dir` whose relative path matches `pattern`, sorted by name.
    ///
    /// A `*` stands for any characters but `/`, a `?` for one. Names that begin with a dot match only a pattern
    /// that does as well.
    ///
    /// # Errors
    /// When a directory exists but cannot be listed. A directory that does not exist has no files.
    fn glob(&self, dir: &Path, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// The value of an environment variable; `None` when unset or not UTF-8.
    fn env(&self, name: &str) -> Option<String>;
}

/// The [`Loader`] that reads the real file system and the real environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct FsLoader;

impl Loader for FsLoader {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // The type is asked before opening: opening a FIFO for reading would wait for its writer.
        let kind = std::fs::metadata(path)?;
        if kind.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory",
            ));
        }
        if !kind.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(MAX_FILE_BYTES as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is larger than 16 MiB",
            ));
        }
        Ok(bytes)
    }

    fn glob(&self, dir: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![dir.to_path_buf()];
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        if pattern.starts_with('/') {
            found = vec![PathBuf::from("/")];
        }
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            found = step(&found, part, last)?;
        }
        found.sort();
        Ok(found)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// One component of a glob: from directories to the entries of theirs that match.
fn step(directories: &[PathBuf], part: &str, last: bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for directory in directories {
        if !part.contains(['*', '?']) {
            let path = directory.join(part);
            if path.exists() {
                found.push(path);
            }
            continue;
        }
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let matches = entry
                .file_name()
                .to_str()
                .is_some_and(|name| matches_pattern(part, name));
            if matches && (last || entry.path().is_dir()) {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// Whether `name` (one path component, or a whole relative path without `/` in its wildcards) matches `pattern`.
///
/// Takes time proportional to the product of both lengths at worst, whatever the pattern.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut retry) = (0, 0, None);
    while let Some(&c) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&expected) if expected == c || (expected == '?' && c != '/') => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((after_star, from)) if name.get(from) != Some(&'/') => {
                    retry = Some((after_star, from + 1));
                    (p, n) = (after_star, from + 1);
                }
                _ => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

/// Identifies one file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u16);

/// A range of bytes in one configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The span from `range` of `file`; offsets beyond 4 GiB are clamped (no file is that large).
    #[must_use]
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Self {
        let clamp = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            file,
            start: clamp(range.start),
            end: clamp(range.end),
        }
    }
}

/// A span in words: `portcullis.toml:12:5`. Lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named by the operator or by the `include` that found it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One file that was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// How it is called in messages.
    pub name: String,
    /// Where relative paths inside it start from.
    pub directory: PathBuf,
    /// Its text. Of a file that is not UTF-8, the part before the first bad byte.
    pub text: String,
    line_starts: Vec<u32>,
}

/// All files of one configuration, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and gives its id; `None` when there are already 65,536.
    pub fn add(&mut self, name: String, directory: PathBuf, text: String) -> Option<FileId> {
        let id = FileId(u16::try_from(self.files.len()).ok()?);
        let starts = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0)
            .chain(starts.map(|at| u32::try_from(at).unwrap_or(u32::MAX)))
            .collect();
        self.files.push(SourceFile {
            name,
            directory,
            text,
            line_starts,
        });
        Some(id)
    }

    /// The file behind an id of this map.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(usize::from(id.0))
    }

    /// All files, the root first.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The text a span covers; empty when the span is not of this map.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        self.file(span.file)
            .and_then(|file| file.text.get(range))
            .unwrap_or_default()
    }

    /// Where a span begins, in words.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let Some(file) = self.file(span.file) else {
            return Place {
                file: "?".to_owned(),
                line: 1,
                column: 1,
            };
        };
        let line = file
            .line_starts
            .partition_point(|start| *start <= span.start)
            .max(1);
        let line_start = file.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = file
            .text
            .get(line_start as usize..span.start as usize)
            .unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: file.name.clone(),
            line: number(line),
            column: number(before.chars().count() + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn place_counts_lines_from_one_and_columns_in_characters() {
        let mut map = SourceMap::default();
        let id = map
            .add("a.toml".to_owned(), PathBuf::new(), "x\nä = 1\n".to_owned())
            .unwrap();
        assert_eq!(map.place(Span::new(id, 5..6)).to_string(), "a.toml:2:3");
        assert_eq!(map.place(Span::new(id, 0..1)).to_string(), "a.toml:1:1");
    }

    #[test]
    fn place_of_the_end_of_a_file_is_its_last_line() {
        let mut map = SourceMap::default();
        let id = map
            .add("a.toml".to_owned(), PathBuf::new(), "x".to_owned())
            .unwrap();
        assert_eq!(map.place(Span::new(id, 1..1)).to_string(), "a.toml:1:2");
    }

    #[test]
    fn pattern_matches_as_a_shell_does() {
        assert!(matches_pattern("*.toml", "a.toml"));
        assert!(matches_pattern("a?c*", "abc"));
        assert!(!matches_pattern("*.toml", "a.toml.bak"));
        assert!(
            !matches_pattern("*.toml", ".hidden.toml"),
            "hidden files need a pattern that says so"
        );
        assert!(
            !matches_pattern("conf.d/*.toml", "conf.d/x/a.toml"),
            "a star does not cross a slash"
        );
        assert!(matches_pattern("conf.d/*.toml", "conf.d/a.toml"));
    }

    #[test]
    fn reading_a_directory_or_a_device_says_so() {
        let error = FsLoader.read(Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "it is a directory");
        let error = FsLoader.read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it is not a regular file");
    }
}
