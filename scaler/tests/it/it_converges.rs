//! Whatever is seen: desired within its bounds, no node with work terminated, and quiet at last.

use scaler::decide::decide;
use scaler::decide::observation::Phase::{Booting, Draining, Ready};
use scaler::decide::policy::{Drive, Policy};
use scaler::simulate::contest::{Contestant, Ours, run};
use scaler::simulate::faults::Faults;
use scaler::simulate::generate::{Shape, generate};
use scaler::simulate::setting::Setting;
use scaler::simulate::trace::Request;

use crate::support::{Bench, node};

#[test]
fn any_observation_keeps_the_bounds_and_the_work() {
    let mut random = fastrand::Rng::with_seed(7);
    for case in 0..3000 {
        let min = random.u32(0..4);
        let policy = Policy { min, max: min + random.u32(0..12), ..Policy::default() };
        let max = policy.max;
        let mut bench = Bench::new(policy);
        for _ in 0..random.usize(1..6) {
            bench.seen.nodes = (0..random.usize(0..=max as usize))
                .map(|i| {
                    let phase = [Booting, Ready, Draining][random.usize(0..3)];
                    let mut node = node(i, phase, if phase == Booting { 0 } else { random.u32(0..5) });
                    node.report_age = random.f64() * 90.0;
                    node.drain_confirmed = random.bool();
                    node
                })
                .collect();
            bench.seen.group.desired = bench.seen.nodes.len() as u32;
            bench.seen.reports_age = random.f64() * 20.0;
            bench.seen.now += random.f64() * 100.0;
            bench.arrive(random.u64(0..200));
            let seen = bench.seen.clone();
            let decision = bench.decide();
            assert!(decision.desired.is_none_or(|n| (min..=max).contains(&n)), "case {case}: {decision:?}");
            assert!(
                decision.desired.is_none_or(|n| n >= seen.nodes.len() as u32),
                "case {case}: {decision:?}"
            );
            for id in &decision.terminate {
                let gone = seen.nodes.iter().find(|node| node.id == *id).expect("a node that exists");
                assert!(
                    gone.active == 0 && gone.queued == 0 && gone.phase == Draining,
                    "case {case}: {gone:?}"
                );
                assert!(!decision.uncordon.contains(id) && !decision.cordon.contains(id), "case {case}");
            }
        }
    }
}

#[test]
fn a_burst_ends_at_zero_with_every_request_served() {
    let requests: Vec<_> = (0..400)
        .map(|i| Request { arrival: f64::from(i) * 0.2, prompt: 500, output: 200 })
        .chain(std::iter::once(Request { arrival: 4000.0, prompt: 10, output: 10 }))
        .collect();
    let setting = Setting::of("burst", requests, 240.0, false, false);
    let (done, summary) = run(Contestant::Les, &setting, Ours::default(), &mut |_| {});
    assert_eq!(summary.lost, 0);
    let before_last = done.samples.iter().rfind(|sample| sample.at < 3990.0).expect("samples");
    assert_eq!(before_last.living, 0, "asleep before the last request");
    assert_eq!(done.samples.last().expect("samples").living, 0, "and after it");
}

#[test]
fn a_longer_queue_never_needs_a_smaller_fleet() {
    let mut random = fastrand::Rng::with_seed(11);
    for case in 0..150 {
        let ready = random.usize(0..6);
        let mut bench = Bench::new(Policy::default()).with(&vec![(Ready, 4); ready]);
        for _ in 0..random.usize(1..60) {
            bench.seen.totals.arrived.count += random.u64(0..30);
            bench.seen.totals.arrived.prompt_tokens += random.u64(0..30_000);
            let _ = bench.pass(5.0);
        }
        // The same past, and more and more of it still waiting.
        let mut before = 0;
        for waiting in [0, 1, 4, 16, 64, 256, 1024] {
            let mut seen = bench.seen.clone();
            seen.waiting.count = waiting;
            seen.waiting.prompt_tokens = 1000 * waiting;
            let needed = decide(&seen, &bench.policy, &mut bench.memory.clone()).needed;
            assert!(needed >= before, "case {case}: {needed} for {waiting} waiting, {before} for fewer");
            before = needed;
        }
        assert!(before > 0, "case {case}");
    }
}

#[test]
fn no_history_makes_a_number_that_is_none() {
    let mut random = fastrand::Rng::with_seed(13);
    for case in 0..300 {
        let mut bench = Bench::new(Policy::default());
        for _ in 0..random.usize(1..40) {
            let seen = &mut bench.seen;
            seen.now += [0.0, 1e-9, 0.5, 5.0, 3e5][random.usize(0..5)];
            let count = [0, 1, 50, 1 << 40][random.usize(0..4)];
            seen.totals.arrived.count += count;
            seen.totals.arrived.prompt_tokens += count * [0, 1, 8192][random.usize(0..3)];
            seen.totals.finished += count / 2;
            seen.totals.finished_tokens.output += count * random.u64(0..3);
            seen.waiting.count = count;
            seen.nodes = (0..random.usize(0..5)).map(|i| node(i, Ready, random.u32(0..5))).collect();
            seen.group.desired = seen.nodes.len() as u32;
            let decision = bench.decide();
            let forecast = &bench.memory.forecast;
            let (next, error) = forecast.next();
            let numbers =
                [next, error, forecast.mean_work(), forecast.throughput.full(), forecast.boots.mean()];
            assert!(
                numbers.iter().all(|n| n.is_finite() && *n >= 0.0),
                "case {case}: {numbers:?}, {decision:?}"
            );
            let held = (0..30).map(|level| bench.memory.regret.of(level, bench.seen.now));
            assert!(held.into_iter().all(|hold| (0.0..=600.0).contains(&hold)), "case {case}");
        }
    }
}

#[test]
fn when_nobody_asks_any_more_nothing_is_left_whatever_went_wrong() {
    for (faults, drive) in [
        (Faults::default(), Drive::Calls),
        (Faults::default(), Drive::Metrics),
        (Faults::HARSH, Drive::Calls),
        (Faults::HARSH, Drive::Metrics),
    ] {
        for seed in 1..=2 {
            let mut setting = Setting::of("burst", generate(Shape::Burst, seed), 240.0, false, false);
            (setting.faults, setting.seed) = (faults, seed);
            let (done, summary) =
                run(Contestant::Les, &setting, Ours { drive, ..Ours::default() }, &mut |_| {});
            assert_eq!(summary.lost, 0, "{drive:?} {faults:?}");
            let last = done.samples.last().expect("samples");
            assert_eq!((last.living, last.waiting), (0, 0), "{drive:?} {faults:?} seed {seed}");
        }
    }
}
