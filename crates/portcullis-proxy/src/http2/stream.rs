//! One stream of a connection, as an exchange holds it.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use portcullis_http2::{Cause, ErrorCode, HeadInfo, NotSent, Read, StreamId};
use tokio::io::ReadBuf;

use super::session::Session;
use crate::io::PollIo;
use crate::wire::HeadKind;

/// One end of a stream. Dropping it lets go of the stream, which resets what has not come to its end.
///
/// It registers no waker when it says `Pending`: its session wakes the one who holds it, whatever happens.
pub(crate) struct Stream {
    session: Rc<Session>,
    id: StreamId,
    /// Heads that the session had no room for yet, in order, and where each of them ends.
    waiting: Vec<u8>,
    heads: Vec<(usize, HeadKind)>,
    /// Our side has been ended, or is as soon as the waiting heads have gone.
    ended: bool,
}

impl Stream {
    /// Takes hold of a stream.
    pub(crate) fn hold(session: Rc<Session>, id: StreamId) -> Self {
        session.hold(id);
        Self {
            session,
            id,
            waiting: Vec::new(),
            heads: Vec::new(),
            ended: false,
        }
    }

    /// Says who is woken for it from now on.
    pub(crate) fn wakes(&self, cx: &Context<'_>) {
        self.session.wakes(self.id, cx.waker());
    }

    /// Our side ended with the head that opened the stream.
    pub(crate) fn has_ended(&mut self) {
        self.ended = true;
    }

    /// Why the stream is over before its end; `None` if it is not, or because its connection is gone.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.session
            .with(|connection| connection.reset_cause(self.id))
    }

    /// Whether nothing more can come or go: the stream was reset, or its connection is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.session.is_gone(self.id)
    }

    /// The head that came, as HTTP/1 text in place of what `text` was.
    pub(crate) fn take_head(&mut self, text: &mut Vec<u8>) -> Option<HeadInfo> {
        self.session
            .with(|connection| connection.take_head(self.id, text))
    }

    /// The trailers that came, as clean lines, unless `lines` holds them already.
    pub(crate) fn take_trailers(&mut self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            self.session
                .with(|connection| connection.take_trailers(self.id, lines));
        }
    }

    /// Ready when a read would not wait.
    pub(crate) fn poll_readable(&self) -> Poll<io::Result<()>> {
        let state = self
            .session
            .with(|connection| connection.receive_state(self.id));
        if state == Read::Pending && !self.is_gone() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// Sends a head of ours; gives how many bytes it is. Where there is no room it waits here and goes before all else.
    pub(crate) fn send_head(&mut self, text: &[u8], kind: HeadKind) -> io::Result<usize> {
        self.ended |= kind == HeadKind::Whole;
        if self.heads.is_empty() && self.try_head(text, kind)? {
            return Ok(text.len());
        }
        self.waiting.extend_from_slice(text);
        self.heads.push((self.waiting.len(), kind));
        Ok(text.len())
    }

    fn try_head(&self, text: &[u8], kind: HeadKind) -> io::Result<bool> {
        if self.is_gone() {
            return Err(gone());
        }
        let sent = self.session.on_stream(|connection| match kind {
            HeadKind::Interim => connection.send_interim(self.id, text),
            HeadKind::Final => connection.send_head(self.id, text, false),
            HeadKind::Whole => connection.send_head(self.id, text, true),
        });
        went(sent)
    }

    /// Sends the heads that wait.
    fn poll_heads(&mut self) -> Poll<io::Result<()>> {
        let mut from = 0;
        while let Some((end, kind)) = self.heads.first().copied() {
            let text = self.waiting.get(from..end).unwrap_or_default();
            if !self.try_head(text, kind)? {
                self.waiting.drain(..from);
                for head in &mut self.heads {
                    head.0 -= from;
                }
                return Poll::Pending;
            }
            from = end;
            self.heads.remove(0);
        }
        self.waiting.clear();
        Poll::Ready(Ok(()))
    }

    /// Ends our side, with trailers or without. All that was written before has been taken.
    pub(crate) fn poll_finish(&mut self, trailers: &[u8]) -> Poll<io::Result<()>> {
        if self.poll_heads()?.is_pending() {
            return Poll::Pending;
        }
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        if self.is_gone() {
            return Poll::Ready(Err(gone()));
        }
        let sent = self
            .session
            .on_stream(|connection| connection.finish(self.id, trailers));
        self.ended = went(sent)?;
        if self.ended {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Ends both sides at once: what was sent is not the whole.
    pub(crate) fn reset(&mut self, code: ErrorCode) {
        self.ended = true;
        self.heads.clear();
        self.session
            .on_stream(|connection| connection.reset(self.id, code));
    }
}

/// `false` if there was no room.
fn went(sent: Result<(), NotSent>) -> io::Result<bool> {
    match sent {
        Ok(()) => Ok(true),
        Err(NotSent::NoRoom) => Ok(false),
        Err(NotSent::Closed) => Err(gone()),
    }
}

fn gone() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl Drop for Stream {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.session.crashed(self.id);
        } else {
            self.session.release(self.id);
        }
    }
}

impl PollIo for Stream {
    /// No byte is the end of the message.
    fn poll_read_into(
        &mut self,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unfilled = space.initialize_unfilled();
        let read = self
            .session
            .on_stream(|connection| connection.read(self.id, unfilled));
        match read {
            Read::Data(n) => {
                space.advance(n);
                Poll::Ready(Ok(()))
            }
            Read::End => Poll::Ready(Ok(())),
            Read::Pending if !self.is_gone() => Poll::Pending,
            Read::Pending | Read::Reset(_) => Poll::Ready(Err(gone())),
        }
    }

    fn poll_write_some(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.poll_heads()?.is_pending() {
            return Poll::Pending;
        }
        if self.is_gone() {
            return Poll::Ready(Err(gone()));
        }
        let taken = self
            .session
            .on_stream(|connection| connection.send_data(self.id, bytes));
        if taken == 0 && !bytes.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match self.poll_write_some(cx, slice)? {
                Poll::Ready(n) => {
                    taken += n;
                    if n < slice.len() {
                        break;
                    }
                }
                Poll::Pending if taken > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush_all(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_heads()
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_finish(&[])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use portcullis_http2::{Connection, Open, Settings};

    use super::*;
    use crate::crash::caught;

    #[test]
    fn a_stream_whose_task_panicked_is_reset_as_by_a_fault_of_ours() {
        let session = Rc::new(Session::new(Connection::client(&Settings::default(), 0)));
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let opened = session.on_stream(|connection| connection.open(head, &Open::default()));
        let id = opened.unwrap();
        let before = session.with(|connection| connection.output().len());
        let crashed = caught(|| {
            let _stream = Stream::hold(Rc::clone(&session), id);
            panic!("a fault of ours")
        });
        assert_eq!(crashed, None::<()>);
        let said = session.with(|connection| connection.output()[before..].to_vec());
        assert_eq!(
            said,
            [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2],
            "RST_STREAM, INTERNAL_ERROR"
        );
    }
}
