//! The accept loop of one socket on one worker.
//!
//! It takes connections as long as any wait, in batches, so that a flood of new ones cannot starve the old; running
//! out of descriptors is met with the reserve and a pause instead of a spin.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis_proxy::{Stream, Worker, caught};
use tokio::sync::Notify;

use super::admit::admit;
use super::bind::Listening;
use super::descriptors::{self, Reserve};
use super::door::Door;
use crate::log::Occasionally;

/// Connections taken before other tasks get their turn.
const BATCH: u32 = 64;
/// Pause after descriptors ran out, for connections to end.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// Pause after any other failure of `accept`, most of which concern a single connection.
const FAILURE_PAUSE: Duration = Duration::from_millis(1);

static EXHAUSTED: Occasionally = Occasionally::every(Duration::from_secs(1));
static FAILED: Occasionally = Occasionally::every(Duration::from_secs(1));

/// A listening socket of the worker's runtime.
pub(crate) enum Socket {
    /// TCP, with the address if it is the same for every connection.
    Tcp(tokio::net::TcpListener, Option<SocketAddr>),
    /// Unix stream.
    Unix(tokio::net::UnixListener),
}

/// A connection as it was accepted.
pub(crate) struct Accepted {
    /// The stream.
    pub(crate) stream: Stream,
    /// The other end; `None` for a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// Our end; `None` for a Unix socket.
    pub(crate) local: Option<SocketAddr>,
}

/// The addresses of both ends of a connection: peer and local.
pub(crate) type Ends = (Option<SocketAddr>, Option<SocketAddr>);

impl Accepted {
    /// The addresses of both ends.
    pub(crate) fn ends(&self) -> Ends {
        (self.peer, self.local)
    }
}

impl Socket {
    /// Registers a socket with the runtime of the current thread.
    pub(crate) fn register(listening: Listening) -> io::Result<Self> {
        match listening {
            Listening::Tcp(socket) => {
                let socket = tokio::net::TcpListener::from_std(socket)?;
                let local = socket.local_addr()?;
                Ok(Self::Tcp(
                    socket,
                    (!local.ip().is_unspecified()).then_some(local),
                ))
            }
            Listening::Unix(socket) => tokio::net::UnixListener::from_std(socket).map(Self::Unix),
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(socket, local) => socket.poll_accept(cx).map_ok(|(stream, peer)| {
                // Behind a wildcard the address differs from one connection to the next.
                let local = local.or_else(|| stream.local_addr().ok());
                Accepted {
                    stream: Stream::Tcp(stream),
                    peer: Some(peer),
                    local,
                }
            }),
            Self::Unix(socket) => socket.poll_accept(cx).map_ok(|(stream, _)| Accepted {
                stream: Stream::Unix(stream),
                peer: None,
                local: None,
            }),
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// A connection that waits already.
    async fn accept_waiting(&self) -> Option<io::Result<Accepted>> {
        poll_fn(|cx| match self.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

/// Accepts until `close` is notified; then takes what waits already, so that nobody who got through is reset.
pub(crate) async fn accept_loop(
    socket: Socket,
    door: Arc<Door>,
    worker: Rc<Worker>,
    close: Rc<Notify>,
) {
    let mut reserve = Reserve::new();
    let mut taken = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = socket.accept() => accepted,
            () = close.notified() => break,
        };
        match accepted {
            // A fault with one connection must not end the accepting of others.
            Ok(accepted) => drop(caught(|| admit(accepted, &door, &worker))),
            Err(error) => tokio::select! {
                () = recover(&error, &socket, &mut reserve, &door, &worker) => {}
                () = close.notified() => break,
            },
        }
        taken += 1;
        if taken >= BATCH {
            taken = 0;
            tokio::task::yield_now().await;
        }
    }
    while let Some(Ok(accepted)) = socket.accept_waiting().await {
        let _ = caught(|| admit(accepted, &door, &worker));
    }
}

/// After a failed `accept`: out of descriptors, the reserve takes waiting connections off the queue and closes them,
/// so that their clients learn at once; everything else is an affair of one connection.
async fn recover(
    error: &io::Error,
    socket: &Socket,
    reserve: &mut Reserve,
    door: &Door,
    worker: &Worker,
) {
    let now = worker.now();
    if !descriptors::is_exhaustion(error) {
        if let Some(held_back) = FAILED.pass(now) {
            tracing::debug!(listener = %door.name, %error, held_back, "cannot accept a connection");
        }
        return tokio::time::sleep(FAILURE_PAUSE).await;
    }
    door.process.descriptors_exhausted.count();
    reserve.release();
    for _ in 0..BATCH {
        // Dropped at once, which frees the descriptor for the next one.
        if !matches!(socket.accept_waiting().await, Some(Ok(_))) {
            break;
        }
    }
    reserve.refill();
    if let Some(held_back) = EXHAUSTED.pass(now) {
        tracing::warn!(listener = %door.name, %error, held_back, "out of file descriptors: connections are being closed");
    }
    tokio::time::sleep(EXHAUSTED_PAUSE).await;
}
