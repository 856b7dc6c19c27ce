//! Nodes that do not come up: after three the fleet is broken, says why, and tries no more for a while.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use fleet::store::Phase;

use crate::ask::{End, Family, all};
use crate::fleet::{Fleet, Setting};
use crate::machines::Boot;
use crate::table::Row;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn three_boots_that_fail_are_a_broken_fleet_and_no_fourth() {
    broken_by(Boot::Dies(Duration::from_secs(3)), "three boots that die after 3 s").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn three_commands_that_end_at_once_are_a_broken_fleet_too() {
    broken_by(Boot::Dies(Duration::ZERO), "three boots that die at once").await;
}

async fn broken_by(boot: Boot, fault: &'static str) {
    let fleet = Fleet::start(Setting { boot, max: 4, ..Setting::default() }).await;
    let tokens = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let held = fleet.caller.ask_whole(&fleet.url(0), Family::Native, &tokens);
    fleet.until("it is broken", |view| (view.state.phase == Phase::Broken).then_some(())).await;
    let recovery = begun.elapsed();
    let ends = all(vec![held]).await;
    // It was held for longer than `keepalive_after_seconds`: its 200 is out, and the news is in the stream.
    let told = |end: &End| matches!(end, End::Told(text) | End::Refused(503, text) if text.contains("did not come up"));
    assert!(told(&ends[0]), "{ends:?}");
    let later = fleet.caller.ask(&fleet.url(0), Family::OpenAi).await.finish().await;
    assert!(matches!(&later, End::Refused(503, _)) && told(&later), "{later:?}");
    let launched = fleet.view().await.launched;
    // A first one that is gone before the scaler has looked again was no boot that anybody saw.
    assert!((3..=4).contains(&launched), "{launched} launches");
    fleet.stays("nothing more is tried", 25, |view| view.launched == launched && view.desired == 0).await;
    Row { fault, open: 1, cut: 1, others: 0, recovery }.tell();
}
