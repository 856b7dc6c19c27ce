//! Wake, sleep, hold, schedule, limits; and a dry run that touches nothing.

use std::sync::Arc;

use fleet::store::{FleetState, Hold, Phase};
use scaler::act::Act;
use scaler::decide::policy::{Policy, Window};
use scaler::round::{Right, Round};

use crate::world::{Fate, World, policy};

#[tokio::test(start_paused = true)]
async fn woken_by_hand_it_stays_for_its_idle_time() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.tell(|state| state.moved_to(Phase::Waking, world.wall())).await;
    world.until(100.0, |sim| sim.state.phase == Phase::Awake).await;
    world.pass(110.0).await;
    assert_eq!(world.sim().living().count(), 1, "two minutes of idling are its due");
    world.until(120.0, |sim| sim.is_asleep()).await;
}

#[tokio::test(start_paused = true)]
async fn told_to_sleep_it_finishes_and_goes_though_others_wait() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    world.sim().ask(2, 60.0);
    world.pass(5.0).await;
    world.tell(|state| state.moved_to(Phase::FallingAsleep, world.wall())).await;
    world.until(120.0, |sim| sim.is_asleep()).await;
    assert_eq!(world.sim().served, 3);
}

#[tokio::test(start_paused = true)]
async fn told_to_sleep_while_it_wakes_it_calls_off_what_boots() {
    for late in [0.5, 7.0, 30.0] {
        let world = World::new(policy());
        let _scaler = world.scaler("one");
        world.pass(10.0).await;
        world.sim().no_capacity = late < 1.0; // a launch that has no instance yet
        world.tell(|state| state.moved_to(Phase::Waking, world.wall())).await;
        world.until(10.0, |sim| sim.desired == 1).await;
        world.pass(late).await;
        world.tell(|state| state.moved_to(Phase::FallingAsleep, world.wall())).await;
        let took = world.until(40.0, |sim| sim.is_asleep()).await;
        assert!(took < 40.0, "{late}: {took}");
        assert_eq!(world.state().boot_failures, 0, "{late}: called off is not failed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_holds_for_as_long_as_it_says() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    let until = world.wall() + 1800;
    let hold = Some(Hold { nodes: 2, until });
    world.tell(|state| FleetState { hold, ..state.moved_to(Phase::Waking, world.wall()) }).await;
    world.until(120.0, |sim| sim.living().count() == 2).await;
    world.pass(1500.0).await;
    assert_eq!(world.sim().living().count(), 2);
    world.until(700.0, |sim| sim.is_asleep()).await;
}

#[tokio::test(start_paused = true)]
async fn the_schedule_wakes_and_lets_go() {
    // The world begins on a Monday at 08:00 UTC.
    let window = Window { weekdays: 1, from: 490, until: 530, nodes: 2 };
    let world = World::new(Policy { schedule: vec![window], ..policy() });
    let _scaler = world.scaler("one");
    world.pass(590.0).await;
    assert!(world.sim().machines.is_empty());
    world.until(120.0, |sim| sim.living().count() == 2).await;
    world.until(120.0, |sim| sim.state.phase == Phase::Awake).await;
    world.pass(2000.0).await;
    assert_eq!(world.sim().living().count(), 2);
    world.until(900.0, |sim| sim.is_asleep()).await;
}

#[tokio::test(start_paused = true)]
async fn a_hard_limit_ends_a_run_and_the_next_request_begins_another() {
    let world = World::new(Policy { hard_limit: Some(600.0), ..policy() });
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    let first = world.sim().machines[0].id.clone();
    for _ in 0..60 {
        world.sim().ask(1, 5.0);
        world.pass(20.0).await;
    }
    assert!(world.sim().machines.iter().all(|one| one.id != first), "{}", world.sim());
    world.until(600.0, |sim| sim.served == 61).await;
}

#[tokio::test(start_paused = true)]
async fn the_minimum_is_never_undercut() {
    let world = World::new(Policy { min: 1, ..policy() });
    let _scaler = world.scaler("one");
    world.until(60.0, |sim| sim.living().count() == 1).await;
    world.sim().ask(300, 5.0);
    world.until(1800.0, |sim| sim.served == 300).await;
    world.until(900.0, |sim| sim.living().count() == 1).await;
    world.tell(|state| state.moved_to(Phase::FallingAsleep, world.wall())).await;
    world.pass(900.0).await;
    assert_eq!(world.sim().living().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_changes_nothing() {
    let world = World::new(policy());
    world.sim().ask(40, 5.0);
    world.pass(5.0).await;
    let (state, lease) = (world.state(), world.sim().lease.clone());
    let parts = world.parts("dry", &Arc::new(Fate::default()));
    let mut round = Round::new(Arc::new(parts));
    let mut would = Vec::new();
    for _ in 0..20 {
        would.extend(round.turn(Right::DryRun).await.unwrap().acts);
        world.pass(5.0).await;
    }
    assert!(would.iter().any(|act| matches!(act, Act::Raise(_) | Act::Wake)), "{would:?}");
    let sim = world.sim();
    assert_eq!((&sim.state, &sim.lease, sim.desired), (&state, &lease, 0));
}
