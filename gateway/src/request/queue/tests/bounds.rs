//! The queue refuses at once what is beyond its bounds, and the time it names is true.

use super::*;

/// Sends until a refusal; returns it.
fn fill(sim: &mut Sim, name: &str, work: f64) -> (&'static str, Duration) {
    loop {
        match sim.ask(demand(name, work)) {
            Ok(()) => {}
            Err(Refusal::Overloaded { what, retry_after }) => return (what, retry_after),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_caller_holds_half_the_queue_at_most() {
    let mut sim = Sim::new(settings::Queue { capacity: 20, ..config() }, 2, 1.0);
    let (what, retry_after) = fill(&mut sim, "flood", 5.0);
    assert!(what.contains("your half"), "{what}");
    assert_eq!(sim.waiting("flood"), 10);
    sim.ask(demand("other", 1.0)).unwrap();
    sim.advance(retry_after.as_secs_f64());
    sim.ask(demand("flood", 5.0)).unwrap();
}

#[test]
fn a_full_queue_names_when_there_will_be_room() {
    for work in [0.1, 3.0, 40.0] {
        let mut sim = Sim::new(settings::Queue { capacity: 20, ..config() }, 2, 1.0);
        fill(&mut sim, "a", work);
        fill(&mut sim, "b", work);
        let (what, retry_after) = fill(&mut sim, "c", work);
        assert_eq!(what, "the queue is full");
        sim.advance(retry_after.as_secs_f64());
        sim.ask(demand("c", work)).unwrap();
    }
}

#[test]
fn a_wait_predicted_too_long_is_refused_until_it_is_not() {
    let limits = settings::Queue { max_wait_seconds: Duration::from_secs(60), ..config() };
    let mut sim = Sim::new(limits, 4, 1.0);
    let (what, retry_after) = fill(&mut sim, "flood", 7.0);
    assert!(what.contains("longer"), "{what}");
    sim.advance(retry_after.as_secs_f64());
    sim.ask(demand("flood", 7.0)).unwrap();
    fill(&mut sim, "flood", 7.0);
    sim.ask(demand("other", 7.0)).expect("a flood costs only its sender");
}

/// Whatever waits and runs: who comes back after the time named is let in, unless others came meanwhile. (Or unless
/// a single request lasts longer than anybody may wait: the longest here takes 27 s.)
#[test]
fn the_time_named_is_true() {
    let (mut named, mut refusals) = (Duration::ZERO, 0);
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = settings::Queue {
            capacity: random.usize(2..100),
            max_wait_seconds: Duration::from_secs(random.u64(27..60)),
            ..config()
        };
        let mut sim = Sim::new(limits, random.usize(1..6), 1.0);
        for _ in 0..200 {
            let asked = demand(&format!("{}", random.u32(0..4)), 0.2 + 12.0 * random.f64().powi(3));
            match sim.ask(asked.clone()) {
                Ok(()) => sim.advance(0.5 * random.f64()),
                Err(Refusal::Overloaded { retry_after, .. }) => {
                    sim.advance(retry_after.as_secs_f64());
                    sim.ask(asked).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    (named, refusals) = (named + retry_after, refusals + 1);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    println!("{refusals} refusals, {:.1} s on the mean, all true", named.as_secs_f64() / f64::from(refusals));
    assert!(refusals > 1000);
}

#[test]
fn nobody_is_refused_while_a_slot_is_free() {
    let limits = settings::Queue { capacity: 1, max_wait_seconds: Duration::ZERO, ..config() };
    let mut sim = Sim::new(limits, 3, 1.0);
    for _ in 0..3 {
        sim.ask(demand("a", 1000.0)).unwrap();
    }
    assert!(sim.ask(demand("a", 1.0)).is_err());
}

#[test]
fn a_model_without_a_place_names_the_deadline_of_who_waits() {
    let (mut state, now) = (State::new(settings::Queue { capacity: 2, ..config() }), Instant::now());
    state.arrive(Demand { patience: patience(42), ..demand("a", 1.0) }, now).unwrap();
    let refused = state.arrive(demand("a", 1.0), now).unwrap_err();
    assert!(matches!(refused, Refusal::Overloaded { retry_after, .. } if retry_after.as_secs() == 42));
}

#[test]
fn nonsense_is_no_work() {
    for work in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0] {
        let limits = settings::Queue { max_wait_seconds: Duration::from_secs(1 << 30), ..config() };
        let mut sim = Sim::new(limits, 1, 1.0);
        sim.state.arrive(demand("a", work), sim.now).unwrap();
        sim.state.arrive(demand("b", work), sim.now).unwrap();
        sim.state.arrive(demand("b", work), sim.now).unwrap();
        assert!(sim.state.load(sim.now).queued_work_seconds > 0.0);
        let wait = sim.state.predicted_wait(&caller("c"), Priority::Normal, &model("m"), sim.now);
        assert!(wait.is_finite() && wait > 0.0);
    }
}
