//! Says a thing at most once a second, however often clients make it happen.

use std::cell::Cell;
use std::time::Duration;

use portcullis_plan::Moment;

const PERIOD: Duration = Duration::from_secs(1);

/// One kind of message of one worker.
#[derive(Default)]
pub(crate) struct Quiet {
    /// When the next may be said; `None` before the first.
    next: Cell<Option<Moment>>,
    held_back: Cell<u64>,
}

impl Quiet {
    /// Whether the message may be said at `now`: then the number of those that were held back since the last one.
    pub(crate) fn pass(&self, now: Moment) -> Option<u64> {
        if self.next.get().is_some_and(|next| now < next) {
            self.held_back.set(self.held_back.get() + 1);
            return None;
        }
        self.next.set(Some(now.plus(PERIOD)));
        Some(self.held_back.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_a_thing_once_in_a_period_and_counts_the_rest() {
        let quiet = Quiet::default();
        let at = |millis: u64| Moment::from_nanos(millis * 1_000_000);
        assert_eq!(quiet.pass(at(5)), Some(0));
        assert_eq!(quiet.pass(at(6)), None);
        assert_eq!(quiet.pass(at(900)), None);
        assert_eq!(quiet.pass(at(1005)), Some(2));
    }
}
