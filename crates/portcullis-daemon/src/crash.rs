//! Tells and counts faults of ours. That they end no more than the task they happen in is seen to where tasks are made.

use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::live::ProcessLive;
use portcullis_proxy::Clock;

use crate::log::Occasionally;

static TOLD: Occasionally = Occasionally::every(Duration::from_secs(1));

/// Has every panic from now on told in the log, with its place, and counted, once there is where to count.
pub(crate) fn tell(clock: Clock, live: Option<Arc<ProcessLive>>) {
    std::panic::set_hook(Box::new(move |panic| note(panic, clock, live.as_deref())));
}

fn note(panic: &PanicHookInfo<'_>, clock: Clock, live: Option<&ProcessLive>) {
    if let Some(live) = live {
        live.panics.count();
    }
    // A client that can cause one must not flood the log with it.
    if let Some(held_back) = TOLD.pass(clock.now()) {
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place = %place(panic), held_back, "panic: {message}");
    }
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use portcullis_proxy::{LogSink, SnapshotCell};

    use super::*;
    use crate::listen::bind::Listening;
    use crate::listen::door::{Door, Rules};
    use crate::listen::set::Key;
    use crate::runtime::Workers;
    use crate::testing::{eventually, snapshot};
    use crate::tls::Store;

    const ANSWERS: &str = "[listener.web]\nbind = '127.0.0.1:0'\n[[route]]\nrespond = { status = 200, body = 'ok' }\n";

    /// Counts lines, and panics at the next one when told to.
    #[derive(Default)]
    struct Faulty {
        lines: Arc<AtomicU64>,
        fault: Arc<AtomicBool>,
    }

    impl LogSink for Faulty {
        fn append(&self, _: &mut dyn FnMut(&mut Vec<u8>)) {
            self.lines.fetch_add(1, Ordering::Relaxed);
            assert!(
                !self.fault.swap(false, Ordering::Relaxed),
                "a fault of ours"
            );
        }
        fn flush(&self) {}
    }

    /// What came of a request: whether the connection goes on after its answer.
    fn ask(client: &mut TcpStream) -> bool {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(b"ok") {
            match client.read(&mut chunk) {
                Ok(n @ 1..) => seen.extend_from_slice(&chunk[..n]),
                _ => return false,
            }
        }
        true
    }

    #[test]
    fn a_panic_of_a_worker_costs_one_connection_and_is_counted_and_told() {
        let (clock, now) = (Clock::start(), snapshot(ANSWERS));
        let (plan, live) = (now.plan, now.live);
        let (process, told) = (Arc::clone(&live.process), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            note(panic, clock, Some(&process));
            told(panic); // what other tests have to say
        }));
        let Faulty { lines, fault } = Faulty::default();
        let snapshots = SnapshotCell::new(Arc::clone(&plan), Arc::clone(&live), Arc::default());
        let sinks = vec![Faulty {
            lines: Arc::clone(&lines),
            fault: Arc::clone(&fault),
        }];
        let workers = Workers::start(&Arc::new(snapshots), clock, sinks).unwrap();
        let rules = Rules::of(&plan, &plan.listeners[0], &Store::default());
        let web = &live.listeners[0];
        let door = Arc::new(Door::new(Arc::clone(web), Arc::clone(&live.process), rules));
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let key = Key::Unix(PathBuf::from("one of its own"));
        workers.serve(&door, &key, vec![Listening::Tcp(socket)]);

        let mut steady = TcpStream::connect(address).unwrap();
        assert!(ask(&mut steady));
        let before = live.process.panics.total();
        for round in 1..=3 {
            // The line of a request is written after its answer.
            eventually(|| lines.load(Ordering::Relaxed) == 2 * round - 1);
            fault.store(true, Ordering::Relaxed);
            let mut struck = TcpStream::connect(address).unwrap();
            while ask(&mut struck) {}
            assert!(!fault.load(Ordering::Relaxed), "the fault was met");
            eventually(|| live.process.connections().open() == 1 && web.connections().open() == 1);
            assert_eq!(live.process.panics.total() - before, round);
            assert!(
                ask(&mut steady),
                "other connections of the same worker go on"
            );
        }
        drop(steady);
        eventually(|| live.process.connections().open() == 0 && web.in_flight() == 0);
        workers.stop();
    }
}
