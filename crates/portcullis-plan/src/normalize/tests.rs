//! Normal forms and refusals.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn with(raw: &str, policy: &PathPolicy) -> Result<String, PathRefusal> {
    let mut scratch = Vec::new();
    path(raw.as_bytes(), policy, &mut scratch).map(|path| String::from_utf8(path.to_vec()).unwrap())
}

fn normal(raw: &str) -> Result<String, PathRefusal> {
    with(raw, &PathPolicy::default())
}

#[test]
fn plain_paths_are_borrowed() {
    let mut scratch = Vec::new();
    for raw in ["/", "/a/b.c/d-e", "/a/", "/a.b"] {
        let bytes = raw.as_bytes();
        let found = path(bytes, &PathPolicy::default(), &mut scratch).unwrap();
        assert_eq!(found.as_ptr(), bytes.as_ptr(), "{raw} must not be copied");
    }
}

#[test]
fn dot_segments_are_removed() {
    for (raw, expected) in [
        ("", "/"),
        ("/a/./b", "/a/b"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/a/../..x/...", "/..x/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e/b", "/a/b"),
    ] {
        assert_eq!(normal(raw).as_deref(), Ok(expected), "{raw}");
    }
}

#[test]
fn climbing_above_the_root_is_refused() {
    for raw in ["/..", "/../a", "/a/../../b", "/%2e%2e/a", "/./.."] {
        assert_eq!(normal(raw), Err(PathRefusal::AboveRoot), "{raw}");
    }
}

#[test]
fn encodings_take_their_normal_form() {
    assert_eq!(normal("/%41%7e%2d/%c3%a9").as_deref(), Ok("/A~-/%C3%A9"));
    assert_eq!(
        normal("/%252e%252e/a").as_deref(),
        Ok("/%252e%252e/a"),
        "decoded once only"
    );
    assert_eq!(normal("/%3b").as_deref(), Ok("/%3B"));
}

#[test]
fn ambiguous_bytes_are_refused() {
    for (raw, expected) in [
        ("a", PathRefusal::NotAbsolute),
        ("*", PathRefusal::NotAbsolute),
        ("/%", PathRefusal::BrokenEncoding),
        ("/%4", PathRefusal::BrokenEncoding),
        ("/%zz", PathRefusal::BrokenEncoding),
        ("/%00", PathRefusal::EncodedNul),
        ("/%0a", PathRefusal::EncodedControl),
        ("/%7F", PathRefusal::EncodedControl),
        ("/%2f", PathRefusal::EncodedSlash),
        ("/%5C", PathRefusal::EncodedBackslash),
        ("/a\\b", PathRefusal::IllegalByte),
        ("/a b", PathRefusal::IllegalByte),
        ("/a#b", PathRefusal::IllegalByte),
        ("/\u{e9}", PathRefusal::IllegalByte),
        ("/a/..;x/b", PathRefusal::DisguisedDots),
        ("/a/.;/b", PathRefusal::DisguisedDots),
        ("/a/%2e%2e%3bx/b", PathRefusal::DisguisedDots),
    ] {
        assert_eq!(normal(raw), Err(expected), "{raw}");
    }
}

#[test]
fn slashes_follow_the_policy() {
    let policy = |duplicate_slashes| PathPolicy {
        duplicate_slashes,
        ..PathPolicy::default()
    };
    assert_eq!(normal("//a///b//").as_deref(), Ok("/a/b/"));
    assert_eq!(
        normal("/a//../b").as_deref(),
        Ok("/b"),
        "merged before dots are resolved"
    );
    assert_eq!(
        with("/a//b", &policy(DuplicateSlashes::Keep)).as_deref(),
        Ok("/a//b")
    );
    assert_eq!(
        with("/a//../b", &policy(DuplicateSlashes::Keep)).as_deref(),
        Ok("/a/b")
    );
    assert_eq!(
        with("/a//b", &policy(DuplicateSlashes::Refuse)),
        Err(PathRefusal::DuplicateSlash)
    );
}

#[test]
fn kept_separators_separate_nothing_and_hide_no_dots() {
    let policy = PathPolicy {
        encoded_slashes: Encoded::Keep,
        encoded_backslashes: Encoded::Keep,
        ..PathPolicy::default()
    };
    assert_eq!(with("/a%2fb%5cc", &policy).as_deref(), Ok("/a%2Fb%5Cc"));
    for raw in ["/a%2f..%2fb", "/..%2fb", "/a%5c..", "/..%5c"] {
        assert_eq!(with(raw, &policy), Err(PathRefusal::DisguisedDots), "{raw}");
    }
}

#[test]
fn parameters_follow_the_policy() {
    let policy = |parameters| PathPolicy {
        parameters,
        ..PathPolicy::default()
    };
    assert_eq!(normal("/a;v=1/b").as_deref(), Ok("/a;v=1/b"));
    assert_eq!(
        with("/a;v=1/b;w", &policy(Parameters::Strip)).as_deref(),
        Ok("/a/b")
    );
    assert_eq!(
        with("/;v/b", &policy(Parameters::Strip)).as_deref(),
        Ok("/b")
    );
    assert_eq!(
        with("/a;v=1/b", &policy(Parameters::Refuse)),
        Err(PathRefusal::Parameter)
    );
    assert_eq!(
        with("/..;/b", &policy(Parameters::Strip)),
        Err(PathRefusal::DisguisedDots)
    );
}

#[test]
fn codes_of_refusals_are_distinct() {
    let codes: std::collections::BTreeSet<_> = PathRefusal::ALL
        .iter()
        .map(|refusal| refusal.code())
        .collect();
    assert_eq!(codes.len(), PathRefusal::ALL.len());
}

#[test]
fn hosts_lose_case_port_and_closing_dot() {
    let mut scratch = Vec::new();
    for (authority, expected) in [
        ("Example.COM:8080", ("example.com", Some(8080))),
        ("example.com.", ("example.com", None)),
        ("example.com.:80", ("example.com", Some(80))),
        ("example.com:", ("example.com", None)),
        ("[2001:DB8::1]:443", ("[2001:db8::1]", Some(443))),
        ("[::1]", ("[::1]", None)),
        ("[0:0:0::1]:80", ("[::1]", Some(80))),
        ("", ("", None)),
        ("a:99999", ("a", None)),
    ] {
        assert_eq!(
            host(authority.as_bytes(), &mut scratch),
            expected,
            "{authority}"
        );
    }
}

fn any_policy() -> impl Strategy<Value = PathPolicy> {
    use {DuplicateSlashes as D, Encoded as E, Parameters as P};
    (
        prop_oneof![Just(D::Merge), Just(D::Keep), Just(D::Refuse)],
        prop_oneof![Just(E::Keep), Just(E::Refuse)],
        prop_oneof![Just(E::Keep), Just(E::Refuse)],
        prop_oneof![Just(P::Keep), Just(P::Strip), Just(P::Refuse)],
    )
        .prop_map(
            |(duplicate_slashes, encoded_slashes, encoded_backslashes, parameters)| PathPolicy {
                duplicate_slashes,
                encoded_slashes,
                encoded_backslashes,
                parameters,
            },
        )
}

proptest! {
    #[test]
    fn normal_form_is_a_fixed_point_without_dots(raw in "/([/.;a%]|%2[eEfF]|%3[bB]|%5c|%41|%25){0,24}", policy in any_policy()) {
        if let Ok(once) = with(&raw, &policy) {
            prop_assert_eq!(with(&once, &policy), Ok(once.clone()));
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."));
        }
    }

    #[test]
    fn is_total(raw in proptest::collection::vec(any::<u8>(), 0..64), policy in any_policy()) {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let _ = path(&raw, &policy, &mut one);
        let _ = host(&raw, &mut two);
    }
}
