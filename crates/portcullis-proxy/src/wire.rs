//! What an exchange may ask of a client, whatever protocol the client speaks.
//!
//! Heads are written as HTTP/1 text and bodies as plain bytes by everybody; what a protocol makes of them is decided
//! here. HTTP/1 lets them pass as they are, so that a head leaves in one write with the beginning of its body.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::http2;
use crate::io::{ClientIo, PollIo, Stream};

/// The client's end of an exchange.
pub(crate) enum Wire {
    /// HTTP/1 in clear text.
    Plain(Stream),
    /// HTTP/1 over TLS.
    Tls(Box<TlsStream<Stream>>),
    /// One stream of an HTTP/2 connection.
    Http2(http2::Stream),
    /// Nobody: between two clients.
    Gone,
}

/// What a head is, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// An interim response: another head follows.
    Interim,
    /// The final response, with a body or a tunnel behind it.
    Final,
    /// The final response and the end of the message.
    Whole,
}

impl From<ClientIo> for Wire {
    fn from(io: ClientIo) -> Self {
        match io {
            ClientIo::Plain(stream) => Self::Plain(stream),
            ClientIo::Tls(stream) => Self::Tls(stream),
        }
    }
}

impl Wire {
    /// Ready when a read would not wait; holds no buffer meanwhile.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_readable(cx),
            Self::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                socket.poll_decrypted(session, cx)
            }
            Self::Http2(stream) => stream.poll_readable(),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    /// Whether the handshake settled on HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2"))
    }

    /// Whether the client is known to have given up, although nothing was read or written.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Tls(_) => false,
            Self::Http2(stream) => stream.is_gone(),
            Self::Gone => true,
        }
    }

    /// Whether a client that sends nothing more has left: over HTTP/1 nothing else tells so.
    pub(crate) fn leaves_by_ending(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Tls(_) | Self::Gone => true,
            Self::Http2(_) => false,
        }
    }

    /// Takes the head that is the `head` of `text` out of it, and tells how many bytes that gave to send. Over HTTP/1 it
    /// stays there, to leave with what is written behind it.
    pub(crate) fn pass_head(
        &mut self,
        text: &mut Vec<u8>,
        head: Range<usize>,
        kind: HeadKind,
    ) -> io::Result<usize> {
        let Self::Http2(stream) = self else {
            return Ok(0);
        };
        let sent = stream.send_head(text.get(head.clone()).unwrap_or_default(), kind)?;
        text.drain(head);
        Ok(sent)
    }

    /// Ends the message where the framing of its body does not. `trailers` are clean lines.
    pub(crate) fn poll_end(&mut self, trailers: &[u8]) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) | Self::Tls(_) => Poll::Ready(Ok(())),
            Self::Http2(stream) => stream.poll_finish(trailers),
            Self::Gone => Poll::Ready(Err(nobody())),
        }
    }

    /// After a read of no bytes: whether that is the proper end of a message, whose trailers then are in `trailers`.
    pub(crate) fn ends_message(&mut self, trailers: &mut Vec<u8>) -> bool {
        let Self::Http2(stream) = self else {
            return false;
        };
        stream.take_trailers(trailers);
        true
    }
}

fn nobody() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl PollIo for Wire {
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_read_into(cx, space),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, space),
            Self::Http2(stream) => stream.poll_read_into(cx, space),
            Self::Gone => Poll::Ready(Err(nobody())),
        }
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write_some(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Http2(stream) => stream.poll_write_some(cx, bytes),
            Self::Gone => Poll::Ready(Err(nobody())),
        }
    }

    fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write_slices(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Http2(stream) => stream.poll_write_slices(cx, slices),
            Self::Gone => Poll::Ready(Err(nobody())),
        }
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Http2(stream) => stream.poll_flush_all(cx),
            Self::Gone => Poll::Ready(Err(nobody())),
        }
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_close_write(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Http2(stream) => stream.poll_close_write(cx),
            Self::Gone => Poll::Ready(Err(nobody())),
        }
    }
}
