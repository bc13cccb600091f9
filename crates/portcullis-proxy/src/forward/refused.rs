//! Requests whose streams a server refused: it says that it did nothing with them, so they go again without counting as
//! attempts, a few times and within the time for a connection.

use std::time::Duration;

use portcullis_plan::Moment;

/// How often one request goes again for nothing. A server that refuses more is not only short of places.
const MOST: u32 = 3;

/// The refusals that one request has met.
#[derive(Clone, Copy, Default)]
pub(super) struct Refused {
    times: u32,
    until: Option<Moment>,
}

impl Refused {
    /// One more. The first begins the time, `connect`, in which others are borne.
    pub(super) fn bear(&mut self, now: Moment, connect: Duration) {
        let until = *self.until.get_or_insert(now.plus(connect));
        if self.times < MOST && now < until {
            self.times += 1;
        }
    }

    /// How many of the request's attempts do not count.
    pub(super) fn times(self) -> u32 {
        self.times
    }

    /// Until when places may be waited for; `None` when nothing was refused.
    pub(super) fn until(self) -> Option<Moment> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn bears_a_few_refusals_within_the_time_for_a_connection() {
        let connect = Duration::from_secs(5);
        let mut refused = Refused::default();
        assert_eq!((refused.times(), refused.until()), (0, None));
        for times in 1..=3 {
            refused.bear(at(1), connect);
            assert_eq!(refused.times(), times);
        }
        refused.bear(at(1), connect);
        assert_eq!(refused.times(), 3, "a fourth counts as an attempt");
        assert_eq!(refused.until(), Some(at(6)));
        let mut late = Refused::default();
        late.bear(at(1), connect);
        late.bear(at(6), connect);
        assert_eq!(late.times(), 1, "too late to be for nothing");
    }
}
