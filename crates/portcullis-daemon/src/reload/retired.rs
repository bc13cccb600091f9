//! What was in force, until the last request is over that began under it.
//!
//! Taking a large plan apart takes milliseconds. The last to let go of it would have to, and that must not be a worker
//! with a request in its hands.

use std::sync::Arc;

use portcullis_proxy::Snapshot;

use crate::tls::Store;

/// Generations out of force; beyond these the oldest is left to whoever holds it last.
const MOST: usize = 16;

/// Generations that requests may still hold.
#[derive(Default)]
pub(crate) struct Retired(Vec<(Arc<Snapshot>, Arc<Store>)>);

impl Retired {
    /// A generation that has just been replaced.
    pub(super) fn add(&mut self, snapshot: Arc<Snapshot>, store: Arc<Store>) {
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((snapshot, store));
    }

    /// Takes apart what nobody else holds. To be called now and then.
    pub(crate) fn let_go(&mut self) {
        self.0
            .retain(|(snapshot, _)| Arc::strong_count(snapshot) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONFIG, snapshot};

    #[test]
    fn a_generation_is_kept_while_a_request_holds_it() {
        let mut retired = Retired::default();
        let held = Arc::new(snapshot(CONFIG));
        retired.add(Arc::clone(&held), Arc::default());
        retired.add(Arc::new(snapshot(CONFIG)), Arc::default());
        retired.let_go();
        assert_eq!(retired.0.len(), 1);
        drop(held);
        retired.let_go();
        assert!(retired.0.is_empty());
    }

    #[test]
    fn those_kept_are_bounded() {
        let mut retired = Retired::default();
        let held = Arc::new(snapshot(CONFIG));
        (0..MOST + 3).for_each(|_| retired.add(Arc::clone(&held), Arc::default()));
        assert_eq!(retired.0.len(), MOST);
    }
}
