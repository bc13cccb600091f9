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
        self.named_values(
            &written.headers,
            &written.query,
            &written.cookies,
            &mut conditions,
        );
        self.lists(
            written.clients.as_ref(),
            written.tls_names.as_ref(),
            &mut conditions,
        );
        if let Some(when) = &written.when {
            let inner = self.inner(when);
            conditions.push(self.condition(Test::All(inner.into()), when.span));
        }
        Rule::new(methods, conditions)
    }

    /// Some conditions of which one must hold; none if nothing is written.
    pub(super) fn any_of(&mut self, written: Option<&Val<config::Conditions>>) -> Box<[Condition]> {
        let list = written.map_or(&[][..], |list| &list.0);
        list.iter().map(|one| self.whole(one)).collect()
    }

    /// Everything that a condition demands.
    fn inner(&mut self, written: &config::Condition) -> Vec<Condition> {
        let mut found = Vec::new();
        if let Some(name) = &written.named {
            let test = Test::Named(name.as_str().into(), self.named(&name.value));
            found.push(self.condition(test, name.span));
        }
        if let Some(hosts) = &written.hosts {
            let test = self.hosts(hosts);
            found.push(self.condition(test, hosts.span));
        }
        if let Some(path) = &written.path {
            let test = self.path(path);
            found.push(self.condition(test, path.span));
        }
        if let Some(methods) = &written.methods {
            let test = Test::Method(
                methods
                    .iter()
                    .map(|method| method.as_str().into())
                    .collect(),
            );
            found.push(self.condition(test, methods.span));
        }
        self.named_values(
            &written.headers,
            &written.query,
            &written.cookies,
            &mut found,
        );
        self.lists(
            written.clients.as_ref(),
            written.tls_names.as_ref(),
            &mut found,
        );
        if let Some(listeners) = &written.listeners {
            let test = Test::Listener(listeners.iter().map(|name| name.as_str().into()).collect());
            found.push(self.condition(test, listeners.span));
        }
        self.group(written.all.as_ref(), Test::All, &mut found);
        self.group(written.any.as_ref(), Test::Any, &mut found);
        self.group(written.not.as_ref(), Test::None, &mut found);
        found
    }

    fn group(
        &mut self,
        written: Option<&Val<config::Conditions>>,
        make: fn(Box<[Condition]>) -> Test,
        found: &mut Vec<Condition>,
    ) {
        if let Some(group) = written {
            let inner = group.0.iter().map(|one| self.whole(one)).collect();
            found.push(self.condition(make(inner), group.span));
        }
    }

    /// One condition of a group.
    fn whole(&mut self, written: &Val<config::Condition>) -> Condition {
        let mut inner = self.inner(written);
        match (inner.pop(), inner.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                inner.extend(last);
                self.condition(Test::All(inner.into()), written.span)
            }
        }
    }

    /// A `[condition.NAME]`, compiled once however often it is named.
    fn named(&mut self, name: &str) -> Arc<[Condition]> {
        if let Some(known) = self.conditions.get(name) {
            return Arc::clone(known);
        }
        let config = self.config;
        let found = config.condition(name).map(|found| self.inner(found));
        let compiled: Arc<[Condition]> = found.unwrap_or_default().into();
        self.conditions
            .insert(name.to_owned(), Arc::clone(&compiled));
        compiled
    }

    fn named_values(
        &mut self,
        headers: &[(Val<config::FieldName>, Val<config::HeaderMatch>)],
        query: &[(Val<config::ParameterName>, Val<config::QueryMatch>)],
        cookies: &[(Val<config::CookieName>, Val<config::CookieMatch>)],
        found: &mut Vec<Condition>,
    ) {
        for (name, wanted) in headers {
            let test = Test::Header(name.as_str().into(), self.values(wanted, |v| v.as_str()));
            found.push(self.condition(test, name.span));
        }
        for (name, wanted) in query {
            let test = Test::Parameter(name.as_str().into(), self.values(wanted, |v| v.as_str()));
            found.push(self.condition(test, name.span));
        }
        for (name, wanted) in cookies {
            let test = Test::Cookie(name.as_str().into(), self.values(wanted, |v| v.as_str()));
            found.push(self.condition(test, name.span));
        }
    }

    fn lists(
        &self,
        clients: Option<&Val<Vec<Val<config::Network>>>>,
        tls_names: Option<&Val<Vec<Val<config::HostPattern>>>>,
        found: &mut Vec<Condition>,
    ) {
        if let Some(clients) = clients {
            found.push(self.condition(Test::Client(networks(clients)), clients.span));
        }
        if let Some(names) = tls_names {
            let test = Test::TlsName(names.iter().map(|name| name.value.clone()).collect());
            found.push(self.condition(test, names.span));
        }
    }

    fn hosts(&mut self, hosts: &Val<Vec<Val<config::HostMatch>>>) -> Test {
        let names = hosts.iter().filter_map(|host| match &host.value {
            config::HostMatch::Name(pattern) => Some(pattern.clone()),
            config::HostMatch::Regex(_) => None,
        });
        let regexes: Vec<&config::Regex> = hosts
            .iter()
            .filter_map(|host| match &host.value {
                config::HostMatch::Name(_) => None,
                config::HostMatch::Regex(regex) => Some(regex),
            })
            .collect();
        let set = (!regexes.is_empty()).then(|| self.regexes(&regexes, hosts.span));
        Test::Host(names.collect(), set.flatten())
    }

    fn path(&mut self, path: &Val<config::PathPattern>) -> Test {
        let set = match &path.value {
            config::PathPattern::Regex(regex) => self.regexes(&[regex], path.span),
            _ => None,
        };
        Test::Path(path.value.clone(), set)
    }

    /// `None` after saying that they are too large.
    fn regexes(&mut self, regexes: &[&config::Regex], span: Option<Span>) -> Option<Arc<Regexes>> {
        let set = Regexes::new(regexes.iter().copied());
        if set.is_none() {
            let problem =
                config::Diagnostic::error("invalid-value", "the regular expressions are too large");
            self.diagnostics.push(problem.at(span, ""));
        }
        set.map(Arc::new)
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
            ValueMatch::Regex(regex) => match self.regexes(&[regex], wanted.span) {
                Some(compiled) => ValueTest::Matches(compiled),
                None => ValueTest::Absent,
            },
        }
    }
}
