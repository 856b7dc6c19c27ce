//! A crowd at a fleet that sleeps: one wake, everybody answered, and the first node never has more than it can do.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::ask::{Family, all, failed};
use crate::fleet::{Fleet, Setting};
use crate::machines::{Boot, Pace};
use crate::table::Row;

const CROWD: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_a_sleeping_fleet_are_one_wake_and_all_answered() {
    // Each front has twice the slots at most, and never less than the slots, whatever the other has sent.
    crowd(2, 16, "200 requests at zero, two fronts").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn a_node_just_ready_never_has_more_than_twice_its_slots_of_one_front() {
    crowd(1, 8, "200 requests at zero, one front").await;
}

async fn crowd(fronts: usize, most: u32, fault: &'static str) {
    let pace = Pace { slots: 4, words: 10, speed: 200.0 };
    let boot = Boot::Well(Duration::from_secs(3));
    let fleet = Fleet::start(Setting { fronts, pace, boot, ..Setting::default() }).await;
    let tokens = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let crowd: Vec<_> = (0..CROWD)
        .map(|at| {
            let family = if at % 4 < 2 { Family::Native } else { Family::OpenAi };
            fleet.caller.ask_whole(&fleet.url(at % fronts), family, &tokens)
        })
        .collect();
    fleet.ready(1).await;
    let (mut most_there, mut looks, mut waited) = (0, 0, 0);
    while !crowd.iter().all(|asked| asked.is_finished()) {
        let view = fleet.view().await;
        let there = view.nodes.iter().map(|record| record.report.busy + record.report.queued).max();
        most_there = most_there.max(there.unwrap_or(0));
        looks += 1;
        waited += usize::from(fleet.machines.inside().1 > 0);
        sleep(Duration::from_millis(20)).await;
    }
    let ends = all(crowd).await;
    assert_eq!(failed(&ends), 0, "{:?}", ends.iter().find(|end| **end != crate::ask::End::Whole));
    let woken: usize = fleet.fronts.iter().map(|front| front.said("waking the fleet")).sum();
    assert_eq!((woken, fleet.view().await.launched), (1, 1), "one wake, one node");
    assert_eq!(fleet.machines.most_at_once(), 4, "its slots, all of them and no more");
    // An answer's last line is out a moment before its slot is free.
    assert!(10 * waited <= looks, "somebody waited within Ollama in {waited} of {looks} looks");
    assert!((5..=most).contains(&most_there), "{most_there} requests at once at a node of 4 slots");
    Row { fault, open: CROWD, cut: 0, others: failed(&ends), recovery: begun.elapsed() }.tell();
}
