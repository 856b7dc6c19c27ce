//! At most one leader, whatever the clocks, the network and the scheduler do; and always one again.

mod simulated;

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::store::{
    Change, ConversationStore, KeyHash, KeyRecord, LeaseRecord, OversightStore, StoreError, Usage,
};

/// A table with nothing but a lease, which can be made to hang.
#[derive(Debug, Default)]
struct Table {
    lease: Mutex<Option<LeaseRecord>>,
    hangs: Mutex<bool>,
}

impl Table {
    async fn answer(&self) {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
    }
}

impl ConversationStore for Table {}
impl OversightStore for Table {}

#[async_trait]
impl Store for Table {
    async fn put_key(&self, _: &KeyRecord) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn key(&self, _: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        unreachable!()
    }
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        unreachable!()
    }
    async fn revoke_key(&self, _: &str) -> Result<bool, StoreError> {
        unreachable!()
    }
    async fn add_usage(&self, _: &str, _: &str, _: &Usage) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn usage(&self, _: &str, _: &str) -> Result<Usage, StoreError> {
        unreachable!()
    }

    async fn lease(&self, _: &str) -> Result<Option<LeaseRecord>, StoreError> {
        self.answer().await;
        Ok(self.lease.lock().unwrap().clone())
    }

    async fn take_lease(
        &self,
        _: &str,
        owner: &str,
        observed: Option<u64>,
    ) -> Result<Change<LeaseRecord>, StoreError> {
        self.answer().await;
        let mut lease = self.lease.lock().unwrap();
        if lease.as_ref().map(|lease| lease.version) != observed {
            return Ok(Change::Refused(lease.clone()));
        }
        let made = LeaseRecord { owner: owner.to_owned(), version: observed.unwrap_or(0) + 1 };
        *lease = Some(made.clone());
        Ok(Change::Made(made))
    }
}

/// Lets every task run until all wait for a time that has not come.
async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_at_once_and_the_second_when_it_gives_back() {
    let table = Arc::new(Table::default());
    let [one, two] = ["one", "two"].map(|name| Lease::new(table.clone(), "f", name));
    let [stop_one, stop_two] = [CancellationToken::new(), CancellationToken::new()];
    let scenario = async {
        pass(60.0).await;
        assert!(one.may_act() ^ two.may_act());
        let (leader, stop, follower) =
            if one.may_act() { (&one, &stop_one, &two) } else { (&two, &stop_two, &one) };
        stop.cancel();
        pass(2.1).await;
        assert!(!leader.may_act());
        assert!(follower.may_act(), "a lease given back needs no waiting");
        stop_one.cancel();
        stop_two.cancel();
    };
    tokio::join!(one.run(stop_one.clone()), two.run(stop_two.clone()), scenario);
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_a_store_stops_acting_and_goes_on_when_it_is_back() {
    let table = Arc::new(Table::default());
    let lease = Lease::new(table.clone(), "f", "only");
    let stop = CancellationToken::new();
    let scenario = async {
        pass(1.0).await;
        assert!(lease.may_act());
        *table.hangs.lock().unwrap() = true;
        pass(3.9).await;
        assert!(lease.may_act(), "4.9 s after its last renewal began");
        pass(0.2).await;
        assert!(!lease.may_act(), "5.1 s after");
        pass(60.0).await;
        *table.hangs.lock().unwrap() = false;
        pass(4.1).await;
        assert!(lease.may_act(), "nobody else took it");
        stop.cancel();
    };
    tokio::join!(lease.run(stop.clone()), scenario);
    assert_eq!(table.lease.lock().unwrap().as_ref().unwrap().owner, "", "given back");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_that_nobody_leads_and_never_leads() {
    let table = Arc::new(Table::default());
    *table.lease.lock().unwrap() = Some(LeaseRecord { owner: "dead".to_owned(), version: 3 });
    let watcher = Lease::watch(table.clone(), "f");
    let stop = CancellationToken::new();
    let scenario = async {
        pass(31.0).await;
        assert_eq!(watcher.unchanged_for(), Duration::from_secs(30));
        assert!(!watcher.may_act());
        table.lease.lock().unwrap().as_mut().unwrap().version += 1;
        pass(10.0).await;
        assert_eq!(watcher.unchanged_for(), Duration::ZERO);
        stop.cancel();
    };
    tokio::join!(watcher.run(stop.clone()), scenario);
    assert_eq!(table.lease.lock().unwrap().as_ref().unwrap().version, 4, "untouched");
}

#[test]
fn a_jump_of_the_clock_is_not_a_watch() {
    let start = Instant::now();
    let mut tenure = Tenure::candidate("me".to_owned(), start);
    let theirs = Some(LeaseRecord { owner: "they".to_owned(), version: 1 });
    tenure.polled(start, theirs.clone());
    tenure.polled(start + Duration::from_secs(3600), theirs.clone());
    assert_eq!((tenure.next(), tenure.unchanged_for()), (Call::Poll, POLL_EVERY));
    for look in 1..=4 {
        tenure.polled(start + Duration::from_secs(3600 + 2 * look), theirs.clone());
    }
    assert_eq!(tenure.next(), Call::Write { observed: Some(1) });
}

#[test]
fn a_renewal_whose_answer_was_lost_is_found_again_and_lengthens_nothing() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mine = |version| LeaseRecord { owner: "me".to_owned(), version };
    let mut tenure = Tenure::candidate("me".to_owned(), start);
    tenure.written(at(0), at(0), Change::Made(mine(1)));
    tenure.failed(at(3));
    tenure.written(at(4), at(4), Change::Refused(Some(mine(2))));
    assert_eq!(tenure.next(), Call::Write { observed: Some(2) });
    assert!(tenure.may_act(at(4)) && !tenure.may_act(at(5)), "still by the renewal that began at 0");
    tenure.written(at(5), at(5), Change::Made(mine(3)));
    assert!(tenure.may_act(at(9)));
    tenure.written(at(8), at(8), Change::Refused(Some(LeaseRecord { owner: "they".to_owned(), version: 9 })));
    assert!(!tenure.may_act(at(8)), "taken by another: over at once");
}
