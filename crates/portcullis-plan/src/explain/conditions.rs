//! Why a condition of a route does not hold, in words.

use crate::facts::Facts;
use crate::route::{Condition, Test, ValueTest, cookies, parameters_named};

/// What is there instead of what `condition` wants.
pub(super) fn unmet(condition: &Condition, facts: &Facts<'_>) -> String {
    match &condition.test {
        Test::Header(name, test) => {
            let mut found = Vec::new();
            facts
                .fields
                .each(name, &mut |value| found.push(value.to_vec()));
            values("header", name, test, &found)
        }
        Test::Parameter(name, test) => {
            let found = parameters_named(facts.query.unwrap_or_default(), name);
            values("query parameter", name, test, &found)
        }
        Test::Cookie(name, test) => {
            let mut found = Vec::new();
            facts.fields.each("cookie", &mut |field| {
                let named = cookies(field).filter(|(own, _)| *own == name.as_bytes());
                found.extend(named.map(|(_, value)| value.to_vec()));
            });
            values("cookie", name, test, &found)
        }
        Test::Client(networks) => {
            let client = facts
                .client
                .map_or("on a Unix socket".to_owned(), |ip| ip.to_string());
            format!("client {client} is not in {networks}")
        }
        Test::TlsName(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let wanted = names.join(" or ");
            match facts.tls {
                None => format!("the connection has no TLS, and {wanted} is wanted as its name"),
                Some(tls) if tls.name.is_empty() => {
                    format!("the TLS handshake named no server, not {wanted}")
                }
                Some(tls) => format!("TLS name `{}` is not {wanted}", tls.name),
            }
        }
    }
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
