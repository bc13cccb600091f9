//! Changes under conditions, and one after the other.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{self, TestFields};
use crate::route::{Test, ValueTest};

fn template(text: &str) -> Template {
    Template::from(&text.parse::<portcullis_config::Template>().unwrap())
}

fn fields(list: &[(&str, &str)]) -> Box<[(Box<str>, Template)]> {
    list.iter()
        .map(|(name, text)| ((*name).into(), template(text)))
        .collect()
}

fn replace(name: &str, regex: &str, to: &str) -> Box<[(Box<str>, Substitution)]> {
    let change = Substitution::new(&regex.parse().unwrap(), &to.parse().unwrap()).unwrap();
    [(name.into(), change)].into()
}

/// The names that are not copied, and what is written.
fn edited(groups: Vec<EditGroup>, received: &[(&str, &str)], status: u16) -> (Vec<String>, String) {
    let edits = HeaderEdits::of(groups);
    let listener = fixture::listener(Vec::new());
    let received_fields = TestFields::new(received);
    let facts = fixture::facts(&listener, "h", "/x", &received_fields);
    let outcome = Outcome {
        status,
        response_fields: Some(&received_fields),
        ..fixture::outcome()
    };
    let begun = edits.begin(&facts, Some(&outcome));
    let dropped = received
        .iter()
        .filter(|(name, _)| begun.drops(name.as_bytes()));
    let dropped = dropped.map(|(name, _)| (*name).to_owned()).collect();
    let mut out = Vec::new();
    begun.write(&received_fields, &facts, Some(&outcome), &mut out);
    (dropped, String::from_utf8(out).unwrap())
}

#[test]
fn changes_are_made_for_their_statuses_and_content_types_only() {
    let group = |statuses: &[(u16, u16)], media: &[&str]| EditGroup {
        when: EditCondition {
            statuses: statuses.into(),
            media: media.iter().map(|one| (*one).into()).collect(),
            ..EditCondition::default()
        },
        set: fields(&[("x", "1")]),
        ..EditGroup::default()
    };
    let html = [("content-type", "Text/HTML; charset=utf-8")];
    let made = |group: EditGroup, status| !edited(vec![group], &html, status).1.is_empty();
    assert!(made(group(&[(500, 599), (404, 404)], &[]), 404));
    assert!(!made(group(&[(500, 599)], &[]), 404));
    assert!(made(group(&[], &["text/html"]), 200));
    assert!(made(group(&[(200, 299)], &["image/*", "text/*"]), 200));
    assert!(!made(group(&[], &["image/*", "text/htm"]), 200));
}

#[test]
fn changes_are_made_for_their_requests_only() {
    let condition = Condition {
        test: Test::Header("x-ask".into(), ValueTest::Present),
        place: "test.toml:1".into(),
    };
    let group = || EditGroup {
        when: EditCondition {
            requests: [condition.clone()].into(),
            ..EditCondition::default()
        },
        remove: ["x-ask".into()].into(),
        set: fields(&[("x", "1")]),
        ..EditGroup::default()
    };
    let asked = edited(vec![group()], &[("x-ask", "1")], 200);
    assert_eq!(asked, (vec!["x-ask".to_owned()], "x: 1\r\n".to_owned()));
    assert_eq!(edited(vec![group()], &[], 200), (Vec::new(), String::new()));
}

#[test]
fn an_absent_field_is_set_and_a_present_one_stays() {
    let group = || EditGroup {
        set_if_absent: fields(&[("x", "1")]),
        ..EditGroup::default()
    };
    assert_eq!(edited(vec![group()], &[], 200).1, "x: 1\r\n");
    assert_eq!(
        edited(vec![group()], &[("x", "own")], 200),
        (Vec::new(), String::new())
    );
    assert_eq!(
        edited(vec![group(), group()], &[], 200).1,
        "x: 1\r\n",
        "once"
    );
    let removed = EditGroup {
        remove: ["x".into()].into(),
        ..EditGroup::default()
    };
    assert_eq!(
        edited(vec![removed, group()], &[("x", "own")], 200).1,
        "x: 1\r\n"
    );
}

#[test]
fn later_changes_act_on_what_earlier_ones_made() {
    let set = |value: &str| EditGroup {
        set: fields(&[("x", value)]),
        ..EditGroup::default()
    };
    let remove = EditGroup {
        remove: ["x".into()].into(),
        ..EditGroup::default()
    };
    assert_eq!(edited(vec![set("1"), set("2")], &[], 200).1, "x: 2\r\n");
    assert_eq!(edited(vec![set("1"), remove], &[], 200).1, "");
}

#[test]
fn received_values_are_replaced_each_by_itself() {
    let group = |regex: &str, to: &str| EditGroup {
        replace: replace("x", regex, to),
        ..EditGroup::default()
    };
    let received = [("x", "a-1"), ("x", "b"), ("y", "a-2")];
    let (dropped, written) = edited(vec![group("a-(.*)", "n-$1")], &received, 200);
    assert_eq!((dropped.len(), written.as_str()), (2, "x: n-1\r\nx: b\r\n"));
    let twice = vec![group("a-(.*)", "n-$1"), group("n-(.*)", "$1")];
    assert_eq!(edited(twice, &received, 200).1, "x: 1\r\nx: b\r\n");
    let gone = EditGroup {
        remove: ["x".into()].into(),
        ..EditGroup::default()
    };
    assert_eq!(
        edited(vec![group("(.*)", "$1"), gone], &received, 200).1,
        ""
    );
}
