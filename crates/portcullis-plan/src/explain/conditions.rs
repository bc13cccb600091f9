//! Why a condition of a route does not hold, in words.

use crate::facts::Facts;
use crate::route::{Condition, Test, ValueTest, cookies, parameters_named};

/// The innermost condition that makes `condition`, which does not hold, fail.
pub(super) fn to_blame<'c>(condition: &'c Condition, facts: &Facts<'_>) -> &'c Condition {
    let failing = |inner: &'c [Condition]| inner.iter().find(|inner| !inner.holds(facts));
    let inner = match &condition.test {
        Test::All(inner) => failing(inner),
        Test::Named(_, inner) => failing(inner),
        Test::Any(inner) if inner.len() == 1 => failing(inner),
        Test::None(inner) => {
            return inner
                .iter()
                .find(|inner| inner.holds(facts))
                .unwrap_or(condition);
        }
        _ => None,
    };
    inner.map_or(condition, |inner| to_blame(inner, facts))
}

/// What is there instead of what `condition` wants.
pub(super) fn unmet(condition: &Condition, facts: &Facts<'_>) -> String {
    match &condition.test {
        Test::Header(name, test) => values("header", name, test, &headers_named(facts, name)),
        Test::Parameter(name, test) => {
            let found = parameters_named(facts.query.unwrap_or_default(), name);
            values("query parameter", name, test, &found)
        }
        Test::Cookie(name, test) => values("cookie", name, test, &cookies_named(facts, name)),
        Test::Client(networks) => {
            let client = facts
                .client
                .map_or("on a Unix socket".to_owned(), |ip| ip.to_string());
            format!("client {client} is not in {networks}")
        }
        Test::TlsName(names) => unmet_tls_name(&listed(names), facts),
        Test::All(inner) => unmet_all(inner, facts),
        Test::Named(name, inner) => {
            format!(
                "condition `{name}` does not hold: {}",
                unmet_all(inner, facts)
            )
        }
        Test::Any(inner) => {
            let reasons: Vec<_> = inner.iter().map(|inner| unmet(inner, facts)).collect();
            format!("none of `any` holds: {}", reasons.join("; "))
        }
        Test::None(inner) => {
            let met = inner.iter().find(|inner| inner.holds(facts));
            format!(
                "`not` excludes it: {}",
                met.map_or(String::new(), described)
            )
        }
        Test::Host(..) => format!(
            "host is `{}`, not {}",
            facts.host,
            host_list(&condition.test)
        ),
        Test::Path(pattern, _) => format!("path does not fit `{pattern}`"),
        Test::Method(names) => format!(
            "method {} is not {}",
            String::from_utf8_lossy(facts.method),
            names.join(" or ")
        ),
        Test::Listener(names) => {
            format!(
                "listener `{}` is not {}",
                facts.listener.name,
                listed(names)
            )
        }
    }
}

fn headers_named(facts: &Facts<'_>, name: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    facts
        .fields
        .each(name, &mut |value| found.push(value.to_vec()));
    found
}

fn cookies_named(facts: &Facts<'_>, name: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    facts.fields.each("cookie", &mut |field| {
        let named = cookies(field).filter(|(own, _)| *own == name.as_bytes());
        found.extend(named.map(|(_, value)| value.to_vec()));
    });
    found
}

fn unmet_tls_name(wanted: &str, facts: &Facts<'_>) -> String {
    match facts.tls {
        None => format!("the connection has no TLS, and {wanted} is wanted as its name"),
        Some(tls) if tls.name.is_empty() => {
            format!("the TLS handshake named no server, not {wanted}")
        }
        Some(tls) => format!("TLS name `{}` is not {wanted}", tls.name),
    }
}

fn unmet_all(inner: &[Condition], facts: &Facts<'_>) -> String {
    let failing = inner.iter().find(|inner| !inner.holds(facts));
    failing.map_or(String::new(), |inner| unmet(inner, facts))
}

fn host_list(test: &Test) -> String {
    let Test::Host(names, regexes) = test else {
        return String::new();
    };
    let texts = regexes.iter().flat_map(|set| set.texts().iter());
    let all = names
        .iter()
        .map(ToString::to_string)
        .chain(texts.map(ToString::to_string));
    listed(&all.collect::<Vec<_>>())
}

/// A condition as one would say it.
fn described(condition: &Condition) -> String {
    described_test(&condition.test)
}

fn described_test(test: &Test) -> String {
    match test {
        Test::Header(name, test) => format!("header `{name}` {}", wanted(test)),
        Test::Parameter(name, test) => format!("query parameter `{name}` {}", wanted(test)),
        Test::Cookie(name, test) => format!("cookie `{name}` {}", wanted(test)),
        Test::Client(networks) => format!("client in {networks}"),
        Test::TlsName(names) => format!("TLS name {}", listed(names)),
        Test::Host(..) => format!("host {}", host_list(test)),
        Test::Path(pattern, _) => format!("path `{pattern}`"),
        Test::Method(names) => format!("method {}", names.join(" or ")),
        Test::Listener(names) => format!("listener {}", listed(names)),
        Test::All(inner) => joined(inner, " and "),
        Test::Any(inner) => joined(inner, " or "),
        Test::None(inner) => format!("not ({})", joined(inner, " or ")),
        Test::Named(name, _) => format!("condition `{name}`"),
    }
}

fn wanted(test: &ValueTest) -> String {
    match test {
        ValueTest::Present => "is there".to_owned(),
        ValueTest::Absent => "is not there".to_owned(),
        ValueTest::Equals(value) => format!("is `{}`", shown(value)),
        ValueTest::Matches(regexes) => format!("matches `{}`", regexes.texts().join("` or `")),
    }
}

fn joined(conditions: &[Condition], word: &str) -> String {
    let all: Vec<_> = conditions.iter().map(described).collect();
    all.join(word)
}

fn listed(names: &[impl std::fmt::Display]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}

fn values(kind: &str, name: &str, test: &ValueTest, found: &[Vec<u8>]) -> String {
    let wanted = match test {
        ValueTest::Present => return format!("{kind} `{name}` is absent"),
        ValueTest::Absent => return format!("{kind} `{name}` is present"),
        ValueTest::Equals(wanted) => format!("`{}`", shown(wanted)),
        ValueTest::Matches(regexes) => format!("a match of `{}`", regexes.texts().join("` or `")),
    };
    let fits = |value: &[u8]| match test {
        ValueTest::Equals(wanted) => *value == **wanted,
        ValueTest::Matches(regexes) => regexes.is_match(value),
        _ => true,
    };
    match found.iter().find(|value| !fits(value)) {
        None => format!("{kind} `{name}` is absent, not {wanted}"),
        Some(value) if found.len() > 1 => format!(
            "{kind} `{name}` comes {} times, and `{}` among them is not {wanted}",
            found.len(),
            shown(value)
        ),
        Some(value) => format!("{kind} `{name}` is `{}`, not {wanted}", shown(value)),
    }
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}
