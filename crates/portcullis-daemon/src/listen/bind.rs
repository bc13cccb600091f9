//! Opens the sockets of one address: for TCP one per worker with `SO_REUSEPORT`, so that workers share nothing; for a
//! Unix socket one that the workers share.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use portcullis_plan::plan::Bind;
use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, Type};

use super::holder::{self, Holder};
use super::socket_file::SocketFile;

/// Why an address cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// Somebody else has it.
    #[error("{address} is held by {}", .holder.as_ref().map_or_else(|| "another process".to_owned(), Holder::to_string))]
    InUse {
        /// The address as operators write it.
        address: String,
        /// Who, where it can be found out.
        holder: Option<Holder>,
    },
    /// We may not.
    #[error("{address} may not be bound: {reason}")]
    Denied {
        /// The address as operators write it.
        address: String,
        /// What is missing.
        reason: &'static str,
    },
    /// No interface has it.
    #[error("{address} belongs to no interface of this machine")]
    NoSuchAddress {
        /// The address as operators write it.
        address: String,
    },
    /// Nobody passed it to us.
    #[error("no socket named `{name}` was passed to this process{}", passed_instead(.passed))]
    NotPassed {
        /// The name.
        name: String,
        /// The names of those that were.
        passed: Vec<String>,
    },
    /// Something else lies at the path.
    #[error("{path} exists and is no socket")]
    NotASocket {
        /// The path.
        path: String,
    },
    /// Anything else.
    #[error("{address} cannot be bound: {cause}")]
    Other {
        /// The address as operators write it.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// A listening socket that no runtime owns yet.
#[derive(Debug)]
pub(crate) enum Listening {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix stream.
    Unix(std::os::unix::net::UnixListener),
}

impl Listening {
    /// A second descriptor of the same socket.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    /// Its address as operators write it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Tcp(socket) => socket
                .local_addr()
                .map_or_else(|_| "?".to_owned(), |address| address.to_string()),
            Self::Unix(socket) => {
                let address = socket.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(
                    || "unix:?".to_owned(),
                    |path| format!("unix:{}", path.display()),
                )
            }
        }
    }

    /// Changes how many pending connections the kernel holds.
    pub(crate) fn set_backlog(&self, backlog: u32) -> io::Result<()> {
        let backlog = clamp_backlog(backlog);
        match self {
            Self::Tcp(socket) => rustix::net::listen(socket, backlog)?,
            Self::Unix(socket) => rustix::net::listen(socket, backlog)?,
        }
        Ok(())
    }
}

/// An address that is open: its sockets, one for each worker, and for a Unix socket the file to remove at the end.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What was asked for.
    pub(crate) bind: Bind,
    /// The address as it is, with the real port.
    pub(crate) address: String,
    sockets: Vec<Listening>,
    file: Option<SocketFile>,
}

impl Bound {
    /// Opens `bind` for `workers` workers. What was passed is open already: see [`Bound::passed`].
    pub(crate) fn open(bind: &Bind, backlog: u32, workers: usize) -> Result<Self, BindError> {
        match bind {
            Bind::Tcp {
                address,
                dual_stack,
            } => Self::open_tcp(bind, *address, *dual_stack, backlog, workers),
            Bind::Unix { path, mode } => {
                Self::open_unix(bind, path.clone(), *mode, backlog, workers)
            }
            Bind::Passed { name } => Err(BindError::NotPassed {
                name: name.to_string(),
                passed: Vec::new(),
            }),
        }
    }

    /// Shares a socket that is open already among `workers` workers. Whoever opened it keeps its file and its backlog.
    pub(crate) fn passed(
        bind: &Bind,
        socket: &Listening,
        workers: usize,
    ) -> Result<Self, BindError> {
        let address = socket.address();
        let other = |cause| BindError::Other {
            address: address.clone(),
            cause,
        };
        let sockets: Result<Vec<_>, _> = (0..workers).map(|_| socket.duplicate()).collect();
        Ok(Self {
            bind: bind.clone(),
            sockets: sockets.map_err(other)?,
            address,
            file: None,
        })
    }

    /// Takes over the sockets that a predecessor had open at this address, for `workers` workers: all of them, as each has a
    /// queue of its own, and some of them twice if there are fewer than workers.
    pub(crate) fn inherited(
        bind: &Bind,
        sockets: &[Listening],
        backlog: u32,
        workers: usize,
    ) -> Result<Self, BindError> {
        let address = sockets.first().map(Listening::address).unwrap_or_default();
        let other = |cause| BindError::Other {
            address: address.clone(),
            cause,
        };
        let count = sockets.len().max(workers);
        let sockets: Result<Vec<_>, _> = sockets
            .iter()
            .cycle()
            .take(count)
            .map(Listening::duplicate)
            .collect();
        let file = match bind {
            // Somebody may have taken the file away; the socket serves those who are connected to it all the same.
            Bind::Unix { path, .. } => SocketFile::own(path.clone()).ok(),
            _ => None,
        };
        let mut bound = Self {
            bind: bind.clone(),
            sockets: sockets.map_err(other)?,
            address: address.clone(),
            file,
        };
        bound.adjust(bind, backlog).map_err(other)?;
        Ok(bound)
    }

    /// The socket's file stays when the socket is closed: it is a successor's.
    pub(crate) fn leave_file(&mut self) {
        if let Some(file) = self.file.take() {
            file.leave();
        }
    }

    /// Descriptors for the workers, in their order.
    pub(crate) fn descriptors(&self) -> io::Result<Vec<Listening>> {
        self.sockets.iter().map(Listening::duplicate).collect()
    }

    /// Takes over what may change while the socket stays open: backlog and file mode.
    pub(crate) fn adjust(&mut self, bind: &Bind, backlog: u32) -> io::Result<()> {
        if !matches!(bind, Bind::Passed { .. }) {
            for socket in &self.sockets {
                socket.set_backlog(backlog)?;
            }
        }
        if let (Bind::Unix { mode, .. }, Some(file)) = (bind, &self.file) {
            file.set_mode(*mode)?;
        }
        self.bind = bind.clone();
        Ok(())
    }

    fn open_tcp(
        bind: &Bind,
        wanted: SocketAddr,
        dual_stack: bool,
        backlog: u32,
        workers: usize,
    ) -> Result<Self, BindError> {
        let explain = |cause| explain_tcp(wanted, cause);
        refuse_shared_port(wanted, dual_stack)?;
        let mut sockets = Vec::with_capacity(workers);
        let mut actual = wanted;
        for _ in 0..workers {
            let socket = tcp_socket(actual, dual_stack, true).map_err(explain)?;
            socket.listen(clamp_backlog(backlog)).map_err(explain)?;
            let socket = std::net::TcpListener::from(socket);
            actual = socket.local_addr().map_err(explain)?;
            sockets.push(Listening::Tcp(socket));
        }
        Ok(Self {
            bind: bind.clone(),
            address: actual.to_string(),
            sockets,
            file: None,
        })
    }

    fn open_unix(
        bind: &Bind,
        path: PathBuf,
        mode: u32,
        backlog: u32,
        workers: usize,
    ) -> Result<Self, BindError> {
        let address = format!("unix:{}", path.display());
        let other = |cause| explain_unix(&address, cause);
        SocketFile::clear(&path)?;
        let socket = RawSocket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)
            .map_err(other)?;
        socket
            .bind(&SockAddr::unix(&path).map_err(other)?)
            .map_err(other)?;
        let file = SocketFile::own(path).map_err(other)?;
        // Before `listen` nobody can connect, so the mode is never wider than asked for.
        file.set_mode(mode).map_err(other)?;
        socket.listen(clamp_backlog(backlog)).map_err(other)?;
        let first = Listening::Unix(socket.into());
        let mut sockets = Vec::with_capacity(workers);
        for _ in 1..workers {
            sockets.push(first.duplicate().map_err(other)?);
        }
        sockets.push(first);
        Ok(Self {
            bind: bind.clone(),
            address,
            sockets,
            file: Some(file),
        })
    }
}

/// `SO_REUSEPORT` would let us join the port of another process of the same user and take a share of its
/// connections, so the address is first tried without it. What we hold ourselves, as a wildcard say, is no conflict.
fn refuse_shared_port(address: SocketAddr, dual_stack: bool) -> Result<(), BindError> {
    let attempt = tcp_socket(address, dual_stack, false).and_then(|socket| socket.listen(1));
    match attempt {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
            let holder = holder::of_tcp(address);
            if holder.as_ref().is_some_and(Holder::is_ourselves) {
                return Ok(());
            }
            Err(BindError::InUse {
                address: address.to_string(),
                holder,
            })
        }
        Err(cause) => Err(explain_tcp(address, cause)),
    }
}

fn tcp_socket(address: SocketAddr, dual_stack: bool, share: bool) -> io::Result<RawSocket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = RawSocket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    // Accepted sockets inherit it on Linux: one call here instead of one for each connection.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn explain_tcp(address: SocketAddr, cause: io::Error) -> BindError {
    let text = address.to_string();
    match cause.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse {
            address: text,
            holder: holder::of_tcp(address),
        },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { address: text },
        io::ErrorKind::PermissionDenied => BindError::Denied {
            address: text,
            reason: "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE, which a process with `[global] user` gives up at its start",
        },
        _ => BindError::Other {
            address: text,
            cause,
        },
    }
}

fn explain_unix(address: &str, cause: io::Error) -> BindError {
    let address = address.to_owned();
    match cause.kind() {
        io::ErrorKind::PermissionDenied => BindError::Denied {
            address,
            reason: "this user may not create files in that directory",
        },
        io::ErrorKind::NotFound => BindError::Other {
            address,
            cause: io::Error::other("its directory does not exist"),
        },
        _ => BindError::Other { address, cause },
    }
}

fn passed_instead(names: &[String]) -> String {
    match names {
        [] => ": it was not started by socket activation".to_owned(),
        names => format!("; passed: {}", names.join(", ")),
    }
}

/// The kernel takes a signed number and caps it at `net.core.somaxconn` itself.
fn clamp_backlog(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use super::*;

    fn tcp(address: &str, dual_stack: bool) -> Bind {
        Bind::Tcp {
            address: address.parse().unwrap(),
            dual_stack,
        }
    }

    fn unix(path: &Path, mode: u32) -> Bind {
        Bind::Unix {
            path: path.to_owned(),
            mode,
        }
    }

    fn private_dir(name: &str) -> PathBuf {
        let dir =
            std::env::temp_dir().join(format!("portcullis-bind-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn every_worker_gets_its_own_socket_on_the_same_port() {
        let bound = Bound::open(&tcp("127.0.0.1:0", false), 16, 3).unwrap();
        let ports: Vec<_> = bound
            .sockets
            .iter()
            .map(|socket| match socket {
                Listening::Tcp(socket) => socket.local_addr().unwrap(),
                Listening::Unix(_) => panic!("asked for TCP"),
            })
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(
            ports.iter().all(|port| port.to_string() == bound.address),
            "{ports:?}"
        );
    }

    #[test]
    fn a_dual_stack_wildcard_takes_ipv4_too() {
        let bound = Bound::open(&tcp("[::]:0", true), 16, 1).unwrap();
        let port = bound
            .address
            .rsplit(':')
            .next()
            .unwrap()
            .parse::<u16>()
            .unwrap();
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_ok(),
            "IPv4 reaches [::] when dual-stack"
        );
    }

    #[test]
    fn an_address_in_use_names_its_holder() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let holder = Some(Holder {
            pid: 1,
            name: "init".to_owned(),
        });
        let error = BindError::InUse {
            address: address.to_string(),
            holder,
        };
        assert_eq!(
            error.to_string(),
            format!("{address} is held by process 1 (init)")
        );
        // The holder is this very process without SO_REUSEPORT, so binding fails all the same.
        let failure = Bound::open(&tcp(&address.to_string(), false), 16, 1).unwrap_err();
        assert!(
            failure.to_string().contains("is held by process"),
            "{failure}"
        );
    }

    #[test]
    fn an_address_of_no_interface_is_said_to_be_that() {
        let failure = Bound::open(&tcp("192.0.2.1:0", false), 16, 1).unwrap_err();
        assert!(
            matches!(failure, BindError::NoSuchAddress { .. }),
            "{failure}"
        );
    }

    #[test]
    fn a_unix_socket_has_its_mode_and_is_removed_at_the_end() {
        let dir = private_dir("mode");
        let path = dir.join("a.sock");
        let mut bound = Bound::open(&unix(&path, 0o600), 16, 2).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        bound.adjust(&unix(&path, 0o660), 32).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o660
        );
        assert!(UnixStream::connect(&path).is_ok());
        drop(bound);
        assert!(!path.exists(), "our file goes with us");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
        let dir = private_dir("stale");
        let path = dir.join("a.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file behind");
        let bound = Bound::open(&unix(&path, 0o600), 16, 1).unwrap();
        let failure = Bound::open(&unix(&path, 0o600), 16, 1).unwrap_err();
        assert!(matches!(failure, BindError::InUse { .. }), "{failure}");
        drop(bound);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_directory_that_is_missing_is_said_to_be_that() {
        let path = private_dir("gone").join("missing/a.sock");
        let failure = Bound::open(&unix(&path, 0o600), 16, 1).unwrap_err();
        assert!(
            failure
                .to_string()
                .ends_with("its directory does not exist"),
            "{failure}"
        );
        std::fs::remove_dir_all(path.ancestors().nth(2).unwrap()).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_never_removed() {
        let dir = private_dir("file");
        let path = dir.join("precious");
        std::fs::write(&path, "data").unwrap();
        let failure = Bound::open(&unix(&path, 0o600), 16, 1).unwrap_err();
        assert!(matches!(failure, BindError::NotASocket { .. }), "{failure}");
        assert_eq!(std::fs::read(&path).unwrap(), b"data");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
