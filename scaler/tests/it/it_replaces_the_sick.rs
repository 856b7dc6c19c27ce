//! Nodes that serve nobody are replaced; nobody is blamed for a store that fails.

use crate::world::{World, policy};
use scaler::decide::policy::Policy;

/// Two nodes that serve.
async fn two() -> World {
    two_of(policy()).await
}

async fn two_of(policy: Policy) -> World {
    let world = World::new(Policy { min: 2, ..policy });
    world
        .until(120.0, |sim| sim.living().all(|one| one.ready <= sim.now()) && sim.living().count() == 2)
        .await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_gateway_fell_silent_is_replaced_after_two_looks() {
    let world = two().await;
    let _scaler = world.scaler("one");
    world.pass(120.0).await;
    world.sim().machines[0].mute = true;
    let id = world.sim().machines[0].id.clone();
    let took = world.until(150.0, |sim| sim.count("unhealthy") == 1).await;
    assert!(took >= 60.0, "silent for 30 s, and looked at twice, 30 s apart: {took}");
    assert_eq!(world.count(&format!("unhealthy {id}")), 1);
    world.pass(300.0).await;
    assert_eq!(world.count("unhealthy"), 1);
    assert_eq!(world.sim().living().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_again_and_again_is_replaced_and_one_that_recovers_is_not() {
    let world = two().await;
    let _scaler = world.scaler("one");
    world.pass(120.0).await;
    world.sim().machines[0].dead_ollama = true;
    world.pass(25.0).await;
    world.sim().machines[0].dead_ollama = false;
    world.pass(60.0).await;
    assert_eq!(world.count("unhealthy"), 0, "it came back in time");
    world.sim().machines[0].dead_ollama = true;
    world.until(120.0, |sim| sim.count("unhealthy") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_makes_nobody_sick() {
    let world = two().await;
    let _scaler = world.scaler("one");
    world.pass(120.0).await;
    for _ in 0..5 {
        world.sim().store_out = true;
        world.pass(100.0).await;
        world.sim().store_out = false;
        world.pass(20.0).await;
    }
    world.pass(300.0).await;
    assert_eq!((world.count("unhealthy"), world.count("terminate")), (0, 0), "{}", world.sim());
}

#[tokio::test(start_paused = true)]
async fn all_silent_at_once_is_not_the_nodes_fault() {
    let world = two_of(Policy { max: 2, ..policy() }).await;
    let _scaler = world.scaler("one");
    world.pass(120.0).await;
    world.sim().machines.iter_mut().for_each(|one| one.mute = true);
    world.pass(600.0).await;
    assert_eq!(world.count("unhealthy"), 0);
    // But nobody would ever serve again: one is replaced, and its successor's word convicts the other.
    world.until(200.0, |sim| sim.count("unhealthy") == 1).await;
    world.until(300.0, |sim| sim.count("unhealthy") == 2).await;
    world.until(120.0, |sim| sim.living().filter(|one| one.told && !one.mute).count() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn who_says_that_its_ollama_is_gone_is_no_sign_of_a_store_that_fails() {
    let world = two_of(Policy { max: 2, ..policy() }).await;
    let _scaler = world.scaler("one");
    world.pass(120.0).await;
    world.sim().machines[0].mute = true;
    world.sim().machines[1].dead_ollama = true;
    world.until(300.0, |sim| sim.count("unhealthy") == 2).await;
}

#[tokio::test(start_paused = true)]
async fn all_silent_at_once_are_replaced_when_a_new_node_speaks() {
    let world = two().await;
    let _scaler = world.scaler("one");
    world.pass(120.0).await;
    world.sim().machines.iter_mut().for_each(|one| one.mute = true);
    world.until(400.0, |sim| sim.count("unhealthy") == 2).await;
    assert_eq!(world.count("launch i-3"), 1, "for the minimum");
    let sim = world.sim.clone();
    let third = sim.lock().unwrap().machines.iter().any(|one| one.id == "i-3" && one.told);
    assert!(third, "its word proves that the store is well");
}

#[tokio::test(start_paused = true)]
async fn what_drains_by_itself_is_let_go_and_does_not_hold_up_a_launch() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    // A Spot notice: the instance ends by itself, and the group launches another.
    world.sim().machines[0].running.push(1e9);
    world.sim().machines[0].life = scaler::group::Life::Terminating;
    world.sim().desired = 0;
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(100.0, |sim| sim.served == 2).await;
    assert_eq!(world.count("terminate"), 0);
}
