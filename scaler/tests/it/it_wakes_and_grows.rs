//! From zero at once, ahead of demand, and cheapest first.

use scaler::decide::Reason;
use scaler::decide::observation::Phase::{Booting, Draining, Ready};
use scaler::decide::policy::{Drive, LaunchPrice, Policy};

use crate::support::Bench;

#[test]
fn the_first_request_at_zero_wakes_the_fleet_at_once_under_either_drive() {
    for drive in [Drive::Calls, Drive::Metrics] {
        let mut bench = Bench::new(Policy { drive, ..Policy::default() });
        assert_eq!(bench.decide().desired, None, "nobody waits");
        bench.arrive(1);
        bench.seen.now += 0.1;
        let decision = bench.decide();
        assert!(decision.desired >= Some(1), "{drive:?}: {decision:?}");
        assert!(decision.reasons.contains(&Reason::Wake));
    }
}

#[test]
fn silence_launches_nothing() {
    let mut bench = Bench::new(Policy::default());
    for _ in 0..1000 {
        assert_eq!(bench.pass(5.0).desired, None);
    }
}

#[test]
fn a_long_queue_launches_and_more_value_launches_more() {
    let launches = |v: f64| {
        let policy = Policy { value_of_waiting: v, ..Policy::default() };
        bench_launches(Bench::new(policy).with(&[(Ready, 4)]).waiting(600))
    };
    assert!(launches(1.0) > 0);
    assert!(launches(0.02) < launches(1.0));
}

#[test]
fn nodes_that_boot_are_counted_before_new_ones_are_launched() {
    let alone = bench_launches(Bench::new(Policy::default()).with(&[(Ready, 4)]).waiting(300));
    let coming = [(Ready, 4), (Booting, 0), (Booting, 0), (Booting, 0), (Booting, 0)];
    let helped = bench_launches(Bench::new(Policy::default()).with(&coming).waiting(300));
    assert!(alone > 0 && helped == 0, "{alone} alone, {helped} beside four boots");
}

#[test]
fn the_whole_price_of_a_launch_makes_it_rarer() {
    let launches = |fee: f64| {
        let price = LaunchPrice { fee, ..LaunchPrice::default() };
        bench_launches(Bench::new(Policy { price, ..Policy::default() }).with(&[(Ready, 4)]).waiting(600))
    };
    assert!(launches(20_000.0) < launches(0.0));
}

#[test]
fn a_draining_node_is_taken_back_before_any_launch() {
    let mut bench =
        Bench::new(Policy::default()).with(&[(Ready, 4), (Draining, 1), (Draining, 0)]).waiting(600);
    let decision = bench.decide();
    assert_eq!(decision.uncordon.len(), 2);
    assert_eq!(decision.desired, None);
    assert!(decision.terminate.is_empty(), "taken back and terminated in one breath");
}

#[test]
fn metrics_leave_the_launch_to_the_step_policy_and_say_how_many() {
    let mut bench = Bench::new(Policy { drive: Drive::Metrics, ..Policy::default() });
    bench = bench.with(&[(Ready, 4)]).waiting(600);
    let decision = bench.decide();
    assert_eq!(decision.desired, None);
    assert!(decision.nodes_short > 0);
}

fn bench_launches(mut bench: Bench) -> u32 {
    let before = bench.seen.group.desired;
    bench.decide().desired.unwrap_or(before) - before
}
