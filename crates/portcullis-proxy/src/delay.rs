//! Injected delays: a request waits, and holds nothing but its own memory meanwhile.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::client::Client;
use crate::deadline::Slot;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::io::poll_fill;
use crate::worker::Worker;

/// Waits for `time`. It ends at once when the worker drains, and with a failure when the client leaves or the deadline
/// of the whole request passes.
pub(crate) async fn wait(
    worker: &Rc<Worker>,
    client: &mut Client,
    desk: &mut Desk,
    time: Duration,
) -> Result<(), Failure> {
    let until = worker.now().plus(time);
    client.timer.arm(Slot::Upload, None, until);
    let mut listens = true;
    let result = poll_fn(|cx| {
        // What the client sends meanwhile is kept as far as there is room; then only a deadline ends the wait.
        while listens && !desk.input.space().is_empty() {
            match poll_fill(&mut client.wire, cx, &mut desk.input) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(Ok(_)) if !client.wire.leaves_by_ending() => listens = false,
                Poll::Ready(_) => return Poll::Ready(Err(Failure::CLIENT_GONE)),
                Poll::Pending => break,
            }
        }
        if client.wire.is_gone() {
            return Poll::Ready(Err(Failure::CLIENT_GONE));
        }
        if worker.is_draining() {
            return Poll::Ready(Ok(()));
        }
        if client.timer.fired() {
            match client.timer.passed(worker.now()) {
                Some((_, Some(deadline))) => {
                    return Poll::Ready(Err(Failure::deadline(deadline, true)));
                }
                Some((_, None)) => return Poll::Ready(Ok(())),
                None => {}
            }
        }
        Poll::Pending
    })
    .await;
    client.timer.disarm(Slot::Upload);
    result
}
