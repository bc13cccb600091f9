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

use crate::io::{ClientIo, PollIo, Stream};

/// The client's end of an exchange.
pub(crate) enum Wire {
    /// HTTP/1 in clear text.
    Plain(Stream),
    /// HTTP/1 over TLS.
    Tls(Box<TlsStream<Stream>>),
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
                // Plaintext that is decrypted already wakes no socket.
                if session.wants_read() {
                    socket.poll_readable(cx)
                } else {
                    Poll::Ready(Ok(()))
                }
            }
        }
    }

    /// Takes the head that is the `head` of `text` out of it, and tells how many bytes that gave to send. Over HTTP/1 it
    /// stays there, to leave with what is written behind it.
    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "a protocol of frames takes the text away"
    )]
    pub(crate) fn pass_head(
        &mut self,
        _text: &mut Vec<u8>,
        _head: Range<usize>,
        _kind: HeadKind,
    ) -> io::Result<usize> {
        Ok(0)
    }

    /// Ends the message where the framing of its body does not. `trailers` are clean lines.
    #[allow(
        clippy::unused_self,
        reason = "a protocol of frames ends a message by a mark"
    )]
    pub(crate) fn pass_end(&mut self, _trailers: &[u8]) -> io::Result<()> {
        Ok(())
    }
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
        }
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write_some(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
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
        }
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_close_write(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
