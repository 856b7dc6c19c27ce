//! Boots that fail, launches that are refused, money that is spent.

use fleet::store::{Phase, Spent};
use scaler::decide::policy::{Budget, Policy};

use crate::world::{World, policy};

#[tokio::test(start_paused = true)]
async fn three_failed_boots_break_the_fleet_and_it_tries_again() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().bad_image = true;
    world.sim().ask(1, 5.0);
    world.until(3.0 * 700.0, |sim| sim.state.phase == Phase::Broken).await;
    let launches = world.count("launch");
    assert_eq!(launches, 3, "{}", world.sim());
    let reason = world.state().reason.unwrap();
    assert!(reason.contains('3'), "{reason}");
    world.until(60.0, |sim| sim.machines.is_empty() && sim.desired == 0).await;
    world.pass(500.0).await;
    assert_eq!((world.count("launch"), world.phase()), (launches, Phase::Broken));
    world.sim().bad_image = false;
    world.until(300.0, |sim| sim.served == 1).await;
    assert_eq!(world.state().boot_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn one_failed_try_of_a_broken_fleet_breaks_it_again() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().bad_image = true;
    world.sim().ask(1, 5.0);
    world.until(2100.0, |sim| sim.state.phase == Phase::Broken).await;
    let first = world.count("launch");
    world.until(700.0, |sim| sim.state.phase == Phase::Waking).await;
    world.until(900.0, |sim| sim.state.phase == Phase::Broken).await;
    assert_eq!(world.count("launch"), first + 1);
}

#[tokio::test(start_paused = true)]
async fn instances_that_end_before_they_are_ready_are_failed_boots() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().bad_image = true;
    world.sim().ask(1, 5.0);
    for _ in 0..3 {
        world.until(60.0, |sim| !sim.machines.is_empty()).await;
        world.pass(20.0).await;
        world.sim().crash(0);
    }
    world.until(30.0, |sim| sim.state.phase == Phase::Broken).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_serves_keeps_the_fleet_awake_while_others_fail() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    world.sim().bad_image = true;
    for _ in 0..40 {
        world.sim().ask(60, 5.0);
        world.pass(60.0).await;
        assert_eq!(world.phase(), Phase::Awake);
    }
    let launches = world.count("launch");
    assert!((4..=9).contains(&launches), "{launches} launches of an image that does not boot, in 40 minutes");
}

#[tokio::test(start_paused = true)]
async fn refused_launches_are_waited_for_longer_and_longer() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().no_capacity = true;
    world.sim().ask(300, 5.0);
    world.pass(1200.0).await;
    let writes = world.count("desired");
    assert!((1..=25).contains(&writes), "{writes} writes in 20 minutes\n{}", world.sim());
    assert_eq!(world.phase(), Phase::Waking, "a refusal is no failed boot");
    world.sim().no_capacity = false;
    world.until(1200.0, |sim| sim.served == 300).await;
}

#[tokio::test(start_paused = true)]
async fn without_money_the_fleet_ends_and_says_why() {
    let budget = Some(Budget { hours: 100.0 });
    let world = World::new(Policy { budget, ..policy() });
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    world.sim().ask(1, 100.0);
    world.pass(10.0).await;
    let spent = Some(Spent { period: 202_611, gpu_seconds: 360_000.0 });
    world.tell(|state| fleet::store::FleetState { spent, ..state.clone() }).await;
    world.until(200.0, |sim| sim.machines.is_empty()).await;
    assert_eq!(world.sim().served, 2, "what ran was finished");
    let launches = world.count("launch");
    world.pass(30.0).await;
    world.sim().ask(1, 5.0);
    world.until(60.0, |sim| sim.state.phase == Phase::Broken).await;
    assert!(world.state().reason.unwrap().contains("budget"));
    assert_eq!(world.count("launch"), launches);
}

#[tokio::test(start_paused = true)]
async fn what_instances_live_is_counted_whoever_leads() {
    let budget = Some(Budget { hours: 100.0 });
    let world = World::new(Policy { budget, min: 1, ..policy() });
    let first = world.scaler("one");
    world.pass(1800.0).await;
    first.kill();
    let _second = world.scaler("two");
    world.pass(1800.0).await;
    let spent = world.state().spent.unwrap();
    assert_eq!(spent.period, 202_611);
    assert!((3400.0..3620.0).contains(&spent.gpu_seconds), "{spent:?}");
}
