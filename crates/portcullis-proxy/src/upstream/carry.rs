//! Begins HTTP/2 on a new connection to a server, and carries it to its end.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use portcullis_http2::{Allowance, Budgets, Connection, Settings};
use portcullis_plan::live::ServerLive;
use portcullis_plan::plan::ServiceHttp2;

use super::shared::{Lease, Shared};
use super::shelf::{Making, Shelf};
use super::terms::Terms;
use crate::http2::{Driver, End};
use crate::io::ServerIo;
use crate::tunnel::Source;
use crate::worker::Worker;

/// Fields of a response's head that are taken in; how many of them are allowed is judged by the listener's limit.
const FIELDS: u32 = 1024;
/// The same in bytes.
const HEADER_LIST: u32 = 256 * 1024;
/// Servers may well reset many streams: it is how they end uploads that they have answered. And what one answer does wrong is to cost
/// that answer, not the others of the connection: only what would keep us busy ends it.
const MANY: Allowance = Allowance {
    burst: 100_000,
    per_second: 100_000,
};
/// Frames that the head of an answer may be split in.
const CONTINUATIONS: u32 = 1024;

/// What a connection is begun with.
pub(crate) struct Beginning<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) server: &'a Arc<ServerLive>,
    pub(crate) http2: &'a ServiceHttp2,
    pub(crate) terms: Terms,
}

impl Beginning<'_> {
    /// Begins to speak HTTP/2 on `io`, in a task of its own. Gives a place for the one who made the connection.
    pub(crate) fn begin(self, making: Making, io: ServerIo) -> Lease {
        let Self {
            worker,
            server,
            http2,
            terms,
        } = self;
        let now = worker.now();
        let connection = Connection::client(&settings(http2), now.as_nanos() / 1_000_000);
        let shelf = Rc::clone(making.shelf());
        let shared = Shared::new(
            connection,
            terms,
            now,
            server,
            worker.id(),
            &shelf,
            http2.max_streams,
        );
        let driver = Driver::new(io, Rc::clone(&shared.session));
        worker.spawn(carry(Rc::clone(worker), Rc::clone(&shared), shelf, driver));
        making.done(&shared)
    }
}

/// All responses of a connection together may be held as much of as each of them alone: one slow client must not close
/// the window of the others.
fn settings(http2: &ServiceHttp2) -> Settings {
    Settings {
        max_streams: http2.max_streams,
        stream_window: http2.stream_window,
        connection_window: http2
            .stream_window
            .saturating_mul(http2.max_streams)
            .clamp(65_535, i32::MAX as u32),
        header_list: HEADER_LIST,
        header_fields: FIELDS,
        budgets: Budgets {
            resets: MANY,
            faults: MANY,
            refused: MANY,
            empty: MANY,
            continuations: CONTINUATIONS,
            ..Budgets::default()
        },
        ..Settings::default()
    }
}

/// Carries a connection to its end.
async fn carry<S: Source>(
    worker: Rc<Worker>,
    shared: Rc<Shared>,
    shelf: Rc<Shelf>,
    mut driver: Driver<S>,
) {
    let carried = Carried { shared, shelf };
    poll_fn(|cx| step(cx, &worker, &carried.shared, &mut driver)).await;
    drop(carried);
    // The server is told of the end where that needs no waiting.
    poll_fn(|cx| {
        let _ = driver.flush(cx);
        let _ = driver.io.poll_close_write(cx);
        Poll::Ready(())
    })
    .await;
}

/// A connection on its shelf. However its task ends, it goes from there, and those who wait for it learn of it.
struct Carried {
    shared: Rc<Shared>,
    shelf: Rc<Shelf>,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.shelf.remove(&self.shared);
        self.shared.over();
    }
}

fn step<S: Source>(
    cx: &mut Context<'_>,
    worker: &Worker,
    shared: &Shared,
    driver: &mut Driver<S>,
) -> Poll<()> {
    let progress = driver.poll(cx, worker, &mut |event| shared.on_event(event));
    if progress.heard {
        shared.heard();
    }
    if !progress.blocked {
        shared.blocked.set(None);
    } else if progress.wrote || shared.blocked.get().is_none() {
        shared.blocked.set(Some(worker.recent()));
    }
    match progress.end {
        Some(End::Broken(broken)) => {
            tracing::warn!(server = %shared.server_name(), reason = broken.refusal.code(), "a server broke the rules of HTTP/2: {}", broken.refusal.text());
            Poll::Ready(())
        }
        Some(End::Closed) => Poll::Ready(()),
        None if shared.lost.get() => Poll::Ready(()),
        None if shared.session.with(|connection| connection.is_finished()) => Poll::Ready(()),
        None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::io::{self, IoSlice};
    use std::time::Duration;

    use portcullis_plan::WorkerId;
    use tokio::io::ReadBuf;

    use super::*;
    use crate::clock::Clock;
    use crate::crash::contained;
    use crate::io::PollIo;
    use crate::snapshot::SnapshotCell;
    use crate::testing::{MINIMAL, planned};
    use crate::upstream::shelf::Keeping;
    use crate::upstream::terms::Wanted;

    const TWO: ServiceHttp2 = ServiceHttp2 {
        max_streams: 2,
        max_connections: 1,
        stream_window: 65_535,
    };

    /// A socket that panics as soon as it is looked at.
    struct Broken;

    impl Source for Broken {
        fn poll_ready(&self, _: &mut Context<'_>) -> Poll<()> {
            panic!("a fault of ours")
        }
    }

    impl PollIo for Broken {
        fn poll_read_into(
            &mut self,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
        fn poll_write_some(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
        fn poll_write_slices(
            &mut self,
            _: &mut Context<'_>,
            _: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
        fn poll_flush_all(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
        fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_panic_of_a_shared_connection_takes_it_from_its_shelf_and_tells_its_requests() {
        let (plan, live) = planned(MINIMAL);
        let snapshots = Arc::new(SnapshotCell::new(plan, Arc::clone(&live), Arc::default()));
        let worker = Worker::new(WorkerId::new(0), snapshots, Clock::start(), Box::new(()));
        let server = live.servers.first().unwrap();
        let keeping = Keeping {
            idle: Duration::from_secs(1),
            age: None,
            most_unused: 1,
        };
        let shelf = worker.shelves.of(server, keeping);
        let shared = Shared::new(
            Connection::client(&Settings::default(), 0),
            Terms::default(),
            worker.now(),
            server,
            worker.id(),
            &shelf,
            10,
        );
        let lease = shelf.make(&Wanted::default()).done(&shared);
        assert_eq!((server.http2(), server.connections()), ((1, 1), (1, 0)));
        let another = || shelf.takes_another(&Wanted::default(), &TWO);
        assert!(!another(), "one connection is all that is allowed");
        let driver = Driver::new(Broken, Rc::clone(&shared.session));
        let carried = carry(
            Rc::clone(&worker),
            Rc::clone(&shared),
            Rc::clone(&shelf),
            driver,
        );
        assert!(contained(carried).await.is_none(), "it panicked");
        assert!(lease.is_over() && shared.is_lost());
        assert!(another(), "its successor may be made");
        assert!(shelf.free(&Wanted::default(), &TWO).is_none());
        drop(lease);
        assert_eq!((server.http2(), server.connections()), ((0, 0), (0, 0)));
    }
}
