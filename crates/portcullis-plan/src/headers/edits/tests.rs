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

/// What becomes of a head of these lines.
fn edited(groups: Vec<EditGroup>, head: &[(&str, &str)], status: u16) -> String {
    let edits = HeaderEdits::of(groups);
    let listener = fixture::listener(Vec::new());
    let received = TestFields::new(head);
    let facts = fixture::facts(&listener, "h", "/x", &received);
    let outcome = Outcome {
        status,
        response_fields: Some(&received),
        ..fixture::outcome()
    };
    let mut out = b"X: before the head\r\n".to_vec();
    let begin = out.len();
    for (name, value) in head {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    edits.apply(begin, &facts, &outcome, &mut out);
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("X: before the head\r\n")
        .unwrap()
        .to_owned()
}

fn remove(name: &str) -> EditGroup {
    EditGroup {
        remove: [name.into()].into(),
        ..EditGroup::default()
    }
}

fn set(name: &str, value: &str) -> EditGroup {
    EditGroup {
        set: fields(&[(name, value)]),
        ..EditGroup::default()
    }
}

#[test]
fn fields_are_taken_away_and_replaced_in_any_case_and_the_others_stay() {
    let head = [("A", "1"), ("X-Gone", "2"), ("x-gonE", "3"), ("b", "x: 4")];
    assert_eq!(
        edited(vec![remove("x-gone")], &head, 200),
        "A: 1\r\nb: x: 4\r\n"
    );
    let in_place = "A: 1\r\nb: x: 4\r\nx-gone: {host}\r\n".replace("{host}", "h");
    assert_eq!(edited(vec![set("x-gone", "{host}")], &head, 200), in_place);
    let beside = EditGroup {
        add: fields(&[("a", "2")]),
        ..EditGroup::default()
    };
    assert_eq!(edited(vec![beside], &head[..1], 200), "A: 1\r\na: 2\r\n");
}

#[test]
fn a_field_set_to_nothing_is_removed() {
    let groups = vec![set("x", "{request_header.y}")];
    assert_eq!(edited(groups, &[("x", "1")], 200), "");
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
    let made = |group: EditGroup, status| edited(vec![group], &html, status).contains("x: 1");
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
    assert_eq!(edited(vec![group()], &[("x-ask", "1")], 200), "x: 1\r\n");
    assert_eq!(edited(vec![group()], &[], 200), "");
}

#[test]
fn an_absent_field_is_set_and_a_present_one_stays() {
    let group = || EditGroup {
        set_if_absent: fields(&[("x", "1")]),
        ..EditGroup::default()
    };
    let received = [("X", "own")];
    assert_eq!(
        edited(vec![group()], &[("x-y", "")], 200),
        "x-y: \r\nx: 1\r\n"
    );
    assert_eq!(edited(vec![group()], &received, 200), "X: own\r\n");
    assert_eq!(edited(vec![group(), group()], &[], 200), "x: 1\r\n", "once");
    let removed = vec![remove("x"), group()];
    assert_eq!(edited(removed, &received, 200), "x: 1\r\n");
}

#[test]
fn later_changes_act_on_what_earlier_ones_made() {
    assert_eq!(
        edited(vec![set("x", "1"), set("x", "2")], &[], 200),
        "x: 2\r\n"
    );
    assert_eq!(edited(vec![set("x", "1"), remove("x")], &[], 200), "");
    let group = EditGroup {
        replace: replace("x", "(.)", "$1$1"),
        ..EditGroup::default()
    };
    assert_eq!(edited(vec![set("x", "1"), group], &[], 200), "x: 11\r\n");
}

#[test]
fn values_are_replaced_each_by_itself_and_where_it_stands() {
    let group = |regex: &str, to: &str| EditGroup {
        replace: replace("x", regex, to),
        ..EditGroup::default()
    };
    let head = [("X", "a-1"), ("x", "b"), ("y", "a-2")];
    let once = vec![group("a-(.*)", "n-$1")];
    assert_eq!(edited(once, &head, 200), "X: n-1\r\nx: b\r\ny: a-2\r\n");
    let twice = vec![group("a-(.*)", "n-$1"), group("n-(.*)", "$1")];
    assert_eq!(edited(twice, &head, 200), "X: 1\r\nx: b\r\ny: a-2\r\n");
    let emptied = vec![group("a-.*", "")];
    assert_eq!(edited(emptied, &head, 200), "x: b\r\ny: a-2\r\n");
    let gone = vec![group("(.*)", "$1"), remove("x")];
    assert_eq!(edited(gone, &head, 200), "y: a-2\r\n");
}
