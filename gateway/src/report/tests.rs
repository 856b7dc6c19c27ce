//! When a reporter writes, with paused time and a store by script.

use std::sync::atomic::Ordering::SeqCst;

use fleet::report::OrderKind;
use fleet::shutdown::Tasks;

use super::*;
use crate::config::Config;
use crate::fake_store::{FakeStore, Mode};
use crate::identity::{Principal, Priority};
use crate::ollama::names::ModelName;
use crate::process::Gateway;
use crate::request::queue::{Demand, Patience, Reach};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A front, its store, and its reporter, which runs as long as the future is polled.
fn front() -> (Arc<Shared>, Arc<FakeStore>, impl Future<Output = ()>) {
    let store = Arc::new(FakeStore::default());
    let gateway = Gateway::new(Config::default(), store.clone(), Tasks::new()).unwrap();
    let certificate = Certificate::new(None).unwrap();
    let reporter = Reporter::new(gateway.shared.clone(), store.clone(), certificate, "key".to_owned());
    (gateway.shared, store, reporter.run())
}

/// When the reports were written, in milliseconds since `began`.
fn times(store: &FakeStore, began: Instant) -> Vec<u128> {
    store.reports.lock().unwrap().iter().map(|(at, _)| at.duration_since(began).as_millis()).collect()
}

fn last(store: &FakeStore) -> Report {
    store.reports.lock().unwrap().last().unwrap().1.clone()
}

fn demand() -> Demand {
    Demand {
        model: ModelName::parse("m").unwrap(),
        caller: Principal::of_key("somebody"),
        priority: Priority::Normal,
        work: 3.0,
        prompt_tokens: 40,
        bytes: 10,
        reach: Reach::Anywhere,
        patience: Patience { wait: 600 * SECOND, hold: 600 * SECOND },
    }
}

async fn during(reporting: impl Future<Output = ()>, story: impl Future<Output = ()>) {
    tokio::select! {
        () = reporting => {}
        () = story => {}
    }
}

#[tokio::test(start_paused = true)]
async fn one_every_two_seconds() {
    let (_, store, reporting) = front();
    let began = Instant::now();
    during(reporting, sleep(7 * SECOND)).await;
    assert_eq!(times(&store, began), [0, 2000, 4000, 6000]);
    let sequences: Vec<u64> = store.reports.lock().unwrap().iter().map(|(_, r)| r.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    let report = last(&store);
    assert_eq!(
        (report.role, report.state, report.public_key.as_str()),
        (Role::Front, NodeState::Ready, "key")
    );
    assert_eq!((report.address.as_str(), report.certificate_sha256.len()), ("", 64), "no address named");
}

#[tokio::test(start_paused = true)]
async fn at_once_when_the_queue_or_the_state_turns_and_not_too_often() {
    let (shared, store, reporting) = front();
    let began = Instant::now();
    during(reporting, async {
        sleep(1000 * MILLI).await;
        {
            let waiting = shared.queue.place(demand());
            tokio::pin!(waiting);
            assert!(timeout(60 * MILLI, &mut waiting).await.is_err());
            assert_eq!(times(&store, began).len(), 2, "it fills");
            assert_eq!((last(&store).queued, last(&store).queued_work_seconds), (1, 3.0));
            // A turn soon after a write waits for 200 ms to pass.
        }
        sleep(240 * MILLI).await;
        assert_eq!(last(&store).queued, 0, "it empties");
        shared.drain.leave();
        sleep(300 * MILLI).await;
        assert_eq!(last(&store).state, NodeState::Draining);
    })
    .await;
    let times = times(&store, began);
    assert_eq!(times.len(), 4, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 200), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_is_obeyed_echoed_and_lapses_though_the_store_is_gone() {
    let (shared, store, reporting) = front();
    during(reporting, async {
        let keeping = shared.drain.keep_time();
        let story = async {
            sleep(SECOND).await;
            let until = Timestamp::now().as_second() + 61; // the wall clock is not paused, and may tick meanwhile
            *store.answer.lock().unwrap() =
                ReportAnswer { order: OrderKind::Drain, order_seq: 5, order_until: until };
            sleep(1500 * MILLI).await;
            assert_eq!((shared.drain.phase(), shared.is_ready()), (Phase::Leaving, false));
            assert_eq!((last(&store).state, last(&store).order_seen), (NodeState::Draining, 5));
            store.set(Mode::Hangs);
            sleep(56 * SECOND).await;
            assert_eq!(shared.drain.phase(), Phase::Closing);
            sleep(6 * SECOND).await;
            assert_eq!(shared.drain.phase(), Phase::Serving);
        };
        tokio::select! {
            () = keeping => {}
            () = story => {}
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_left_and_tried_again() {
    let (_, store, reporting) = front();
    store.set(Mode::Hangs);
    during(reporting, async {
        sleep(10 * SECOND).await;
        assert_eq!(store.calls.load(SeqCst), 4, "three seconds each, and a look");
        store.set(Mode::Fails);
        sleep(10 * SECOND).await;
        store.set(Mode::Works);
        sleep(3 * SECOND).await;
        let report = last(&store);
        assert!(report.sequence > 5, "what was not written has a number too: {}", report.sequence);
    })
    .await;
}
