//! One condition of a route.
//!
//! Names that come several times (fields, parameters, cookies) must satisfy a condition each time: a second one cannot
//! smuggle in another value that only the server would look at.

use portcullis_config::HostPattern;

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
    Matches(std::sync::Arc<Regexes>),
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
        }
    }
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
