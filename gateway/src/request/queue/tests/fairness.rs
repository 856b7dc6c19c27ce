//! Callers share the work equally, whatever they send.

use super::*;

/// A caller who keeps `depth` requests of `work` seconds waiting.
type Load<'a> = (&'a str, usize, f64);

/// Lets the callers press for `seconds`; returns their shares of the work.
fn press(callers: &[Load<'_>], slots: usize, seconds: u64) -> Sim {
    let mut sim = Sim::new(settings::Queue { capacity: 2000, ..config() }, slots, 1.0);
    let end = sim.now + Duration::from_secs(seconds);
    loop {
        for (name, depth, work) in callers {
            while sim.waiting(name) < *depth {
                sim.ask(demand(name, *work)).unwrap();
            }
        }
        if !sim.step(end) {
            return sim;
        }
    }
}

fn check(what: &str, callers: &[Load<'_>]) {
    for slots in [1, 4] {
        let sim = press(callers, slots, 3000);
        let index = jain(callers.iter().map(|(name, ..)| sim.served[&caller(name)]));
        println!("{what}, {slots} slots: Jain index {index:.4}");
        assert!(index > 0.95);
    }
}

#[test]
fn backlogged_callers_get_equal_work() {
    check("two callers, one ten times as many", &[("a", 200, 2.0), ("b", 20, 2.0)]);
    check("two callers, one ten times as many and as large", &[("a", 200, 20.0), ("b", 20, 2.0)]);
    let five = [("a", 200, 3.0), ("b", 20, 3.0), ("c", 20, 3.0), ("d", 20, 3.0), ("e", 20, 3.0)];
    check("five callers, one ten times as many", &five);
    let five = [("a", 200, 30.0), ("b", 20, 3.0), ("c", 20, 3.0), ("d", 20, 3.0), ("e", 20, 3.0)];
    check("five callers, one ten times as many and as large", &five);
}

/// The mean wait of a caller who asks for one second of work every 20 s, beside one who keeps `depth` waiting.
fn light_wait(depth: usize) -> f64 {
    let mut sim = Sim::new(config(), 4, 1.0);
    for _ in 0..200 {
        while sim.waiting("flood") < depth {
            sim.ask(demand("flood", 2.0)).unwrap();
        }
        sim.ask(demand("light", 1.0)).unwrap();
        let next = sim.now + Duration::from_secs(20);
        while sim.step(next) {
            while sim.waiting("flood") < depth {
                sim.ask(demand("flood", 2.0)).unwrap();
            }
        }
    }
    mean(&sim.waits[&caller("light")])
}

#[test]
fn a_tenfold_flood_does_not_slow_the_light_caller() {
    let (calm, flood) = (light_wait(20), light_wait(200));
    println!("mean wait of the light caller: {calm:.2} s beside 20 waiting, {flood:.2} s beside 200");
    assert!(flood <= calm * 1.05 + 0.01);
    assert!(flood < 4.0, "one running request at most is before it");
}

#[test]
fn equal_work_sent_together_finishes_together() {
    let mut sim = Sim::new(config(), 4, 1.0);
    for _ in 0..10 {
        sim.ask(demand("large", 20.0)).unwrap();
    }
    for _ in 0..100 {
        sim.ask(demand("small", 2.0)).unwrap();
    }
    let start = sim.now;
    sim.advance(10_000.0);
    let end = |name| (sim.ended[&caller(name)] - start).as_secs_f64();
    let ratio = end("large") / end("small");
    println!("end of large ÷ end of small: {ratio:.3}");
    // One large request lasts 38 s of 190: the last ones cannot end closer together.
    assert!((0.75..1.34).contains(&ratio));
}

#[test]
fn a_caller_who_comes_back_brings_no_credit() {
    let mut sim = press(&[("a", 20, 1.0), ("b", 20, 1.0)], 1, 500);
    let before = sim.served.clone();
    let end = sim.now + Duration::from_secs(300);
    loop {
        for name in ["a", "b", "late"] {
            while sim.waiting(name) < 20 {
                sim.ask(demand(name, 1.0)).unwrap();
            }
        }
        if !sim.step(end) {
            break;
        }
    }
    let gained = |name| sim.served[&caller(name)] - before.get(&caller(name)).copied().unwrap_or(0.0);
    assert!(jain(["a", "b", "late"].map(gained)) > 0.99);
}

#[test]
fn a_wrong_estimate_is_charged_in_the_end() {
    let mut state = State::new(config());
    let (mut now, mut running) = (Instant::now(), HashMap::new());
    let mut served: HashMap<Principal, f64> = HashMap::new();
    let mut next: Vec<Grant> = state.offer(HERE, &model("m"), 1, now);
    let mut depth: HashMap<Principal, usize> = HashMap::new();
    for _ in 0..600 {
        // The liar says one second and takes four.
        for (name, says) in [("liar", 1.0), ("honest", 2.0)] {
            while depth.get(&caller(name)).copied().unwrap_or(0) < 10 {
                *depth.entry(caller(name)).or_default() += 1;
                if let Arrival::Granted(grant) = state.arrive(demand(name, says), now).unwrap() {
                    next.push(grant);
                }
            }
        }
        let grant = next.pop().expect("somebody always waits");
        *depth.get_mut(&grant.caller).unwrap() -= 1;
        let truth = if grant.caller == caller("liar") { 4.0 } else { 2.0 };
        *served.entry(grant.caller.clone()).or_default() += truth;
        running.insert(grant.ticket, truth);
        now += Duration::from_secs_f64(truth);
        state.settle(&model("m"), grant.ticket, truth, Duration::from_secs_f64(truth), now);
        next.extend(state.release(&model("m"), grant.ticket, now));
    }
    let index = jain(served.into_values());
    println!("an estimate four times too low: Jain index {index:.4}");
    assert!(index > 0.99);
}

#[test]
fn flows_are_forgotten() {
    let mut fair = fair::Fair::default();
    let (a, b) = (caller("a"), caller("b"));
    let mut sim = Sim::new(config(), 1, 1.0);
    for _ in 0..3 {
        sim.ask(demand("a", 1.0)).unwrap();
    }
    let tickets: Vec<Ticket> = sim.asked.keys().copied().collect();
    fair.push(&a, tickets[0], 1.0, Reach::Anywhere);
    fair.push(&b, tickets[1], 1.0, Reach::Anywhere);
    assert_eq!(fair.flows(), 2);
    fair.remove(&a, tickets[0]);
    assert_eq!(fair.flows(), 1, "who leaves without having run is forgotten at once");
    let turn = fair.pop(HERE).unwrap();
    assert_eq!(turn.ticket, tickets[1]);
    assert_eq!(fair.flows(), 1, "who runs is known");
    fair.finish(&b);
    assert_eq!(fair.flows(), 0, "nobody waits: nothing to remember");
}

#[test]
fn a_thousand_passing_callers_leave_no_table_behind() {
    let mut sim = Sim::new(config(), 1, 1.0);
    for index in 0..1000 {
        sim.ask(demand("steady", 0.1)).unwrap();
        sim.ask(demand(&format!("passing {index}"), 10.0)).unwrap();
        sim.advance(11.0);
    }
    let flows = sim.state.flows();
    assert!(flows < 300, "{flows} flows");
    sim.advance(20_000.0);
    assert_eq!(sim.state.flows(), 0);
}
