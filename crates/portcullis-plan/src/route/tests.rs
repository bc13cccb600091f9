//! The precedence of routes, against examples and against a naive model.
#![allow(clippy::unwrap_used)]

mod model;

use super::*;
use crate::facts::Fields;
use crate::fixture::{TestFields, entry, facts, listener};
use crate::plan::Listener;

fn rule(methods: &[&str], headers: &[(&str, ValueTest)]) -> Rule {
    let headers = headers.iter().map(|(name, test)| Condition {
        test: Test::Header((*name).into(), test.clone()),
        place: "a:1".into(),
    });
    Rule::new(
        methods.iter().map(|&method| method.into()).collect(),
        headers.collect(),
    )
}

fn equals(value: &str) -> ValueTest {
    ValueTest::Equals(value.as_bytes().into())
}

fn ask(
    listener: &Listener,
    method: &str,
    host: &str,
    path: &str,
    fields: &dyn Fields,
) -> Result<usize, bool> {
    let mut facts = facts(listener, host, path, fields);
    facts.method = method.as_bytes();
    match listener.router.find(&facts, &mut ()) {
        Found::Route(route, _) => Ok(route.index()),
        Found::Nothing => Err(false),
        Found::OtherMethods => Err(true),
    }
}

fn get(listener: &Listener, host: &str, path: &str) -> Option<usize> {
    ask(listener, "GET", host, path, &()).ok()
}

#[test]
fn exact_host_beats_longest_wildcard_beats_any() {
    let listener = listener(vec![
        entry(0, &[], ""),
        entry(1, &["*.example.com"], ""),
        entry(2, &["*.b.example.com"], ""),
        entry(3, &["a.b.example.com"], ""),
    ]);
    for (host, expected) in [
        ("a.b.example.com", 3),
        ("c.b.example.com", 2),
        ("x.c.b.example.com", 2),
        ("b.example.com", 1),
        ("example.com", 0),
        ("other", 0),
        ("", 0),
        ("badexample.com", 0),
    ] {
        assert_eq!(get(&listener, host, "/"), Some(expected), "{host}");
    }
}

#[test]
fn exact_path_beats_longest_prefix_of_whole_segments() {
    let listener = listener(vec![
        entry(0, &[], "/"),
        entry(1, &[], "/v1"),
        entry(2, &[], "/v1/users"),
        entry(3, &[], "=/v1/users"),
        entry(4, &[], "=/"),
        entry(5, &[], "=/v1/"),
    ]);
    for (path, expected) in [
        ("/", 4),
        ("/v1", 1),
        ("/v1/", 5),
        ("/v1/x", 1),
        ("/v10", 0),
        ("/v1/users", 3),
        ("/v1/users/", 2),
        ("/v1/users/7", 2),
        ("/v2/users", 0),
    ] {
        assert_eq!(get(&listener, "h", path), Some(expected), "{path}");
    }
}

#[test]
fn closing_slash_of_a_prefix_means_nothing() {
    let listener = listener(vec![entry(0, &[], "/v1/")]);
    assert_eq!(get(&listener, "h", "/v1"), Some(0));
    assert_eq!(get(&listener, "h", "/v1/x"), Some(0));
    assert_eq!(get(&listener, "h", "/v10"), None);
}

#[test]
fn depth_of_paths_has_no_bound() {
    let deep = |segments: usize| "/x".repeat(segments);
    let listener = listener(vec![
        entry(0, &[], &deep(62)),
        entry(1, &[], &deep(63)),
        entry(2, &[], &deep(64)),
        entry(3, &[], &deep(90)),
    ]);
    for (segments, expected) in [
        (61, None),
        (62, Some(0)),
        (63, Some(1)),
        (64, Some(2)),
        (89, Some(2)),
        (90, Some(3)),
        (200, Some(3)),
    ] {
        assert_eq!(get(&listener, "h", &deep(segments)), expected, "{segments}");
    }
}

#[test]
fn conditions_break_ties_then_file_order() {
    let with = |index, rule| Entry {
        rule,
        ..entry(index, &[], "/")
    };
    let listener = listener(vec![
        with(0, rule(&[], &[])),
        with(1, rule(&[], &[("a", ValueTest::Present)])),
        with(
            2,
            rule(&[], &[("a", ValueTest::Present), ("b", ValueTest::Absent)]),
        ),
        with(3, rule(&["GET"], &[])),
        with(4, rule(&["GET", "PUT"], &[])),
        with(5, rule(&["PUT"], &[("a", equals("1"))])),
    ]);
    let fields = TestFields::new(&[("a", "1")]);
    assert_eq!(
        ask(&listener, "GET", "h", "/", &fields),
        Ok(3),
        "methods before headers, file order among equals"
    );
    assert_eq!(
        ask(&listener, "PUT", "h", "/", &fields),
        Ok(5),
        "more header conditions among routes with methods"
    );
    assert_eq!(ask(&listener, "POST", "h", "/", &fields), Ok(2));
    assert_eq!(
        ask(
            &listener,
            "POST",
            "h",
            "/",
            &TestFields::new(&[("a", "1"), ("b", "")])
        ),
        Ok(1)
    );
    assert_eq!(ask(&listener, "POST", "h", "/", &()), Ok(0));
}

fn matching(index: usize, hosts: &[&str], path: PathPattern) -> Entry {
    let host = |text: &&str| match text.strip_prefix('~') {
        Some(regex) => HostMatch::regex(regex).unwrap(),
        None => HostMatch::Name(text.parse().unwrap()),
    };
    Entry {
        path: Some(path),
        hosts: hosts.iter().map(host).collect(),
        ..entry(index, &[], "")
    }
}

fn template(text: &str) -> PathPattern {
    PathPattern::template(text).unwrap()
}

fn regex(text: &str) -> PathPattern {
    PathPattern::regex(text).unwrap()
}

fn prefix(text: &str) -> PathPattern {
    PathPattern::prefix(text).unwrap()
}

#[test]
fn exact_beats_template_beats_expression_beats_prefix() {
    let listener = listener(vec![
        entry(0, &[], "/users"),
        matching(1, &[], regex("/users/.*")),
        matching(2, &[], template("/users/{id}")),
        entry(3, &[], "=/users/me"),
        matching(4, &[], regex("/users/[0-9]+/x")),
    ]);
    for (path, expected) in [
        ("/users/me", 3),
        ("/users/7", 2),
        ("/users/7/", 1),
        ("/users/7/x", 1),
        ("/users", 0),
    ] {
        assert_eq!(
            get(&listener, "h", path),
            Some(expected),
            "{path}: the first expression of the file wins"
        );
    }
}

#[test]
fn templates_are_told_apart_segment_by_segment() {
    let listener = listener(vec![
        matching(0, &[], template("/{all...}")),
        matching(1, &[], template("/{a}/{b}")),
        matching(2, &[], template("/{a}/x")),
        matching(3, &[], template("/u/{rest...}")),
        matching(4, &[], template("/u/{b}/y")),
    ]);
    for (path, expected) in [
        ("/u/x", 3),
        ("/u/x/y", 4),
        ("/u/x/z", 3),
        ("/u/", 3),
        ("/u", 0),
        ("/v/x", 2),
        ("/v/w", 1),
        ("/v/w/", 0),
        ("/", 0),
    ] {
        assert_eq!(get(&listener, "h", path), Some(expected), "{path}");
    }
    assert_eq!(
        ask(&listener, "OPTIONS", "h", "*", &()),
        Err(false),
        "no path, no template"
    );
}

#[test]
fn expressions_of_hosts_come_after_wildcards_in_the_order_of_the_file() {
    let listener = listener(vec![
        matching(0, &["~.*"], prefix("/")),
        matching(1, &["~shop-[0-9]+"], prefix("/deep/er")),
        matching(2, &["*.x"], prefix("/")),
        entry(3, &[], "/any"),
    ]);
    assert_eq!(get(&listener, "a.x", "/"), Some(2));
    assert_eq!(
        get(&listener, "shop-1", "/deep/er"),
        Some(0),
        "the host comes before the path"
    );
    assert_eq!(
        get(&listener, "", "/any"),
        Some(3),
        "without a host no expression matches"
    );
}

#[test]
fn priority_comes_before_everything_else() {
    let with = |index, priority, hosts: &[&str], path| Entry {
        priority,
        ..entry(index, hosts, path)
    };
    let listener = listener(vec![
        with(0, 0, &["a"], "=/x"),
        with(1, 5, &[], "/x"),
        with(2, -1, &["a"], "=/y"),
        with(3, 0, &[], ""),
    ]);
    assert_eq!(get(&listener, "a", "/x"), Some(1));
    assert_eq!(get(&listener, "a", "/y"), Some(3));
}

#[test]
fn conditions_of_every_kind_hold_or_not() {
    let one = |test| Entry {
        rule: Rule::new(
            Vec::new(),
            vec![Condition {
                test,
                place: "a:1".into(),
            }],
        ),
        ..entry(0, &[], "/")
    };
    let holds = |test: &Test, change: &dyn Fn(&mut Facts<'_>)| {
        let listener = listener(vec![one(test.clone())]);
        let fields = TestFields::new(&[("cookie", "a=1; b=2"), ("cookie", "b=3")]);
        let mut facts = facts(&listener, "h", "/", &fields);
        facts.query = Some(b"a=1&b=x%20y&b=x+y&c");
        change(&mut facts);
        matches!(listener.router.find(&facts, &mut ()), Found::Route(..))
    };
    let matches_regex =
        |text: &str| ValueTest::Matches(Arc::new(Regexes::new([&text.parse().unwrap()]).unwrap()));
    let asked = |test: &Test| holds(test, &|_| {});
    let parameter = |name: &str, test| asked(&Test::Parameter(name.into(), test));
    assert!(
        parameter("a", equals("1")) && parameter("b", equals("x y")) && parameter("c", equals(""))
    );
    assert!(parameter("c", ValueTest::Present) && parameter("d", ValueTest::Absent));
    assert!(parameter("b", matches_regex("x .")) && !parameter("b", matches_regex("x")));
    assert!(!parameter("a", ValueTest::Absent) && !parameter("d", equals("")));
    let cookie = |name: &str, test| asked(&Test::Cookie(name.into(), test));
    assert!(cookie("a", equals("1")) && cookie("b", matches_regex("[23]")));
    assert!(!cookie("b", equals("2")), "each of them must be equal");
    assert!(cookie("c", ValueTest::Absent) && !cookie("a", ValueTest::Absent));
    let client = Test::Client(crate::Networks::new(["10.0.0.0/8".parse().unwrap()], true));
    assert!(holds(&client, &|facts| facts.client = Some([10, 1, 2, 3].into())));
    assert!(!holds(&client, &|facts| facts.client = Some([11, 1, 2, 3].into())));
    assert!(
        holds(&client, &|facts| facts.client = None),
        "on a Unix socket"
    );
    let name = Test::TlsName(["*.a.test".parse().unwrap()].into());
    assert!(!asked(&name), "there is no TLS");
}

#[test]
fn falls_through_to_less_specific_paths_and_hosts() {
    let listener = listener(vec![
        Entry {
            rule: rule(&["PUT"], &[]),
            ..entry(0, &["a.example.com"], "=/x")
        },
        Entry {
            rule: rule(&["POST"], &[]),
            ..entry(1, &["a.example.com"], "/")
        },
        entry(2, &["*.example.com"], "/y"),
        entry(3, &["*.com"], "/x"),
        entry(4, &[], "/"),
    ]);
    assert_eq!(ask(&listener, "PUT", "a.example.com", "/x", &()), Ok(0));
    assert_eq!(ask(&listener, "POST", "a.example.com", "/x", &()), Ok(1));
    assert_eq!(get(&listener, "a.example.com", "/y"), Some(2));
    assert_eq!(get(&listener, "a.example.com", "/x"), Some(3));
    assert_eq!(get(&listener, "a.example.com", "/z"), Some(4));
}

#[test]
fn repeated_fields_cannot_smuggle_a_value() {
    let listener = listener(vec![Entry {
        rule: rule(&[], &[("x-tenant", equals("blue"))]),
        ..entry(0, &[], "")
    }]);
    let blue = |fields| ask(&listener, "GET", "h", "/", &TestFields::new(fields)).is_ok();
    assert!(blue(&[("x-tenant", "blue")]));
    assert!(blue(&[("x-tenant", "blue"), ("x-tenant", "blue")]));
    assert!(!blue(&[("x-tenant", "blue"), ("x-tenant", "red")]));
    assert!(!blue(&[("x-tenant", "Blue")]));
    assert!(!blue(&[]));
}

#[test]
fn connect_and_trace_need_a_route_that_names_them() {
    let listener = listener(vec![
        entry(0, &[], ""),
        Entry {
            rule: rule(&["TRACE"], &[]),
            ..entry(1, &[], "/trace")
        },
        Entry {
            rule: rule(&["CONNECT"], &[]),
            ..entry(2, &["tunnel"], "")
        },
        Entry {
            rule: rule(&["CONNECT"], &[]),
            ..entry(3, &["other"], "/")
        },
    ]);
    assert_eq!(ask(&listener, "TRACE", "h", "/trace", &()), Ok(1));
    assert_eq!(ask(&listener, "TRACE", "h", "/", &()), Err(true));
    assert_eq!(ask(&listener, "CONNECT", "tunnel", "", &()), Ok(2));
    assert_eq!(ask(&listener, "CONNECT", "h", "", &()), Err(true));
    assert_eq!(
        ask(&listener, "CONNECT", "other", "", &()),
        Err(true),
        "a route with a path has none for CONNECT"
    );
}

#[test]
fn requests_without_path_match_only_routes_without_path() {
    let listener = listener(vec![entry(0, &["a"], "/"), entry(1, &["b"], "")]);
    assert_eq!(ask(&listener, "OPTIONS", "a", "*", &()), Err(false));
    assert_eq!(ask(&listener, "OPTIONS", "b", "*", &()), Ok(1));
}

#[test]
fn other_methods_are_told_from_nothing() {
    let listener = listener(vec![
        Entry {
            rule: rule(&["GET", "HEAD"], &[]),
            ..entry(0, &[], "/a")
        },
        Entry {
            rule: rule(&["PUT"], &[("x", ValueTest::Present)]),
            ..entry(1, &[], "/a")
        },
        Entry {
            rule: rule(&["DELETE"], &[]),
            ..entry(2, &[], "/")
        },
    ]);
    assert_eq!(ask(&listener, "POST", "h", "/a", &()), Err(true));
    assert_eq!(ask(&listener, "POST", "h", "/b", &()), Err(true));
    let mut facts = facts(&listener, "h", "/a", &());
    facts.method = b"POST";
    let mut allow = Vec::new();
    listener.router.write_allow(&facts, &mut allow);
    assert_eq!(
        String::from_utf8(allow).unwrap(),
        "GET, HEAD, DELETE",
        "PUT would need a header"
    );
}

#[test]
fn each_candidate_keeps_its_own_terms() {
    let slow = ExchangeTimeouts {
        connect: std::time::Duration::from_secs(9),
        ..crate::fixture::timeouts()
    };
    let first = entry(0, &[], "/");
    let conduct = &first.conduct;
    let listener = listener(vec![
        Entry {
            timeouts: slow.clone().into(),
            conduct: Arc::clone(conduct),
            ..entry(1, &[], "/slow")
        },
        Entry {
            conduct: Arc::clone(conduct),
            ..entry(2, &[], "/x")
        },
        entry(3, &[], "/other"),
        first,
    ]);
    let found = listener
        .router
        .find(&facts(&listener, "h", "/slow/x", &()), &mut ());
    assert!(matches!(found, Found::Route(_, terms) if terms.timeouts == slow));
    assert_eq!(
        listener.router.terms.len(),
        3,
        "equal terms are stored once"
    );
}

struct Heard(Vec<(usize, Verdict)>);

impl Witness for Heard {
    const WHOLE: bool = true;

    fn considered(&mut self, route: RouteId, verdict: Verdict) {
        self.0.push((route.index(), verdict));
    }
}

#[test]
fn a_witness_hears_why_each_candidate_lost() {
    let listener = listener(vec![
        entry(0, &[], ""),
        Entry {
            rule: rule(&["PUT"], &[]),
            ..entry(1, &["h"], "/a")
        },
        Entry {
            rule: rule(&[], &[("x", ValueTest::Absent), ("y", ValueTest::Present)]),
            ..entry(2, &["h"], "/a")
        },
        entry(3, &["h"], "/a"),
        entry(4, &["h"], "/b"),
    ]);
    let mut heard = Heard(Vec::new());
    let found = listener
        .router
        .find(&facts(&listener, "h", "/a", &()), &mut heard);
    assert!(matches!(found, Found::Route(route, _) if route.index() == 3));
    let expected = [
        (1, Verdict::Method),
        (2, Verdict::Condition(1)),
        (3, Verdict::Won),
        (0, Verdict::Outranked),
    ];
    assert_eq!(heard.0, expected);
}
