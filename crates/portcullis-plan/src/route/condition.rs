//! One condition of a route.
//!
//! Names that come several times (fields, parameters, cookies) must satisfy a condition each time: a second one cannot
//! smuggle in another value that only the server would look at.

use std::sync::Arc;

use portcullis_config::{HostPattern, PathPattern};

use super::parts;
use crate::facts::Facts;
use crate::networks::Networks;
use crate::regexes::Regexes;

/// A condition, and where it is written. Equal when they say the same, wherever they are written.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What must hold.
    pub test: Test,
    /// `file:line`.
    pub place: Box<str>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.test == other.test
    }
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Of the fields of this lower-case name.
    Header(Box<str>, ValueTest),
    /// Of the query's parameters of this name; names and values are compared decoded.
    Parameter(Box<str>, ValueTest),
    /// Of the cookies of this name; values are compared as sent.
    Cookie(Box<str>, ValueTest),
    /// The believed client is in one of these networks.
    Client(Networks),
    /// The name asked for in the TLS handshake is one of these.
    TlsName(Box<[HostPattern]>),
    /// The host is one of these.
    Host(Box<[HostPattern]>, Option<Arc<Regexes>>),
    /// The path fits.
    Path(PathPattern, Option<Arc<Regexes>>),
    /// The method is one of these.
    Method(Box<[Box<str>]>),
    /// The listener is one of these, by name.
    Listener(Box<[Box<str>]>),
    /// All of these hold.
    All(Box<[Condition]>),
    /// At least one of these holds.
    Any(Box<[Condition]>),
    /// None of these holds.
    None(Box<[Condition]>),
    /// All of these hold, which are a `[condition.NAME]`.
    Named(Box<str>, Arc<[Condition]>),
}

/// What must hold of the values of one name.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueTest {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// There is one, and every one is exactly this.
    Equals(Box<[u8]>),
    /// There is one, and every one matches this as a whole.
    Matches(Arc<Regexes>),
}

impl Condition {
    /// Whether it holds for this request.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match &self.test {
            Test::Header(name, test) => header(name, test, facts),
            Test::Parameter(name, test) => parameter(name, test, facts),
            Test::Cookie(name, test) => cookie(name, test, facts),
            Test::Client(networks) => match facts.client {
                Some(client) => networks.contains(client),
                None => networks.contains_unix(),
            },
            Test::TlsName(names) => facts
                .tls
                .is_some_and(|tls| names.iter().any(|name| name.takes(&tls.name))),
            Test::Host(names, regexes) => host(names, regexes.as_deref(), facts),
            Test::Path(pattern, regexes) => path(pattern, regexes.as_deref(), facts),
            Test::Method(names) => names.iter().any(|name| name.as_bytes() == facts.method),
            Test::Listener(names) => names.iter().any(|name| **name == *facts.listener.name),
            Test::All(inner) => inner.iter().all(|inner| inner.holds(facts)),
            Test::Any(inner) => inner.iter().any(|inner| inner.holds(facts)),
            Test::None(inner) => !inner.iter().any(|inner| inner.holds(facts)),
            Test::Named(_, inner) => inner.iter().all(|inner| inner.holds(facts)),
        }
    }
}

/// A request without a host has none of them.
fn host(names: &[HostPattern], regexes: Option<&Regexes>, facts: &Facts<'_>) -> bool {
    !facts.host.is_empty()
        && (names.iter().any(|name| name.takes(facts.host))
            || regexes.is_some_and(|set| set.is_match(facts.host.as_bytes())))
}

/// A request without a path has none that fits.
fn path(pattern: &PathPattern, regexes: Option<&Regexes>, facts: &Facts<'_>) -> bool {
    if facts.path.first() != Some(&b'/') {
        return false;
    }
    // A normalised path is ASCII.
    let text = std::str::from_utf8(facts.path).unwrap_or_default();
    pattern
        .takes(text)
        .unwrap_or_else(|| regexes.is_some_and(|set| set.is_match(facts.path)))
}

/// What has been seen of the values of one name.
struct Seen<'t> {
    test: &'t ValueTest,
    any: bool,
    all: bool,
}

impl<'t> Seen<'t> {
    fn nothing(test: &'t ValueTest) -> Self {
        Self {
            test,
            any: false,
            all: true,
        }
    }

    /// Judges one more value, which `equals` and `matches` compare.
    fn see(&mut self, equals: impl FnOnce(&[u8]) -> bool, matches: impl FnOnce(&Regexes) -> bool) {
        self.any = true;
        self.all &= match self.test {
            ValueTest::Present | ValueTest::Absent => true,
            ValueTest::Equals(wanted) => equals(wanted),
            ValueTest::Matches(regex) => matches(regex),
        };
    }

    fn holds(&self) -> bool {
        match self.test {
            ValueTest::Absent => !self.any,
            _ => self.any && self.all,
        }
    }
}

fn header(name: &str, test: &ValueTest, facts: &Facts<'_>) -> bool {
    let mut seen = Seen::nothing(test);
    facts.fields.each(name, &mut |value| {
        seen.see(|wanted| value == wanted, |regex| regex.is_match(value));
    });
    seen.holds()
}

fn parameter(name: &str, test: &ValueTest, facts: &Facts<'_>) -> bool {
    let mut seen = Seen::nothing(test);
    for (own, value) in parts::parameters(facts.query.unwrap_or_default()) {
        if parts::decodes_to(own, name.as_bytes()) {
            seen.see(
                |wanted| parts::decodes_to(value, wanted),
                |regex| parts::with_decoded(value, |value| regex.is_match(value)),
            );
        }
    }
    seen.holds()
}

fn cookie(name: &str, test: &ValueTest, facts: &Facts<'_>) -> bool {
    let mut seen = Seen::nothing(test);
    facts.fields.each("cookie", &mut |field| {
        for (own, value) in parts::cookies(field) {
            if own == name.as_bytes() {
                seen.see(|wanted| value == wanted, |regex| regex.is_match(value));
            }
        }
    });
    seen.holds()
}
