//! The state that the driver of a connection and its streams share.
//!
//! It is borrowed for the length of one call and never across a wait.

use std::cell::RefCell;
use std::task::{Context, Waker};

use portcullis_http2::{Connection, ErrorCode, Event, StreamId};

use crate::crash::caught;

/// One HTTP/2 connection, seen by its driver and by its streams.
pub(crate) struct Session(RefCell<Shared>);

struct Shared {
    connection: Connection,
    /// By slot: who waits for a stream.
    places: Vec<Place>,
    driver: Option<Waker>,
    /// The driver was woken and has not run yet.
    woken: bool,
    /// The socket is gone; nothing is sent or received any more.
    over: bool,
}

/// A stream that somebody here holds.
#[derive(Default)]
struct Place {
    number: u32,
    waker: Option<Waker>,
    reset: bool,
}

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(RefCell::new(Shared {
            connection,
            places: Vec::new(),
            driver: None,
            woken: false,
            over: false,
        }))
    }

    /// For the driver: looks at the connection, or changes it, without waking the driver.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Connection) -> R) -> R {
        work(&mut self.0.borrow_mut().connection)
    }

    /// For streams: the driver is woken when there is something new to write.
    pub(crate) fn on_stream<R>(&self, work: impl FnOnce(&mut Connection) -> R) -> R {
        let mut shared = self.0.borrow_mut();
        let before = shared.connection.output().len();
        let result = work(&mut shared.connection);
        if shared.connection.output().len() != before {
            shared.wake_driver();
        }
        result
    }

    /// Says that the driver runs: who is to be woken from now on. Tells whether the connection still is one.
    pub(crate) fn driven_by(&self, cx: &Context<'_>) -> bool {
        let mut shared = self.0.borrow_mut();
        shared.woken = false;
        if !matches!(&shared.driver, Some(waker) if waker.will_wake(cx.waker())) {
            shared.driver = Some(cx.waker().clone());
        }
        !shared.over
    }

    /// Makes the driver look at the connection again.
    pub(crate) fn wake_driver(&self) {
        self.0.borrow_mut().wake_driver();
    }

    /// Keeps what happens to a stream from now on.
    pub(crate) fn hold(&self, id: StreamId) {
        let mut shared = self.0.borrow_mut();
        let slot = id.slot();
        if shared.places.len() <= slot {
            shared.places.resize_with(slot + 1, Place::default);
        }
        if let Some(place) = shared.places.get_mut(slot) {
            place.number = id.number();
            place.reset = false;
        }
    }

    /// Says who is woken when something happens to a stream that is held.
    pub(crate) fn wakes(&self, id: StreamId, waker: &Waker) {
        let mut shared = self.0.borrow_mut();
        if let Some(place) = shared.places.get_mut(id.slot())
            && !matches!(&place.waker, Some(known) if known.will_wake(waker))
        {
            place.waker = Some(waker.clone());
        }
    }

    /// Lets go of a stream. The connection resets what is not at its end.
    pub(crate) fn release(&self, id: StreamId) {
        let mut shared = self.0.borrow_mut();
        shared.connection.release(id);
        if let Some(place) = shared.places.get_mut(id.slot()) {
            place.number = 0;
        }
        // The driver may have waited for the last stream, or may read again for a next one.
        shared.wake_driver();
    }

    /// Whether a stream can bring nothing more: it was reset, or its connection is gone.
    pub(crate) fn is_gone(&self, id: StreamId) -> bool {
        let shared = self.0.borrow();
        shared.over
            || shared
                .places
                .get(id.slot())
                .is_none_or(|place| place.reset || place.number != id.number())
    }

    /// Passes on to a stream what concerns it.
    pub(crate) fn notify(&self, event: Event) {
        let (Event::Data(id) | Event::Room(id) | Event::Head(id) | Event::Reset(id, _)) = event
        else {
            return;
        };
        let mut shared = self.0.borrow_mut();
        let place = shared.places.get_mut(id.slot());
        if let Some(place) = place.filter(|place| place.number == id.number()) {
            place.reset |= matches!(event, Event::Reset(..));
            if let Some(waker) = &place.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Lets go of a stream whose task panicked. If that was amid the connection's own state, nothing of that is used again.
    pub(crate) fn crashed(&self, id: StreamId) {
        let reset = || self.on_stream(|connection| connection.reset(id, ErrorCode::INTERNAL_ERROR));
        if caught(reset)
            .and_then(|()| caught(|| self.release(id)))
            .is_none()
        {
            self.wake_driver();
            self.end();
        }
    }

    /// The socket is gone: all who hold a stream learn of it.
    pub(crate) fn end(&self) {
        let mut shared = self.0.borrow_mut();
        shared.over = true;
        shared.driver = None;
        let wakers = shared
            .places
            .iter()
            .filter_map(|place| place.waker.as_ref());
        wakers.for_each(Waker::wake_by_ref);
    }
}

impl Shared {
    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.as_ref().filter(|_| !self.woken) {
            self.woken = true;
            driver.wake_by_ref();
        }
    }
}
