//! After 101, or 2xx to CONNECT: bytes both ways, unchanged, until both sides have ended or nothing moves for too long.

mod frames;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis_plan::{Deadline, EndedBy, Fields, Moment};

use crate::buffer::Buffer;
use crate::client::Client;
use crate::deadline::Slot;
use crate::desk::Desk;
use crate::io::{PollIo, ServerIo, poll_fill};
use crate::scene::Story;
use crate::worker::{Counted, Worker};
use frames::{Frames, GOING_AWAY};

/// How long a tunnel may go on once no plan has its listener any more.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Carries bytes until the end. `leftover` is what the server sent behind its 101; what the client sent behind its
/// request lies in the desk's input.
pub(crate) async fn run(
    worker: &Rc<Worker>,
    client: &mut Client,
    server: ServerIo,
    desk: &mut Desk,
    story: &mut Story,
    leftover: Option<Buffer>,
    idle: Duration,
) {
    let _open = Counted::new(&worker.counts.tunnels);
    client.timer.disarm(Slot::Whole);
    let mut server = server;
    let early = (!desk.input.is_empty()).then(|| {
        let mut buffer = worker.relay_buffers.take();
        let n = buffer.fill_from(desk.input.filled());
        desk.input.consume(n);
        buffer
    });
    let mut up = Pipe::new(early, None);
    let mut down = Pipe::new(leftover, is_websocket(desk).then(Frames::default));
    client.timer.arm(
        Slot::Download,
        Some(Deadline::TunnelIdle),
        worker.now().plus(idle),
    );
    let mut leaves_by: Option<Moment> = None;
    let ended = poll_fn(|cx| {
        let mut moved = up.poll(cx, worker, &mut client.wire, &mut server)
            | down.poll(cx, worker, &mut server, &mut client.wire);
        if leaves_by.is_none() && client.footing(worker).is_none() {
            let by = worker.now().plus(LAST_WORDS);
            client.timer.arm(Slot::Whole, None, by);
            leaves_by = Some(by);
        }
        if (leaves_by.is_some() || worker.ends_tunnels()) && down.say_goodbye(worker) {
            moved |= down.poll(cx, worker, &mut server, &mut client.wire);
        }
        if let Some(ended) = end_of(&up, &down) {
            return Poll::Ready(ended);
        }
        // However much still moves.
        if leaves_by.is_some_and(|by| worker.now() >= by) {
            return Poll::Ready(EndedBy::Shutdown);
        }
        if moved {
            client.timer.arm(
                Slot::Download,
                Some(Deadline::TunnelIdle),
                worker.now().plus(idle),
            );
        } else if client.timer.fired() {
            return Poll::Ready(EndedBy::Deadline);
        }
        Poll::Pending
    })
    .await;
    client.timer.disarm(Slot::Download);
    client.timer.disarm(Slot::Whole);
    record(story, &up, &down, ended);
    for buffer in [up.buffer.take(), down.buffer.take()].into_iter().flatten() {
        worker.relay_buffers.put(buffer);
    }
}

fn record(story: &mut Story, up: &Pipe, down: &Pipe, ended: EndedBy) {
    story.body_in += up.moved;
    story.bytes_in += up.moved;
    story.body_out += down.moved;
    story.bytes_out += down.moved;
    story.ended_by = Some(ended);
    if ended == EndedBy::Deadline {
        story.deadline = Some(Deadline::TunnelIdle);
        story.reason = Some(Deadline::TunnelIdle.key());
    }
}

/// Whether what follows are WebSocket frames, by the request that asked for them.
fn is_websocket(desk: &Desk) -> bool {
    let upgrade = desk.request.first("upgrade");
    upgrade.is_some_and(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

fn end_of(up: &Pipe, down: &Pipe) -> Option<EndedBy> {
    match (up.state, down.state) {
        (Flow::Closed, Flow::Closed) => Some(EndedBy::Completed),
        // After the goodbye, nobody waits for a client that does not hang up.
        (_, Flow::Closed) if down.is_sealed => Some(EndedBy::Completed),
        (Flow::SourceFailed, _) | (_, Flow::SinkFailed) => Some(EndedBy::Client),
        (_, Flow::SourceFailed) | (Flow::SinkFailed, _) => Some(EndedBy::Server),
        _ => None,
    }
}

/// One direction. It owns a buffer only while it has bytes that could not go yet.
struct Pipe {
    buffer: Option<Buffer>,
    state: Flow,
    moved: u64,
    /// How far the frames have come that it carries, where a goodbye may have to be put between two of them.
    frames: Option<Frames>,
    /// The goodbye was said: what still comes from the source is nothing the sink may see.
    is_sealed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    /// The source has ended; that is passed on when everything before it is.
    Ended,
    Closed,
    SourceFailed,
    SinkFailed,
}

/// A stream that can be waited on without a buffer.
pub(crate) trait Source: PollIo {
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Source for ServerIo {
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_readable(cx).map(|_| ())
    }
}

impl Source for crate::wire::Wire {
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_readable(cx).map(|_| ())
    }
}

impl Pipe {
    /// A direction in which these bytes have come already.
    fn new(buffer: Option<Buffer>, frames: Option<Frames>) -> Self {
        let mut pipe = Self {
            buffer,
            state: Flow::Open,
            moved: 0,
            frames,
            is_sealed: false,
        };
        pipe.follow();
        pipe
    }

    /// Follows the frames in what was just read.
    fn follow(&mut self) {
        if let (Some(frames), Some(buffer)) = (&mut self.frames, &self.buffer) {
            frames.pass(buffer.filled());
        }
    }

    /// Puts a close frame between two frames, once, if the pipe is between two; tells whether it did.
    fn say_goodbye(&mut self, worker: &Worker) -> bool {
        let is_empty = self.buffer.as_ref().is_none_or(Buffer::is_empty);
        let takes_one = self.frames.as_ref().is_some_and(Frames::takes_another);
        if self.is_sealed || !is_empty || !takes_one || self.state != Flow::Open {
            return false;
        }
        let buffer = self
            .buffer
            .get_or_insert_with(|| worker.relay_buffers.take());
        buffer.fill_from(&GOING_AWAY);
        self.is_sealed = true;
        true
    }

    /// Moves what goes; tells whether anything did.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        from: &mut impl Source,
        to: &mut impl PollIo,
    ) -> bool {
        let mut moved = false;
        loop {
            match self.step(cx, worker, from, to) {
                Poll::Ready(true) => moved = true,
                Poll::Ready(false) | Poll::Pending => return moved,
            }
        }
    }

    /// `Ready(true)` after a movement, `Ready(false)` at the end of the direction.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        from: &mut impl Source,
        to: &mut impl PollIo,
    ) -> Poll<bool> {
        if let Some(buffer) = self.buffer.as_mut().filter(|buffer| !buffer.is_empty()) {
            return match to.poll_write_some(cx, buffer.filled()) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    buffer.consume(n);
                    self.moved += n as u64;
                    Poll::Ready(true)
                }
                Poll::Ready(_) => self.end(Flow::SinkFailed),
                Poll::Pending => Poll::Pending,
            };
        }
        match self.state {
            Flow::Open => self.read(cx, worker, from, to),
            Flow::Ended => match to.poll_close_write(cx) {
                Poll::Ready(Ok(())) => self.end(Flow::Closed),
                Poll::Ready(Err(_)) => self.end(Flow::SinkFailed),
                Poll::Pending => Poll::Pending,
            },
            Flow::Closed | Flow::SourceFailed | Flow::SinkFailed => Poll::Ready(false),
        }
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        from: &mut impl Source,
        to: &mut impl PollIo,
    ) -> Poll<bool> {
        if self.buffer.is_none() && from.poll_ready(cx).is_pending() {
            return self.rest(cx, to);
        }
        let buffer = self
            .buffer
            .get_or_insert_with(|| worker.relay_buffers.take());
        match poll_fill(from, cx, buffer) {
            Poll::Ready(Ok(0)) => {
                self.state = Flow::Ended;
                Poll::Ready(true)
            }
            Poll::Ready(Ok(_)) if self.is_sealed => {
                buffer.clear();
                Poll::Ready(true)
            }
            Poll::Ready(Ok(_)) => {
                self.follow();
                Poll::Ready(true)
            }
            Poll::Ready(Err(_)) => self.end(Flow::SourceFailed),
            Poll::Pending => {
                if let Some(buffer) = self.buffer.take() {
                    worker.relay_buffers.put(buffer);
                }
                self.rest(cx, to)
            }
        }
    }

    /// Nothing to read: what TLS still holds of what was written is pushed out meanwhile.
    fn rest(&mut self, cx: &mut Context<'_>, to: &mut impl PollIo) -> Poll<bool> {
        match to.poll_flush_all(cx) {
            Poll::Ready(Err(_)) => self.end(Flow::SinkFailed),
            _ => Poll::Pending,
        }
    }

    fn end(&mut self, state: Flow) -> Poll<bool> {
        self.state = state;
        Poll::Ready(false)
    }
}
