//! A front that dies takes its connections; what it has begun goes on without it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use fleet::store::Phase;

use crate::ask::{End, Family, all, failed};
use crate::fleet::{Fleet, Setting};
use crate::machines::Boot;
use crate::table::Row;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_killed_in_the_act_of_waking_leaves_a_fleet_that_wakes_and_serves() {
    let boot = Boot::Well(Duration::from_secs(2));
    let mut fleet = Fleet::start(Setting { fronts: 2, boot, ..Setting::default() }).await;
    let tokens = Arc::new(AtomicUsize::new(0));
    let lost = fleet.caller.ask_whole(&fleet.url(0), Family::Native, &tokens);
    fleet.until("the first front wakes it", |view| (view.state.phase != Phase::Asleep).then_some(())).await;
    let struck = Instant::now();
    fleet.fronts[0].kill();
    assert!(matches!(all(vec![lost]).await[..], [End::Broken(_)]), "nobody is left to tell it");
    // Nobody else asks: the word of the dead is enough.
    fleet.ready(1).await;
    assert_eq!(fleet.caller.ask(&fleet.url(1), Family::OpenAi).await.finish().await, End::Whole);
    let woken = struck.elapsed();

    // The same with streams: those of the other front know nothing of it.
    fleet.fronts[0] = fleet.front(0);
    fleet.serves(0).await;
    fleet.machines.hold_after(5);
    let mut streams = Vec::new();
    for at in 0..4 {
        let mut answer = fleet.caller.ask(&fleet.url(at % 2), Family::Native).await;
        answer.read(3).await;
        streams.push(answer);
    }
    fleet.fronts[0].kill();
    fleet.fronts[0] = fleet.front(0);
    fleet.serves(0).await;
    fleet.machines.release();
    let mut ends = Vec::new();
    for stream in streams {
        ends.push(stream.finish().await);
    }
    let (cut, others) =
        (failed(&[ends[0].clone(), ends[2].clone()]), failed(&[ends[1].clone(), ends[3].clone()]));
    assert_eq!((cut, others), (2, 0), "{ends:?}");
    assert_eq!(fleet.caller.ask(&fleet.url(0), Family::Native).await.finish().await, End::Whole);
    assert_eq!(fleet.view().await.launched, 1, "one wake, one node");
    Row { fault: "kill -9 of a front that wakes", open: 1, cut: 1, others: 0, recovery: woken }.tell();
    Row { fault: "kill -9 of a front with streams", open: 4, cut, others, recovery: Duration::ZERO }.tell();
}
