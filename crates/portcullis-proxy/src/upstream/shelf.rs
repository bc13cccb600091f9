//! The shared connections to one server: found, made when there are too few, waited for when there are enough.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use portcullis_plan::Moment;
use portcullis_plan::live::ServerLive;
use portcullis_plan::plan::ServiceHttp2;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::pool::BuildIdentity;
use super::shared::{Lease, Rules, Shared};
use super::terms::{Fit, Introduction, Terms, Wanted};
use crate::client::Client;
use crate::failure::Failure;
use crate::worker::Worker;

/// How long a server that let a request time out may take to answer a PING, and a socket to take bytes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server may take to acknowledge our SETTINGS. Longer, because one with too much to do accepts late.
const SETTLE: Duration = Duration::from_secs(10);

/// The shelves of one worker, by the identity of the server.
#[derive(Default)]
pub(crate) struct Shelves(RefCell<HashMap<u64, Rc<Shelf>, BuildIdentity>>);

/// The shared connections to one server.
pub(crate) struct Shelf {
    connections: RefCell<Vec<Rc<Shared>>>,
    /// Connections that are being made, by the client that they name.
    making: RefCell<Vec<Option<Introduction>>>,
    /// Requests that wait for a place.
    waiting: Cell<usize>,
    /// How many attempts to connect have failed, and of what the last.
    failed: Cell<(u64, Failure)>,
    /// The server chose HTTP/1.1 the last time it was asked.
    speaks_http1: Cell<bool>,
    /// A place or a connection came or went: for requests that wait for a place.
    changed: Notify,
    /// A connection's server has told something, or the connection is gone: for requests that have a place.
    told: Notify,
    keeping: Cell<Keeping>,
}

/// How long, and how many, connections of a service are kept.
#[derive(Clone, Copy)]
pub(crate) struct Keeping {
    /// One that nobody uses.
    pub(crate) idle: Duration,
    /// Any one.
    pub(crate) age: Option<Duration>,
    /// How many that nobody uses.
    pub(crate) most_unused: usize,
}

impl Shelves {
    /// The shelf of a server, under the rules of its service as they are now.
    pub(crate) fn of(&self, server: &ServerLive, keeping: Keeping) -> Rc<Shelf> {
        let mut shelves = self.0.borrow_mut();
        let shelf = shelves.entry(server.uid()).or_insert_with(|| {
            Rc::new(Shelf {
                connections: RefCell::default(),
                making: RefCell::default(),
                waiting: Cell::new(0),
                failed: Cell::new((0, Failure::CONNECT)),
                speaks_http1: Cell::new(false),
                changed: Notify::new(),
                told: Notify::new(),
                keeping: Cell::new(keeping),
            })
        });
        shelf.keeping.set(keeping);
        Rc::clone(shelf)
    }

    /// Ends what is too old or idle for too long, and forgets servers without connections.
    pub(crate) fn purge(&self, now: Moment) {
        let shelves: Vec<_> = self.0.borrow().values().map(Rc::clone).collect();
        for shelf in &shelves {
            let keeping = shelf.keeping.get();
            let rules = Rules {
                idle: keeping.idle,
                age: keeping.age,
                patience: PATIENCE,
                settle: SETTLE,
            };
            let connections = shelf.connections.borrow().clone();
            for connection in connections {
                connection.keep_up(now, &rules);
            }
            shelf.trim();
        }
        drop(shelves);
        self.0
            .borrow_mut()
            .retain(|_, shelf| Rc::strong_count(shelf) > 1 || !shelf.is_empty());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// What a request that asked for a place is told.
pub(crate) enum Place {
    /// It has one.
    Lease(Lease),
    /// The server speaks HTTP/1.1.
    Http1,
    /// It is to make a connection; others wait for it.
    Make(Making),
}

impl Shelf {
    fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
            && self.making.borrow().is_empty()
            && self.waiting.get() == 0
    }

    /// A place on a connection that suits, or leave to make one. Waits where neither can be had, until a deadline of the
    /// client passes.
    pub(crate) async fn place(
        self: &Rc<Self>,
        worker: &Worker,
        client: &Client,
        wanted: &Wanted<'_>,
        http2: &ServiceHttp2,
    ) -> Result<Place, Failure> {
        if let Some(place) = self.try_place(wanted, http2) {
            return Ok(place);
        }
        let _waiting = Waiting::new(&self.waiting);
        let failures = self.failed.get().0;
        loop {
            let changed = self.changed.notified();
            if let Some(place) = self.try_place(wanted, http2) {
                return Ok(place);
            }
            wait(changed, worker, client).await?;
            let (count, failure) = self.failed.get();
            if count != failures {
                self.changed.notify_one(); // a place that it may have been told of is for the next
                return Err(failure);
            }
        }
    }

    /// A place on a connection that suits and has room now.
    pub(crate) fn free(&self, wanted: &Wanted<'_>, http2: &ServiceHttp2) -> Option<Lease> {
        let connections = self.connections.borrow();
        let suits =
            |one: &&Rc<Shared>| one.terms.fit(wanted) == Fit::Fits && has_place(one, wanted, http2);
        connections.iter().find(suits).map(Shared::lease)
    }

    /// Leave to make a connection, asked for or not.
    pub(crate) fn make(self: &Rc<Self>, wanted: &Wanted<'_>) -> Making {
        self.making.borrow_mut().push(wanted.introduction);
        Making {
            shelf: Rc::clone(self),
            client: wanted.introduction,
        }
    }

    /// Whether the server takes tunnels. Waits until it has told, no longer than a deadline of the client.
    pub(crate) async fn takes_tunnels(
        &self,
        lease: &Lease,
        worker: &Worker,
        client: &Client,
    ) -> Result<bool, Failure> {
        self.told(lease, worker, client, Shared::takes_tunnels)
            .await
    }

    /// Whether the server takes as many requests as were sent to it and this one. Waits as above.
    pub(crate) async fn takes_all(
        &self,
        lease: &Lease,
        worker: &Worker,
        client: &Client,
    ) -> Result<bool, Failure> {
        self.told(lease, worker, client, Shared::takes_all).await
    }

    async fn told(
        &self,
        lease: &Lease,
        worker: &Worker,
        client: &Client,
        what: fn(&Shared) -> Option<bool>,
    ) -> Result<bool, Failure> {
        loop {
            let told = self.told.notified();
            match what(lease.shared()) {
                Some(answer) => return Ok(answer),
                None if lease.shared().is_lost() => return Err(Failure::CLOSED_EARLY),
                None => wait(told, worker, client).await?,
            }
        }
    }

    fn try_place(self: &Rc<Self>, wanted: &Wanted<'_>, http2: &ServiceHttp2) -> Option<Place> {
        let (mut usable, mut unsettled) = (0, 0);
        for connection in self.connections.borrow().iter() {
            match connection.terms.fit(wanted) {
                Fit::Outdated => connection.leave(),
                Fit::OtherClient => {}
                Fit::Fits if has_place(connection, wanted, http2) => {
                    return Some(Place::Lease(connection.lease()));
                }
                Fit::Fits if connection.is_open() => {
                    usable += 1;
                    unsettled += usize::from(!connection.is_settled());
                }
                Fit::Fits => {}
            }
        }
        if self.speaks_http1.get() {
            return Some(Place::Http1);
        }
        // Those that are being made, or whose servers have not said how much they take, will have places as well.
        let making = self.making_for(wanted);
        let coming = (making + unsettled).saturating_mul(http2.max_streams as usize);
        let is_wanted = self.waiting.get() >= coming;
        (is_wanted && usable + making < http2.max_connections)
            .then(|| Place::Make(self.make(wanted)))
    }

    /// Whether one more connection for such requests is within bounds.
    pub(crate) fn takes_another(&self, wanted: &Wanted<'_>, http2: &ServiceHttp2) -> bool {
        let connections = self.connections.borrow();
        let usable = |one: &&Rc<Shared>| one.terms.fit(wanted) == Fit::Fits && one.is_open();
        connections.iter().filter(usable).count() + self.making_for(wanted) < http2.max_connections
    }

    fn making_for(&self, wanted: &Wanted<'_>) -> usize {
        let making = self.making.borrow();
        making
            .iter()
            .filter(|client| **client == wanted.introduction)
            .count()
    }

    /// A place on a connection made under `terms` was given back: one of those who wait may look. Where it is a place for one
    /// client only, nobody knows whose turn it is, so all of them look.
    pub(super) fn place_is_free(&self, terms: &Terms) {
        if self.waiting.get() == 0 {
            return;
        }
        if terms.is_of_one_client() {
            self.changed.notify_waiters();
        } else {
            self.changed.notify_one();
        }
    }

    /// A connection has no request any more: it is the one unused for the shortest time.
    pub(super) fn became_unused(&self, connection: &Rc<Shared>) {
        let mut connections = self.connections.borrow_mut();
        let at = connections
            .iter()
            .position(|one| Rc::ptr_eq(one, connection));
        if let Some(at) = at {
            connections.get_mut(at..).unwrap_or_default().rotate_left(1);
        }
        drop(connections);
        self.trim();
    }

    /// Leaves those that are unused for the longest time where more are than are to be kept, unless somebody waits for a place.
    fn trim(&self) {
        if self.waiting.get() > 0 {
            return;
        }
        let connections = self.connections.borrow();
        let unused = || {
            connections
                .iter()
                .filter(|one| one.is_open() && one.is_unused())
        };
        let beyond = unused()
            .count()
            .saturating_sub(self.keeping.get().most_unused);
        unused().take(beyond).for_each(|one| one.leave());
    }

    /// All of those who wait look again.
    pub(super) fn something_changed(&self) {
        self.changed.notify_waiters();
        self.told.notify_waiters();
    }

    pub(super) fn remove(&self, connection: &Rc<Shared>) {
        self.connections
            .borrow_mut()
            .retain(|one| !Rc::ptr_eq(one, connection));
        self.something_changed();
    }
}

/// Whether a connection that suits has room for such a request now.
fn has_place(connection: &Shared, wanted: &Wanted<'_>, http2: &ServiceHttp2) -> bool {
    (!wanted.settled || connection.is_settled()) && connection.has_room(http2.max_streams)
}

/// Waits for a change, no longer than until a deadline of the client passes.
async fn wait(changed: Notified<'_>, worker: &Worker, client: &Client) -> Result<(), Failure> {
    let mut changed = pin!(changed);
    poll_fn(|cx| {
        if changed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if client.wire.is_gone() {
            return Poll::Ready(Err(Failure::CLIENT_GONE));
        }
        if !client.timer.fired() {
            return Poll::Pending;
        }
        match client.timer.passed(worker.now()) {
            Some((_, Some(deadline))) => Poll::Ready(Err(Failure::deadline(deadline, true))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// A connection in the making. When it is dropped, those who wait look again.
pub(crate) struct Making {
    shelf: Rc<Shelf>,
    client: Option<Introduction>,
}

impl Making {
    pub(super) fn shelf(&self) -> &Rc<Shelf> {
        &self.shelf
    }

    /// It is there: a place on it for the one who made it, then for those who wait.
    pub(super) fn done(self, connection: &Rc<Shared>) -> Lease {
        self.shelf.speaks_http1.set(false);
        let lease = connection.lease();
        self.shelf
            .connections
            .borrow_mut()
            .push(Rc::clone(connection));
        lease
    }

    /// The server chose HTTP/1.1.
    pub(crate) fn speaks_http1(self) {
        self.shelf.speaks_http1.set(true);
    }

    /// It failed, and would fail for those who wait as well.
    pub(crate) fn failed(self, failure: Failure) {
        let count = self.shelf.failed.get().0;
        self.shelf.failed.set((count.wrapping_add(1), failure));
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut making = self.shelf.making.borrow_mut();
        let at = making.iter().position(|client| *client == self.client);
        at.map(|at| making.swap_remove(at));
        drop(making);
        self.shelf.something_changed();
    }
}

/// Counts a request as waiting for as long as it lives.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(cell: &'a Cell<usize>) -> Self {
        cell.set(cell.get() + 1);
        Self(cell)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
