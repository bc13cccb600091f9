//! The request on its way to the server: head first, then the body, framed anew.

use std::io::IoSlice;
use std::task::{Context, Poll};

use portcullis_http1::{Body, BodyFraming, Piece, write};
use portcullis_plan::Moment;

use crate::buffer::Buffer;
use crate::desk::RequestPart;
use crate::failure::Failure;
use crate::io::{PollIo, ServerIo, poll_fill};
use crate::mirror::Tee;
use crate::scene::Story;
use crate::wire::Wire;

/// Framed bytes gathered before they are written.
const GATHER: usize = 16 * 1024;

/// Where a request body stands.
pub(crate) struct Upload {
    body: Body,
    chunked: bool,
    /// Bytes of the input buffer that are dealt with but kept, so that the attempt can be repeated.
    position: usize,
    /// Body bytes right before `position` that are still to be written from where they lie.
    direct: usize,
    /// Kept bytes were given up for room: the request cannot be repeated.
    consumed: bool,
    broken: bool,
    /// Our side stays open when the request is through.
    is_tunnel: bool,
    limit: Option<u64>,
    pub(super) started: Moment,
}

/// What an upload waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UploadWait {
    /// Nothing: it is through, or given up.
    Nothing,
    /// Bytes of the client.
    Client,
    /// Room at the server.
    Server,
}

/// The streams and buffers an upload works on.
pub(super) struct Sides<'a> {
    pub(super) client: &'a mut Wire,
    pub(super) server: &'a mut ServerIo,
    pub(super) input: &'a mut Buffer,
    pub(super) to_server: &'a mut Vec<u8>,
    pub(super) trailers: &'a mut Vec<u8>,
    pub(super) tee: &'a mut Tee,
    pub(super) story: &'a mut Story,
}

impl Upload {
    /// An upload of the request's body, of which at most `limit` bytes are taken.
    pub(crate) fn new(request: &RequestPart, limit: Option<u64>, started: Moment) -> Self {
        Self {
            body: Body::new(request.incoming),
            chunked: request.framing == BodyFraming::Chunked,
            position: 0,
            direct: 0,
            consumed: false,
            broken: false,
            is_tunnel: false,
            limit,
            started,
        }
    }

    /// Sends bytes of the body as they are: the server's protocol marks their end. That of a tunnel is not the request's.
    pub(crate) fn frame_nothing(&mut self, is_tunnel: bool) {
        self.chunked = false;
        self.is_tunnel = is_tunnel;
    }

    /// Whether every byte of the request went to the server.
    pub(crate) fn is_complete(&self, to_server: &[u8]) -> bool {
        self.body.is_done() && self.direct == 0 && to_server.is_empty() && !self.broken
    }

    /// Whether the same request can be sent again from its beginning.
    pub(crate) const fn is_repeatable(&self) -> bool {
        !self.consumed
    }

    /// Whether the client has sent its whole request.
    pub(crate) fn is_received(&self) -> bool {
        self.body.is_done()
    }

    /// The rest of the body, to be drained, and the kept bytes of the input given up.
    pub(crate) fn into_rest(self, input: &mut Buffer) -> Body {
        input.consume(self.position);
        self.body
    }

    /// Moves as much as goes without waiting.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sides: &mut Sides<'_>,
    ) -> Result<(UploadWait, bool), Failure> {
        let mut moved = false;
        loop {
            if self.broken {
                return Ok((UploadWait::Nothing, moved));
            }
            if self.direct == 0 {
                moved |= self.decode(sides)?;
            }
            if self.direct > 0 || !sides.to_server.is_empty() {
                match self.write(cx, sides) {
                    Poll::Ready(()) => moved = true,
                    Poll::Pending => return Ok((UploadWait::Server, moved)),
                }
                continue;
            }
            if self.body.is_done() {
                return Ok((self.end(cx, sides), moved));
            }
            // TLS may still hold bytes of ours that the socket had no room for.
            let flushed = sides.server.poll_flush_all(cx);
            self.broken |= matches!(flushed, Poll::Ready(Err(_)));
            match self.read(cx, sides)? {
                Poll::Ready(()) => moved = true,
                Poll::Pending => return Ok((UploadWait::Client, moved)),
            }
        }
    }

    /// Every byte of the request went: its end may.
    fn end(&mut self, cx: &mut Context<'_>, sides: &mut Sides<'_>) -> UploadWait {
        if self.is_tunnel {
            return UploadWait::Nothing;
        }
        let trailers = match self.body.trailers() {
            [] => sides.trailers.as_slice(),
            trailers => trailers,
        };
        match sides.server.poll_end(cx, trailers) {
            Poll::Pending => UploadWait::Server,
            Poll::Ready(ended) => {
                self.broken |= ended.is_err();
                UploadWait::Nothing
            }
        }
    }

    /// Takes body bytes from the input: those of a known length stay where they are, chunks are framed anew.
    fn decode(&mut self, sides: &mut Sides<'_>) -> Result<bool, Failure> {
        let mut moved = false;
        while !self.body.is_done() && sides.to_server.len() < GATHER {
            let unread = sides
                .input
                .filled()
                .get(self.position..)
                .unwrap_or_default();
            if unread.is_empty() {
                break;
            }
            let (used, piece) = self.body.next(unread).map_err(Failure::refused)?;
            self.position += used;
            sides.story.bytes_in += used as u64;
            moved |= used > 0;
            match piece {
                Piece::More => break,
                Piece::End => {
                    if self.chunked {
                        write::last_chunk(sides.to_server, self.body.trailers());
                    }
                }
                Piece::Data(range) => {
                    sides.story.body_in += range.len() as u64;
                    if self.limit.is_some_and(|limit| sides.story.body_in > limit) {
                        return Err(Failure::BODY_TOO_LARGE);
                    }
                    sides
                        .tee
                        .take(unread.get(range.clone()).unwrap_or_default());
                    if self.chunked {
                        let data = unread.get(range).unwrap_or_default();
                        write::chunk(sides.to_server, data);
                    } else {
                        self.direct = range.len();
                        break;
                    }
                }
            }
        }
        Ok(moved)
    }

    fn write(&mut self, cx: &mut Context<'_>, sides: &mut Sides<'_>) -> Poll<()> {
        let direct = sides
            .input
            .filled()
            .get(self.position - self.direct..self.position)
            .unwrap_or_default();
        let result = match (sides.to_server.is_empty(), direct.is_empty()) {
            (false, true) => sides.server.poll_write_some(cx, sides.to_server),
            (true, _) => sides.server.poll_write_some(cx, direct),
            (false, false) => sides
                .server
                .poll_write_slices(cx, &[IoSlice::new(sides.to_server), IoSlice::new(direct)]),
        };
        match result {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(n)) if n > 0 => {
                let framed = n.min(sides.to_server.len());
                sides.to_server.drain(..framed);
                self.direct -= (n - framed).min(self.direct);
            }
            // The server takes no more. It may have answered already, so its answer is still read.
            Poll::Ready(_) => {
                self.broken = true;
                sides.to_server.clear();
                self.direct = 0;
            }
        }
        Poll::Ready(())
    }

    fn read(&mut self, cx: &mut Context<'_>, sides: &mut Sides<'_>) -> Result<Poll<()>, Failure> {
        if sides.input.space().is_empty() {
            sides.input.consume(self.position);
            self.position = 0;
            self.consumed = true;
        }
        match poll_fill(sides.client, cx, sides.input) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Ok(n)) if n > 0 => Ok(Poll::Ready(())),
            Poll::Ready(Ok(_)) if sides.client.ends_message(sides.trailers) => {
                self.body.end_of_input().map_err(Failure::refused)?;
                if self.chunked {
                    write::last_chunk(sides.to_server, sides.trailers);
                }
                Ok(Poll::Ready(()))
            }
            Poll::Ready(_) => Err(Failure::CLIENT_GONE),
        }
    }
}
