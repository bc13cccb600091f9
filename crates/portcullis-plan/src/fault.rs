//! Faults that are injected into a share of a route's requests.

use std::time::Duration;

use crate::Facts;
use crate::chance::Chance;
use crate::route::Condition;
use crate::split::any_holds;

/// What is injected, and into which requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// How long requests wait, and how many of a million do.
    pub delay: Option<(Duration, u32)>,
    /// The status of an error, and how many of a million get it.
    pub abort: Option<(u16, u32)>,
    /// Only requests for which one of these holds; all if there is none.
    pub when: Box<[Condition]>,
}

/// What is injected into one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// How long it waits.
    pub delay: Option<Duration>,
    /// The status of the error it is answered with after that.
    pub abort: Option<u16>,
}

impl Fault {
    /// What is injected into this request.
    #[must_use]
    pub fn inject(&self, facts: &Facts<'_>, chance: &mut Chance) -> Injected {
        if !self.when.is_empty() && !any_holds(&self.when, facts) {
            return Injected::default();
        }
        let delay = self.delay.filter(|(_, share)| chance.hits(*share));
        let abort = self.abort.filter(|(_, share)| chance.hits(*share));
        Injected {
            delay: delay.map(|(time, _)| time),
            abort: abort.map(|(status, _)| status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, TestFields};
    use crate::route::{Test, ValueTest};

    #[test]
    fn shares_are_independent_and_conditions_hold() {
        let condition = Condition {
            test: Test::Header("x-test".into(), ValueTest::Present),
            place: "test.toml:1".into(),
        };
        let fault = Fault {
            delay: Some((Duration::from_millis(200), 500_000)),
            abort: Some((503, 100_000)),
            when: [condition].into(),
        };
        let listener = fixture::listener(Vec::new());
        let fields = TestFields::new(&[("x-test", "1")]);
        let tested = fixture::facts(&listener, "h", "/", &fields);
        let other = fixture::facts(&listener, "h", "/", &());
        let mut chance = Chance::new(5);
        let injected: Vec<_> = (0..10_000)
            .map(|_| fault.inject(&tested, &mut chance))
            .collect();
        let count = |what: fn(&Injected) -> bool| injected.iter().filter(|one| what(one)).count();
        assert!((4_700..5_300).contains(&count(|one| one.delay.is_some())));
        assert!((850..1_150).contains(&count(|one| one.abort.is_some())));
        assert!((400..600).contains(&count(|one| one.delay.is_some() && one.abort.is_some())));
        assert!((0..1000).all(|_| fault.inject(&other, &mut chance) == Injected::default()));
    }
}
