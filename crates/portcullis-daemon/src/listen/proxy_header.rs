//! Reads a PROXY protocol header off a fresh connection, and not one byte more: what follows is peeked at first and
//! taken only as far as it belongs to the header, so that TLS or HTTP starts with its own first byte.

use std::io;

use portcullis_plan::proxy_protocol::{MAX_HEADER, ProxyReject, parse};
use portcullis_proxy::Stream;
use rustix::net::RecvFlags;
use tokio::io::Interest;

use super::accept::Accepted;

/// Why a connection that must begin with a PROXY header is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    /// It begins with something else, or with a malformed header.
    #[error("the PROXY header is refused: {}", .0.code())]
    Refused(ProxyReject),
    /// It ended first.
    #[error("the connection ended within the PROXY header")]
    Ended,
    /// It failed.
    #[error("the PROXY header cannot be read: {0}")]
    Failed(io::Error),
}

impl HeaderError {
    /// A stable word for counters.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Refused(reject) => reject.code(),
            Self::Ended | Self::Failed(_) => "proxy-header-missing",
        }
    }
}

/// Takes the header and puts the addresses it tells in place of the connection's own.
pub(crate) async fn read(accepted: Accepted) -> Result<Accepted, HeaderError> {
    let mut seen = Vec::with_capacity(256);
    loop {
        let before = seen.len();
        peek(&accepted.stream, &mut seen).await?;
        let header = match parse(&seen) {
            Ok(Some((length, header))) => {
                take(&accepted.stream, length.saturating_sub(before))?;
                header
            }
            Ok(None) if seen.len() < MAX_HEADER => {
                take(&accepted.stream, seen.len() - before)?;
                continue;
            }
            Ok(None) => return Err(HeaderError::Refused(ProxyReject::Length)),
            Err(reject) => return Err(HeaderError::Refused(reject)),
        };
        // A local connection, a health check of the proxy before us, speaks for itself.
        return Ok(match header.source {
            Some(source) if !header.local => {
                Accepted { peer: Some(source), local: header.destination.or(accepted.local), ..accepted }
            }
            _ => accepted,
        });
    }
}

/// Appends what has arrived without taking it; waits until something has.
async fn peek(stream: &Stream, seen: &mut Vec<u8>) -> Result<(), HeaderError> {
    let mut space = [0; 512];
    let n = match stream {
        Stream::Tcp(stream) => {
            stream.async_io(Interest::READABLE, || Ok(rustix::net::recv(stream, &mut space[..], RecvFlags::PEEK)?.1)).await
        }
        Stream::Unix(stream) => {
            stream.async_io(Interest::READABLE, || Ok(rustix::net::recv(stream, &mut space[..], RecvFlags::PEEK)?.1)).await
        }
    };
    match n {
        Ok(0) => Err(HeaderError::Ended),
        Ok(n) => {
            seen.extend_from_slice(space.get(..n).unwrap_or_default());
            Ok(())
        }
        Err(error) => Err(HeaderError::Failed(error)),
    }
}

/// Takes `length` bytes that were peeked at before, so they are there.
fn take(stream: &Stream, length: usize) -> Result<(), HeaderError> {
    let mut space = [0; 512];
    let Some(space) = space.get_mut(..length) else { return Err(HeaderError::Refused(ProxyReject::Length)) };
    let n = match stream {
        Stream::Tcp(stream) => stream.try_read(space),
        Stream::Unix(stream) => stream.try_read(space),
    };
    match n {
        Ok(n) if n == length => Ok(()),
        Ok(_) => Err(HeaderError::Ended),
        Err(error) => Err(HeaderError::Failed(error)),
    }
}
