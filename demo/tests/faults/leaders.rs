//! A leader killed at each of its moments: another leads, does nothing twice, and takes nobody's node away.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use fleet::report::{NodeState, OrderKind};
use fleet::store::{Change, Hold, Phase, Store};
use jiff::Timestamp;

use crate::ask::{End, Family, all, failed};
use crate::fleet::{Fleet, NAME, Setting};
use crate::machines::Boot;
use crate::table::Row;
use crate::view::View;

fn two() -> Setting {
    Setting { scalers: 2, max: 3, boot: Boot::Well(Duration::from_secs(2)), ..Setting::default() }
}

/// Kills whoever leads as soon as `moment` has come; gives its number.
async fn kill_at(fleet: &mut Fleet, what: &str, moment: impl Fn(&View) -> bool) -> u32 {
    let leader = fleet.until(what, |view| moment(view).then(|| view.leader())).await.expect("somebody leads");
    fleet.kill_leader(leader);
    leader
}

async fn succeeded(fleet: &Fleet, dead: u32) {
    fleet.until("another leads", |view| view.leader().filter(|leader| *leader != dead)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_right_after_a_launch_it_has_launched_once() {
    let mut fleet = Fleet::start(two()).await;
    let tokens = Arc::new(AtomicUsize::new(0));
    let asked = fleet.caller.ask_whole(&fleet.url(0), Family::Native, &tokens);
    let dead =
        kill_at(&mut fleet, "a node is launched", |view| view.launched == 1 && !view.notes.is_empty()).await;
    let struck = Instant::now();
    assert_eq!(all(vec![asked]).await, [End::Whole], "the node boots and serves without a leader");
    succeeded(&fleet, dead).await;
    fleet.until("it is awake", |view| (view.state.phase == Phase::Awake).then_some(())).await;
    let recovery = struck.elapsed();
    fleet.stays("one wake is one node", 6, |view| view.launched == 1 && view.ready() == 1).await;
    Row { fault: "kill -9 of the leader at the wake", open: 1, cut: 0, others: 0, recovery }.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn killed_before_the_wake_another_wakes() {
    let mut fleet = Fleet::start(two()).await;
    let dead = kill_at(&mut fleet, "somebody leads", |view| view.leader().is_some()).await;
    let struck = Instant::now();
    let tokens = Arc::new(AtomicUsize::new(0));
    let asked = (0..3).map(|_| fleet.caller.ask_whole(&fleet.url(0), Family::OpenAi, &tokens)).collect();
    succeeded(&fleet, dead).await;
    let ends = all(asked).await;
    assert_eq!(failed(&ends), 0, "{ends:?}");
    let recovery = struck.elapsed();
    fleet.stays("one wake is one node", 6, |view| view.launched == 1).await;
    Row { fault: "kill -9 of the leader before a wake", open: 3, cut: 0, others: 0, recovery }.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn killed_after_raising_desired_nothing_is_raised_twice() {
    let mut fleet = Fleet::start(two()).await;
    let state = fleet.store.state(NAME).await.unwrap();
    let hold = Some(Hold { nodes: 2, until: Timestamp::now().as_second() + 600 });
    let held = ::fleet::store::FleetState { hold, ..state.clone() };
    assert!(matches!(fleet.store.change_state(NAME, &state, &held).await.unwrap(), Change::Made(_)));
    let dead = kill_at(&mut fleet, "desired is raised", |view| view.desired == 2).await;
    let struck = Instant::now();
    succeeded(&fleet, dead).await;
    fleet.ready(2).await;
    let recovery = struck.elapsed();
    fleet.stays("two wanted are two launched", 8, |view| view.launched == 2 && view.desired == 2).await;
    Row { fault: "kill -9 of the leader after a raise", open: 0, cut: 0, others: 0, recovery }.tell();
}

/// An awake fleet of one node, whose last request was just answered.
async fn about_to_sleep(setting: Setting) -> Fleet {
    let fleet = Fleet::start(Setting { idle_minutes: 0.05, ..setting }).await;
    assert_eq!(fleet.caller.ask(&fleet.url(0), Family::Native).await.finish().await, End::Whole);
    fleet
}

fn ordered(view: &View) -> bool {
    view.nodes.iter().any(|record| record.answer.order == OrderKind::Drain)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn killed_after_an_order_to_drain_the_next_one_goes_on() {
    let mut fleet = about_to_sleep(two()).await;
    let dead = kill_at(&mut fleet, "its node is ordered to drain", ordered).await;
    let struck = Instant::now();
    succeeded(&fleet, dead).await;
    fleet
        .until("it sleeps", |view| (view.state.phase == Phase::Asleep && view.notes.is_empty()).then_some(()))
        .await;
    let recovery = struck.elapsed();
    fleet.stays("it sleeps on", 6, |view| view.launched == 1 && view.notes.is_empty()).await;
    assert_eq!(fleet.caller.ask(&fleet.url(0), Family::Native).await.finish().await, End::Whole);
    assert_eq!(fleet.view().await.launched, 2);
    Row { fault: "kill -9 of the leader after an order", open: 0, cut: 0, others: 0, recovery }.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn killed_after_a_terminate_nothing_is_launched_for_it() {
    let mut fleet = about_to_sleep(two()).await;
    fleet.ready(1).await;
    let dead = kill_at(&mut fleet, "its node is terminated", |view| view.desired == 0).await;
    let struck = Instant::now();
    succeeded(&fleet, dead).await;
    fleet
        .until("it sleeps", |view| (view.state.phase == Phase::Asleep && view.notes.is_empty()).then_some(()))
        .await;
    let recovery = struck.elapsed();
    fleet.stays("it sleeps on", 8, |view| view.launched == 1 && view.desired == 0).await;
    assert_eq!(fleet.caller.ask(&fleet.url(0), Family::Native).await.finish().await, End::Whole);
    assert_eq!(fleet.view().await.launched, 2);
    Row { fault: "kill -9 of the leader after a terminate", open: 0, cut: 0, others: 0, recovery }.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn an_order_that_nobody_renews_lapses_and_the_node_serves_again() {
    let mut fleet = about_to_sleep(Setting { scalers: 1, ..two() }).await;
    kill_at(&mut fleet, "its node drains", |view| {
        ordered(view) && view.nodes.iter().all(|record| record.report.state == NodeState::Draining)
    })
    .await;
    let struck = Instant::now();
    let tokens = Arc::new(AtomicUsize::new(0));
    let asked = fleet.caller.ask_whole(&fleet.url(0), Family::Native, &tokens);
    fleet.ready(1).await;
    let recovery = struck.elapsed();
    assert_eq!(all(vec![asked]).await, [End::Whole], "who came meanwhile was held");
    let view = fleet.view().await;
    assert_eq!((view.launched, view.notes.len()), (1, 1), "by the same node");
    Row { fault: "an order without a leader", open: 1, cut: 0, others: 0, recovery }.tell();
}
