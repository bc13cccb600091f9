//! A worker's end of the access log: appends to a buffer and hands it over, without ever waiting.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use portcullis_proxy::LogSink;

use super::{Order, Shared};

/// A buffer with this many bytes is handed over.
pub(super) const HAND_OVER: usize = 32 * 1024;
/// A buffer that could not be handed over holds at most this many bytes before its lines are dropped.
const HOLD: usize = 64 * 1024;
/// Buffers that grew beyond this are not used again.
pub(super) const KEEP: usize = 128 * 1024;
/// Emptied buffers that wait for reuse.
const SPARE: usize = 4;

/// Gathers the lines of one worker.
pub(crate) struct Producer {
    shared: Arc<Shared>,
    orders: SyncSender<Order>,
    home: SyncSender<Vec<u8>>,
    spares: Receiver<Vec<u8>>,
    gathered: RefCell<Gathered>,
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    lines: u64,
}

impl Producer {
    pub(super) fn new(orders: SyncSender<Order>, shared: Arc<Shared>) -> Self {
        let (home, spares) = sync_channel(SPARE);
        Self {
            shared,
            orders,
            home,
            spares,
            gathered: RefCell::default(),
        }
    }

    fn hand_over(&self, gathered: &mut Gathered) {
        if gathered.bytes.is_empty() {
            return;
        }
        let next = self.spares.try_recv().unwrap_or_default();
        let bytes = std::mem::replace(&mut gathered.bytes, next);
        let lines = std::mem::take(&mut gathered.lines);
        let order = Order::Lines {
            bytes,
            lines,
            home: self.home.clone(),
        };
        match self.orders.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(Order::Lines { bytes, lines, .. })) => {
                self.keep_or_drop(gathered, bytes, lines);
            }
            Err(_) => (self.shared.dropped)(lines),
        }
    }

    /// The writer is behind: the lines wait here as long as there is room.
    fn keep_or_drop(&self, gathered: &mut Gathered, mut bytes: Vec<u8>, lines: u64) {
        if bytes.len() < HOLD {
            gathered.lines = lines;
        } else {
            (self.shared.dropped)(lines);
            bytes.clear();
        }
        gathered.bytes = bytes;
    }
}

impl LogSink for Producer {
    fn append(&self, render: &mut dyn FnMut(&mut Vec<u8>)) {
        if !self.shared.enabled.load(Ordering::Relaxed) {
            return;
        }
        let gathered = &mut *self.gathered.borrow_mut();
        if gathered.bytes.capacity() == 0 {
            gathered.bytes.reserve_exact(HOLD);
        }
        let before = gathered.bytes.len();
        render(&mut gathered.bytes);
        gathered.lines += u64::from(gathered.bytes.len() > before);
        if gathered.bytes.len() >= HAND_OVER {
            self.hand_over(gathered);
        }
    }

    fn flush(&self) {
        self.hand_over(&mut self.gathered.borrow_mut());
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.hand_over(&mut self.gathered.take());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use super::*;

    fn producer(waiting: usize) -> (Producer, Receiver<Order>, Arc<AtomicU64>) {
        let (orders, inbox) = sync_channel(waiting);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let count = move |lines| {
            counter.fetch_add(lines, Ordering::Relaxed);
        };
        let shared = Shared {
            enabled: AtomicBool::new(true),
            next: Mutex::default(),
            dropped: Arc::new(count),
        };
        (Producer::new(orders, Arc::new(shared)), inbox, dropped)
    }

    fn append(producer: &Producer, bytes: usize) {
        producer.append(&mut |out| out.extend(std::iter::repeat_n(b'x', bytes)));
    }

    #[test]
    fn a_full_buffer_is_handed_over_and_comes_back_for_reuse() {
        let (producer, inbox, _) = producer(4);
        append(&producer, HAND_OVER);
        let Ok(Order::Lines {
            mut bytes,
            lines,
            home,
        }) = inbox.try_recv()
        else {
            unreachable!("it was handed over")
        };
        assert_eq!((bytes.len(), lines), (HAND_OVER, 1));
        let address = bytes.as_ptr();
        bytes.clear();
        home.try_send(bytes).unwrap();
        append(&producer, HAND_OVER);
        append(&producer, HAND_OVER);
        let mut seen = inbox.try_iter().filter_map(|order| match order {
            Order::Lines { bytes, .. } => Some(bytes.as_ptr()),
            _ => None,
        });
        assert!(
            seen.any(|pointer| pointer == address),
            "the buffer was used again"
        );
    }

    #[test]
    fn small_amounts_wait_for_a_flush() {
        let (producer, inbox, _) = producer(4);
        append(&producer, 10);
        assert!(inbox.try_recv().is_err());
        producer.flush();
        assert!(matches!(
            inbox.try_recv(),
            Ok(Order::Lines { lines: 1, .. })
        ));
        producer.flush();
        assert!(
            inbox.try_recv().is_err(),
            "nothing gathered, nothing handed over"
        );
    }

    #[test]
    fn lines_wait_while_the_writer_is_behind_and_are_dropped_when_too_many() {
        let (producer, inbox, dropped) = producer(1);
        append(&producer, HAND_OVER);
        append(&producer, HAND_OVER);
        assert_eq!(
            dropped.load(Ordering::Relaxed),
            0,
            "the second buffer waits"
        );
        append(&producer, HAND_OVER);
        assert_eq!(
            dropped.load(Ordering::Relaxed),
            2,
            "at twice the size it is dropped"
        );
        assert!(inbox.try_recv().is_ok());
        append(&producer, HAND_OVER);
        assert!(inbox.try_recv().is_ok(), "and the log goes on");
    }

    #[test]
    fn a_writer_that_is_gone_loses_lines_and_counts_them() {
        let (producer, inbox, dropped) = producer(1);
        drop(inbox);
        append(&producer, 10);
        producer.flush();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}
