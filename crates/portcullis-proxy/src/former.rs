//! Plans that are no longer in force, for clients of listeners that a reload took away: for a while they are still served, each
//! by the plan that its listener was last in.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::{ListenerId, Moment};

use crate::snapshot::{Pinned, Snapshot};

/// Plans kept at a time; clients of older ones are sent away.
const MOST: usize = 4;

/// Where a client stands: the plan that serves it, and its listener there.
pub(crate) struct Footing {
    pub(crate) snapshot: Rc<Pinned>,
    pub(crate) listener: ListenerId,
    /// When a plan that is no longer in force serves nobody any more: its clients are to go until then.
    pub(crate) until: Option<Moment>,
}

/// The former plans of a worker, the youngest first.
#[derive(Default)]
pub(crate) struct Formers(RefCell<Vec<(Rc<Pinned>, Moment)>>);

impl Formers {
    /// Keeps a plan for so long.
    pub(crate) fn keep(&self, snapshot: Arc<Snapshot>, now: Moment, patience: Duration) {
        let mut all = self.0.borrow_mut();
        all.insert(0, (Rc::new(snapshot.into()), now.plus(patience)));
        all.truncate(MOST);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Lets go of those whose time is over; tells whether there were any.
    pub(crate) fn expire(&self, now: Moment) -> bool {
        let mut all = self.0.borrow_mut();
        let before = all.len();
        all.retain(|(_, until)| *until > now);
        all.len() < before
    }

    /// Where a client stands whose listener `find` knows, if it stands in any of them.
    pub(crate) fn footing(
        &self,
        find: impl Fn(&Snapshot) -> Option<ListenerId>,
    ) -> Option<Footing> {
        let all = self.0.borrow();
        all.iter().find_map(|(snapshot, until)| {
            Some(Footing {
                listener: find(snapshot)?,
                snapshot: Rc::clone(snapshot),
                until: Some(*until),
            })
        })
    }
}
