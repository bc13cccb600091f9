//! What servers see of a target.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ServiceId;
use crate::fixture::{self, TestFields};
use crate::plan::Route;
use crate::plan::{Action, Extras, PathRewrite};

fn template(text: &str) -> Template {
    Template::from(&text.parse::<portcullis_config::Template>().unwrap())
}

fn substitution(regex: &str, to: &str) -> Substitution {
    Substitution::new(&regex.parse().unwrap(), &to.parse().unwrap()).unwrap()
}

fn route(path: Option<PathChange>, query: Option<QueryEdits>) -> Route {
    let mut route = fixture::route("r", Action::Forward(ServiceId::new(0)));
    let target = Some(TargetRewrite { path, query });
    route.extras = Some(Box::new(Extras {
        target,
        ..Extras::default()
    }));
    route
}

fn seen(route: &Route, uri: &str, fields: &[(&str, &str)]) -> Result<String, RewriteRefusal> {
    let listener = fixture::listener(Vec::new());
    let fields = TestFields::new(fields);
    let (path, query) = uri
        .split_once('?')
        .map_or((uri, None), |(path, query)| (path, Some(query)));
    let mut facts = fixture::facts(&listener, "h", path, &fields);
    facts.query = query.map(str::as_bytes);
    let mut out = Vec::new();
    prepare(route, &facts, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn an_expression_replaces_the_path_it_matches_and_leaves_others() {
    let route = route(
        Some(PathChange::Substitution(substitution(
            "^/old/(?<rest>.*)$",
            "/new/${rest}",
        ))),
        None,
    );
    assert_eq!(seen(&route, "/old/a/b?c=1", &[]).unwrap(), "/new/a/b?c=1");
    assert_eq!(seen(&route, "/older/a", &[]).unwrap(), "/older/a");
}

#[test]
fn what_an_expression_takes_apart_cannot_climb() {
    let route = route(
        Some(PathChange::Substitution(substitution(
            "/x(.)y(.)/(.*)",
            "/$1$2/$3",
        ))),
        None,
    );
    assert_eq!(
        seen(&route, "/x.y./etc", &[]),
        Err(RewriteRefusal::DotSegment)
    );
    assert_eq!(seen(&route, "/xayb/etc", &[]).unwrap(), "/ab/etc");
    assert_eq!(seen(&route, "/x%y%/%41", &[]), Err(RewriteRefusal::Path));
}

#[test]
fn values_in_a_path_are_one_segment_or_refused() {
    let route = route(
        Some(PathChange::Template(template(
            "/t/{request_header.x}{path}",
        ))),
        None,
    );
    let with = |value| seen(&route, "/a%20b", &[("x", value)]);
    assert_eq!(with("one").unwrap(), "/t/one/a%20b");
    assert_eq!(with("a b?#\u{e9}").unwrap(), "/t/a%20b%3F%23%C3%A9/a%20b");
    assert_eq!(with("..;x").unwrap_err(), RewriteRefusal::Path);
    assert_eq!(with("..").unwrap_err(), RewriteRefusal::DotSegment);
    assert_eq!(with(".").unwrap_err(), RewriteRefusal::DotSegment);
    assert_eq!(with("%2e%2e").unwrap(), "/t/%252e%252e/a%20b");
    assert_eq!(
        with("a/b").unwrap_err(),
        RewriteRefusal::Path,
        "an encoded slash is refused like a client's"
    );
    assert_eq!(
        with("").unwrap(),
        "/t/a%20b",
        "empty segments are merged by the listener's rule"
    );
}

#[test]
fn a_path_always_begins_with_one_slash() {
    let route = route(
        Some(PathChange::Template(template("{request_header.x}"))),
        None,
    );
    assert_eq!(seen(&route, "/a", &[("x", "b")]).unwrap(), "/b");
    assert_eq!(seen(&route, "/a?q", &[]).unwrap(), "/?q");
}

#[test]
fn a_query_is_edited_by_decoded_names() {
    let edits = QueryEdits::new(
        None,
        vec!["debug".into(), "a b".into()],
        vec![
            ("v".into(), template("2")),
            ("gone".into(), template("{request_header.absent}")),
        ],
        vec![("who".into(), template("{request_header.x}"))],
    );
    let route = route(None, Some(edits));
    let fields = &[("x", "a&b=c d")];
    assert_eq!(
        seen(
            &route,
            "/p?x=1&%64ebug=1&a+b=2&a%20b&v=9&gone=1&x=2&debugger",
            fields
        )
        .unwrap(),
        "/p?x=1&x=2&debugger&v=2&who=a%26b%3Dc%20d"
    );
    assert_eq!(seen(&route, "/p", &[]).unwrap(), "/p?v=2");
}

#[test]
fn only_named_parameters_are_kept() {
    let route = route(
        None,
        Some(QueryEdits::new(
            Some(vec!["q".into()]),
            Vec::new(),
            Vec::new(),
            Vec::new(),
        )),
    );
    assert_eq!(seen(&route, "/p?a=1&q=2&b&&q", &[]).unwrap(), "/p?q=2&q");
    assert_eq!(seen(&route, "/p?a=1", &[]).unwrap(), "/p");
}

#[test]
fn a_whole_query_takes_the_old_one_as_it_is_and_encodes_values() {
    let route = route(
        None,
        Some(QueryEdits::whole(template(
            "u={request_header.x}&from={path}&{query}",
        ))),
    );
    assert_eq!(
        seen(&route, "/a%20b?c=%26&d", &[("x", "a&b")]).unwrap(),
        "/a%20b?u=a%26b&from=/a%20b&c=%26&d"
    );
}

#[test]
fn a_prefix_and_a_query_are_changed_together() {
    let mut route = route(None, Some(QueryEdits::whole(template("v=1"))));
    route.path = PathRewrite::ReplacePrefix {
        length: 4,
        with: Box::default(),
    };
    assert_eq!(seen(&route, "/api/x?y", &[]).unwrap(), "/x?v=1");
}

#[test]
fn requests_without_a_path_keep_their_target() {
    let route = route(Some(PathChange::Template(template("/x"))), None);
    assert_eq!(seen(&route, "*", &[]).unwrap(), "");
}

#[test]
fn a_host_made_of_values_must_be_one() {
    let mut route = fixture::route("r", Action::Forward(ServiceId::new(0)));
    assert!(!is_needed(&route));
    route.host = Some(template("{request_header.x}.internal:80"));
    assert!(is_needed(&route));
    assert_eq!(seen(&route, "/", &[("x", "a")]).unwrap(), "");
    for bad in ["a b", "a/b", "a@b", "a:1:", "[::1]"] {
        assert_eq!(
            seen(&route, "/", &[("x", bad)]),
            Err(RewriteRefusal::Host),
            "{bad}"
        );
    }
}
