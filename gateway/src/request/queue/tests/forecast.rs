//! Predicted waits come true, and the rate is learned.

use super::*;

#[test]
fn predicted_waits_come_true_in_a_steady_flow() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut sim = Sim::new(config(), 4, 1.0);
    let mut predicted = Vec::new();
    // 2.105 work-seconds a second can be done; bursts of 60 requests, 1 to 5 s each, every 120 s.
    for _ in 0..60 {
        for _ in 0..60 {
            let name = format!("{}", random.u32(0..5));
            let wait = sim.state.predicted_wait(&caller(&name), Priority::Normal, &model("m"), sim.now);
            predicted.push(wait);
            sim.ask(demand(&name, 1.0 + 4.0 * random.f64())).unwrap();
            sim.advance(0.5);
        }
        sim.advance(90.0);
    }
    let waited: Vec<f64> = sim.waits.values().flatten().copied().collect();
    let ratio = mean(&predicted) / mean(&waited);
    println!("mean wait {:.1} s, predicted ÷ waited {ratio:.3}", mean(&waited));
    assert!((0.75..1.25).contains(&ratio));
}

#[test]
fn every_single_wait_is_predicted_when_nothing_else_arrives() {
    let mut sim = Sim::new(config(), 4, 1.0);
    let (mut random, mut predicted) = (fastrand::Rng::with_seed(1), HashMap::<_, Vec<f64>>::new());
    for index in 0..80 {
        let name = ["a", "a", "a", "b", "c"][index % 5];
        let wait = sim.state.predicted_wait(&caller(name), Priority::Normal, &model("m"), sim.now);
        predicted.entry(caller(name)).or_default().push(wait);
        sim.ask(demand(name, 1.0 + 2.0 * random.f64())).unwrap();
    }
    sim.advance(1000.0);
    for (name, waits) in &sim.waits {
        let ratio = predicted[name].iter().sum::<f64>() / waits.iter().sum::<f64>();
        println!("{name:?}: predicted ÷ waited {ratio:.3}");
        // The first in line cannot know of those who come later and go first.
        assert!((0.7..1.25).contains(&ratio));
    }
}

#[test]
fn who_is_urgent_waits_less_and_who_is_not_waits_no_longer_than_its_floor_says() {
    let mut sim = Sim::new(config(), 1, 1.0);
    for _ in 0..100 {
        sim.ask(demand("a", 1.0)).unwrap();
    }
    let wait = |class| sim.state.predicted_wait(&caller("b"), class, &model("m"), sim.now);
    assert!(wait(Priority::Interactive) <= 1.5 && wait(Priority::Normal) <= 2.5);
    assert!((0.0..=1.1).contains(&wait(Priority::Batch)), "its floor has credit as soon as it waits");
}

#[test]
fn the_rate_is_learned_within_its_bounds() {
    for (speed, expected) in [(0.7, 0.7), (1.0, 1.0), (1.6, 1.6), (0.2, 0.5), (5.0, 2.0)] {
        let mut sim = Sim::new(config(), 4, speed);
        for _ in 0..40 {
            for _ in 0..100 {
                sim.ask(demand("a", 5.0)).unwrap();
            }
            sim.advance(3000.0);
        }
        let learned = sim.state.load(sim.now).work_per_second / (4.0 / 1.9);
        println!("a node {speed} times as fast: learned {learned:.3}");
        assert!((learned / expected - 1.0).abs() < 0.05);
    }
}

#[test]
fn what_runs_alone_teaches_nothing_about_a_full_place() {
    let mut sim = Sim::new(config(), 4, 1.9);
    for _ in 0..100 {
        sim.ask(demand("a", 5.0)).unwrap();
        sim.advance(10.0);
    }
    assert_eq!(sim.state.load(sim.now).work_per_second, 4.0 / 1.9);
}

#[test]
fn a_place_that_comes_back_keeps_what_was_learned() {
    let mut sim = Sim::new(config(), 2, 1.5);
    for _ in 0..200 {
        sim.ask(demand("a", 10.0)).unwrap();
    }
    sim.advance(1e4);
    let learned = sim.state.load(sim.now).work_per_second;
    sim.state.offer(HERE, &model("m"), 0, sim.now);
    assert_eq!(sim.state.load(sim.now).work_per_second, 0.0);
    sim.state.offer(UpstreamId(5), &model("m"), 2, sim.now);
    assert!((sim.state.load(sim.now).work_per_second - learned).abs() < 1e-9);
}
