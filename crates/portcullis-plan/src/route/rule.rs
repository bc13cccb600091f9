//! The conditions of a route beside host and path.

use std::cmp::Reverse;

use super::condition::{Condition, Test};
use crate::facts::Facts;

/// Methods and further conditions of a route; all must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    methods: Box<[Box<str>]>,
    conditions: Box<[Condition]>,
}

/// How specific a rule is; the smaller comes first.
pub(super) type Rank = (Reverse<bool>, [Reverse<usize>; 4]);

impl Rule {
    /// The rule of a route that takes `methods` (all but CONNECT and TRACE if empty) under `conditions`.
    #[must_use]
    pub fn new(methods: Vec<Box<str>>, conditions: Vec<Condition>) -> Self {
        Self {
            methods: methods.into(),
            conditions: conditions.into(),
        }
    }

    /// The methods it names; methods are case-sensitive (RFC 9110 section 9.1), and GET does not include HEAD.
    #[must_use]
    pub fn methods(&self) -> &[Box<str>] {
        &self.methods
    }

    /// Its other conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether it takes every request, but for CONNECT and TRACE.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        self.methods.is_empty() && self.conditions.is_empty()
    }

    /// Whether it takes `method`; CONNECT and TRACE only where they are named.
    #[must_use]
    pub fn takes_method(&self, method: &[u8]) -> bool {
        if self.methods.is_empty() {
            return !matches!(method, b"CONNECT" | b"TRACE");
        }
        self.methods.iter().any(|named| named.as_bytes() == method)
    }

    /// The first condition that does not hold.
    #[must_use]
    pub fn failed(&self, facts: &Facts<'_>) -> Option<usize> {
        self.conditions
            .iter()
            .position(|condition| !condition.holds(facts))
    }

    /// How many conditions on headers, parameters, cookies and other things there are.
    #[must_use]
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for condition in &self.conditions {
            let [headers, parameters, cookies, others] = &mut counts;
            *match condition.test {
                Test::Header(..) => headers,
                Test::Parameter(..) => parameters,
                Test::Cookie(..) => cookies,
                _ => others,
            } += 1;
        }
        counts
    }

    /// Named methods first, then more conditions on headers, then on parameters, cookies and other things.
    pub(super) fn rank(&self) -> Rank {
        (
            Reverse(!self.methods.is_empty()),
            self.counts().map(Reverse),
        )
    }
}
