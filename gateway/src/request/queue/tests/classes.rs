//! Urgent classes go first; the others keep their floor, and no more.

use super::*;
use Priority::*;

/// Keeps 20 requests of one second waiting in each class for 4000 s; returns the classes' shares of the work.
fn shares(classes: &[Priority]) -> [f64; 3] {
    let mut sim = Sim::new(config(), 4, 1.0);
    let end = sim.now + Duration::from_secs(4000);
    loop {
        for class in classes {
            let name = format!("{class:?}");
            while sim.waiting(&name) < 20 {
                sim.ask(Demand { priority: *class, ..demand(&name, 1.0) }).unwrap();
            }
        }
        if !sim.step(end) {
            break;
        }
    }
    let all: f64 = sim.by_class.iter().sum();
    let shares = sim.by_class.map(|work| work / all);
    println!("{classes:?} pressing: shares {shares:.3?}");
    shares
}

fn check(classes: &[Priority], expected: [f64; 3]) {
    for (got, expected) in shares(classes).into_iter().zip(expected) {
        assert!((got - expected).abs() < 0.01);
    }
}

#[test]
fn each_class_keeps_its_floor_and_no_more() {
    check(&[Interactive, Batch], [0.95, 0.0, 0.05]);
    check(&[Interactive, Normal], [0.8, 0.2, 0.0]);
    check(&[Normal, Batch], [0.0, 0.95, 0.05]);
    check(&[Interactive, Normal, Batch], [0.75, 0.2, 0.05]);
    check(&[Batch], [0.0, 0.0, 1.0]);
}

#[test]
fn a_floor_is_not_multiplied_by_coming_one_at_a_time() {
    let mut sim = Sim::new(config(), 1, 1.0);
    let end = sim.now + Duration::from_secs(2000);
    loop {
        while sim.waiting("i") < 20 {
            sim.ask(Demand { priority: Interactive, ..demand("i", 1.0) }).unwrap();
        }
        if sim.waiting("b") == 0 {
            sim.ask(Demand { priority: Batch, ..demand("b", 1.0) }).unwrap();
        }
        if !sim.step(end) {
            break;
        }
    }
    let share = sim.by_class[2] / sim.by_class.iter().sum::<f64>();
    assert!((0.04..0.06).contains(&share), "{share}");
}

#[test]
fn idle_classes_save_nothing_up() {
    let mut sim = Sim::new(config(), 1, 1.0);
    let press = |sim: &mut Sim, seconds| {
        let end = sim.now + Duration::from_secs(seconds);
        loop {
            while sim.waiting("i") < 20 {
                sim.ask(Demand { priority: Interactive, ..demand("i", 1.0) }).unwrap();
            }
            if !sim.step(end) {
                break;
            }
        }
    };
    press(&mut sim, 3000);
    for _ in 0..50 {
        sim.ask(Demand { priority: Batch, ..demand("b", 1.0) }).unwrap();
    }
    press(&mut sim, 100);
    assert!(sim.by_class[2] <= 6.0, "{:?}", sim.by_class);
}
