//! Tasks that serve streams, lent like performers: one sits idle until a stream is given to it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use portcullis_http2::ErrorCode;
use portcullis_plan::Moment;

use super::stream::Stream;
use crate::client::{Client, Origin};
use crate::exchange::Next;
use crate::performer::Job;
use crate::wire::Wire;
use crate::worker::Worker;

/// Idle seats kept for the next stream, at most.
const KEEP: usize = 256;

/// A stream to serve.
pub(super) struct Call {
    pub(super) stream: Stream,
    pub(super) origin: Origin,
    /// When its time began to count.
    pub(super) started: Moment,
}

/// The seats of a worker that nobody sits in.
#[derive(Default)]
pub(crate) struct Seats {
    free: RefCell<Vec<Rc<Seat>>>,
    /// The fewest that lay idle since the last trimming.
    spare: Cell<usize>,
}

impl Seats {
    /// Has a stream served by a task of its own.
    pub(super) fn serve(worker: &Rc<Worker>, call: Call) {
        let seat = worker.seats.take().unwrap_or_else(|| {
            let seat = Rc::new(Seat::default());
            worker.spawn(sit(Rc::clone(worker), Rc::clone(&seat)));
            seat
        });
        seat.give(Turn::Serve(call));
    }

    fn take(&self) -> Option<Rc<Seat>> {
        let mut free = self.free.borrow_mut();
        let seat = free.pop();
        self.spare.set(self.spare.get().min(free.len()));
        seat
    }

    fn put(&self, seat: &Rc<Seat>) {
        let mut free = self.free.borrow_mut();
        if free.len() < KEEP {
            free.push(Rc::clone(seat));
        } else {
            seat.give(Turn::Leave);
        }
    }

    /// How many lie idle.
    pub(crate) fn held(&self) -> usize {
        self.free.borrow().len()
    }

    /// Ends half of the tasks that nobody needed since the last time, down to `least`.
    pub(crate) fn trim(&self, least: usize) {
        let mut free = self.free.borrow_mut();
        let spare = self.spare.replace(free.len());
        let keep = free.len().saturating_sub(spare.div_ceil(2)).max(least);
        let keep = keep.min(free.len());
        for seat in free.drain(keep..) {
            seat.give(Turn::Leave);
        }
    }
}

/// Where a task waits for its next stream.
#[derive(Default)]
struct Seat {
    turn: RefCell<Turn>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Default)]
#[allow(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for every request"
)]
enum Turn {
    #[default]
    Wait,
    Serve(Call),
    Leave,
}

impl Seat {
    fn give(&self, turn: Turn) {
        self.turn.replace(turn);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// The next stream to serve; `None` when the task is to end.
    async fn next(&self) -> Option<Call> {
        poll_fn(|cx| match self.turn.take() {
            Turn::Serve(call) => {
                call.stream.wakes(cx);
                Poll::Ready(Some(call))
            }
            Turn::Leave => Poll::Ready(None),
            Turn::Wait => {
                if self.waker.borrow().is_none() {
                    self.waker.replace(Some(cx.waker().clone()));
                }
                Poll::Pending
            }
        })
        .await
    }
}

/// Serves one stream after another.
async fn sit(worker: Rc<Worker>, seat: Rc<Seat>) {
    let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    seat.waker.replace(Some(task.clone()));
    let mut idle: Option<Box<Client>> = None;
    while let Some(call) = seat.next().await {
        let Call {
            stream,
            origin,
            started,
        } = call;
        let mut client = idle
            .take()
            .unwrap_or_else(|| Box::new(Client::nobody(&worker, &task)));
        client.become_stream(stream, origin);
        let mut client = serve(&worker, client, started).await;
        client.wire = Wire::Gone;
        idle = Some(client);
        worker.seats.put(&seat);
    }
}

async fn serve(worker: &Rc<Worker>, client: Box<Client>, started: Moment) -> Box<Client> {
    let mut performer = worker.take_performer();
    let job = Job {
        worker: Rc::clone(worker),
        client,
        now: worker.recent(),
        started,
        head_by: started,
    };
    let mut done = performer.perform(job).await;
    worker.put_performer(performer);
    if let (Next::Cut | Next::Reset, Wire::Http2(stream)) = (done.next, &mut done.client.wire) {
        stream.reset(ErrorCode::INTERNAL_ERROR);
    }
    done.client
}
