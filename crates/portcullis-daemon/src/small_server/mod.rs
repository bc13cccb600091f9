//! A small HTTP/1 server for our own purposes: the admin endpoint, and the apps of `portcullis demo`.
//!
//! Requests are read whole, within bounds and deadlines, by the same strict parser as everywhere; answers are given
//! whole. It is not made for load: one task for each connection, a fresh buffer for each request.

mod connection;
mod message;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

pub use message::{Io, Request, Response, Takeover};

/// After an accept that failed, which only a lack of descriptors or memory makes happen.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
#[derive(Debug)]
pub enum Incoming {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket.
    Unix(UnixListener),
}

/// What a small server allows.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at a time; one more is closed at once.
    pub connections: usize,
    /// Bytes of a request's body; a larger one is answered with 413.
    pub body: usize,
    /// Between the requests of a connection.
    pub idle: Duration,
    /// For a whole request to arrive, and again for its answer to be taken.
    pub exchange: Duration,
}

impl Default for Bounds {
    /// 256 connections, bodies of 1 MiB, 30 s between requests, 10 s for each direction of one.
    fn default() -> Self {
        Self {
            connections: 256,
            body: 1 << 20,
            idle: Duration::from_secs(30),
            exchange: Duration::from_secs(10),
        }
    }
}

/// Answers requests. Implemented by every `Fn(Request) -> impl Future<Output = Response>`.
pub trait Handler: Send + Sync + 'static {
    /// The answer to `request`.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// A connection was closed because as many as allowed were open.
    fn refused(&self) {}
}

impl<H, F> Handler for H
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send,
{
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send {
        self(request)
    }
}

/// Serves `incoming` with `handler`. Ends only by being dropped, which ends every connection with it.
pub async fn serve<H: Handler>(incoming: Incoming, bounds: Bounds, handler: H) {
    let handler = Arc::new(handler);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = incoming.accept() => match accepted {
                Ok((stream, peer)) if connections.len() < bounds.connections => {
                    let handler = Arc::clone(&handler);
                    connections.spawn(async move { connection::converse(stream, peer, bounds, &*handler).await });
                }
                Ok(_) => handler.refused(),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

impl Incoming {
    /// The next connection, with the address it came from as text.
    async fn accept(&self) -> io::Result<(Box<dyn Io>, String)> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are written in one piece; a socket that is gone already shows when it is read.
                let _ = stream.set_nodelay(true);
                (Box::new(stream), peer.to_string())
            }
            Self::Unix(listener) => (Box::new(listener.accept().await?.0), "unix".to_owned()),
        })
    }
}
