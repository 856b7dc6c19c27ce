//! Rates, throughput and boots are learned from counts.

use scaler::decide::observation::Phase::Ready;
use scaler::decide::policy::Policy;

use crate::support::{Bench, node};

#[test]
fn a_steady_rate_is_found_by_every_mean() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 4)]);
    for _ in 0..200 {
        bench.seen.totals.arrived.count += 5;
        bench.seen.totals.arrived.prompt_tokens += 5000;
        let _ = bench.pass(5.0);
    }
    let forecast = &bench.memory.forecast;
    let truth = forecast.mean_work();
    for rate in [forecast.rates.fast(), forecast.rates.middle(), forecast.rates.slow(), forecast.next().0] {
        assert!((rate / truth - 1.0).abs() < 0.1, "{rate} for {truth}");
    }
}

#[test]
fn the_throughput_of_full_nodes_is_learned_and_clamped() {
    for (per_second, learned) in [(3.0, 3.0), (2.105, 2.105), (1.4, 1.4), (0.6, 1.05)] {
        let mut bench = Bench::new(Policy::default()).with(&[(Ready, 4)]).waiting(9);
        for _ in 0..4000 {
            bench.seen.nodes[0].finished.prompt += (per_second * 5000.0) as u64;
            let _ = bench.pass(5.0);
        }
        let full = bench.memory.forecast.throughput.full();
        assert!((full / learned - 1.0).abs() < 0.05, "{per_second} a second: {full}, not {learned}");
        assert_eq!(bench.memory.forecast.throughput.alarming(), (learned / 2.105_f64 - 1.0).abs() > 0.2);
    }
}

#[test]
fn slots_that_may_have_been_free_teach_nothing() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 4)]);
    let _ = bench.pass(4000.0);
    assert!((bench.memory.forecast.throughput.full() - 4.0 / 1.9).abs() < 1e-9);
}

#[test]
fn boots_are_learned_and_a_refusal_counts_as_waiting() {
    let mut bench = Bench::new(Policy::default());
    for i in 0..20 {
        let mut quick = node(i, Ready, 0);
        quick.ready_at = Some(quick.launched_at + 100.0);
        bench.seen.nodes.push(quick);
        let _ = bench.pass(5.0);
    }
    let mean = bench.memory.forecast.boots.mean();
    assert!((100.0..125.0).contains(&mean), "{mean}");
    bench.seen.group.launch_failed_at = Some(bench.seen.now);
    let _ = bench.decide();
    assert!((bench.memory.forecast.boots.mean() - mean - 30.0).abs() < 1e-9);
}

#[test]
fn an_empty_warm_pool_means_the_cold_estimate() {
    let mut bench = Bench::new(Policy { warm_boot: Some(90.0), ..Policy::default() });
    bench.seen.group.warm = Some(2);
    let _ = bench.decide();
    assert!((bench.memory.forecast.boots.mean() - 90.0).abs() < 1e-9);
    bench.seen.group.warm = Some(0);
    let _ = bench.pass(5.0);
    assert!((bench.memory.forecast.boots.mean() - 240.0).abs() < 1e-9);
}
