//! Which service a request gets.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{self, TestFields};
use crate::plan::Action;
use crate::route::{Test, ValueTest};

fn split(weights: &[(&str, u64)], sticky: Option<Sticky>) -> Split {
    let variants = weights
        .iter()
        .enumerate()
        .map(|(at, (name, weight))| Variant {
            service: ServiceId::new(at),
            name: (*name).into(),
            weight: *weight,
            force: Box::default(),
        });
    Split {
        variants: variants.collect(),
        sticky,
        total: weights.iter().map(|(_, weight)| weight).sum(),
    }
}

fn choose(split: &Split, fields: &[(&str, &str)], seed: u64) -> (usize, Chosen) {
    let listener = fixture::listener(Vec::new());
    let fields = TestFields::new(fields);
    let facts = fixture::facts(&listener, "h", "/", &fields);
    split.choose(&facts, &mut Chance::new(seed))
}

fn header() -> Option<Sticky> {
    Some(Sticky::Header("x-user".into()))
}

fn users(split: &Split) -> Vec<usize> {
    let user = |n: usize| choose(split, &[("x-user", &format!("user-{n}"))], 0).0;
    (0..10_000).map(user).collect()
}

#[test]
fn weights_are_kept_by_chance() {
    let split = split(&[("old", 95), ("new", 5), ("off", 0)], None);
    let mut counts = [0; 3];
    for seed in 0..20_000 {
        let (at, why) = choose(&split, &[], mixed(seed));
        counts[at] += 1;
        assert_eq!(why, Chosen::Chance);
    }
    assert!((850..1150).contains(&counts[1]), "{counts:?}");
    assert_eq!(counts[2], 0);
}

#[test]
fn weights_are_kept_by_key_and_a_key_stays() {
    let split = split(&[("old", 90), ("new", 10)], header());
    let first = users(&split);
    let moved = first.iter().filter(|at| **at == 1).count();
    assert!((850..1150).contains(&moved), "{moved} of 10000 at 10 %");
    assert_eq!(first, users(&split), "whatever chance says");
}

#[test]
fn a_change_of_weights_moves_only_who_must_move() {
    let before = users(&split(&[("old", 90), ("new", 10)], header()));
    let after = users(&split(&[("old", 70), ("new", 30)], header()));
    let back = before
        .iter()
        .zip(&after)
        .filter(|pair| *pair == (&1, &0))
        .count();
    let over = before
        .iter()
        .zip(&after)
        .filter(|pair| *pair == (&0, &1))
        .count();
    assert_eq!(back, 0, "nobody goes back when a share grows");
    assert!(
        (1750..2250).contains(&over),
        "{over} of 10000 for 20 % more"
    );
    let drained = users(&split(&[("old", 90), ("new", 0)], header()));
    assert!(
        drained.iter().all(|at| *at == 0),
        "a weight of 0 keeps nobody"
    );
}

#[test]
fn without_the_key_chance_decides() {
    let split = split(&[("old", 1), ("new", 1)], Some(Sticky::Cookie("id".into())));
    assert_eq!(
        choose(&split, &[("cookie", "other=1; id=")], 3).1,
        Chosen::Chance
    );
    assert_eq!(
        choose(&split, &[("cookie", "other=1; id=7")], 3).1,
        Chosen::Kept
    );
}

#[test]
fn the_address_is_a_key() {
    let split = split(&[("old", 1), ("new", 1)], Some(Sticky::ClientIp));
    let first = choose(&split, &[], 1);
    assert_eq!(first.1, Chosen::Kept);
    assert!((2..50).all(|seed| choose(&split, &[], seed) == first));
}

#[test]
fn a_forced_service_needs_no_weight() {
    let mut split = split(&[("old", 1), ("new", 0)], header());
    let canary = Condition {
        test: Test::Header("x-canary".into(), ValueTest::Equals((*b"always").into())),
        place: "test.toml:1".into(),
    };
    split.variants[1].force = [canary].into();
    assert_eq!(
        choose(&split, &[("x-canary", "always")], 0),
        (1, Chosen::Forced)
    );
    assert_eq!(
        choose(&split, &[("x-canary", "never")], 0),
        (0, Chosen::Chance)
    );
}

#[test]
fn our_own_cookie_names_the_service_and_is_set_where_it_is_missing() {
    let sticky = Sticky::SetCookie {
        name: "variant".into(),
        max_age: 60,
    };
    let cookie = |value: &str| {
        let route = fixture::route(
            "r",
            Action::Split(Box::new(split(
                &[("app", 1), ("gone", 0), ("b", 1)],
                Some(sticky.clone()),
            ))),
        );
        let plan = fixture::plan(fixture::listener(Vec::new()), vec![route]);
        let fields = TestFields::new(&[("cookie", value)]);
        let mut facts = fixture::facts(plan.listeners.first().unwrap(), "h", "/", &fields);
        facts.route = plan.routes.first();
        facts.service = plan.services.first();
        let chosen = facts
            .route
            .unwrap()
            .action
            .split()
            .unwrap()
            .choose(&facts, &mut Chance::new(2));
        let mut out = Vec::new();
        write_cookie(&facts, &mut out);
        (chosen.1, String::from_utf8(out).unwrap())
    };
    assert_eq!(cookie("a=1; variant=app"), (Chosen::Kept, String::new()));
    let set = "set-cookie: variant=app; Path=/; Max-Age=60; HttpOnly; SameSite=Lax\r\n";
    assert_eq!(
        cookie("variant=gone"),
        (Chosen::Chance, set.to_owned()),
        "its weight is 0"
    );
    assert_eq!(cookie("variant=unknown"), (Chosen::Chance, set.to_owned()));
    assert_eq!(cookie(""), (Chosen::Chance, set.to_owned()));
}
