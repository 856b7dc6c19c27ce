//! What the fleet's limits promise, with paused time and a store by script.

use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::fake_store::{FakeStore, Mode};
use crate::identity::{Priority, Rights};
use crate::metrics::Present;

/// 20 s into a minute.
const NOW: i64 = 1_800_000_020;
const MINUTE: i64 = NOW / 60;
const A: &str = "https://issuer#a";

struct Bench {
    quota: FleetQuota,
    store: Arc<FakeStore>,
    metrics: Arc<Metrics>,
}

fn bench(nodes: usize) -> Bench {
    let (store, metrics) = (Arc::new(FakeStore::default()), Arc::new(Metrics::new().unwrap()));
    let mut quota = FleetQuota::new(store.clone(), Arc::new(move || nodes), metrics.clone());
    quota.clock = || NOW;
    Bench { quota, store, metrics }
}

impl Bench {
    fn counted(&self, line: &str) -> f64 {
        let present = Present { slots: 0, busy: 0, queued: 0, queued_work: 0.0, ready: true };
        let text = self.metrics.render(&present);
        let found = text.lines().find_map(|at| at.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or(0.0)
    }

    fn within(&self) -> f64 {
        self.counted("gateway_limits_unchecked_total{share=\"within\"}")
    }

    fn beyond(&self) -> f64 {
        self.counted("gateway_limits_unchecked_total{share=\"beyond\"}")
    }
}

fn caller(tokens: u64, requests: u32) -> Caller {
    let rights = Rights {
        models: Vec::new(),
        requests_per_minute: requests,
        requests_burst: 1,
        tokens_per_minute: tokens,
        open_requests: 1000,
        priority: Priority::Normal,
        operate: false,
        manage_models: false,
    };
    Caller {
        principal: Principal::of_token("https://issuer", "a"),
        rights: Arc::new(rights),
        forwarded: None,
    }
}

fn refused(outcome: Result<Reservation, Refusal>) -> (&'static str, u64) {
    match outcome {
        Err(Refusal::TooMany { what, retry_after }) => (what, retry_after.as_secs()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let through"),
    }
}

#[tokio::test(start_paused = true)]
async fn both_limits_hold_and_the_next_minute_is_named() {
    let Bench { quota, store, .. } = bench(1);
    let few = caller(1000, 2);
    let (_one, _two) = (quota.reserve(&few, 10).await.unwrap(), quota.reserve(&few, 10).await.unwrap());
    assert_eq!(refused(quota.reserve(&few, 10).await), ("you have reached your requests per minute", 40));
    let small = caller(100, 1000);
    let _rest = quota.reserve(&small, 80).await.unwrap();
    assert_eq!(refused(quota.reserve(&small, 1).await), ("your tokens per minute are used up", 40));
    assert_eq!(store.window(A, MINUTE), Window { tokens: 100, requests: 3 });
    assert_eq!(store.calls.load(SeqCst), 5, "one call a request");
    let bursting = Rights { requests_burst: 5, ..Rights::clone(&caller(1000, 2).rights) };
    let bursting = Caller { rights: Arc::new(bursting), ..caller(0, 0) };
    let _burst = (quota.reserve(&bursting, 1).await.unwrap(), quota.reserve(&bursting, 1).await.unwrap());
    assert_eq!(refused(quota.reserve(&bursting, 1).await).0, "you have reached your requests per minute");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_used_is_given_back_in_the_background() {
    let Bench { quota, store, .. } = bench(1);
    let a = caller(1000, 100);
    let (one, two) = (quota.reserve(&a, 500).await.unwrap(), quota.reserve(&a, 500).await.unwrap());
    one.settle(100);
    two.settle(550);
    assert_eq!(store.window(A, MINUTE).tokens, 1000, "nobody waits for it");
    let settled = async {
        while store.window(A, MINUTE).tokens != 650 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = quota.keep_settling() => {}
        settled = timeout(Duration::from_secs(1), settled) => settled.unwrap(),
    }
    assert_eq!(store.calls.load(SeqCst), 3, "one for both");
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_is_lost_is_counted() {
    let bench = bench(1);
    let a = caller(1000, 100);
    for mode in [Mode::Fails, Mode::Hangs] {
        bench.store.set(Mode::Works);
        let reservation = bench.quota.reserve(&a, 300).await.unwrap();
        bench.store.set(mode);
        reservation.settle(0);
        bench.quota.settle().await;
    }
    assert_eq!(bench.counted("gateway_settlements_lost_total"), 2.0);
    // One that is under way when the process ends is lost as well.
    bench.store.set(Mode::Works);
    let reservation = bench.quota.reserve(&a, 300).await.unwrap();
    bench.store.set(Mode::Hangs);
    reservation.settle(0);
    assert!(timeout(Duration::from_secs(1), bench.quota.settle()).await.is_err());
    assert_eq!(bench.counted("gateway_settlements_lost_total"), 3.0);
}

#[tokio::test(start_paused = true)]
async fn without_the_store_this_nodes_share_is_from_memory_and_then_all_is_let_through() {
    let bench = bench(4);
    let a = caller(1000, 100);
    let _known = bench.quota.reserve(&a, 200).await.unwrap();
    bench.store.set(Mode::Fails);
    // 800 were left to four nodes.
    for tokens in [150, 50] {
        drop(bench.quota.reserve(&a, tokens).await.unwrap());
    }
    assert_eq!((bench.within(), bench.beyond()), (2.0, 0.0));
    for _ in 0..3 {
        drop(bench.quota.reserve(&a, 50).await.unwrap());
    }
    assert_eq!((bench.within(), bench.beyond()), (2.0, 3.0));
    bench.store.set(Mode::Works);
    tokio::time::advance(Duration::from_secs(1)).await;
    let _again = bench.quota.reserve(&a, 800).await.unwrap();
    refused(bench.quota.reserve(&a, 1).await);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_costs_three_requests_half_a_second_and_the_others_nothing() {
    let bench = bench(1);
    bench.store.set(Mode::Hangs);
    let (a, began) = (caller(1000, 100), Instant::now());
    for _ in 0..20 {
        drop(bench.quota.reserve(&a, 1).await.unwrap());
    }
    // After the third the store is asked once a second, which does not come around here.
    assert_eq!(began.elapsed().as_millis(), 1500);
    assert_eq!((bench.store.calls.load(SeqCst), bench.within()), (3, 20.0));
    tokio::time::advance(Duration::from_secs(2)).await;
    bench.store.set(Mode::Works);
    drop(bench.quota.reserve(&a, 1).await.unwrap());
    assert_eq!(bench.within(), 20.0, "it is believed again at once");
}

#[tokio::test(start_paused = true)]
async fn more_than_a_minute_holds_fits_into_an_untouched_one() {
    let Bench { quota, store, .. } = bench(1);
    let a = caller(100, 100);
    let large = quota.reserve(&a, 5000).await.unwrap();
    refused(quota.reserve(&a, 1).await);
    large.settle(4000);
    quota.settle().await;
    assert_eq!(store.window(A, MINUTE).tokens, 4000, "what it used counts");
    refused(bench(1).quota.reserve(&caller(0, 100), 1).await);
}

#[tokio::test(start_paused = true)]
async fn who_was_not_seen_lately_is_forgotten() {
    let bench = bench(1);
    drop(bench.quota.reserve(&caller(100, 100), 1).await.unwrap());
    assert_eq!(bench.quota.sweep(), 1);
    tokio::time::advance(KNOWN_FOR + Duration::from_secs(1)).await;
    assert_eq!(bench.quota.sweep(), 0);
}
