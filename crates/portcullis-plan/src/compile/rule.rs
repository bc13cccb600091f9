//! The conditions of a route.

use std::sync::Arc;

use portcullis_config as config;
use portcullis_config::{Span, Val, ValueMatch};

use super::Compiler;
use super::listener::networks;
use crate::regexes::Regexes;
use crate::route::{Condition, Rule, Test, ValueTest};

impl Compiler<'_> {
    /// Methods and conditions of a route.
    pub(super) fn rule(&mut self, written: &config::Route) -> Rule {
        let methods = written.methods.iter().flat_map(|methods| methods.iter());
        let methods = methods.map(|method| method.as_str().into()).collect();
        let mut conditions = Vec::new();
        for (name, wanted) in written.headers.iter() {
            let test = Test::Header(name.as_str().into(), self.values(wanted, |v| v.as_str()));
            conditions.push(self.condition(test, name.span));
        }
        for (name, wanted) in written.query.iter() {
            let test = Test::Parameter(name.as_str().into(), self.values(wanted, |v| v.as_str()));
            conditions.push(self.condition(test, name.span));
        }
        for (name, wanted) in written.cookies.iter() {
            let test = Test::Cookie(name.as_str().into(), self.values(wanted, |v| v.as_str()));
            conditions.push(self.condition(test, name.span));
        }
        if let Some(clients) = &written.clients {
            conditions.push(self.condition(Test::Client(networks(clients)), clients.span));
        }
        if let Some(names) = &written.tls_names {
            let test = Test::TlsName(names.iter().map(|name| name.value.clone()).collect());
            conditions.push(self.condition(test, names.span));
        }
        Rule::new(methods, conditions)
    }

    fn condition(&self, test: Test, span: Option<Span>) -> Condition {
        Condition {
            test,
            place: (*self.place(span)).into(),
        }
    }

    fn values<T>(&mut self, wanted: &Val<ValueMatch<T>>, text: fn(&T) -> &str) -> ValueTest {
        match &wanted.value {
            ValueMatch::Value(value) => ValueTest::Equals(text(value).as_bytes().into()),
            ValueMatch::Present => ValueTest::Present,
            ValueMatch::Absent => ValueTest::Absent,
            ValueMatch::Regex(regex) => match Regexes::new([regex]) {
                Some(compiled) => ValueTest::Matches(Arc::new(compiled)),
                None => {
                    let problem = config::Diagnostic::error(
                        "invalid-value",
                        "the regular expression is too large",
                    );
                    self.diagnostics.push(problem.at(wanted.span, ""));
                    ValueTest::Absent
                }
            },
        }
    }
}
