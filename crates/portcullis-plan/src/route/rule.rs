//! The conditions of a route beside host and path.

use std::cmp::Reverse;

use crate::facts::Fields;

/// Methods and header conditions of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    methods: Box<[Box<str>]>,
    headers: Box<[HeaderCondition]>,
}

/// A condition on the fields of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderCondition {
    /// Lower-case name.
    pub name: Box<str>,
    /// What must hold.
    pub test: HeaderTest,
}

/// What must hold of the fields of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderTest {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// There is one, and every one has exactly this value: a second line cannot smuggle in another.
    Equals(Box<[u8]>),
}

impl Rule {
    /// The rule of a route that takes `methods` (all but CONNECT and TRACE if empty) and demands `headers`.
    #[must_use]
    pub fn new(methods: Vec<Box<str>>, headers: Vec<HeaderCondition>) -> Self {
        Self {
            methods: methods.into(),
            headers: headers.into(),
        }
    }

    /// The methods it names; methods are case-sensitive (RFC 9110 section 9.1), and GET does not include HEAD.
    #[must_use]
    pub fn methods(&self) -> &[Box<str>] {
        &self.methods
    }

    /// Its header conditions.
    #[must_use]
    pub fn headers(&self) -> &[HeaderCondition] {
        &self.headers
    }

    /// Whether it takes every request, but for CONNECT and TRACE.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        self.methods.is_empty() && self.headers.is_empty()
    }

    /// Whether it takes `method`; CONNECT and TRACE only where they are named.
    #[must_use]
    pub fn takes_method(&self, method: &[u8]) -> bool {
        if self.methods.is_empty() {
            return !matches!(method, b"CONNECT" | b"TRACE");
        }
        self.methods.iter().any(|named| named.as_bytes() == method)
    }

    /// The first header condition that does not hold.
    #[must_use]
    pub fn failed_header(&self, fields: &dyn Fields) -> Option<usize> {
        self.headers
            .iter()
            .position(|condition| !condition.holds(fields))
    }

    /// Smaller comes first: named methods, then more header conditions.
    pub(super) fn rank(&self) -> (Reverse<bool>, Reverse<usize>) {
        (
            Reverse(!self.methods.is_empty()),
            Reverse(self.headers.len()),
        )
    }
}

impl HeaderCondition {
    /// Whether it holds for these fields.
    #[must_use]
    pub fn holds(&self, fields: &dyn Fields) -> bool {
        match &self.test {
            HeaderTest::Present => fields.first(&self.name).is_some(),
            HeaderTest::Absent => fields.first(&self.name).is_none(),
            HeaderTest::Equals(wanted) => {
                let (mut any, mut all) = (false, true);
                fields.each(&self.name, &mut |value| {
                    any = true;
                    all &= *value == **wanted;
                });
                any && all
            }
        }
    }
}
