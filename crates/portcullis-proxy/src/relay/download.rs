//! The response on its way to the client: parsed strictly, its head rewritten, its body framed for this client.

mod head;

use std::io::IoSlice;
use std::task::{Context, Poll};

use portcullis_http1::{Body, BodyFraming, Piece, write};
use portcullis_plan::plan::Listener;

use crate::buffer::{Buffer, BufferPool};
use crate::desk::{RequestPart, ResponsePart};
use crate::failure::Failure;
use crate::io::{PollIo, ServerIo, poll_fill};
use crate::scene::Story;
use crate::wire::Wire;

/// Pieces up to this size are copied behind the head, so that both leave in one write; larger ones are written from where they lie.
const COPY: usize = 4 * 1024;
/// Framed bytes gathered before they are written.
const GATHER: usize = 16 * 1024;

/// Where a response stands.
pub(crate) struct Download {
    state: State,
    buffer: Option<Buffer>,
    body: Body,
    chunked: bool,
    /// Body bytes at the front of the buffer still to be written from there.
    direct: usize,
    /// A CRLF is owed after `direct` to close a chunk, of which this many bytes are still to be written.
    crlf: usize,
    interims: u32,
    /// The server ended its side.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body,
    /// All is decoded; what is framed must still go.
    Flush,
    Tunnel,
}

/// What a download waits for, or that it is through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DownloadWait {
    /// The head of the final response.
    Head,
    /// More of the body.
    Body,
    /// Room at the client.
    Client,
    /// Nothing: every byte was taken by the client's socket.
    Done,
    /// The 101 was passed on; a tunnel begins.
    Tunnel,
}

/// The streams and buffers a download works on.
pub(super) struct Sides<'a> {
    pub(super) client: &'a mut Wire,
    pub(super) server: &'a mut ServerIo,
    pub(super) buffers: &'a BufferPool,
    pub(super) to_client: &'a mut Vec<u8>,
    pub(super) request: &'a RequestPart,
    pub(super) response: &'a mut ResponsePart,
    pub(super) listener: &'a Listener,
    pub(super) story: &'a mut Story,
}

/// What the exchange decides when the head of the final response is there.
pub(super) struct HeadEvent {
    /// Bytes of the body go in chunks.
    pub(super) chunked: bool,
    /// A tunnel begins.
    pub(super) tunnel: bool,
}

impl Download {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            buffer: None,
            body: Body::new(BodyFraming::None),
            chunked: false,
            direct: 0,
            crlf: 0,
            interims: 0,
            ended: false,
        }
    }

    /// Whether the server has said nothing yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.state == State::Head
            && self.interims == 0
            && self.buffer.as_ref().is_none_or(Buffer::is_empty)
    }

    /// Whether the server's connection ended cleanly at the end of this response and nothing more came.
    pub(crate) fn leaves_reusable(&self) -> bool {
        self.state == State::Flush
            && !self.ended
            && self.buffer.as_ref().is_none_or(Buffer::is_empty)
    }

    /// The buffer with what the server sent beyond a 101.
    pub(crate) fn into_buffer(self) -> Option<Buffer> {
        self.buffer
    }

    /// Moves as much as goes without waiting. `on_head` writes the client's head when the server's is complete.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sides: &mut Sides<'_>,
        on_head: &mut dyn FnMut(&mut Sides<'_>) -> Result<HeadEvent, Failure>,
    ) -> Result<(DownloadWait, bool), Failure> {
        let mut moved = false;
        loop {
            if self.direct == 0 && self.crlf == 0 {
                moved |= self.decode(sides, on_head)?;
            }
            if self.direct > 0 || self.crlf > 0 || !sides.to_client.is_empty() {
                match self.write(cx, sides)? {
                    Poll::Ready(()) => moved = true,
                    Poll::Pending => return Ok((DownloadWait::Client, moved)),
                }
                continue;
            }
            match self.state {
                State::Flush | State::Tunnel => {
                    if self.state == State::Flush && !self.end(sides)? {
                        return Ok((DownloadWait::Client, moved));
                    }
                    return match sides.client.poll_flush_all(cx) {
                        Poll::Ready(Ok(())) if self.state == State::Tunnel => {
                            Ok((DownloadWait::Tunnel, true))
                        }
                        Poll::Ready(Ok(())) => {
                            self.release(sides.buffers);
                            Ok((DownloadWait::Done, true))
                        }
                        Poll::Ready(Err(_)) => Err(Failure::CLIENT_GONE),
                        Poll::Pending => Ok((DownloadWait::Client, moved)),
                    };
                }
                State::Head | State::Body => match self.read(cx, sides)? {
                    Poll::Ready(()) => moved = true,
                    Poll::Pending => {
                        let wait = if self.state == State::Head {
                            DownloadWait::Head
                        } else {
                            DownloadWait::Body
                        };
                        // TLS may still hold bytes of ours that the socket had no room for.
                        return match sides.client.poll_flush_all(cx) {
                            Poll::Ready(Err(_)) => Err(Failure::CLIENT_GONE),
                            _ => Ok((wait, moved)),
                        };
                    }
                },
            }
        }
    }

    fn decode(
        &mut self,
        sides: &mut Sides<'_>,
        on_head: &mut dyn FnMut(&mut Sides<'_>) -> Result<HeadEvent, Failure>,
    ) -> Result<bool, Failure> {
        let mut moved = false;
        while sides.to_client.len() < GATHER && self.direct == 0 {
            let step = match self.state {
                State::Head => self.decode_head(sides, on_head)?,
                State::Body => self.decode_body(sides)?,
                State::Flush | State::Tunnel => false,
            };
            if !step {
                break;
            }
            moved = true;
        }
        Ok(moved)
    }

    fn decode_body(&mut self, sides: &mut Sides<'_>) -> Result<bool, Failure> {
        let Some(buffer) = self.buffer.as_mut() else {
            return Ok(false);
        };
        let unread = buffer.filled();
        if unread.is_empty() && !self.body.is_done() {
            if !self.ended {
                return Ok(false);
            }
            self.body.end_of_input().map_err(|_| Failure::TRUNCATED)?;
            if let ServerIo::Http2(lease) = sides.server {
                lease.take_trailers(&mut sides.response.trailers);
            }
            self.finish_body(sides);
            return Ok(true);
        }
        let (used, piece) = self.body.next(unread).map_err(Failure::bad_response)?;
        match piece {
            Piece::More => {
                buffer.consume(used);
                return Ok(used > 0);
            }
            Piece::End => {
                buffer.consume(used);
                self.finish_body(sides);
            }
            Piece::Data(range) => {
                let data = unread.get(range.clone()).unwrap_or_default();
                sides.story.body_out += data.len() as u64;
                if self.chunked {
                    write::chunk_header(sides.to_client, data.len());
                }
                if data.len() <= COPY {
                    sides.to_client.extend_from_slice(data);
                    if self.chunked {
                        sides.to_client.extend_from_slice(write::CRLF);
                    }
                    buffer.consume(used);
                } else {
                    self.direct = range.len();
                    self.crlf = if self.chunked { 2 } else { 0 };
                    buffer.consume(range.start);
                }
                if self.body.is_done() && self.direct == 0 {
                    self.finish_body(sides);
                }
            }
        }
        Ok(true)
    }

    fn finish_body(&mut self, sides: &mut Sides<'_>) {
        if self.chunked {
            write::last_chunk(sides.to_client, self.trailers(&sides.response.trailers));
        }
        self.state = State::Flush;
    }

    /// The trailers, with the body or apart from it.
    fn trailers<'t>(&'t self, apart: &'t [u8]) -> &'t [u8] {
        match self.body.trailers() {
            [] => apart,
            trailers => trailers,
        }
    }

    /// Every byte of the body went: its end may. `false` while there is no room for it.
    fn end(&self, sides: &mut Sides<'_>) -> Result<bool, Failure> {
        match sides
            .client
            .poll_end(self.trailers(&sides.response.trailers))
        {
            Poll::Ready(ended) => ended.map(|()| true).map_err(|_| Failure::CLIENT_GONE),
            Poll::Pending => Ok(false),
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, sides: &mut Sides<'_>) -> Result<Poll<()>, Failure> {
        let direct = self.buffer.as_ref().map_or(&[][..], |buffer| {
            buffer.filled().get(..self.direct).unwrap_or_default()
        });
        let crlf = b"\r\n".get(2 - self.crlf..).unwrap_or_default();
        let result = if direct.is_empty() && crlf.is_empty() {
            sides.client.poll_write_some(cx, sides.to_client)
        } else if sides.to_client.is_empty() && crlf.is_empty() {
            sides.client.poll_write_some(cx, direct)
        } else {
            sides.client.poll_write_slices(
                cx,
                &[
                    IoSlice::new(sides.to_client),
                    IoSlice::new(direct),
                    IoSlice::new(crlf),
                ],
            )
        };
        let n = match result {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(n)) if n > 0 => n,
            Poll::Ready(_) => return Err(Failure::CLIENT_GONE),
        };
        sides.story.bytes_out += n as u64;
        let framed = n.min(sides.to_client.len());
        sides.to_client.drain(..framed);
        // Of an answer, or in the middle of an interim response: nothing else can be said now.
        sides.story.answered = self.state != State::Head || !sides.to_client.is_empty();
        let body = (n - framed).min(self.direct);
        self.direct -= body;
        self.crlf -= (n - framed - body).min(self.crlf);
        if let Some(buffer) = &mut self.buffer {
            buffer.consume(body);
        }
        if self.direct == 0 && self.crlf == 0 && self.state == State::Body && self.body.is_done() {
            self.finish_body(sides);
        }
        Ok(Poll::Ready(()))
    }

    fn read(&mut self, cx: &mut Context<'_>, sides: &mut Sides<'_>) -> Result<Poll<()>, Failure> {
        if let (State::Head, ServerIo::Http2(lease)) = (self.state, &*sides.server) {
            return if lease.is_over() {
                Err(lease.failure())
            } else {
                Ok(Poll::Pending)
            };
        }
        if self.buffer.is_none() {
            if sides.server.poll_readable(cx).is_pending() {
                return Ok(Poll::Pending);
            }
            self.buffer = Some(sides.buffers.take());
        }
        let Some(buffer) = &mut self.buffer else {
            return Ok(Poll::Pending);
        };
        match poll_fill(sides.server, cx, buffer) {
            Poll::Pending => {
                if buffer.is_empty() {
                    self.release(sides.buffers);
                }
                Ok(Poll::Pending)
            }
            Poll::Ready(Ok(n)) if n > 0 => Ok(Poll::Ready(())),
            // An end is an end; a reset is one that only a body with a known length or chunks can tell from a cut.
            Poll::Ready(end) => {
                if self.state == State::Head {
                    return Err(head::failure_before_head(&end));
                }
                if end.is_err() {
                    return Err(Failure::TRUNCATED);
                }
                self.ended = true;
                Ok(Poll::Ready(()))
            }
        }
    }

    /// Gives the buffer back with whatever it holds.
    pub(crate) fn abandon(&mut self, buffers: &BufferPool) {
        if let Some(buffer) = self.buffer.take() {
            buffers.put(buffer);
        }
    }

    /// Gives the buffer back, unless it holds something.
    fn release(&mut self, buffers: &BufferPool) {
        if let Some(buffer) = self.buffer.take() {
            if buffer.is_empty() {
                buffers.put(buffer);
            } else {
                self.buffer = Some(buffer);
            }
        }
    }
}
