//! A leader that dies at any one of its calls, before or after it was done, costs nothing but seconds: the next one
//! finds what there is, ends nothing twice, and ends nothing with work.

use crate::world::fate::Side;
use crate::world::{Fate, World, policy};

/// A short life that makes every kind of call: woken, grown, shrunk, taken back, asleep. True if the leader died in it.
async fn life(call: u32, side: Side) -> bool {
    let world = World::new(policy());
    let first = world.scaler_with("first", Fate::dies_at(call, side));
    world.pass(5.0).await;
    assert!(first.scaler.lease().may_act());
    let second = world.scaler("second");
    let fate = first.fate.clone();
    let reaper = async {
        while !fate.is_dead() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        first.kill();
        std::future::pending::<()>().await;
    };
    let lived = async {
        world.sim().ask(120, 5.0);
        world.until(900.0, |sim| sim.served == 120).await;
        world.until(600.0, |sim| sim.records.values().any(|one| one.answer.order_seq > 0)).await;
        world.sim().ask(60, 5.0);
        world.until(900.0, |sim| sim.served == 180).await;
        world.until(1200.0, |sim| sim.is_asleep()).await;
    };
    tokio::select! {
        () = lived => {}
        () = reaper => {}
    }
    drop(second);
    fate.is_dead()
}

async fn at_every_call(side: Side) {
    let mut call = 0;
    while life(call, side).await {
        call += 1;
        assert!(call < 500, "it never came through");
    }
    assert!(call > 15, "only {call} calls: this life is too dull to prove anything");
}

#[tokio::test(start_paused = true)]
async fn before_any_call() {
    at_every_call(Side::Before).await;
}

#[tokio::test(start_paused = true)]
async fn after_any_call() {
    at_every_call(Side::After).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_ends_in_order_hands_over_at_once() {
    let world = World::new(policy());
    let first = world.scaler("first");
    world.pass(5.0).await;
    let second = world.scaler("second");
    world.pass(5.0).await;
    assert!(first.scaler.lease().may_act() && !second.scaler.lease().may_act());
    first.end().await;
    world.pass(3.0).await;
    assert!(second.scaler.lease().may_act());
    world.sim().ask(1, 5.0);
    world.until(3.0, |sim| !sim.machines.is_empty()).await;
}
