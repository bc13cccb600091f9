//! Faults of ours stay where they happen: a panic ends the task or the step it happens in, and nothing beside it.
//!
//! Whoever catches one here says nothing: the panic hook of the process counts and tells them all. What a task has
//! counted or holds is given back by `Drop`, so that nothing is left behind.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Between a panic of what must go on and its next beginning.
const PAUSE: Duration = Duration::from_secs(1);

/// Does one step of something that goes on after it; `None` if it panicked.
pub fn caught<R>(step: impl FnOnce() -> R) -> Option<R> {
    // What a step leaves half done is bounded: state is shared by cells and atomics that are whole between two statements.
    catch_unwind(AssertUnwindSafe(step)).ok()
}

/// Does something that waits within a task that goes on after it; `None` if it panicked.
pub async fn contained<F: Future>(work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| match caught(|| work.as_mut().poll(cx)) {
        Some(polled) => polled.map(Some),
        None => Poll::Ready(None),
    })
    .await
}

/// Does what must not end by a panic: begins it again, a second later, until it ends by itself.
pub async fn persist<F: Future>(mut begin: impl FnMut() -> F) -> F::Output {
    loop {
        if let Some(done) = contained(begin()).await {
            return done;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "panics are what is tested")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_must_go_on_begins_again_after_a_panic() {
        let mut begun = 0;
        let done = persist(|| {
            begun += 1;
            let which = begun;
            async move {
                tokio::task::yield_now().await;
                assert!(which > 2, "a fault of ours");
                which
            }
        });
        assert_eq!(done.await, 3);
    }

    #[tokio::test]
    async fn a_panic_is_seen_by_the_one_who_contains_it() {
        assert_eq!(contained(async { 7 }).await, Some(7));
        assert_eq!(
            contained(async { panic!("a fault of ours") }).await,
            None::<()>
        );
        assert_eq!(caught(|| panic!("a fault of ours")), None::<()>);
    }
}
