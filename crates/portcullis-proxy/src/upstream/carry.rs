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
use crate::io::{PollIo as _, ServerIo};
use crate::worker::Worker;

/// Fields of a response's head that are taken in; how many of them are allowed is judged by the listener's limit.
const FIELDS: u32 = 1024;
/// The same in bytes.
const HEADER_LIST: u32 = 256 * 1024;
/// Servers may well reset many streams: it is how they end uploads that they have answered.
const RESETS: Allowance = Allowance {
    burst: 100_000,
    per_second: 100_000,
};

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
            resets: RESETS,
            ..Budgets::default()
        },
        ..Settings::default()
    }
}

/// Carries a connection to its end.
async fn carry(
    worker: Rc<Worker>,
    shared: Rc<Shared>,
    shelf: Rc<Shelf>,
    mut driver: Driver<ServerIo>,
) {
    poll_fn(|cx| step(cx, &worker, &shared, &mut driver)).await;
    shelf.remove(&shared);
    shared.over();
    // The server is told of the end where that needs no waiting.
    poll_fn(|cx| {
        let _ = driver.flush(cx);
        let _ = driver.io.poll_close_write(cx);
        Poll::Ready(())
    })
    .await;
}

fn step(
    cx: &mut Context<'_>,
    worker: &Worker,
    shared: &Shared,
    driver: &mut Driver<ServerIo>,
) -> Poll<()> {
    let progress = driver.poll(cx, worker, &mut |event| shared.on_event(event));
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
