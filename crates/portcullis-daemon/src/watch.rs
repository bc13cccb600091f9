//! Notices that files have become others: certificates always, the configuration if it says `watch = true`.
//!
//! What the kernel tells of folders (inotify) is a hint only; whether a file is another one is told by its stamp, so
//! that files replaced by renaming, by symbolic links or on network file systems, where nothing is told, are all seen
//! alike. Nothing is loaded here: a reload is asked for like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::daemon::{Asker, Daemon, Order};
use crate::recording::{Content, Listings, Recording, Stamp, relist, stamp};

/// How often files are looked at when nobody tells that they changed.
const POLL: Duration = Duration::from_secs(30);
/// How long it has to be quiet after a hint: a certificate and its key come one after the other.
const QUIET: Duration = Duration::from_millis(300);
/// The longest that hints put off a look.
const LONGEST: Duration = Duration::from_secs(3);
/// Folders at most that the kernel is asked about; files in others are seen at the next look.
const FOLDERS: usize = 1024;
/// How long there is no look after a change, whatever came of it.
const REST: Duration = Duration::from_secs(1);
/// Reads at most of what the kernel has told; its queue is not longer.
const READS: usize = 256;
/// Symbolic links followed for one path.
const LINKS: usize = 8;

/// What is watched for the plan in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    /// What it was made from.
    pub(crate) recording: Arc<Recording>,
    /// Whether a change of the configuration itself matters.
    pub(crate) texts: bool,
    /// Whether it is a configuration of the past: the files say something else already, and that is no change.
    pub(crate) is_past: bool,
}

/// Watches what `watched` says, and asks for a reload or for renewed certificates. Ends with the process, by being dropped.
pub(crate) async fn run(mut watched: watch::Receiver<Watched>, daemon: Arc<Daemon>) {
    let mut earliest = Instant::now();
    loop {
        let now = watched.borrow_and_update().clone();
        let mut looking = Looking::new(now, earliest).await;
        loop {
            tokio::select! {
                changed = watched.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                found = looking.next() => {
                    match found {
                        Found::Text => drop(daemon.reload(Order::by(Asker::Watch)).await),
                        Found::Tls => drop(daemon.renew().await),
                    }
                    // A file that never rests must not keep the process loading.
                    earliest = Instant::now() + REST;
                    looking.put_off(earliest);
                },
            }
        }
    }
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The configuration, or a file it names for its text.
    Text,
    /// A certificate, key or authority.
    Tls,
}

/// The files of one set as they were last seen, and the folders that lead to them.
#[derive(Default)]
struct Files {
    texts: BTreeMap<PathBuf, Stamp>,
    tls: BTreeMap<PathBuf, Stamp>,
    listings: Listings,
    /// Folders that are listed.
    listed: Vec<PathBuf>,
}

impl Files {
    fn new(watched: &Watched) -> Self {
        let stamps = |contents: &BTreeMap<PathBuf, Content>| {
            let pairs = contents.iter();
            pairs
                .map(|(path, content)| (path.clone(), content.stamp))
                .collect()
        };
        let mut files = Self {
            tls: stamps(&watched.recording.tls),
            ..Self::default()
        };
        if watched.texts {
            files.texts = stamps(&watched.recording.texts);
            files.listings = watched.recording.listings();
            files.listed = watched.recording.folders().collect();
        }
        if watched.is_past {
            refresh(&mut files.texts);
            relist(&mut files.listings);
        }
        files
    }

    /// Compares every stamp with the file's. A change is told once, whatever comes of it.
    fn look(&mut self) -> Option<Found> {
        let tls = refresh(&mut self.tls);
        let mut texts = refresh(&mut self.texts);
        if let Some(came) = relist(&mut self.listings) {
            texts = true;
            let came = came.into_iter().map(|path| (stamp(&path), path));
            self.texts.extend(came.map(|(stamp, path)| (path, stamp)));
        }
        match (texts, tls) {
            // It loads certificates as well.
            (true, _) => Some(Found::Text),
            (false, true) => Some(Found::Tls),
            (false, false) => None,
        }
    }

    /// Asks the kernel about every folder that matters.
    fn listen(&self) -> io::Result<OwnedFd> {
        let hints = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut folders = BTreeSet::new();
        for path in self.texts.keys().chain(self.tls.keys()) {
            holders(path, LINKS, &mut folders);
        }
        folders.extend(self.listed.iter().cloned());
        let events = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::ONLYDIR;
        for folder in folders.iter().take(FOLDERS) {
            // A folder that is not there, or no more, is looked at now and then.
            let _ = inotify::add_watch(&hints, folder, events);
        }
        Ok(hints)
    }
}

/// The look at one set of files. What asks the file system does so on a thread that may block: a network file system
/// that hangs must not hold up the process.
struct Looking {
    files: Files,
    hints: Option<AsyncFd<OwnedFd>>,
    /// When the next look is due, and the first of the hints that put it off.
    due: Instant,
    hinted: Option<Instant>,
    earliest: Instant,
}

impl Looking {
    async fn new(watched: Watched, earliest: Instant) -> Self {
        let mut looking = Self {
            files: Files::default(),
            hints: None,
            // What changed while the files were being loaded is seen at once.
            due: (Instant::now() + QUIET).max(earliest),
            hinted: None,
            earliest,
        };
        looking
            .beside(move |files| *files = Files::new(&watched))
            .await;
        looking.listen().await;
        looking
    }

    /// Does something that may block. What is dropped while it waits has lost its files.
    async fn beside<T: Send + 'static>(
        &mut self,
        ask: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> Option<T> {
        let mut files = std::mem::take(&mut self.files);
        let asking = tokio::task::spawn_blocking(move || {
            let answer = ask(&mut files);
            (files, answer)
        });
        let (files, answer) = asking.await.ok()?;
        self.files = files;
        Some(answer)
    }

    /// Waits for the next change. What is dropped while it waits is not to be asked again.
    async fn next(&mut self) -> Found {
        loop {
            tokio::select! {
                // One hint is enough to wake up for; the others of a busy folder are counted when the time is over.
                () = hint(self.hints.as_ref()), if self.hinted.is_none() => {
                    let now = Instant::now();
                    self.hinted = Some(now);
                    self.due = (now + QUIET).max(self.earliest);
                    self.drain();
                }
                () = sleep_until(self.due) => if let Some(found) = self.look().await {
                    return found;
                }
            }
        }
    }

    /// The look that is due, unless it has not been quiet yet.
    async fn look(&mut self) -> Option<Found> {
        let now = Instant::now();
        let last = self.hinted.map(|first| first + LONGEST);
        if self.drain() && last.is_some_and(|last| now < last) {
            self.due = now + QUIET;
            return None;
        }
        self.due = now + POLL;
        self.hinted = None;
        let found = self.beside(Files::look).await.flatten()?;
        // Links may lead elsewhere now.
        self.listen().await;
        Some(found)
    }

    /// Does not look before `earliest`.
    fn put_off(&mut self, earliest: Instant) {
        self.earliest = earliest;
        self.due = self.due.max(earliest);
    }

    /// Asks the kernel for hints. Where it does not answer, looking now and then has to do.
    async fn listen(&mut self) {
        let hints = self.beside(|files| files.listen()).await;
        self.hints = match hints.map(|hints| hints.and_then(registered)) {
            Some(Ok(hints)) => Some(hints),
            Some(Err(error)) => {
                tracing::warn!(%error, "files cannot be watched; they are looked at every 30 seconds");
                None
            }
            None => None,
        };
    }

    /// Takes what the kernel has told; whether there was anything. What comes while this goes on is left for later.
    fn drain(&self) -> bool {
        let Some(hints) = &self.hints else {
            return false;
        };
        let (mut events, mut any) = ([0_u8; 4096], false);
        for _ in 0..READS {
            match rustix::io::read(hints.get_ref(), &mut events) {
                Ok(length) if length > 0 => any = true,
                _ => break,
            }
        }
        any
    }
}

fn registered(hints: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; this descriptor is owned here and lent to nobody who could close it"
    )]
    AsyncFd::new(hints)
}

/// Brings the stamps up to date; tells whether one was another.
fn refresh(stamps: &mut BTreeMap<PathBuf, Stamp>) -> bool {
    let mut changed = false;
    for (path, known) in stamps {
        let now = stamp(path);
        changed |= now != *known;
        *known = now;
    }
    changed
}

/// Waits until the kernel tells something.
async fn hint(hints: Option<&AsyncFd<OwnedFd>>) {
    let Some(hints) = hints else {
        return std::future::pending().await;
    };
    let Ok(mut ready) = hints.readable().await else {
        return std::future::pending().await;
    };
    ready.clear_ready();
}

/// The folders in which an entry would have to change for `path` to lead to another file: its own, and those of every
/// symbolic link on the way.
fn holders(path: &Path, links: usize, folders: &mut BTreeSet<PathBuf>) {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    folders.insert(parent(path));
    if links == 0 {
        return;
    }
    for part in path.ancestors() {
        let Ok(target) = std::fs::read_link(part) else {
            continue;
        };
        folders.insert(parent(part));
        let rest = path.strip_prefix(part).unwrap_or(Path::new(""));
        let leads = parent(part).join(target);
        let leads = match rest.as_os_str().is_empty() {
            true => leads,
            false => leads.join(rest),
        };
        return holders(&leads, links - 1, folders);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::symlink;

    use portcullis_config::Loader as _;

    use super::*;
    use crate::recording::Recorder;
    use crate::testing::Folder;

    async fn looking(paths: &[PathBuf]) -> Looking {
        let recorder = Recorder::new();
        recorder.begin_tls();
        for path in paths {
            recorder.read(path).unwrap();
        }
        let watched = Watched {
            recording: Arc::new(recorder.finish()),
            texts: false,
            is_past: false,
        };
        Looking::new(watched, Instant::now()).await
    }

    #[tokio::test]
    async fn a_file_replaced_by_renaming_is_noticed() {
        let folder = Folder::new();
        let path = folder.path().join("a.pem");
        std::fs::write(&path, "one").unwrap();
        let mut looking = looking(std::slice::from_ref(&path)).await;
        let new = folder.path().join("new");
        std::fs::write(&new, "two").unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert_eq!(looking.next().await, Found::Tls);
        assert_eq!(looking.files.look(), None, "a change is told once");
    }

    #[tokio::test]
    async fn a_link_that_leads_elsewhere_is_noticed() {
        let folder = Folder::new();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("v1", "one"), ("v2", "two")] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join("a.pem"), text).unwrap();
        }
        // As volumes of secrets are: the file is a link through a link that is replaced.
        symlink("v1", at("data")).unwrap();
        symlink("data/a.pem", at("a.pem")).unwrap();
        let mut looking = looking(&[at("a.pem")]).await;
        assert_eq!(looking.files.look(), None);
        symlink("v2", at("next")).unwrap();
        std::fs::rename(at("next"), at("data")).unwrap();
        assert_eq!(looking.next().await, Found::Tls);
    }

    #[test]
    fn every_folder_on_the_way_is_watched() {
        let folder = Folder::new();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("archive/x")).unwrap();
        symlink("archive", at("live")).unwrap();
        std::fs::write(at("archive/x/1.pem"), "").unwrap();
        symlink("1.pem", at("archive/x/cert.pem")).unwrap();
        let mut folders = BTreeSet::new();
        holders(&at("live/x/cert.pem"), LINKS, &mut folders);
        for wanted in ["live/x", "", "archive/x"] {
            let wanted = match wanted {
                "" => folder.path().to_path_buf(),
                name => at(name),
            };
            assert!(folders.contains(&wanted), "{wanted:?} in {folders:?}");
        }
    }
}
