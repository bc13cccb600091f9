//! Makes connections to servers, by pingora's connector primitives.
//!
//! pingora gives a raw socket with the options an edge wants (no early port binding, the error
//! classified); its buffered stream is left out, because our own relay owns the buffers
//! (`docs/decisions/0001-own-http1-engine.md`).

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use pingora_core::protocols::l4::ext;

use crate::io::Stream;

/// Where a connection goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    Tcp(SocketAddr),
    Unix(&'a Path),
}

/// Connects; the caller bounds the time.
pub(crate) async fn connect(target: Target<'_>) -> io::Result<Stream> {
    match target {
        Target::Tcp(address) => {
            let stream = ext::connect(&address, None)
                .await
                .map_err(|error| io::Error::other(error.to_string()))?;
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        }
        Target::Unix(path) => ext::connect_uds(path)
            .await
            .map(Stream::Unix)
            .map_err(|error| io::Error::other(error.to_string())),
    }
}
