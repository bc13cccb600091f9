#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::diff::{ChangeKind, Effect};
use crate::live::HistogramTotals;

const ROUTE: &str = "route `a`";

fn asked(requests: u64, failed: u64) -> Tally {
    Tally {
        requests,
        failed,
        ..Tally::default()
    }
}

fn tried(tries: u64, unreachable: u64) -> Tally {
    Tally {
        tries,
        unreachable,
        ..Tally::default()
    }
}

/// So many within a millisecond, and so many between 100 and 250.
fn waited(fast: u64, slow: u64) -> Tally {
    let mut waited = HistogramTotals::default();
    waited.buckets[0] = fast;
    waited.buckets[7] = slow;
    Tally {
        waited,
        ..Tally::default()
    }
}

fn verdict(before: Tally, after: Tally) -> Vec<Symptom> {
    let one = |tally| std::iter::once((ROUTE.to_owned(), tally)).collect::<Tallies>();
    judge(&one(before), &one(after), &Bounds::default())
        .iter()
        .map(|worse| worse.symptom)
        .collect()
}

#[test]
fn a_growing_share_of_errors_is_worse() {
    assert_eq!(verdict(asked(1000, 10), asked(100, 8)), [Symptom::Errors]);
    assert_eq!(verdict(asked(1000, 10), asked(100, 5)), [], "within bounds");
    assert_eq!(verdict(asked(1000, 500), asked(100, 50)), [], "as before");
    assert_eq!(verdict(asked(1000, 500), asked(100, 0)), [], "better");
}

#[test]
fn one_or_two_failures_are_chance() {
    assert_eq!(verdict(asked(1000, 0), asked(2, 2)), []);
    assert_eq!(verdict(asked(1000, 0), asked(3, 3)), [Symptom::Errors]);
    assert_eq!(verdict(asked(1000, 0), asked(0, 0)), [], "nobody asked");
}

#[test]
fn what_is_new_is_held_to_no_errors() {
    assert_eq!(verdict(asked(0, 0), asked(10, 3)), [Symptom::Errors]);
    assert_eq!(verdict(waited(0, 0), waited(0, 100)), [], "it may be slow");
}

#[test]
fn failed_tries_are_worse_though_another_server_answered() {
    assert_eq!(
        verdict(tried(500, 0), tried(100, 50)),
        [Symptom::Unreachable]
    );
    assert_eq!(verdict(tried(500, 50), tried(100, 10)), []);
}

#[test]
fn waiting_is_compared_where_there_was_enough_of_it() {
    assert_eq!(verdict(waited(100, 0), waited(10, 10)), [Symptom::Slow]);
    assert_eq!(verdict(waited(100, 0), waited(5, 5)), [], "too few");
    assert_eq!(verdict(waited(100, 0), waited(96, 4)), [], "a slow tail");
    assert_eq!(verdict(waited(10, 90), waited(10, 90)), [], "as before");
}

#[test]
fn evidence_tells_how_much_and_among_how_many() {
    let one = |tally| std::iter::once((ROUTE.to_owned(), tally)).collect::<Tallies>();
    let told = |before, after| {
        let worse = judge(&one(before), &one(after), &Bounds::default());
        worse[0].to_string()
    };
    assert_eq!(
        told(asked(1000, 10), asked(40, 10)),
        "route `a`: 25.0% of 40 requests failed, 1.0% before"
    );
    assert_eq!(
        told(waited(100, 0), waited(0, 100)),
        "route `a`: nine of ten of 100 requests waited up to 0.235 s for an answer, 0.001 s before"
    );
}

#[test]
fn a_change_touches_routes_services_or_everything() {
    let change = |object| Change {
        object,
        kind: ChangeKind::Added,
        effect: Effect::Fresh,
    };
    let touched = Touched::by(&[
        change(Object::Route("a".into())),
        change(Object::Server {
            service: "app".into(),
            name: "s1".into(),
            address: None,
        }),
        change(Object::Trust("tls".into())),
    ]);
    assert!(touched.routes.contains("a") && touched.services.len() == 2);
    assert!(touched.services.contains("app") && touched.services.contains("tls"));
    assert!(!touched.everything);
    assert!(Touched::by(&[change(Object::Listener("web".into()))]).everything);
    assert!(Touched::by(&[change(Object::Process)]).everything);
}
