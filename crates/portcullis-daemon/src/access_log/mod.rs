//! The access log: workers gather lines in buffers of their own, one thread writes them out.
//!
//! A worker never waits for the log. Where the writer cannot keep up (a full disk, a pipe nobody reads) lines are
//! dropped and counted, and the program log says so once until writing works again.

mod output;
mod producer;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portcullis_plan::plan::LogTarget;
use portcullis_proxy::caught;

pub(crate) use output::Output;
pub(crate) use producer::Producer;

/// Full buffers the writer may have before it, over all workers: with [`producer::HAND_OVER`] bytes each, 2 MiB.
const WAITING: usize = 64;
/// How long to wait between looks at a writer that has not taken the order to stop.
const STOP_POLL: Duration = Duration::from_millis(5);

/// Counts lines that were lost.
pub(crate) type CountDropped = Arc<dyn Fn(u64) + Send + Sync>;

/// The running access log.
pub(crate) struct AccessLog {
    shared: Arc<Shared>,
    orders: SyncSender<Order>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer and the rest of the process both see.
struct Shared {
    /// Whether lines are wanted at all.
    enabled: AtomicBool,
    /// A change of target that the writer has not noticed yet.
    next: Mutex<Option<Next>>,
    dropped: CountDropped,
}

/// What the writer is to write to from now on.
enum Next {
    /// This.
    Output(Output),
    /// The same path, opened anew.
    Reopen,
}

enum Order {
    /// Whole lines; the emptied buffer goes back home.
    Lines {
        bytes: Vec<u8>,
        lines: u64,
        home: SyncSender<Vec<u8>>,
    },
    /// Look at `Shared::next`.
    Look,
    /// Write nothing more.
    Stop,
}

impl AccessLog {
    /// Starts the writer on `target`; `dropped` counts lost lines.
    pub(crate) fn start(target: &LogTarget, dropped: CountDropped) -> io::Result<Self> {
        let output = Output::open(target)?;
        let shared = Arc::new(Shared {
            enabled: AtomicBool::new(*target != LogTarget::Off),
            next: Mutex::default(),
            dropped,
        });
        let (orders, inbox) = sync_channel(WAITING);
        let (finished, done) = sync_channel(1);
        let writer = Writer {
            shared: Arc::clone(&shared),
            output,
            is_failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                writer.run(&inbox);
                // Nobody may be waiting, which is fine.
                let _ = finished.try_send(());
            })?;
        Ok(Self {
            shared,
            orders,
            done,
            thread: Some(thread),
        })
    }

    /// The sink for one worker.
    pub(crate) fn producer(&self) -> Producer {
        Producer::new(self.orders.clone(), Arc::clone(&self.shared))
    }

    /// Opens the file of the log anew, for log rotation. Without effect on streams.
    pub(crate) fn reopen(&self) {
        let mut next = self
            .shared
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if next.is_none() {
            *next = Some(Next::Reopen);
        }
        drop(next);
        self.nudge();
    }

    /// Opens another target, which [`switch`](Self::switch) puts to use; an error leaves everything as it was.
    pub(crate) fn prepare(target: &LogTarget) -> io::Result<Output> {
        Output::open(target)
    }

    /// Writes to `output` from the next buffer on.
    pub(crate) fn switch(&self, output: Output) {
        self.shared
            .enabled
            .store(!output.is_off(), Ordering::Relaxed);
        *self
            .shared
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Next::Output(output));
        self.nudge();
    }

    /// Writes what was handed over and stops, within `patience`. Workers flush their buffers before this.
    pub(crate) fn finish(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Stop) {
            if Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(STOP_POLL);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let finished = !matches!(self.done.recv_timeout(left), Err(RecvTimeoutError::Timeout));
        if let Some(thread) = self.thread.take().filter(|_| finished) {
            // A panic of the writer has been reported by the panic hook.
            let _ = thread.join();
        }
    }

    /// A full channel means that the writer is awake and will look anyway.
    fn nudge(&self) {
        let _ = self.orders.try_send(Order::Look);
    }
}

struct Writer {
    shared: Arc<Shared>,
    output: Output,
    is_failing: bool,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Order>) {
        while let Ok(order) = inbox.recv() {
            // A fault with some lines must not end the log of the process.
            if caught(|| self.obey(order)) == Some(ControlFlow::Break(())) {
                return;
            }
        }
    }

    fn obey(&mut self, order: Order) -> ControlFlow<()> {
        self.look();
        match order {
            Order::Lines {
                mut bytes,
                lines,
                home,
            } => {
                self.write(&bytes, lines);
                bytes.clear();
                if bytes.capacity() <= producer::KEEP {
                    // A worker that has buffers enough lets this one go.
                    let _ = home.try_send(bytes);
                }
            }
            Order::Look => {}
            Order::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn look(&mut self) {
        let next = self
            .shared
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match next {
            Some(Next::Output(output)) => {
                self.output = output;
                self.is_failing = false;
            }
            Some(Next::Reopen) => self.reopen(),
            None => {}
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.output.reopen() {
            let path = self
                .output
                .path()
                .unwrap_or(&PathBuf::new())
                .display()
                .to_string();
            tracing::error!(%path, %error, "cannot reopen the access log, the old file stays in use");
        } else {
            self.is_failing = false;
        }
    }

    fn write(&mut self, bytes: &[u8], lines: u64) {
        match self.output.write(bytes) {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                tracing::info!("the access log can be written again");
            }
            Ok(()) => {}
            Err(error) => {
                (self.shared.dropped)(lines);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "cannot write the access log, lines are being lost");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicU64;

    use portcullis_proxy::LogSink;

    use super::*;

    fn counting() -> (CountDropped, Arc<AtomicU64>) {
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let count = move |lines| {
            counter.fetch_add(lines, Ordering::Relaxed);
        };
        (Arc::new(count), dropped)
    }

    fn file_in(folder: &crate::testing::Folder, name: &str) -> LogTarget {
        LogTarget::File(folder.path().join(name))
    }

    fn append(producer: &Producer, line: &str) {
        producer.append(&mut |out| out.extend_from_slice(format!("{line}\n").as_bytes()));
    }

    fn finish(log: AccessLog, producer: Producer) {
        producer.flush();
        drop(producer);
        log.finish(Duration::from_secs(30));
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let folder = crate::testing::Folder::new();
        let (count, dropped) = counting();
        let log = AccessLog::start(&file_in(&folder, "a.log"), count).unwrap();
        let producer = log.producer();
        for i in 0..20_000 {
            append(&producer, &format!("line {i}"));
            if i % 1000 == 0 {
                std::thread::yield_now();
            }
        }
        finish(log, producer);
        let text = std::fs::read_to_string(folder.path().join("a.log")).unwrap();
        let lost = dropped.load(Ordering::Relaxed);
        assert_eq!(
            text.lines().count() as u64 + lost,
            20_000,
            "what is not written is counted"
        );
        let numbers: Vec<u32> = text
            .lines()
            .map(|line| line.strip_prefix("line ").unwrap().parse().unwrap())
            .collect();
        assert!(numbers.is_sorted(), "lines keep their order");
    }

    #[test]
    fn reopening_writes_to_a_new_file_of_the_same_name() {
        let folder = crate::testing::Folder::new();
        let path = folder.path().join("a.log");
        let log = AccessLog::start(&LogTarget::File(path.clone()), counting().0).unwrap();
        let producer = log.producer();
        append(&producer, "before");
        producer.flush();
        crate::testing::eventually(|| {
            std::fs::read_to_string(&path).is_ok_and(|text| text == "before\n")
        });
        std::fs::rename(&path, folder.path().join("a.log.1")).unwrap();
        log.reopen();
        crate::testing::eventually(|| path.exists());
        append(&producer, "after");
        finish(log, producer);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
    }

    #[test]
    fn switching_changes_the_target_and_off_renders_nothing() {
        let folder = crate::testing::Folder::new();
        let log = AccessLog::start(&LogTarget::Off, counting().0).unwrap();
        let producer = log.producer();
        producer.append(&mut |_| unreachable!("a log that is off renders nothing"));
        log.switch(AccessLog::prepare(&file_in(&folder, "b.log")).unwrap());
        append(&producer, "now");
        finish(log, producer);
        assert_eq!(
            std::fs::read_to_string(folder.path().join("b.log")).unwrap(),
            "now\n"
        );
    }

    #[test]
    fn a_target_that_cannot_be_opened_is_an_error_before_anything_changes() {
        let folder = crate::testing::Folder::new();
        let target = LogTarget::File(folder.path().join("missing/a.log"));
        assert!(AccessLog::prepare(&target).is_err());
        assert!(AccessLog::start(&target, counting().0).is_err());
    }

    #[test]
    fn a_full_disk_is_counted_and_not_fatal() {
        let (count, dropped) = counting();
        let log = AccessLog::start(&LogTarget::File("/dev/full".into()), count).unwrap();
        let producer = log.producer();
        for _ in 0..3 {
            append(&producer, "lost");
        }
        finish(log, producer);
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    }
}
