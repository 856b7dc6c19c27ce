//! The rule, row by row and under a thousand random histories.

use std::collections::BTreeSet;

use super::{ENOUGH, Keeper, STEADY, View, Weights};
use crate::decide::observation::NodeId;

fn nodes(ids: &[usize]) -> BTreeSet<NodeId> {
    ids.iter().map(|id| NodeId::new(&format!("i-{id}"))).collect()
}

/// A keeper beside the entrance it keeps.
struct Bench {
    keeper: Keeper,
    weights: Weights,
    now: f64,
}

impl Bench {
    fn new() -> Self {
        Self { keeper: Keeper::default(), weights: Weights::FRONT, now: 100.0 }
    }

    /// A tick, `after` seconds later; the weights then.
    fn tick(&mut self, after: f64, healthy: &[usize], leaving: &[usize]) -> Weights {
        self.now += after;
        let seen = View { healthy: nodes(healthy), weights: self.weights };
        if let Some(weights) = self.keeper.correction(&seen, &nodes(leaving), self.now) {
            assert_ne!(weights, self.weights, "a correction that corrects nothing");
            self.weights = weights;
        }
        self.weights
    }
}

#[test]
fn two_steady_nodes_open_it_and_one_closes_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.tick(0.0, &[1], &[]), Weights::FRONT);
    assert_eq!(bench.tick(5.0, &[1, 2], &[]), Weights::FRONT);
    assert_eq!(bench.tick(29.0, &[1, 2], &[]), Weights::FRONT);
    assert_eq!(bench.tick(1.0, &[1, 2], &[]), Weights::NODES);
    assert_eq!(bench.tick(5.0, &[1], &[]), Weights::FRONT);
}

#[test]
fn a_break_in_health_begins_the_wait_anew() {
    let mut bench = Bench::new();
    bench.tick(0.0, &[1, 2], &[]);
    bench.tick(25.0, &[1], &[]);
    assert_eq!(bench.tick(5.0, &[1, 2], &[]), Weights::FRONT);
    assert_eq!(bench.tick(25.0, &[1, 2], &[]), Weights::FRONT);
    assert_eq!(bench.tick(5.0, &[1, 2], &[]), Weights::NODES);
}

#[test]
fn a_node_told_to_drain_counts_no_more_though_it_looks_healthy() {
    let mut bench = Bench::new();
    bench.tick(0.0, &[1, 2], &[]);
    assert_eq!(bench.tick(30.0, &[1, 2], &[]), Weights::NODES);
    assert_eq!(bench.tick(5.0, &[1, 2], &[2]), Weights::FRONT);
}

#[test]
fn a_new_leader_moves_nothing_that_is_right() {
    let mut bench = Bench { weights: Weights::NODES, ..Bench::new() };
    assert_eq!(bench.tick(0.0, &[1, 2], &[]), Weights::NODES);
    // One of the two replaced: still two.
    assert_eq!(bench.tick(5.0, &[1, 3], &[]), Weights::NODES);
}

#[test]
fn weights_that_someone_else_set_are_set_right() {
    let mut bench = Bench { weights: Weights { nodes: 3, front: 7 }, ..Bench::new() };
    assert_eq!(bench.tick(0.0, &[1, 2], &[]), Weights::NODES);
    bench.weights = Weights { nodes: 0, front: 0 };
    assert_eq!(bench.tick(5.0, &[1], &[]), Weights::FRONT);
}

/// Nodes come and go, leaders change, hands and templates set weights: after each tick the rule holds.
#[test]
fn whatever_happens_one_tick_sets_it_right() {
    for seed in 0..1000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bench = Bench::new();
        // The oracle: since when each node counts, kept apart from the keeper.
        let mut since = [None; 4];
        for _ in 0..100 {
            if random.u8(..) < 10 {
                bench.keeper = Keeper::default();
                since = [None; 4];
            }
            if random.u8(..) < 20 {
                bench.weights = Weights { nodes: random.u32(0..3), front: random.u32(0..3) };
            }
            let healthy: Vec<_> = (0..4).filter(|_| random.u8(..) < 220).collect();
            let leaving: Vec<_> = (0..4).filter(|_| random.u8(..) < 20).collect();
            let was_open = bench.weights.nodes > 0;
            let weights = bench.tick([1.0, 5.0, 20.0][random.usize(0..3)], &healthy, &leaving);
            for (id, since) in since.iter_mut().enumerate() {
                let counts = healthy.contains(&id) && !leaving.contains(&id);
                *since = counts.then(|| since.unwrap_or(bench.now));
            }
            let counting = since.iter().flatten().count();
            let steady = since.iter().flatten().filter(|since| bench.now - **since >= STEADY).count();
            match weights {
                Weights::NODES => {
                    assert!(counting >= ENOUGH, "seed {seed}: open below two");
                    assert!(was_open || steady >= ENOUGH, "seed {seed}: opened early");
                }
                Weights::FRONT => assert!(
                    counting < ENOUGH || (!was_open && steady < ENOUGH),
                    "seed {seed}: closed without need"
                ),
                other => panic!("seed {seed}: {other:?} left standing"),
            }
        }
    }
}
