//! The file of a Unix socket: removed before binding only if nobody listens on it, and at the end only if it is still
//! ours.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::bind::BindError;
use super::holder;

/// A socket file that we made. Dropping it removes it, unless another file has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    is_left: bool,
}

impl SocketFile {
    /// Makes way for a new socket at `path`: removes a socket that refuses connections, keeps everything else.
    pub(crate) fn clear(path: &Path) -> Result<(), BindError> {
        let address = || format!("unix:{}", path.display());
        let other = |cause| BindError::Other {
            address: address(),
            cause,
        };
        match fs::symlink_metadata(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(other(cause)),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NotASocket {
                    path: path.display().to_string(),
                });
            }
            Ok(_) => {}
        }
        match try_connect(path) {
            Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(other)
            }
            // A full backlog, a datagram socket, missing rights: somebody is there.
            _ => Err(BindError::InUse {
                address: address(),
                holder: holder::of_unix(path),
            }),
        }
    }

    /// Remembers the file that binding has just made at `path`.
    pub(crate) fn own(path: PathBuf) -> io::Result<Self> {
        let found = fs::symlink_metadata(&path)?;
        Ok(Self {
            path,
            device: found.dev(),
            inode: found.ino(),
            is_left: false,
        })
    }

    /// Sets the permission bits.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode))
    }

    /// Forgets the file, which stays.
    pub(crate) fn leave(mut self) {
        self.is_left = true;
    }

    fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.is_left && self.is_ours() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Without blocking: a listener whose backlog is full would hold us here.
fn try_connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.connect(&SockAddr::unix(path)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_file_that_replaced_ours_is_left_alone() {
        let dir = std::env::temp_dir().join(format!("portcullis-file-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        let path = dir.join("a.sock");
        let first = UnixListener::bind(&path).unwrap();
        let ours = SocketFile::own(path.clone()).unwrap();
        fs::rename(&path, dir.join("moved.sock")).unwrap();
        let _second = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists(), "the newcomer's file stays");
        drop(first);
        fs::remove_dir_all(dir).unwrap();
    }
}
