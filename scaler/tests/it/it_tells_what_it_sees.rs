//! Metrics every ten seconds, zeros too, by the leader alone; and the group grows by them where it is told to.

use scaler::decide::policy::{Drive, Policy};

use crate::world::{World, policy};

#[tokio::test(start_paused = true)]
async fn every_ten_seconds_and_also_that_there_is_nothing() {
    let world = World::new(policy());
    let first = world.scaler("one");
    let _second = world.scaler("two");
    world.pass(65.0).await;
    let told = world.sim().published.clone();
    assert!((6..=7).contains(&told.len()), "the leader alone: {}", told.len());
    assert!(told.windows(2).all(|two| (9.0..=11.0).contains(&(two[1].0 - two[0].0))));
    for name in ["QueueDepth", "NodesShort", "ReadyNodes", "DesiredNodes", "InFlight", "FleetBroken"] {
        assert!(told.iter().all(|(_, values)| values.get(name) == Some(&0.0)), "{name}");
    }
    assert!(told.iter().all(|(_, values)| values.get("ScalerHeartbeat") == Some(&1.0)));
    // Its successor goes on.
    first.kill();
    world.pass(40.0).await;
    assert!(world.sim().published.len() >= told.len() + 2);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_works_says_how_it_is() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(20, 30.0);
    world.pass(15.0).await;
    assert_eq!(world.told("QueueDepth"), 20.0);
    assert!(world.told("DesiredNodes") >= 1.0);
    world.until(90.0, |sim| sim.running() > 0).await;
    world.pass(15.0).await;
    assert!(world.told("InFlight") > 0.0 && world.told("ReadyNodes") >= 1.0);
    assert!(world.told("QueueDepth") + world.told("InFlight") <= 20.0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_launch_is_told() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.sim().no_capacity = true;
    world.pass(10.0).await;
    assert_eq!(world.told("LaunchRefused"), 0.0);
    world.sim().ask(9, 5.0);
    world.pass(30.0).await;
    assert_eq!(world.told("LaunchRefused"), 1.0);
    world.sim().no_capacity = false;
    world.until(900.0, |sim| sim.served == 9).await;
    world.pass(20.0).await;
    assert_eq!(world.told("LaunchRefused"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn the_step_policy_grows_the_fleet_and_the_leader_only_wakes_it() {
    let world = World::new(Policy { drive: Drive::Metrics, ..policy() });
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().stepping = true;
    world.sim().ask(600, 5.0);
    world.until(120.0, |sim| sim.desired == 3).await;
    assert_eq!(world.count("desired"), 1, "{}", world.sim());
    assert!(world.count("step") >= 1);
    world.until(1800.0, |sim| sim.served == 600).await;
    world.until(900.0, |sim| sim.is_asleep()).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_calls_could_not_get_is_short() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(600, 5.0);
    world.until(90.0, |sim| sim.running() > 0).await;
    world.sim().stepping = true;
    world.pass(60.0).await;
    assert_eq!(world.count("step"), 0, "its own calls were enough");
}

#[tokio::test(start_paused = true)]
async fn peers_of_a_large_fleet_read_one_summary() {
    let small = World::new(Policy { min: 2, ..policy() });
    let _scaler = small.scaler("one");
    small.pass(120.0).await;
    assert!(small.sim().summary.is_none(), "two nodes and a front are read one by one");
    let large = World::new(Policy { min: 26, max: 30, ..policy() });
    let _other = large.scaler("one");
    large.pass(180.0).await;
    let summary = large.sim().summary.clone().expect("a summary");
    assert_eq!(summary.nodes.len(), 27, "26 nodes and the front");
}
