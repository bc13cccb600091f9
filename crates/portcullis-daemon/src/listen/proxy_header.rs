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
            Some(source) if !header.local => Accepted {
                peer: Some(source),
                local: header.destination.or(accepted.local),
                ..accepted
            },
            _ => accepted,
        });
    }
}

/// Appends what has arrived without taking it; waits until something has.
async fn peek(stream: &Stream, seen: &mut Vec<u8>) -> Result<(), HeaderError> {
    let mut space = [0; 512];
    let n = match stream {
        Stream::Tcp(stream) => {
            stream
                .async_io(Interest::READABLE, || {
                    Ok(rustix::net::recv(stream, &mut space[..], RecvFlags::PEEK)?.1)
                })
                .await
        }
        Stream::Unix(stream) => {
            stream
                .async_io(Interest::READABLE, || {
                    Ok(rustix::net::recv(stream, &mut space[..], RecvFlags::PEEK)?.1)
                })
                .await
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
    let Some(space) = space.get_mut(..length) else {
        return Err(HeaderError::Refused(ProxyReject::Length));
    };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    fn accepted(stream: UnixStream) -> Accepted {
        Accepted {
            stream: Stream::Unix(stream),
            peer: None,
            local: None,
        }
    }

    #[tokio::test]
    async fn the_header_is_taken_and_not_one_byte_more() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\n")
            .await
            .unwrap();
        far.shutdown().await.unwrap();
        let mut introduced = read(accepted(near)).await.unwrap();
        assert_eq!(introduced.peer, Some("192.0.2.7:5000".parse().unwrap()));
        assert_eq!(introduced.local, Some("192.0.2.1:443".parse().unwrap()));
        let mut rest = String::new();
        introduced.stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "GET / HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn a_header_may_come_in_any_pieces() {
        let header = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\nrest";
        for split in 1..header.len() - 4 {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(&header[..split]).await.unwrap();
            let reading = tokio::spawn(read(accepted(near)));
            tokio::task::yield_now().await;
            far.write_all(&header[split..]).await.unwrap();
            far.shutdown().await.unwrap();
            let mut introduced = reading.await.unwrap().unwrap();
            assert_eq!(
                introduced.peer,
                Some("[2001:db8::1]:1".parse().unwrap()),
                "split at {split}"
            );
            let mut rest = String::new();
            introduced.stream.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "rest", "split at {split}");
        }
    }

    #[tokio::test]
    async fn a_binary_header_longer_than_one_look_is_taken_whole() {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
        let noop = 1500_u16;
        header.extend_from_slice(&(12 + 3 + noop).to_be_bytes());
        header.extend_from_slice(&[192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 1, 0xbb]);
        header.push(4);
        header.extend_from_slice(&noop.to_be_bytes());
        header.resize(header.len() + usize::from(noop), 0);
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(&header).await.unwrap();
        far.write_all(b"x").await.unwrap();
        let mut introduced = read(accepted(near)).await.unwrap();
        assert_eq!(introduced.peer, Some("192.0.2.7:5000".parse().unwrap()));
        assert_eq!(introduced.stream.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused_and_counted_by_its_reason() {
        for (bytes, code) in [
            (&b"GET / HTTP/1.1\r\n"[..], "proxy-header-missing"),
            (b"PROXY TCP4 1 2 3 4\r\n", "proxy-v1-address"),
            (b"PROXY TCP4 192.0.2.7", "proxy-header-missing"),
            (b"", "proxy-header-missing"),
        ] {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(bytes).await.unwrap();
            far.shutdown().await.unwrap();
            let error = read(accepted(near)).await.err().unwrap();
            assert_eq!(error.code(), code, "{error}");
        }
    }

    #[tokio::test]
    async fn a_health_check_of_the_proxy_speaks_for_itself() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00")
            .await
            .unwrap();
        assert_eq!(read(accepted(near)).await.unwrap().peer, None);
    }
}
