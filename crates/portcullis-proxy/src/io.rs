//! Byte streams of clients and servers, and the few ways we touch them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::CommonState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{client, server};

use crate::buffer::Buffer;
use crate::upstream::shared::Lease;

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// TCP, with `TCP_NODELAY` set by whoever made it.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
}

impl Stream {
    /// Ready when bytes, an end or an error wait to be read; costs no system call.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    /// The same for what a TLS session reads from here.
    pub(crate) fn poll_decrypted(
        &self,
        session: &CommonState,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // Plaintext that is decrypted already wakes no socket.
        if session.wants_read() {
            self.poll_readable(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A client's bytes, after its handshake if it had one.
#[derive(Debug)]
pub enum ClientIo {
    /// Clear text.
    Plain(Stream),
    /// TLS.
    Tls(Box<server::TlsStream<Stream>>),
}

/// The stream to a server, past its PROXY header and handshake if it has them.
pub(crate) enum ServerIo {
    /// Clear text.
    Plain(Stream),
    /// TLS.
    Tls(Box<client::TlsStream<Stream>>),
    /// A stream of a connection that others use as well.
    Http2(Lease),
}

impl ServerIo {
    /// Whether the handshake settled on HTTP/2.
    pub(crate) fn chose_http2(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2"))
    }

    /// Ends the request, where the framing of its body does not. `trailers` are clean lines. Pushes out what is held back.
    pub(crate) fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        trailers: &[u8],
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Http2(lease) => lease.poll_end(trailers),
        }
    }

    /// Ready when a read would not wait, or may not; holds no buffer meanwhile.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_readable(cx),
            Self::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                socket.poll_decrypted(session, cx)
            }
            Self::Http2(lease) => lease.poll_readable(),
        }
    }

    /// Whether nothing was sent that nobody asked for: neither an end, nor an error, nor bytes. Costs no system call
    /// in clear text; in TLS, only where something came, which may be a ticket and nothing else.
    pub(crate) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        if self.poll_readable(cx).is_pending() {
            return true;
        }
        let mut byte = [0];
        matches!(self, Self::Tls(_))
            && self
                .poll_read_into(cx, &mut ReadBuf::new(&mut byte))
                .is_pending()
    }
}

/// Reads once into the buffer's space. `Ok(0)` is the end of the stream; a full buffer reads nothing and is `Ok(0)` never.
pub(crate) fn poll_fill(
    io: &mut impl PollIo,
    cx: &mut Context<'_>,
    buffer: &mut Buffer,
) -> Poll<io::Result<usize>> {
    let mut space = ReadBuf::new(buffer.space());
    if space.remaining() == 0 {
        return Poll::Ready(Err(io::Error::other("no room to read into")));
    }
    ready!(io.poll_read_into(cx, &mut space))?;
    let n = space.filled().len();
    buffer.advance(n);
    Poll::Ready(Ok(n))
}

/// The operations shared by both sides of an exchange, without pins at the call sites.
pub(crate) trait PollIo {
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;
    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
    fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;
    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl PollIo for Stream {
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self).poll_read(cx, space)
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, bytes)
    }

    fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write_vectored(cx, slices)
    }

    fn poll_flush_all(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_shutdown(cx)
    }
}

impl PollIo for ServerIo {
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_read_into(cx, space),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, space),
            Self::Http2(lease) => lease.poll_read_into(cx, space),
        }
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write_some(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Http2(lease) => lease.poll_write_some(cx, bytes),
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
            Self::Http2(lease) => lease.poll_write_slices(cx, slices),
        }
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Http2(lease) => lease.poll_flush_all(cx),
        }
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_close_write(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Http2(lease) => lease.poll_close_write(cx),
        }
    }
}
