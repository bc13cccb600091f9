//! From an accepted socket to a connection of the data plane: counted against the caps, its PROXY header read, its
//! handshake made.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::live::HandshakeResult;
use portcullis_plan::{Deadline, TlsFacts};
use portcullis_proxy::{ClientIo, Connection, Worker, serve};

use super::accept::Accepted;
use super::door::{Door, Rules};
use super::proxy_header::{self, HeaderError};
use crate::log::Occasionally;
use crate::tls::handshake;

static FULL: Occasionally = Occasionally::every(Duration::from_secs(1));
static REFUSED: Occasionally = Occasionally::every(Duration::from_secs(1));

/// Takes a connection in, or closes it at once when too many are open.
pub(crate) fn admit(accepted: Accepted, door: &Arc<Door>, worker: &Rc<Worker>) {
    let rules = door.rules();
    let Some(slot) = Slot::take(door, worker, &rules) else {
        if let Some(held_back) = FULL.pass(worker.now()) {
            tracing::warn!(listener = %door.name, held_back, "too many connections: new ones are being closed");
        }
        return;
    };
    // A task of its own; a panic ends that task only, and `Slot` counts the connection as closed.
    tokio::task::spawn_local(welcome(accepted, rules, slot));
}

/// A connection that is counted as open until this is dropped, be it by a panic.
struct Slot {
    door: Arc<Door>,
    worker: Rc<Worker>,
}

impl Slot {
    fn take(door: &Arc<Door>, worker: &Rc<Worker>, rules: &Rules) -> Option<Self> {
        if !door.process.try_open(rules.max_connections_in_all) {
            return None;
        }
        if !door.live.try_open(worker.id(), rules.max_connections) {
            door.process.closed();
            return None;
        }
        Some(Self {
            door: Arc::clone(door),
            worker: Rc::clone(worker),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.door.live.closed(self.worker.id());
        self.door.process.closed();
    }
}

/// Why a connection ended before its first request.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no handshake within {0:?}")]
    TimedOut(Duration),
    #[error("{0}")]
    Header(#[from] HeaderError),
    #[error("no TLS: {0}")]
    Tls(io::Error),
}

async fn welcome(accepted: Accepted, rules: Arc<Rules>, slot: Slot) {
    let now = slot.worker.now();
    let introduces_itself = must_introduce_itself(&accepted, &rules);
    let (accepted, io, tls) = if rules.tls.is_none() && !introduces_itself {
        (accepted.ends(), ClientIo::Plain(accepted.stream), None)
    } else {
        // Boxed, so that what a handshake needs is not kept for the life of the connection.
        match Box::pin(introduce(accepted, introduces_itself, &rules, &slot)).await {
            Ok(introduced) => introduced,
            Err(refused) => return count(&refused, &rules, &slot),
        }
    };
    drop(rules);
    let (peer, local) = accepted;
    let listener = Arc::clone(&slot.door.name);
    let handshake = tls.as_ref().map(|_| slot.worker.now().since(now));
    // Written in place: a variable would be kept beside the task's own copy for the life of the connection.
    serve(
        Rc::clone(&slot.worker),
        Connection {
            io,
            listener,
            peer,
            local,
            tls,
            accepted: now,
            handshake,
        },
    )
    .await;
}

type Introduced = (super::accept::Ends, ClientIo, Option<Box<TlsFacts>>);

/// PROXY header and TLS, within one deadline.
async fn introduce(
    mut accepted: Accepted,
    introduces_itself: bool,
    rules: &Rules,
    slot: &Slot,
) -> Result<Introduced, Refused> {
    let steps = async {
        if introduces_itself {
            accepted = proxy_header::read(accepted).await?;
        }
        let ends = accepted.ends();
        let Some(tls) = &rules.tls else {
            return Ok((ends, ClientIo::Plain(accepted.stream), None));
        };
        let (stream, facts) = handshake::accept(accepted.stream, tls)
            .await
            .map_err(Refused::Tls)?;
        let (version, resumed) = (facts.version, facts.resumed);
        slot.door
            .live
            .handshake(slot.worker.id(), HandshakeResult::Ok { version, resumed });
        Ok((ends, ClientIo::Tls(Box::new(stream)), Some(Box::new(facts))))
    };
    tokio::time::timeout(rules.handshake, steps)
        .await
        .unwrap_or(Err(Refused::TimedOut(rules.handshake)))
}

fn must_introduce_itself(accepted: &Accepted, rules: &Rules) -> bool {
    rules
        .proxy_protocol
        .as_ref()
        .is_some_and(|networks| match accepted.peer {
            Some(peer) => networks.contains(peer.ip()),
            None => networks.contains_unix(),
        })
}

fn count(refused: &Refused, rules: &Rules, slot: &Slot) {
    let (live, worker) = (&slot.door.live, slot.worker.id());
    match refused {
        Refused::Header(error) => live.refuse_connection(worker, error.code()),
        Refused::TimedOut(_) if rules.tls.is_some() => {
            live.handshake(worker, HandshakeResult::TimedOut);
        }
        Refused::TimedOut(_) => {
            live.deadline(worker, Deadline::Handshake);
            live.refuse_connection(worker, "handshake-timeout");
        }
        Refused::Tls(error) => live.handshake(worker, tls_failure(error)),
    }
    if let Some(held_back) = REFUSED.pass(slot.worker.now()) {
        tracing::debug!(listener = %slot.door.name, held_back, "connection refused: {refused}");
    }
}

/// A client that leaves is told from one that speaks nonsense.
fn tls_failure(error: &io::Error) -> HandshakeResult {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => HandshakeResult::Closed,
        _ => HandshakeResult::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_leave_are_told_from_those_that_speak_nonsense() {
        let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(tls_failure(&closed), HandshakeResult::Closed);
        let nonsense = io::Error::new(io::ErrorKind::InvalidData, "corrupt");
        assert_eq!(tls_failure(&nonsense), HandshakeResult::Failed);
    }
}
