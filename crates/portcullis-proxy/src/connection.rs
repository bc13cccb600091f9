//! The life of one client connection: pause, exchange, pause, until somebody closes.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use portcullis_plan::{Deadline, Moment};

use crate::client::{Client, Connection, Pause};
use crate::deadline::Slot;
use crate::exchange::Next;
use crate::http2;
use crate::io::{PollIo, Stream, poll_fill};
use crate::performer::Job;
use crate::wire::Wire;
use crate::worker::{Counted, Worker};

/// How long, and for how many bytes, a closed connection is read on so that the last answer arrives.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Serves a connection to its end. The caller has counted it open and counts it closed.
///
/// To be spawned as a task of its own on the worker's thread: deadlines wake the task that polls this first.
/// It holds little while it is idle; everything an exchange needs is lent by the worker.
pub fn serve(worker: Rc<Worker>, connection: Connection) -> impl Future<Output = ()> {
    let mut client = Box::new(Client::new(&worker, connection));
    async move {
        let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        client.timer.wakes(&task);
        drop(task);
        let _open = Counted::new(&worker.counts.connections);
        if client.wire.speaks_http2() {
            let next = Box::pin(http2::serve(&worker, &mut client, &[])).await;
            return end(&worker, client, next).await;
        }
        loop {
            let pause = pause(&worker, &mut client).await;
            if pause != Next::Request {
                return end(&worker, client, pause).await;
            }
            let (back, mut next, early) = requests(&worker, client).await;
            client = back;
            if next == Next::Http2 {
                next = Box::pin(http2::serve(&worker, &mut client, &early)).await;
            }
            if next != Next::Request {
                return end(&worker, client, next).await;
            }
        }
    }
}

/// Waits for the first bytes of a request; anything but `Next::Request` is the end of the connection.
async fn pause(worker: &Rc<Worker>, client: &mut Client) -> Next {
    let Some(rules) = wait_rules(worker, client) else {
        return Next::Close;
    };
    let (deadline, until) = rules.next_pause(worker, client);
    match client.pause(worker, deadline, until).await {
        Pause::Readable => Next::Request,
        Pause::Drain => Next::Close,
        Pause::Deadline(deadline) => {
            count_deadline(worker, client, deadline);
            Next::Close
        }
    }
}

/// Serves the request that begins, and those that came with it. Gives the bytes with which HTTP/2 begins, if it does.
async fn requests(worker: &Rc<Worker>, mut client: Box<Client>) -> (Box<Client>, Next, Vec<u8>) {
    let mut performer = worker.take_performer();
    loop {
        let Some(rules) = wait_rules(worker, &mut client) else {
            return (client, Next::Close, Vec::new());
        };
        let now = worker.now();
        let started = if client.requests == 0 {
            client.accepted
        } else {
            now
        };
        let job = Job {
            worker: Rc::clone(worker),
            client,
            now,
            started,
            head_by: started.plus(rules.head),
        };
        let done = performer.perform(job).await;
        client = done.client;
        if !done.unread {
            worker.put_performer(performer);
            return (client, done.next, done.early);
        }
    }
}

/// Ends the connection in the way that `next` says.
async fn end(worker: &Rc<Worker>, mut client: Box<Client>, next: Next) {
    match next {
        Next::Linger => Box::pin(linger(worker, &mut client)).await,
        Next::Cut => {}
        Next::Reset => reset(&client.wire),
        Next::Close | Next::Request | Next::Http2 => Box::pin(close(worker, &mut client)).await,
    }
}

/// How long the listener of a connection lets it wait.
struct WaitRules {
    idle: Duration,
    head: Duration,
    age: Option<Duration>,
}

impl WaitRules {
    /// What ends the pause before the next request, and when.
    fn next_pause(&self, worker: &Worker, client: &Client) -> (Deadline, Moment) {
        if client.requests == 0 {
            return (Deadline::ClientHeader, client.accepted.plus(self.head));
        }
        let idle = worker.recent().plus(self.idle);
        match self.age.map(|age| client.accepted.plus(age)) {
            Some(old) if old < idle => (Deadline::ConnectionAge, old),
            _ => (Deadline::ClientIdle, idle),
        }
    }
}

/// The rules of the connection's listener, `None` once no plan has it any more.
fn wait_rules(worker: &Worker, client: &mut Client) -> Option<WaitRules> {
    let footing = client.footing(worker)?;
    let timeouts = &footing.snapshot.plan.listener(footing.listener)?.timeouts;
    Some(WaitRules {
        idle: timeouts.client_idle,
        head: timeouts.client_header,
        age: timeouts.connection_age,
    })
}

fn count_deadline(worker: &Worker, client: &mut Client, deadline: Deadline) {
    let snapshot = worker.snapshot();
    if let Some(live) = client
        .listener_id(&snapshot)
        .and_then(|id| snapshot.live.listener(id))
    {
        live.deadline(worker.id(), deadline);
    }
}

/// Ends our side, close_notify included, without waiting for the client's.
async fn close(worker: &Worker, client: &mut Client) {
    client
        .timer
        .arm(Slot::Download, None, worker.now().plus(LINGER));
    poll_fn(|cx| {
        if client.timer.fired() {
            Poll::Ready(())
        } else {
            client.wire.poll_close_write(cx).map(|_| ())
        }
    })
    .await;
}

/// Ends our side and reads on, bounded in time and bytes, until the client ends too.
async fn linger(worker: &Worker, client: &mut Client) {
    close(worker, client).await;
    let until: Moment = worker.now().plus(LINGER);
    client.timer.arm(Slot::Download, None, until);
    let mut buffer = worker.relay_buffers.take();
    let mut budget = LINGER_BYTES;
    poll_fn(|cx| {
        loop {
            buffer.clear();
            match poll_fill(&mut client.wire, cx, &mut buffer) {
                Poll::Ready(Ok(n)) if n > 0 && n <= budget => budget -= n,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if client.timer.fired() => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    worker.relay_buffers.put(buffer);
}

/// Ends the connection with a reset, so that a body which only its end would end does not look whole.
fn reset(wire: &Wire) {
    let stream = match wire {
        Wire::Plain(stream) => stream,
        Wire::Tls(stream) => stream.get_ref().0,
        Wire::Http2(_) | Wire::Gone => return,
    };
    if let Stream::Tcp(stream) = stream {
        // If the option cannot be set, the end still comes, without close_notify over TLS.
        let _ = stream.set_zero_linger();
    }
}
