//! The new side: takes what the predecessor gives, and says when it may go.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{AddressFamily, sockopt};
use serde_json::Value;

use super::{VARIABLE, VERSION, Word, channel};
use crate::listen::bind::Listening;
use crate::listen::set::Key;

/// How long a predecessor may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that a predecessor gave.
pub(crate) struct Taken {
    /// Its listening sockets.
    pub(crate) sockets: Vec<(Key, Vec<Listening>)>,
    /// What it has learnt.
    pub(crate) learnt: Value,
    /// The predecessor itself, which waits.
    pub(crate) predecessor: Predecessor,
}

/// The process that goes when we serve.
pub(crate) struct Predecessor(UnixStream);

impl Taken {
    /// Takes over from the process at the other end of standard input, if there is one. To be called once, before there are threads.
    pub(crate) fn from_env() -> io::Result<Option<Self>> {
        match std::env::var(VARIABLE) {
            Err(_) => Ok(None),
            Ok(version) if version == VERSION => {
                let channel = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
                Self::receive(channel).map(Some)
            }
            Ok(version) => Err(io::Error::other(format!(
                "{VARIABLE} is \"{version}\", this version knows \"{VERSION}\""
            ))),
        }
    }

    fn receive(channel: UnixStream) -> io::Result<Self> {
        refuse_strangers(&channel)?;
        channel.set_read_timeout(Some(PATIENCE))?;
        channel.set_write_timeout(Some(PATIENCE))?;
        let (text, descriptors) = channel::receive(&channel)?;
        let mut parcel: Value = serde_json::from_slice(&text)?;
        let sockets = sockets(&parcel, descriptors)
            .ok_or_else(|| io::Error::other("the list of sockets is not understood"))?;
        Ok(Self {
            sockets,
            learnt: parcel
                .get_mut("learnt")
                .map(Value::take)
                .unwrap_or_default(),
            predecessor: Predecessor(channel),
        })
    }
}

impl Predecessor {
    /// Everything that can fail is done: asks to serve beside it.
    pub(crate) fn may_we_serve(&self) -> io::Result<()> {
        Word::Ready.say(&self.0)?;
        Word::Go.hear(&self.0)
    }

    /// We serve: it may go.
    pub(crate) fn dismiss(self) -> io::Result<()> {
        Word::Serving.say(&self.0)
    }
}

/// Standard input must be a channel that this very user made.
fn refuse_strangers(channel: &UnixStream) -> io::Result<()> {
    let peer = sockopt::socket_peercred(channel).map_err(|_| {
        io::Error::other(format!(
            "{VARIABLE} is set, but standard input is no predecessor"
        ))
    })?;
    let ours = rustix::process::geteuid();
    if peer.uid == ours || peer.uid.is_root() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the predecessor belongs to user {}, not to {}",
        peer.uid.as_raw(),
        ours.as_raw()
    )))
}

/// The sockets with their keys; `None` where list and descriptors do not agree.
fn sockets(parcel: &Value, descriptors: Vec<OwnedFd>) -> Option<Vec<(Key, Vec<Listening>)>> {
    let mut descriptors = descriptors.into_iter();
    let mut taken = Vec::new();
    for entry in parcel.get("sockets")?.as_array()? {
        let key = Key::from_json(entry.get("key")?)?;
        let count = entry.get("count")?.as_u64()?;
        let mut sockets = Vec::new();
        for _ in 0..count {
            sockets.push(listening(descriptors.next()?)?);
        }
        taken.push((key, sockets));
    }
    descriptors.next().is_none().then_some(taken)
}

fn listening(descriptor: OwnedFd) -> Option<Listening> {
    if !sockopt::socket_acceptconn(&descriptor).ok()? {
        return None;
    }
    match sockopt::socket_domain(&descriptor).ok()? {
        AddressFamily::UNIX => Some(Listening::Unix(descriptor.into())),
        AddressFamily::INET | AddressFamily::INET6 => Some(Listening::Tcp(descriptor.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs::File;
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    #[test]
    fn sockets_come_with_their_keys_or_not_at_all() {
        let socket = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
        let key = Key::Tcp("127.0.0.1:80".parse().unwrap(), false);
        let list = |count: u64| json!({ "sockets": [{ "key": key.to_json(), "count": count }] });
        let taken = sockets(&list(2), vec![socket(), socket()]).unwrap();
        assert_eq!((&taken[0].0, taken[0].1.len()), (&key, 2));
        assert!(
            sockets(&list(2), vec![socket()]).is_none(),
            "one is missing"
        );
        assert!(
            sockets(&list(1), vec![socket(), socket()]).is_none(),
            "one too many"
        );
        let file = OwnedFd::from(File::open("/dev/null").unwrap());
        assert!(sockets(&list(1), vec![file]).is_none(), "that is no socket");
    }
}
