//! Conditions: names that lead nowhere or back to themselves, groups that say nothing or too much.

use std::collections::{HashMap, HashSet};

use super::names::dangling;
use super::{Check, route};
use crate::diagnostic::Diagnostic;
use crate::schema::{Condition, Val};

/// How deep conditions may lie in one another, those behind names included.
const MAX_DEPTH: usize = 8;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    let mut used = HashSet::new();
    let mut depths = Depths::default();
    for (name, condition) in &config.conditions {
        one(check, condition, &mut HashSet::new());
        depths.path.push(&name.value);
        if !depths.told.contains(name.value.as_str()) {
            depths.height(check, condition, 1);
        }
        depths.path.pop();
    }
    for when in config
        .routes
        .iter()
        .flat_map(|route| route.all_conditions())
    {
        one(check, when, &mut used);
        depths.height(check, when, 1);
    }
    unused(check, used);
}

/// What is wrong with a condition by itself, and with those within it.
fn one<'a>(check: &mut Check<'a>, condition: &'a Val<Condition>, used: &mut HashSet<&'a str>) {
    if condition.value.is_empty() && check.is_clean(condition.span) {
        let diagnostic = Diagnostic::error("empty-list", "the condition says nothing");
        check.report(
            diagnostic
                .at(condition.span, "nothing in it")
                .help("a condition that always holds is left out"),
        );
    }
    if let Some(name) = &condition.named {
        used.insert(&name.value);
        if !check.declared.conditions.contains(&name.value) {
            let diagnostic = dangling(
                "condition",
                &name.value,
                name.span,
                &check.declared.conditions,
            );
            check.report(diagnostic);
        }
    }
    lists(check, condition);
    groups(check, condition);
    for inner in condition.inner() {
        one(check, inner, used);
    }
}

fn lists(check: &mut Check<'_>, condition: &Condition) {
    const HELP: &str = "leave it out, or say what it is";
    if let Some(hosts) = &condition.hosts {
        check.not_empty(hosts, "hosts", HELP);
        route::repeated(check, &hosts.value, "host");
    }
    if let Some(methods) = &condition.methods {
        check.not_empty(methods, "methods", HELP);
        route::repeated(check, &methods.value, "method");
    }
    if let Some(clients) = &condition.clients {
        check.not_empty(clients, "clients", HELP);
        route::repeated(check, &clients.value, "network");
    }
    if let Some(names) = &condition.tls_names {
        check.not_empty(names, "tls_names", HELP);
        route::repeated(check, &names.value, "name");
    }
    check.not_empty(&condition.headers, "headers", HELP);
    check.not_empty(&condition.query, "query", HELP);
    check.not_empty(&condition.cookies, "cookies", HELP);
    if let Some(listeners) = &condition.listeners {
        check.not_empty(listeners, "listeners", HELP);
        for name in listeners.iter() {
            if !check.declared.listeners.contains(&name.value) {
                let diagnostic = dangling(
                    "listener",
                    &name.value,
                    name.span,
                    &check.declared.listeners,
                );
                check.report(diagnostic);
            }
        }
    }
}

fn groups(check: &mut Check<'_>, condition: &Condition) {
    for (key, group) in [
        ("all", &condition.all),
        ("any", &condition.any),
        ("not", &condition.not),
    ] {
        if let Some(group) = group
            && group.0.is_empty()
            && check.is_clean(group.span)
        {
            let diagnostic = Diagnostic::error("empty-list", format!("`{key}` is empty"));
            check.report(
                diagnostic
                    .at(group.span, "nothing in it")
                    .help("leave it out, or put conditions into it"),
            );
        }
    }
}

/// How many levels lie within the conditions that have names, as far as they are known to be few enough.
#[derive(Default)]
struct Depths<'a> {
    heights: HashMap<&'a str, usize>,
    /// The names about which something was reported.
    told: HashSet<&'a str>,
    /// The names that are being followed.
    path: Vec<&'a str>,
}

impl<'a> Depths<'a> {
    /// The levels within a condition that lies at `level`; `None` after reporting a name that leads back to itself,
    /// or that there are too many.
    fn height(
        &mut self,
        check: &mut Check<'a>,
        condition: &'a Val<Condition>,
        level: usize,
    ) -> Option<usize> {
        if level > MAX_DEPTH {
            let diagnostic =
                Diagnostic::error("deep-condition", "conditions lie too deep in one another");
            check.report(diagnostic.at(condition.span, format!("more than {MAX_DEPTH} levels")));
            return None;
        }
        let mut height = 1;
        if let Some(name) = &condition.named {
            height = height.max(1 + self.named(check, name, level)?);
        }
        for inner in condition.inner() {
            height = height.max(1 + self.height(check, inner, level + 1)?);
        }
        Some(height)
    }

    fn named(
        &mut self,
        check: &mut Check<'a>,
        name: &'a Val<String>,
        level: usize,
    ) -> Option<usize> {
        if self.told.contains(name.value.as_str()) {
            return None;
        }
        let known = self.heights.get(name.value.as_str()).copied();
        if let Some(height) = known.filter(|height| level + height <= MAX_DEPTH) {
            return Some(height);
        }
        if let Some(at) = self.path.iter().position(|own| *own == name.value) {
            self.told.extend(&self.path);
            let circle = self.path.get(at..).unwrap_or_default().join("` needs `");
            let message = format!("the condition `{circle}` needs `{}` again", name.value);
            check.report(
                Diagnostic::error("circular-condition", message)
                    .at(name.span, "leads back to itself"),
            );
            return None;
        }
        let Some(target) = check.config.condition(&name.value) else {
            return Some(0);
        };
        self.path.push(&name.value);
        let height = self.height(check, target, level + 1);
        self.path.pop();
        self.heights
            .extend(height.map(|height| (name.value.as_str(), height)));
        height
    }
}

fn unused<'a>(check: &mut Check<'a>, mut used: HashSet<&'a str>) {
    let config = check.config;
    // What a used condition names is used too.
    let mut more: Vec<&'a str> = used.iter().copied().collect();
    while let Some(name) = more.pop() {
        let mut pending: Vec<&'a Condition> = config
            .condition(name)
            .map(|found| &found.value)
            .into_iter()
            .collect();
        while let Some(condition) = pending.pop() {
            if let Some(name) = &condition.named
                && used.insert(&name.value)
            {
                more.push(&name.value);
            }
            pending.extend(condition.inner().map(|inner| &inner.value));
        }
    }
    for (name, _) in &config.conditions {
        if !used.contains(name.value.as_str()) {
            let message = format!("no route needs the condition `{}`", name.value);
            let diagnostic = Diagnostic::warning("unused-condition", message);
            check.report(
                diagnostic
                    .at(name.span, "unused")
                    .help("name it in `when` of a route, or remove it"),
            );
        }
    }
}
