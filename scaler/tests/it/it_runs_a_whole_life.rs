//! From zero to as many as the work is worth and back, with the whole process running.

use fleet::store::{Boot, Phase};
use scaler::group::Life;

use crate::world::{World, policy};

#[tokio::test(start_paused = true)]
async fn a_request_wakes_the_fleet_within_seconds_and_it_sleeps_again() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(30.0).await;
    assert!(world.sim().calls.is_empty(), "silence does nothing");
    world.sim().ask(1, 10.0);
    let took = world.until(3.0, |sim| !sim.machines.is_empty()).await;
    assert!(took <= 2.0, "a front writes at once, the leader looks twice a second: {took}");
    world.until(90.0, |sim| sim.served == 1).await;
    world.pass(6.0).await;
    let state = world.state();
    assert_eq!(state.phase, Phase::Awake);
    let [Boot { seconds: Some(seconds), .. }] = state.boots[..] else { panic!("{:?}", state.boots) };
    assert!((58.0..70.0).contains(&seconds), "{seconds}");
    world.until(400.0, |sim| sim.is_asleep()).await;
    world.until(60.0, |sim| sim.records.keys().eq(["front"])).await;
    let sim = world.sim();
    assert_eq!((sim.count("desired"), sim.count("terminate"), sim.count("unhealthy")), (1, 1, 0), "{sim}");
    let falling = sim.calls.iter().position(|(_, _, call)| call.starts_with("state FallingAsleep"));
    let ended = sim.calls.iter().position(|(_, _, call)| call.starts_with("terminate"));
    assert!(falling < ended, "told before the last node goes\n{sim}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_launch_no_more_than_the_most() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1000, 5.0);
    world.until(3600.0, |sim| sim.served == 1000).await;
    world.until(900.0, |sim| sim.is_asleep()).await;
    let sim = world.sim();
    let most =
        sim.calls.iter().filter_map(|(_, _, call)| call.strip_prefix("desired ")?.parse::<u32>().ok()).max();
    assert_eq!(most, Some(3), "{sim}");
}

#[tokio::test(start_paused = true)]
async fn surplus_goes_one_by_one_and_comes_back_for_free() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(400, 5.0);
    world.until(3600.0, |sim| sim.living().count() == 3 && sim.queue.is_empty()).await;
    // Long requests keep every node busy while the rest of the fleet is surplus: none may end with work.
    world.sim().ask(3, 400.0);
    world.until(900.0, |sim| sim.records.values().any(|one| one.answer.order_seq > 0)).await;
    world.sim().ask(300, 5.0);
    world.until(3600.0, |sim| sim.served == 703).await;
    world.until(1800.0, |sim| sim.is_asleep()).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_as_the_fleet_falls_asleep_wins() {
    for late in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0] {
        let world = World::new(policy());
        let _scaler = world.scaler("one");
        world.pass(10.0).await;
        world.sim().ask(1, 5.0);
        world.until(600.0, |sim| sim.state.phase == Phase::FallingAsleep).await;
        world.pass(late).await;
        world.sim().ask(1, 5.0);
        world.until(120.0, |sim| sim.served == 2).await;
        assert!(world.sim().refused == 0, "{late}");
        world.until(600.0, |sim| sim.is_asleep()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_wakes_even_if_no_front_could_say_so() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(400.0, |sim| sim.served == 1).await;
    world.until(400.0, |sim| sim.is_asleep()).await;
    // As if the front had seen the fleet awake when the request came, and never looked again.
    let sim = world.sim.clone();
    sim.lock().unwrap().state.phase = Phase::Awake;
    sim.lock().unwrap().state.version += 1;
    sim.lock().unwrap().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 2).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_while_an_instance_refresh_runs() {
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    world.sim().refreshing = true;
    world.pass(900.0).await;
    assert_eq!(world.count("terminate"), 0);
    world.sim().refreshing = false;
    world.until(400.0, |sim| sim.is_asleep()).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_lapses_and_the_node_serves_again_when_its_leader_dies() {
    let world = World::new(policy());
    let scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(1, 5.0);
    world.until(120.0, |sim| sim.served == 1).await;
    // A long stream, so that the drain lasts; the fleet is told to sleep.
    world.sim().ask(1, 900.0);
    world.pass(5.0).await;
    world.tell(|state| state.moved_to(Phase::FallingAsleep, world.wall())).await;
    world.until(20.0, |sim| sim.records.values().any(|one| one.answer.order_seq > 0)).await;
    world.pass(90.0).await;
    assert_eq!(
        world.sim().records.values().filter(|one| one.answer.order_seq > 1).count(),
        0,
        "renewed, not given anew"
    );
    scaler.kill();
    world.sim().ask(1, 5.0);
    let took = world.until(80.0, |sim| sim.served == 2).await;
    assert!(took >= 50.0, "the order was in force until it lapsed: {took}");
    assert_eq!(world.sim().machines[0].life, Life::InService);
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_changes_nothing() {
    use std::sync::atomic::Ordering::Relaxed;
    let world = World::new(policy());
    let _scaler = world.scaler("one");
    world.pass(10.0).await;
    world.sim().ask(200, 5.0);
    world.until(900.0, |sim| sim.served > 20).await;
    for jump in [7200, -7200, 86_400 * 40, 0] {
        world.jump.store(jump, Relaxed);
        let before = (world.count("terminate"), world.count("unhealthy"));
        world.pass(20.0).await;
        assert_eq!((world.count("terminate"), world.count("unhealthy")), before, "{jump}");
    }
    world.until(1800.0, |sim| sim.served == 200).await;
    world.until(900.0, |sim| sim.is_asleep()).await;
}
