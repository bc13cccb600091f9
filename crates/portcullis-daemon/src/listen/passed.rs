//! Listening sockets that were open before this process began: those a service manager passes by number and name
//! (`sd_listen_fds_with_names(3)`). They are kept for the life of the process, bound by the configuration or not, so that a
//! reload may take one up again.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;

use listenfd::ListenFd;

use super::bind::Listening;

/// The most sockets that are taken; more than any unit names, and fewer than descriptors run out at.
const MOST: usize = 1_024;
/// What the manager calls a socket that has no name.
const UNNAMED: &str = "unknown";

/// The sockets that were passed, by name.
#[derive(Debug, Default)]
pub(crate) struct Passed(BTreeMap<String, Vec<Listening>>);

impl Passed {
    /// Takes over what the environment says was passed to this very process, and forgets the environment's words about it. To be
    /// called once, before there are threads.
    pub(crate) fn from_env() -> io::Result<Self> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        if variable("LISTEN_PID") != std::process::id().to_string() {
            return Ok(Self::default());
        }
        let count = variable("LISTEN_FDS");
        let names = variable("LISTEN_FDNAMES");
        match count.parse() {
            Ok(count) if count <= MOST => {
                Self::take(ListenFd::from_env(), &names_of(&names, count))
            }
            _ => Err(io::Error::other(format!(
                "LISTEN_FDS is \"{count}\", not a number up to {MOST}"
            ))),
        }
    }

    fn take(mut sockets: ListenFd, names: &[&str]) -> io::Result<Self> {
        let mut passed: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            let wrong = |what: &str| {
                io::Error::other(format!(
                    "the passed socket `{name}` (number {index}) {what}"
                ))
            };
            let socket = listening(&mut sockets, index)
                .map_err(|_| wrong("is neither a TCP nor a Unix stream socket"))?;
            if !socket.is_listening()? {
                return Err(wrong(
                    "does not listen: its socket unit needs `Accept=no`, the default",
                ));
            }
            socket.set_nonblocking()?;
            passed.entry((*name).to_owned()).or_default().push(socket);
        }
        Ok(Self(passed))
    }

    /// The sockets of this name, in the order in which they were passed.
    pub(crate) fn named(&self, name: &str) -> &[Listening] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Takes in sockets under a name, behind those that are there.
    pub(crate) fn add(&mut self, name: &str, sockets: Vec<Listening>) {
        self.0.entry(name.to_owned()).or_default().extend(sockets);
    }

    /// All names with their sockets.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[Listening])> {
        self.0
            .iter()
            .map(|(name, sockets)| (name.as_str(), sockets.as_slice()))
    }

    /// All names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn listening(sockets: &mut ListenFd, index: usize) -> io::Result<Listening> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    match sockets.take_tcp_listener(index) {
        Ok(socket) => socket.map(Listening::Tcp).ok_or_else(missing),
        Err(_) => sockets
            .take_unix_listener(index)?
            .map(Listening::Unix)
            .ok_or_else(missing),
    }
}

/// One name for each socket, whatever the list holds.
fn names_of(list: &str, count: usize) -> Vec<&str> {
    let mut names: Vec<_> = list
        .split(':')
        .map(|name| match name {
            "" => UNNAMED,
            name => name,
        })
        .collect();
    names.resize(count, UNNAMED);
    names
}

impl Listening {
    fn is_listening(&self) -> io::Result<bool> {
        Ok(rustix::net::sockopt::socket_acceptconn(self)?)
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(true),
            Self::Unix(socket) => socket.set_nonblocking(true),
        }
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_socket_has_a_name_whatever_the_list_holds() {
        assert_eq!(names_of("web:admin", 2), ["web", "admin"]);
        assert_eq!(names_of("", 2), ["unknown", "unknown"]);
        assert_eq!(names_of("web::x:y", 3), ["web", "unknown", "x"]);
    }

    #[test]
    fn without_a_manager_nothing_is_passed() {
        let passed = Passed::take(ListenFd::empty(), &[]).unwrap_or_default();
        assert_eq!(passed.names().count(), 0);
        assert!(passed.named("web").is_empty());
    }
}
