//! The router against a naive matcher that is written plainly from the documented precedence.

use std::cmp::Reverse;

use portcullis_config::{HostPattern, Regex, Segment};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::networks::Networks;

/// A request as its parts, which the facts are made of.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    host: String,
    path: String,
    query: Vec<(&'static str, &'static str)>,
    cookies: Vec<(&'static str, &'static str)>,
    headers: Vec<(&'static str, &'static str)>,
    client: [u8; 4],
}

const VALUES: [&str; 4] = ["1", "2", "a b", ""];
const NAMES: [&str; 2] = ["x", "y"];
const REGEXES: [&str; 5] = ["[12]", "a.*", ".*", "^2$", "1|a b"];
const HOST_REGEXES: [&str; 4] = ["a", "[ab]", r".*\.a", r"[ab]\.[ab]"];
const PATH_REGEXES: [&str; 5] = ["/x", "/[xy]", "/x.*", ".*/y", "/x/[xy]/?"];
const METHODS: [&str; 3] = ["GET", "PUT", "TRACE"];

fn request() -> impl Strategy<Value = Request> {
    let pairs = || proptest::collection::vec((select(&NAMES[..]), select(&VALUES[..])), 0..3);
    (
        select(&METHODS[..]),
        "|([ab]\\.){0,2}[ab]",
        "(/[xy]{0,1}){1,3}",
        (pairs(), pairs(), pairs()),
        select(vec![[10, 0, 0, 1], [10, 1, 0, 1], [11, 0, 0, 1]]),
    )
        .prop_map(
            |(method, host, path, (query, cookies, headers), client)| Request {
                method,
                host,
                path,
                query,
                cookies: cookies
                    .into_iter()
                    .filter(|(_, value)| !value.contains(' '))
                    .collect(),
                headers,
                client,
            },
        )
}

fn value_test() -> impl Strategy<Value = ValueTest> {
    prop_oneof![
        Just(ValueTest::Present),
        Just(ValueTest::Absent),
        select(&VALUES[..]).prop_map(equals),
        select(&REGEXES[..]).prop_map(|text| ValueTest::Matches(Arc::new(compiled(text)))),
    ]
}

fn compiled(text: &str) -> Regexes {
    Regexes::new([&text.parse::<Regex>().unwrap()]).unwrap()
}

fn host_match() -> impl Strategy<Value = HostMatch> {
    prop_oneof![
        "(\\*\\.)?([ab]\\.){0,1}[ab]".prop_map(|text| HostMatch::Name(text.parse().unwrap())),
        select(&HOST_REGEXES[..]).prop_map(|text| HostMatch::regex(text).unwrap()),
    ]
}

fn path() -> impl Strategy<Value = PathPattern> {
    prop_oneof![
        "(/[xy]){1,2}/?".prop_map(|text| PathPattern::exact(&text).unwrap()),
        "(/[xy]){1,2}|/".prop_map(|text| PathPattern::prefix(&text).unwrap()),
        select(vec![
            "/{a}",
            "/{a}/{b}",
            "/x/{b}",
            "/{a}/y",
            "/{a...}",
            "/x/{b...}",
            "/{a}/{b}/",
            "/{a}/{b...}"
        ])
        .prop_map(|text| PathPattern::template(text).unwrap()),
        select(&PATH_REGEXES[..]).prop_map(|text| PathPattern::regex(text).unwrap()),
    ]
}

fn simple_test() -> impl Strategy<Value = Test> {
    let name = || select(&NAMES[..]).prop_map(Box::<str>::from);
    prop_oneof![
        (name(), value_test()).prop_map(|(name, test)| Test::Header(name, test)),
        (name(), value_test()).prop_map(|(name, test)| Test::Parameter(name, test)),
        (name(), value_test()).prop_map(|(name, test)| Test::Cookie(name, test)),
        select(vec!["10.0.0.0/8", "10.1.0.0/16"])
            .prop_map(|net| Test::Client(Networks::new([net.parse().unwrap()], false))),
        host_match().prop_map(|host| match host {
            HostMatch::Name(pattern) => Test::Host([pattern].into(), None),
            HostMatch::Regex(regex) =>
                Test::Host([].into(), Some(Arc::new(compiled(regex.as_str())))),
        }),
        path().prop_map(|path| {
            let regexes = match &path {
                PathPattern::Regex(regex) => Some(Arc::new(compiled(regex.as_str()))),
                _ => None,
            };
            Test::Path(path, regexes)
        }),
        select(&METHODS[..]).prop_map(|method| Test::Method([method.into()].into())),
    ]
}

fn condition(test: impl Strategy<Value = Test>) -> impl Strategy<Value = Condition> {
    test.prop_map(|test| Condition {
        test,
        place: "a:1".into(),
    })
}

fn test() -> impl Strategy<Value = Test> {
    simple_test().prop_recursive(3, 8, 3, |inner| {
        let group = move || proptest::collection::vec(condition(inner.clone()), 1..3);
        prop_oneof![
            group().prop_map(|group| Test::All(group.into())),
            group().prop_map(|group| Test::Any(group.into())),
            group().prop_map(|group| Test::None(group.into())),
            group().prop_map(|group| Test::Named("n".into(), group.into())),
        ]
    })
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let one = (
        prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(-1)],
        proptest::collection::vec(host_match(), 0..3),
        proptest::option::of(path()),
        proptest::collection::vec(select(&METHODS[..]), 0..2),
        proptest::collection::vec(condition(test()), 0..3),
    );
    proptest::collection::vec(one, 1..24).prop_map(|all| {
        let entries = all.into_iter().enumerate();
        entries
            .map(
                |(index, (priority, hosts, path, methods, conditions))| Entry {
                    priority,
                    hosts: hosts.into(),
                    path,
                    rule: Rule::new(methods.into_iter().map(Into::into).collect(), conditions),
                    ..entry(index, &[], "")
                },
            )
            .collect()
    })
}

/// Whether the whole of `text` matches, by another engine than the router's.
fn matches_whole(regex: &str, text: &str) -> bool {
    let whole = format!("^(?:{regex})$");
    regex_automata::meta::Regex::new(&whole)
        .unwrap()
        .is_match(text)
}

fn values_hold(test: &ValueTest, values: &[&str]) -> bool {
    match test {
        ValueTest::Present => !values.is_empty(),
        ValueTest::Absent => values.is_empty(),
        ValueTest::Equals(wanted) => {
            !values.is_empty() && values.iter().all(|value| value.as_bytes() == &**wanted)
        }
        ValueTest::Matches(set) => {
            !values.is_empty()
                && values
                    .iter()
                    .all(|value| matches_whole(&set.texts()[0], value))
        }
    }
}

fn named<'v>(pairs: &[(&str, &'v str)], name: &str) -> Vec<&'v str> {
    pairs
        .iter()
        .filter(|(own, _)| *own == name)
        .map(|(_, value)| *value)
        .collect()
}

fn name_holds(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Exact(name) => **name == *host,
        HostPattern::Wildcard(suffix) => host.ends_with(&format!(".{suffix}")),
    }
}

fn path_holds(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(exact) => **exact == *path,
        PathPattern::Prefix(prefix) => {
            let prefix = prefix.trim_end_matches('/');
            path == prefix || path.starts_with(&format!("{prefix}/"))
        }
        PathPattern::Template(template) => {
            let parts = template.segments().iter().map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::One(_) => "/[^/]+".to_owned(),
                Segment::Rest(_) => "/.*".to_owned(),
            });
            matches_whole(&parts.collect::<String>(), path)
        }
        PathPattern::Regex(regex) => matches_whole(regex.as_str(), path),
    }
}

fn holds(test: &Test, request: &Request) -> bool {
    match test {
        Test::Header(name, test) => values_hold(test, &named(&request.headers, name)),
        Test::Parameter(name, test) => values_hold(test, &named(&request.query, name)),
        Test::Cookie(name, test) => values_hold(test, &named(&request.cookies, name)),
        Test::Client(networks) => networks.contains(request.client.into()),
        Test::TlsName(_) | Test::Listener(_) => false,
        Test::Host(names, regexes) => {
            names.iter().any(|name| name_holds(name, &request.host))
                || !request.host.is_empty()
                    && regexes
                        .iter()
                        .any(|set| matches_whole(&set.texts()[0], &request.host))
        }
        Test::Path(pattern, _) => path_holds(pattern, &request.path),
        Test::Method(names) => names.iter().any(|name| **name == *request.method),
        Test::All(inner) => inner.iter().all(|inner| holds(&inner.test, request)),
        Test::Named(_, inner) => inner.iter().all(|inner| holds(&inner.test, request)),
        Test::Any(inner) => inner.iter().any(|inner| holds(&inner.test, request)),
        Test::None(inner) => inner.iter().all(|inner| !holds(&inner.test, request)),
    }
}

/// Class of a host or path and what counts within it; the greater comes first.
type Specific = (u8, Vec<u8>, usize, Reverse<usize>);

fn host_specific(host: &HostMatch, order: &[String]) -> Specific {
    match host {
        HostMatch::Name(HostPattern::Exact(_)) => (3, Vec::new(), 0, Reverse(0)),
        HostMatch::Name(HostPattern::Wildcard(suffix)) => (2, Vec::new(), suffix.len(), Reverse(0)),
        HostMatch::Regex(regex) => (1, Vec::new(), 0, Reverse(place(regex, order))),
    }
}

fn path_specific(path: Option<&PathPattern>, order: &[String]) -> Specific {
    match path {
        Some(PathPattern::Exact(_)) => (3, Vec::new(), 0, Reverse(0)),
        Some(PathPattern::Template(template)) => {
            let segments = template.segments().iter().map(|segment| match segment {
                Segment::Literal(_) => 2,
                Segment::One(_) => 1,
                Segment::Rest(_) => 0,
            });
            (2, segments.collect(), 0, Reverse(0))
        }
        Some(PathPattern::Regex(regex)) => (1, Vec::new(), 0, Reverse(place(regex, order))),
        Some(PathPattern::Prefix(prefix)) => (
            0,
            Vec::new(),
            prefix.trim_end_matches('/').len(),
            Reverse(0),
        ),
        None => (0, Vec::new(), 0, Reverse(0)),
    }
}

fn place(regex: &Regex, order: &[String]) -> usize {
    order
        .iter()
        .position(|text| text == regex.as_str())
        .unwrap()
}

/// The precedence of the module's documentation, spelled out.
fn naive(entries: &[Entry], request: &Request) -> Option<usize> {
    let host_order: Vec<String> = entries
        .iter()
        .flat_map(|entry| &entry.hosts)
        .filter(|host| matches!(host, HostMatch::Regex(_)))
        .map(ToString::to_string)
        .collect();
    let path_order: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.path.as_ref())
        .filter(|path| matches!(path, PathPattern::Regex(_)))
        .map(ToString::to_string)
        .collect();
    let ranked = entries.iter().filter_map(|entry| {
        let host = if entry.hosts.is_empty() {
            (0, Vec::new(), 0, Reverse(0))
        } else {
            let matching = entry.hosts.iter().filter(|host| match host {
                HostMatch::Name(pattern) => name_holds(pattern, &request.host),
                HostMatch::Regex(regex) => {
                    !request.host.is_empty() && matches_whole(regex.as_str(), &request.host)
                }
            });
            matching
                .map(|host| host_specific(host, &host_order))
                .max()?
        };
        let methods = entry.rule.methods();
        let takes_method = match methods {
            [] => request.method != "TRACE",
            named => named.iter().any(|name| **name == *request.method),
        };
        let whole = takes_method
            && entry
                .path
                .as_ref()
                .is_none_or(|path| path_holds(path, &request.path))
            && entry
                .rule
                .conditions()
                .iter()
                .all(|condition| holds(&condition.test, request));
        let kinds = |kind: fn(&Test) -> bool| {
            entry
                .rule
                .conditions()
                .iter()
                .filter(|condition| kind(&condition.test))
                .count()
        };
        let counts = (
            kinds(|test| matches!(test, Test::Header(..))),
            kinds(|test| matches!(test, Test::Parameter(..))),
            kinds(|test| matches!(test, Test::Cookie(..))),
            kinds(|test| {
                !matches!(
                    test,
                    Test::Header(..) | Test::Parameter(..) | Test::Cookie(..)
                )
            }),
        );
        let path = path_specific(entry.path.as_ref(), &path_order);
        let rank = (
            entry.priority,
            host,
            path,
            !methods.is_empty(),
            counts,
            Reverse(entry.route),
        );
        whole.then_some((rank, entry.route.index()))
    });
    ranked.max().map(|(_, index)| index)
}

fn found(listener: &Listener, request: &Request) -> Option<usize> {
    let cookies: Vec<String> = request
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let cookies = cookies.join("; ");
    let mut fields = request.headers.clone();
    if !cookies.is_empty() {
        fields.push(("cookie", &cookies));
    }
    let fields = TestFields::new(&fields);
    let query: Vec<String> = request
        .query
        .iter()
        .zip(0..)
        .map(|((name, value), index)| {
            format!(
                "{name}={}",
                value.replace(' ', if index == 0 { "+" } else { "%20" })
            )
        })
        .collect();
    let query = query.join("&");
    let mut facts = facts(listener, &request.host, &request.path, &fields);
    facts.method = request.method.as_bytes();
    facts.query = Some(query.as_bytes());
    facts.client = Some(request.client.into());
    match listener.router.find(&facts, &mut ()) {
        Found::Route(route, _) => Some(route.index()),
        Found::Nothing | Found::OtherMethods => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_router_agrees_with_the_naive_matcher(
        entries in entries(),
        requests in proptest::collection::vec(request(), 1..40),
    ) {
        let listener = listener(entries.clone());
        for request in &requests {
            prop_assert_eq!(found(&listener, request), naive(&entries, request), "{:?}", request);
        }
    }
}
