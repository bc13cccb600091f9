//! Makes connections to servers: the socket by pingora's connector primitives, then the PROXY header, then TLS.
//!
//! pingora gives a raw socket with the options an edge wants (no early port binding, the error
//! classified); its buffered stream is left out, because our own relay owns the buffers
//! (`docs/decisions/0001-own-http1-engine.md`). Its TLS is left out as well: it rebuilds its configuration for every
//! connection with an authority of its own, and would share connections between different ones.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use pingora_core::protocols::l4::ext;
use portcullis_plan::live::ServerLive;
use portcullis_plan::plan::Address;
use portcullis_plan::proxy_protocol;
use tokio::io::AsyncWriteExt;

use super::terms::Wanted;
use super::tls::is_certificate_error;
use crate::failure::Failure;
use crate::io::{ServerIo, Stream};

/// Where a connection goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    Tcp(SocketAddr),
    Unix(&'a Path),
}

impl<'a> Target<'a> {
    /// Where a connection to the server at `address` goes. Addresses of one name are alike: `chance` picks one of those that
    /// the name was resolved to.
    pub(crate) fn of(
        address: &'a Address,
        server: &ServerLive,
        chance: u64,
    ) -> Result<Self, Failure> {
        match address {
            Address::Tcp(address) => Ok(Self::Tcp(*address)),
            Address::Unix(path) => Ok(Self::Unix(path)),
            Address::Name { .. } => {
                let resolved = server.addresses();
                let known = resolved.as_ref().map_or(&[][..], |known| known);
                let at = (chance as usize).checked_rem(known.len());
                let picked = at.and_then(|at| known.get(at));
                picked.copied().map(Self::Tcp).ok_or(Failure::UNRESOLVED)
            }
        }
    }
}

/// Connects to `target`, where the server configured at `address` is; the caller bounds the time.
pub(crate) async fn connect(
    target: Target<'_>,
    address: &Address,
    wanted: Wanted<'_>,
) -> Result<ServerIo, Failure> {
    let mut stream = open(target).await.map_err(|error| {
        tracing::debug!(%error, "connecting failed");
        Failure::CONNECT
    })?;
    if let Some(introduction) = wanted.introduction {
        let mut header = Vec::with_capacity(proxy_protocol::MAX_WRITTEN);
        proxy_protocol::write(
            introduction.version,
            introduction.source,
            introduction.destination,
            &mut header,
        );
        stream.write_all(&header).await.map_err(|error| {
            tracing::debug!(%error, "the server took no PROXY header");
            Failure::CONNECT
        })?;
    }
    let Some(tls) = wanted.tls else {
        return Ok(ServerIo::Plain(stream));
    };
    let session = tls
        .connect(stream, address, wanted.http1_only)
        .await
        .map_err(|error| {
            tracing::debug!(%error, "the TLS handshake with a server failed");
            if is_certificate_error(&error) {
                Failure::UPSTREAM_CERTIFICATE
            } else {
                Failure::UPSTREAM_TLS
            }
        })?;
    Ok(ServerIo::Tls(Box::new(session)))
}

async fn open(target: Target<'_>) -> io::Result<Stream> {
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
