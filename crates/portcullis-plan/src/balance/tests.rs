#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Moment;
use crate::fixture;
use crate::live::AdminState;
use crate::plan::{Address, Server};

fn plan(balance: Balance, weights: &[u32]) -> Plan {
    let mut plan = fixture::plan(fixture::listener(Vec::new()), Vec::new());
    plan.services[0].balance = balance;
    plan.services[0].server_count = weights.len();
    plan.servers = weights
        .iter()
        .enumerate()
        .map(|(index, weight)| Server {
            name: format!("s{index}").into(),
            place: "portcullis.toml:1".into(),
            service: ServiceId::new(0),
            address: Address::Tcp(([127, 0, 0, 1], 9000).into()),
            address_text: "127.0.0.1:9000".into(),
            weight: *weight,
        })
        .collect();
    plan
}

struct Bench {
    plan: Plan,
    live: Live,
}

impl Bench {
    fn new(balance: Balance, weights: &[u32]) -> Self {
        let plan = plan(balance, weights);
        let live = Live::new(&plan, 2);
        Self { plan, live }
    }

    fn pick_with(&self, tried: &Tried, chance: u32) -> Option<usize> {
        let service = ServiceId::new(0);
        pick(
            &self.plan,
            &self.live,
            service,
            WorkerId::new(0),
            tried,
            chance,
        )
        .map(ServerId::index)
    }

    fn pick(&self) -> Option<usize> {
        self.pick_with(&Tried::none(), 0)
    }

    fn picks(&self, count: usize) -> HashMap<usize, usize> {
        let mut counts = HashMap::new();
        for _ in 0..count {
            *counts.entry(self.pick().unwrap()).or_default() += 1;
        }
        counts
    }
}

#[test]
fn equal_servers_take_turns() {
    let bench = Bench::new(Balance::RoundRobin, &[1, 1, 1]);
    let picks: Vec<_> = (0..6).map(|_| bench.pick().unwrap()).collect();
    assert_eq!(picks, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn heavy_servers_are_spread_out() {
    let bench = Bench::new(Balance::RoundRobin, &[5, 1, 1]);
    let picks: Vec<_> = (0..7).map(|_| bench.pick().unwrap()).collect();
    assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn weight_zero_gets_nothing() {
    let bench = Bench::new(Balance::RoundRobin, &[0, 1]);
    assert_eq!(bench.picks(10), HashMap::from([(1, 10)]));
    bench.live.servers[1].set_weight(0);
    assert_eq!(bench.pick(), None);
}

#[test]
fn one_server_is_picked_until_it_was_tried_or_is_out() {
    let bench = Bench::new(Balance::RoundRobin, &[1]);
    assert_eq!(bench.pick(), Some(0));
    let mut tried = Tried::none();
    tried.add(ServerId::new(0));
    assert_eq!(bench.pick_with(&tried, 0), None);
    bench.live.servers[0].set_admin(AdminState::Drain, Moment::default());
    assert_eq!(bench.pick(), None);
}

#[test]
fn tried_and_unfit_servers_are_left_out() {
    let bench = Bench::new(Balance::RoundRobin, &[1, 1, 1]);
    bench.live.servers[0].set_admin(AdminState::Maint, Moment::default());
    let mut tried = Tried::none();
    tried.add(ServerId::new(1));
    for _ in 0..5 {
        assert_eq!(bench.pick_with(&tried, 7), Some(2));
    }
    tried.add(ServerId::new(2));
    assert_eq!(
        bench.pick_with(&tried, 7),
        None,
        "an unfit server is no last resort"
    );
}

#[test]
fn least_requests_prefers_the_idle_and_respects_weights() {
    let bench = Bench::new(Balance::LeastRequests, &[1, 2]);
    bench.live.servers[1].begin();
    assert_eq!(bench.pick(), Some(0), "an idle server before a busy one");
    bench.live.servers[0].begin();
    assert_eq!(bench.pick(), Some(1), "2/1 is more than 2/2");
    (0..3).for_each(|_| bench.live.servers[1].begin());
    assert_eq!(bench.pick(), Some(0), "5/2 is more than 2/1");
}

#[test]
fn least_requests_shares_light_traffic_by_weight() {
    let bench = Bench::new(Balance::LeastRequests, &[1, 3]);
    let picks = bench.picks(40);
    assert_eq!(
        (picks[&0], picks[&1]),
        (10, 30),
        "light servers are used even when nothing is busy"
    );
}

#[test]
fn workers_take_their_own_turns() {
    let bench = Bench::new(Balance::RoundRobin, &[1, 1]);
    let of = |worker| {
        let tried = Tried::none();
        pick(
            &bench.plan,
            &bench.live,
            ServiceId::new(0),
            WorkerId::new(worker),
            &tried,
            0,
        )
        .map(ServerId::index)
    };
    assert_eq!(
        [of(0), of(1), of(0), of(1)],
        [Some(0), Some(0), Some(1), Some(1)]
    );
}

#[test]
fn chance_only_decides_where_turns_begin() {
    let bench = Bench::new(Balance::RoundRobin, &[1, 1, 1, 1]);
    let picks: Vec<_> = (0..5)
        .map(|chance| bench.pick_with(&Tried::none(), 3 - chance % 4).unwrap())
        .collect();
    assert_eq!(picks, [3, 0, 1, 2, 3]);
}

#[test]
fn a_recovered_server_is_not_flooded() {
    let bench = Bench::new(Balance::RoundRobin, &[1, 1]);
    bench.live.servers[0].set_admin(AdminState::Maint, Moment::default());
    bench.picks(100);
    bench.live.servers[0].set_admin(
        AdminState::Ready,
        Moment::default().plus(Duration::from_secs(1)),
    );
    let picks = bench.picks(4);
    assert_eq!((picks[&0], picks[&1]), (2, 2));
}

#[test]
fn ids_of_another_plan_pick_nothing() {
    let bench = Bench::new(Balance::RoundRobin, &[1, 1]);
    let none = pick(
        &bench.plan,
        &bench.live,
        ServiceId::new(9),
        WorkerId::new(0),
        &Tried::none(),
        0,
    );
    assert_eq!(none, None);
}

proptest! {
    #[test]
    fn spread_is_exactly_by_weight_whatever_chance_says(
        weights in proptest::collection::vec(0_u32..20, 2..6),
        chances in proptest::collection::vec(any::<u32>(), 200),
    ) {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        let bench = Bench::new(Balance::RoundRobin, &weights);
        let mut counts = vec![0; weights.len()];
        for turn in 0..total as usize * 2 {
            counts[bench.pick_with(&Tried::none(), chances[turn % chances.len()]).unwrap()] += 1;
        }
        let doubled: Vec<_> = weights.iter().map(|weight| weight * 2).collect();
        prop_assert_eq!(counts, doubled);
    }

    #[test]
    fn nobody_starves_under_least_requests(
        weights in proptest::collection::vec(1_u32..=256, 2..5),
        ends in proptest::collection::vec(any::<bool>(), 4000),
    ) {
        let bench = Bench::new(Balance::LeastRequests, &weights);
        let mut open = std::collections::VecDeque::new();
        let mut counts = vec![0; weights.len()];
        for end in ends {
            let picked = bench.pick().unwrap();
            counts[picked] += 1;
            bench.live.servers[picked].begin();
            open.push_back(picked);
            if end || open.len() > 20 {
                bench.live.servers[open.pop_front().unwrap()].end();
            }
        }
        prop_assert!(counts.iter().all(|count| *count > 0), "{counts:?} for {weights:?}");
    }
}
