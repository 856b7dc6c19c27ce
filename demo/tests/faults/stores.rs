//! A table that takes no writes for a while: streams go on, who comes is served and counted, one scaler leads, no node is taken away.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use fleet::store::Store;
use jiff::Timestamp;
use tokio::time::sleep;

use crate::ask::{End, Family, all, failed};
use crate::fleet::{Fleet, Setting};
use crate::table::Row;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stalls_for_six_seconds_costs_nobody_anything() {
    stalled(Duration::from_secs(6), 2, "a store that stalls for 6 s").await;
}

/// Longer than reports count: nobody knows any more who lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn a_store_that_stalls_for_longer_than_reports_count_costs_nobody_anything() {
    stalled(Duration::from_secs(25), 1, "a store that stalls for 25 s").await;
}

async fn stalled(time: Duration, max: u32, fault: &'static str) {
    let fleet = Fleet::start(Setting { min: 1, max, scalers: 2, ..Setting::default() }).await;
    fleet.machines.hold_after(5);
    fleet.ready(1).await;
    let mut stream = fleet.caller.ask(&fleet.url(0), Family::Native).await;
    stream.read(3).await;
    let view = fleet.view().await;
    let (leader, first) = (view.leader(), view.nodes[0].report.node.clone());
    let begun = Instant::now();
    let stall = fleet.stall_store();
    let tokens = Arc::new(AtomicUsize::new(0));
    fleet.machines.release();
    let open = stream.finish().await;
    let mut asked = Vec::new();
    while begun.elapsed() < time {
        asked.push(fleet.caller.ask_whole(&fleet.url(0), Family::OpenAi, &tokens));
        sleep(Duration::from_millis(500)).await;
    }
    let served = asked.iter().filter(|asked| asked.is_finished()).count();
    drop(stall);
    let freed = Instant::now();
    let count = asked.len() as u64 + 1;
    let ends = all(asked).await;
    assert_eq!((open, failed(&ends)), (End::Whole, 0), "{ends:?}");
    assert!(served > 0, "while it stalls, requests are served");
    let view = |leads: bool| {
        let says = format!("\"leads\":{leads}");
        fleet.scalers.iter().map(|scaler| scaler.log().matches(&says).count()).sum::<usize>()
    };
    fleet.until("one leads again", |now| now.leader()).await;
    let seen = fleet.view().await.lease.unwrap().version;
    fleet.until("and renews", |now| (now.lease.as_ref()?.version > seen).then_some(())).await;
    // What came meanwhile may have been worth a second node.
    fleet.until("a node serves", |now| (now.ready() >= 1).then_some(())).await;
    let recovery = freed.elapsed();
    assert!(view(true) - view(false) <= 1, "never two at once; the first leader was {leader:?}");
    let (subject, day) = (principal(&fleet), Timestamp::now().strftime("%Y-%m-%d").to_string());
    let usage = async || fleet.store.usage(&subject, &day).await.unwrap().requests;
    while usage().await < count {
        assert!(
            freed.elapsed() < Duration::from_secs(60),
            "{} of {count} requests are counted",
            usage().await
        );
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(usage().await, count, "each once");
    let (first, most) = (first.as_str(), max as usize);
    fleet.stays("no node is taken away", 6, |view| view.serves(first) && view.launched <= most).await;
    Row { fault, open: 1, cut: 0, others: failed(&ends), recovery }.tell();
}

/// How the table calls the caller of this fleet.
fn principal(fleet: &Fleet) -> String {
    format!("{}#somebody", fleet.issuer())
}
