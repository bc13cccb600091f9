#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;

use super::super::LimitKey;
use super::*;
use crate::fixture::{self, TestFields};

fn limit(count: u64, per: Duration, burst: u64, max_keys: usize) -> RateLimit {
    RateLimit {
        name: Arc::from("route api"),
        key: LimitKey::Header("x-api-key".into()),
        count,
        per,
        burst,
        status: 429,
        max_keys,
    }
}

fn table(count: u64, burst: u64, max_keys: usize) -> Table {
    Table::new(&limit(count, Duration::from_secs(1), burst, max_keys))
}

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    let table = table(10, 3, 100);
    for _ in 0..3 {
        assert_eq!(table.check(b"k", at(0)), Ok(()));
    }
    assert_eq!(
        table.check(b"k", at(0)),
        Err(Wait(Duration::from_millis(100)))
    );
    assert_eq!(
        table.check(b"k", at(99)),
        Err(Wait(Duration::from_millis(1)))
    );
    assert_eq!(table.check(b"k", at(100)), Ok(()));
    assert_eq!(
        table.check(b"k", at(100)),
        Err(Wait(Duration::from_millis(100)))
    );
    assert_eq!(
        (0..9)
            .filter(|_| table.check(b"k", at(10_000)).is_ok())
            .count(),
        3,
        "no more than a burst is saved"
    );
}

#[test]
fn refused_requests_do_not_count_against_a_key() {
    let table = table(1, 1, 100);
    table.check(b"k", at(0)).unwrap();
    for millis in 0..999 {
        assert!(table.check(b"k", at(millis)).is_err());
    }
    assert_eq!(table.check(b"k", at(1000)), Ok(()));
    let totals = table.totals();
    assert_eq!((totals.passed, totals.refused, totals.keys), (2, 999, 1));
}

#[test]
fn asking_for_the_wait_counts_nothing() {
    let table = table(1, 1, 100);
    assert_eq!(table.wait_of(b"k", at(0)), None);
    table.check(b"k", at(0)).unwrap();
    assert_eq!(
        table.wait_of(b"k", at(250)),
        Some(Wait(Duration::from_millis(750)))
    );
    assert_eq!(table.wait_of(b"k", at(1000)), None);
}

#[test]
fn requests_without_the_field_count_by_client() {
    let rule = limit(1, Duration::from_secs(1), 1, 100);
    let table = Table::new(&rule);
    let listener = fixture::listener(Vec::new());
    let (blue, none) = (
        TestFields::new(&[("x-api-key", "blue")]),
        TestFields::new(&[]),
    );
    let check = |fields: &TestFields| {
        rule.check(
            &table,
            &fixture::facts(&listener, "a.test", "/", fields),
            at(0),
        )
        .is_ok()
    };
    assert_eq!([check(&blue), check(&blue)], [true, false]);
    assert_eq!([check(&none), check(&none)], [true, false]);
}

#[test]
fn a_header_value_never_meets_an_address() {
    let table = table(1, 1, 100);
    let v4 = IpAddr::from([192, 0, 2, 1]);
    table.check_client(Some(v4), at(0)).unwrap();
    assert_eq!(table.check(&[192, 0, 2, 1], at(0)), Ok(()));
    assert_eq!(table.check(b"192.0.2.1", at(0)), Ok(()));
}

#[test]
fn full_buckets_are_forgotten_before_others() {
    let table = table(1, 1, 4);
    for key in [b"a", b"b", b"c", b"d"] {
        table.check(key, at(0)).unwrap();
    }
    // At 1 s all four are full again, so four new keys evict nobody.
    for key in [b"e", b"f", b"g", b"h"] {
        table.check(key, at(1000)).unwrap();
    }
    let totals = table.totals();
    assert_eq!((totals.evicted, totals.keys <= 4), (0, true));
    assert!(
        table.check(b"h", at(1001)).is_err(),
        "the new ones are remembered"
    );
}

#[test]
fn a_full_table_evicts_and_counts() {
    let table = table(1, 1, 10);
    for key in 0..1000_u32 {
        table
            .check(&key.to_be_bytes(), at(u64::from(key % 2)))
            .unwrap();
    }
    let totals = table.totals();
    assert_eq!((totals.keys, totals.evicted), (10, 990));
}

#[test]
fn a_flood_of_keys_that_ended_leaves_no_memory_behind() {
    let table = table(100, 1, 100_000);
    for key in 0..50_000_u32 {
        table.check(&key.to_be_bytes(), at(0)).unwrap();
    }
    for key in 50_000..150_000_u32 {
        table.check(&key.to_be_bytes(), at(u64::from(key))).unwrap();
    }
    assert!(table.totals().keys < 20_000, "{:?}", table.totals());
}

#[test]
fn odd_limits_do_no_harm() {
    for (count, burst, max_keys) in [
        (0, 0, 0),
        (u64::MAX, u64::MAX, 1),
        (1, u64::MAX, usize::MAX),
    ] {
        let table = table(count, burst, max_keys);
        for moment in [at(0), Moment::from_nanos(u64::MAX)] {
            let _ = table.check(b"k", moment);
        }
    }
}

#[test]
fn workers_together_get_no_more_than_one() {
    let table = table(1, 50, 100_000);
    let passed = std::thread::scope(|scope| {
        let work = || {
            (0..100)
                .filter(|_| table.check(b"k", at(0)).is_ok())
                .count()
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(passed, 50);
}

proptest! {
    #[test]
    fn no_window_sees_more_than_burst_and_rate(
        count in 1_u64..50,
        per_millis in 1_u64..2000,
        burst in 1_u64..20,
        steps in proptest::collection::vec(0_u64..60_000_000, 1..300),
    ) {
        let per = Duration::from_millis(per_millis);
        let table = Table::new(&limit(count, per, burst, 100));
        let (mut now, mut passed) = (0, Vec::new());
        for step in steps {
            now += step;
            if table.check(b"k", Moment::from_nanos(now)).is_ok() {
                passed.push(now);
            }
        }
        for (first, begin) in passed.iter().enumerate() {
            for (last, end) in passed.iter().enumerate().skip(first) {
                let earned = u128::from(end - begin) * u128::from(count) / per.as_nanos();
                prop_assert!((last - first + 1) as u128 <= u128::from(burst) + earned);
            }
        }
    }

    #[test]
    fn patient_clients_are_never_refused(count in 1_u64..50, burst in 1_u64..20, jitter in 0_u64..1000) {
        let table = table(count, burst, 100);
        let interval = 1_000_000_000_u64.div_ceil(count);
        for turn in 0..100 {
            let now = Moment::from_nanos(turn * (interval + jitter));
            prop_assert!(table.check(b"k", now).is_ok());
        }
    }

    #[test]
    fn keys_do_not_touch_each_other(
        keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..24), 1..20),
        order in proptest::collection::vec((any::<proptest::sample::Index>(), 0_u64..200), 1..300),
    ) {
        let together = table(10, 2, 100_000);
        let alone: Vec<_> = keys.iter().map(|_| table(10, 2, 10)).collect();
        let mut now = 0;
        for (index, step) in order {
            now += step;
            let key = &keys[index.index(keys.len())];
            let own = keys.iter().position(|other| other == key).unwrap();
            prop_assert_eq!(together.check(key, at(now)), alone[own].check(key, at(now)));
        }
    }
}

#[test]
fn a_successor_goes_on_with_used_buckets_alone() {
    let rule = limit(10, Duration::from_secs(1), 3, 100);
    let old = Table::new(&rule);
    for (key, asked) in [(&b"spent"[..], 3), (b"used", 1)] {
        for _ in 0..asked {
            old.check(key, at(1000)).unwrap();
        }
    }
    old.check(b"full again", at(0)).unwrap();
    let handed = old.hand_over(at(1050), 100);
    assert_eq!(handed.buckets.len(), 2, "{handed:?}");
    // Its clock began at another time.
    let new = Table::taking(&rule, &handed, at(7));
    assert_eq!(
        new.check(b"spent", at(7)),
        Err(Wait(Duration::from_millis(50)))
    );
    assert_eq!(new.check(b"spent", at(57)), Ok(()));
    assert_eq!(new.check(b"used", at(7)), Ok(()));
    assert_eq!(old.hand_over(at(1050), 1).buckets.len(), 1, "bounded");
}
