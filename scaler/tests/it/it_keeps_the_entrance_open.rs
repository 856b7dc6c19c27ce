//! Clients reach nodes only while there are enough of them, and whatever happens never an empty group for longer than
//! one tick.

use scaler::decide::policy::Policy;
use scaler::entrance::Weights;

use crate::world::{World, policy};

/// One round, and the call.
const TICK: f64 = 6.0;

async fn open() -> (World, crate::world::Running) {
    let world = World::new(Policy { min: 2, ..policy() });
    let scaler = world.scaler("one");
    world.until(120.0, |sim| sim.healthy().count() == 2).await;
    let took = world.until(60.0, |sim| sim.weights == Weights::NODES).await;
    assert!((30.0..=30.0 + 2.0 * TICK).contains(&took), "healthy for half a minute first: {took}");
    (world, scaler)
}

#[tokio::test(start_paused = true)]
async fn with_one_node_everything_goes_through_the_front() {
    let world = World::new(Policy { min: 1, ..policy() });
    let _scaler = world.scaler("one");
    world.until(120.0, |sim| sim.healthy().count() == 1).await;
    world.pass(300.0).await;
    assert_eq!(world.count("weights"), 0);
    assert_eq!(world.sim().weights, Weights::FRONT);
}

#[tokio::test(start_paused = true)]
async fn below_two_the_front_has_them_all_within_a_tick() {
    let (world, _scaler) = open().await;
    world.sim().crash(0);
    world.until(TICK, |sim| sim.weights == Weights::FRONT).await;
    world.until(120.0, |sim| sim.weights == Weights::NODES).await;
    let sim = world.sim.clone();
    sim.lock().unwrap().crash(0);
    sim.lock().unwrap().crash(0);
    world.until(TICK, |sim| sim.weights == Weights::FRONT).await;
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_hand_at_the_weights_is_corrected() {
    let (world, _scaler) = open().await;
    world.sim().weights = Weights::FRONT;
    world.until(TICK, |sim| sim.weights == Weights::NODES).await;
    world.sim().weights = Weights { nodes: 5, front: 5 };
    world.until(TICK, |sim| sim.weights == Weights::NODES).await;
}

#[tokio::test(start_paused = true)]
async fn it_closes_before_a_fleet_that_falls_asleep_is_gone() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(400, 5.0);
    world.until(300.0, |sim| sim.weights == Weights::NODES).await;
    world.until(3600.0, |sim| sim.is_asleep()).await;
    let sim = world.sim();
    assert_eq!(sim.weights, Weights::FRONT);
    let closed = sim.calls.iter().rposition(|(_, _, call)| call == "weights 0:1").unwrap();
    let last = sim.calls.iter().rposition(|(_, _, call)| call.starts_with("terminate")).unwrap();
    assert!(closed < last, "{sim}");
    assert!(sim.empty_for <= TICK, "clients stood before an empty group for {} s", sim.empty_for);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_neither_opens_early_nor_closes_what_serves() {
    let (world, scaler) = open().await;
    scaler.kill();
    let _next = world.scaler("two");
    world.pass(120.0).await;
    assert_eq!(world.count("weights"), 1, "{}", world.sim());
}
