//! Frozen numbers take nothing away, no numbers change nothing, and an old group is left alone.

use scaler::decide::Reason;
use scaler::decide::observation::Phase::{Draining, Ready};
use scaler::decide::policy::Policy;

use crate::support::Bench;

#[test]
fn reports_older_than_fifteen_seconds_take_nothing_away() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 0), (Ready, 0), (Draining, 0)]);
    bench.seen.reports_age = 16.0;
    let decision = bench.pass(2000.0);
    assert!(decision.cordon.is_empty() && decision.terminate.is_empty());
    assert!(decision.reasons.contains(&Reason::ReportsStale));
}

#[test]
fn without_any_report_only_draining_nodes_are_taken_back() {
    let mut bench = Bench::new(Policy { min: 9, ..Policy::default() }).with(&[(Ready, 0), (Draining, 0)]);
    bench.seen.reports_age = f64::INFINITY;
    let decision = bench.decide();
    assert_eq!(decision.uncordon.len(), 1);
    assert!(decision.desired.is_none() && decision.cordon.is_empty() && decision.terminate.is_empty());
}

#[test]
fn an_old_description_of_the_group_changes_nothing() {
    let mut bench =
        Bench::new(Policy { min: 9, ..Policy::default() }).with(&[(Ready, 4), (Draining, 0)]).waiting(99);
    bench.seen.group.age = 31.0;
    let decision = bench.decide();
    assert!(decision.desired.is_none() && decision.cordon.is_empty() && decision.terminate.is_empty());
}

#[test]
fn a_node_silent_for_a_minute_is_neither_counted_nor_taken_away() {
    let mut bench = Bench::new(Policy { min: 2, ..Policy::default() }).with(&[(Ready, 0), (Ready, 0)]);
    bench.seen.nodes[1].report_age = 61.0;
    let decision = bench.decide();
    assert_eq!(decision.desired, Some(3), "the floor is made of nodes that speak");
    assert!(decision.cordon.is_empty() && decision.terminate.is_empty());
}
