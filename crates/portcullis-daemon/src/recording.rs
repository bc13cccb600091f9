//! What a configuration was made from: every file, listing and variable that was read for it, with its content.
//!
//! A recording says which files to watch, names a state of them by one hash, and can be loaded again when the files
//! have long become others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_config::{FsLoader, Loader};

/// Everything that was read, and what was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording {
    /// The configuration's own files, and those it names for their text.
    pub(crate) texts: BTreeMap<PathBuf, Content>,
    /// Certificates, keys and authorities.
    pub(crate) tls: BTreeMap<PathBuf, Content>,
    listings: Listings,
    variables: BTreeMap<String, Option<String>>,
}

/// Files by the folder and pattern they were found by.
pub(crate) type Listings = BTreeMap<(PathBuf, String), Vec<PathBuf>>;

/// Brings listings up to date and gives the files that came; `None` where nothing came and nothing went.
pub(crate) fn relist(listings: &mut Listings) -> Option<Vec<PathBuf>> {
    let (mut came, mut changed) = (Vec::new(), false);
    for ((folder, pattern), known) in listings {
        let Ok(now) = FsLoader.glob(folder, pattern) else {
            continue;
        };
        if now != *known {
            changed = true;
            came.extend(now.iter().filter(|path| !known.contains(path)).cloned());
            *known = now;
        }
    }
    changed.then_some(came)
}

/// A file as it was when it was read.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// What tells that it is another one now.
    pub(crate) stamp: Stamp,
    /// Its bytes.
    pub(crate) bytes: Arc<[u8]>,
}

/// What tells one state of a file from another without reading it; `None` where there is no such file.
pub(crate) type Stamp = Option<(u64, u64, u64, SystemTime)>;

/// The stamp of the file that `path` leads to now.
pub(crate) fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Some((found.dev(), found.ino(), found.len(), modified))
}

impl Recording {
    /// The files that were read.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let names = self.texts.keys().chain(self.tls.keys());
        names.map(PathBuf::as_path)
    }

    /// Names this state of files, listings and variables: equal for equal ones, wherever the folder lies that holds
    /// `root` and what it names.
    pub(crate) fn hash(&self, root: &Path) -> String {
        let folder = root.parent().unwrap_or(Path::new(""));
        let name = |path: &Path| {
            let path = match path {
                path if path == root => Path::new(""),
                path => path.strip_prefix(folder).unwrap_or(path),
            };
            path.as_os_str().as_encoded_bytes().to_vec()
        };
        let mut digest = Digest::new();
        for (path, content) in self.texts.iter().chain(&self.tls) {
            digest.add(&name(path));
            digest.add(&content.bytes);
        }
        for (variable, value) in &self.variables {
            digest.add(variable.as_bytes());
            digest.add(value.as_deref().unwrap_or_default().as_bytes());
        }
        digest.finish()
    }

    /// Whether both say the same but for certificates.
    pub(crate) fn same_text(&self, other: &Self) -> bool {
        let texts = |recording: &Self| -> Vec<(PathBuf, Arc<[u8]>)> {
            let texts = recording.texts.iter();
            texts
                .map(|(path, content)| (path.clone(), Arc::clone(&content.bytes)))
                .collect()
        };
        self.variables == other.variables && texts(self) == texts(other)
    }

    /// Bytes it keeps.
    pub(crate) fn size(&self) -> usize {
        let contents = self.texts.values().chain(self.tls.values());
        contents.map(|content| content.bytes.len()).sum()
    }

    /// The files of every listing as they were found.
    pub(crate) fn listings(&self) -> Listings {
        self.listings.clone()
    }

    /// Folders whose listings matter.
    pub(crate) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let listed = self.listings.keys();
        listed.filter_map(|(folder, pattern)| folder.join(pattern).parent().map(Path::to_path_buf))
    }

    /// Shares with `other` the bytes that are the same in both.
    pub(crate) fn share(&mut self, other: &Self) {
        let pairs = [(&mut self.texts, &other.texts), (&mut self.tls, &other.tls)];
        for (own, theirs) in pairs {
            for (path, content) in own {
                if let Some(same) = theirs
                    .get(path)
                    .filter(|their| their.bytes == content.bytes)
                {
                    content.bytes = Arc::clone(&same.bytes);
                }
            }
        }
    }
}

/// SHA-256 over parts, each with its length before it, so that no two sequences of parts are alike.
pub(crate) struct Digest(ring::digest::Context);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The first 16 digits: enough to tell states of files apart that nobody forges.
    pub(crate) fn finish(self) -> String {
        let digest = self.0.finish();
        let bytes = digest.as_ref().iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads the file system, and notes what it finds.
pub(crate) struct Recorder {
    recording: RefCell<Recording>,
    /// What stands in for the file system while a configuration of the past is loaded.
    past: Option<Arc<Recording>>,
    /// Files that stay as they were in the past.
    kept: BTreeSet<PathBuf>,
    reads_tls: std::cell::Cell<bool>,
}

impl Recorder {
    /// One that reads what is there now.
    pub(crate) fn new() -> Self {
        Self {
            recording: RefCell::default(),
            past: None,
            kept: BTreeSet::new(),
            reads_tls: std::cell::Cell::new(false),
        }
    }

    /// One that gives the texts of `past`. Certificates and keys are read as they are now, since older ones may have
    /// expired, and as they were only where they are gone.
    pub(crate) fn of(past: Arc<Recording>) -> Self {
        Self {
            past: Some(past),
            ..Self::new()
        }
    }

    /// One that reads what is there now, but for the certificates and keys `kept`, which it gives as they were in `past`.
    pub(crate) fn keeping(past: Arc<Recording>, kept: BTreeSet<PathBuf>) -> Self {
        Self {
            past: Some(past),
            kept,
            ..Self::new()
        }
    }

    /// What is read from now on is certificates, keys and authorities.
    pub(crate) fn begin_tls(&self) {
        self.reads_tls.set(true);
    }

    /// What was read.
    pub(crate) fn finish(self) -> Recording {
        self.recording.into_inner()
    }

    fn find(&self, path: &Path) -> io::Result<Content> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match &self.past {
            Some(past) if !self.reads_tls.get() => {
                past.texts.get(path).cloned().ok_or_else(missing)
            }
            past => {
                let kept = past.as_ref().and_then(|past| past.tls.get(path));
                match kept.filter(|_| self.kept.contains(path)) {
                    // It has been looked at: only another change is one.
                    Some(kept) => Ok(Content {
                        stamp: stamp(path),
                        bytes: Arc::clone(&kept.bytes),
                    }),
                    None => fresh(path).or_else(|error| kept.cloned().ok_or(error)),
                }
            }
        }
    }
}

/// The stamp is taken first: a file that changes while it is read is another one afterwards.
fn fresh(path: &Path) -> io::Result<Content> {
    let stamp = stamp(path);
    let bytes = FsLoader.read(path)?.into();
    Ok(Content { stamp, bytes })
}

impl Loader for Recorder {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = self.find(path)?;
        let bytes = content.bytes.to_vec();
        let mut recording = self.recording.borrow_mut();
        let kind = if self.reads_tls.get() {
            &mut recording.tls
        } else {
            &mut recording.texts
        };
        kind.insert(path.to_path_buf(), content);
        Ok(bytes)
    }

    fn glob(&self, dir: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let key = (dir.to_path_buf(), pattern.to_owned());
        let found = match &self.past {
            Some(past) => past.listings.get(&key).cloned().unwrap_or_default(),
            None => FsLoader.glob(dir, pattern)?,
        };
        let mut recording = self.recording.borrow_mut();
        recording.listings.insert(key, found.clone());
        Ok(found)
    }

    fn env(&self, name: &str) -> Option<String> {
        let value = match &self.past {
            Some(past) => past.variables.get(name).cloned().flatten(),
            None => FsLoader.env(name),
        };
        let mut recording = self.recording.borrow_mut();
        recording.variables.insert(name.to_owned(), value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::Folder;

    fn recorded(folder: &Folder) -> Recording {
        let recorder = Recorder::new();
        recorder.read(&folder.path().join("a.toml")).unwrap();
        recorder.glob(folder.path(), "*.d").unwrap();
        recorder.begin_tls();
        recorder.read(&folder.path().join("a.pem")).unwrap();
        recorder.finish()
    }

    fn folder() -> Folder {
        let folder = Folder::new();
        std::fs::write(folder.path().join("a.toml"), "one").unwrap();
        std::fs::write(folder.path().join("a.pem"), "pem").unwrap();
        folder
    }

    #[test]
    fn a_hash_names_the_content_and_not_the_place() {
        let (here, there) = (folder(), folder());
        let hash = |folder: &Folder| recorded(folder).hash(&folder.path().join("a.toml"));
        assert_eq!(hash(&here), hash(&there));
        assert_eq!(hash(&here).len(), 16);
        std::fs::write(there.path().join("a.pem"), "other").unwrap();
        assert_ne!(hash(&here), hash(&there), "certificates belong to it");
    }

    #[test]
    fn the_past_is_read_as_it_was_but_for_certificates() {
        let folder = folder();
        let past = Arc::new(recorded(&folder));
        let (text, pem) = (folder.path().join("a.toml"), folder.path().join("a.pem"));
        std::fs::write(&text, "two").unwrap();
        std::fs::write(&pem, "renewed").unwrap();
        let recorder = Recorder::of(Arc::clone(&past));
        assert_eq!(recorder.read(&text).unwrap(), b"one");
        recorder.begin_tls();
        assert_eq!(recorder.read(&pem).unwrap(), b"renewed");
        std::fs::remove_file(&pem).unwrap();
        assert_eq!(recorder.read(&pem).unwrap(), b"pem");
    }

    #[test]
    fn what_is_dropped_into_a_folder_is_noticed() {
        let folder = folder();
        let mut listings = recorded(&folder).listings();
        assert_eq!(relist(&mut listings), None);
        let dropped = folder.path().join("more.d");
        std::fs::write(&dropped, "").unwrap();
        assert_eq!(relist(&mut listings), Some(vec![dropped]));
        assert_eq!(relist(&mut listings), None, "it is told once");
    }

    #[test]
    fn equal_bytes_are_kept_once() {
        let folder = folder();
        let (first, mut second) = (recorded(&folder), recorded(&folder));
        second.share(&first);
        let path = folder.path().join("a.toml");
        assert!(Arc::ptr_eq(
            &first.texts[&path].bytes,
            &second.texts[&path].bytes
        ));
        assert_eq!(second.size(), 6);
    }
}
