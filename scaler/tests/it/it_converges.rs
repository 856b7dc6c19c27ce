//! Whatever is seen: desired within its bounds, no node with work terminated, and quiet at last.

use scaler::decide::observation::Phase::{Booting, Draining, Ready};
use scaler::decide::policy::Policy;
use scaler::simulate::contest::{Contestant, Ours, run};
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
