//! Which node gets what: the choice on its own, and how it follows what is read and what fails.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet::report::{NodeRecord, NodeState, Report, ReportAnswer, Role, Summary};
use fleet::store::{
    ConversationStore, KeyHash, KeyRecord, OversightStore, SqliteStore, Store, StoreError, Usage,
};

use super::choice::{Candidate, Offer, of_front, of_node};
use super::*;
use crate::config::settings;
use crate::identity::{Principal, Priority};
use crate::ollama::names::ModelName;
use crate::request::queue::{Demand, Outlook, Patience, Queue, Reach, UpstreamId};
use crate::trust::Peers;

fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

/// A node with four slots and `m` in memory.
fn candidate(id: u32) -> Candidate {
    Candidate {
        id: UpstreamId(id),
        slots: 4,
        busy: 0,
        queued: 0,
        queued_work: 0.0,
        models: vec![model("m")],
        lacks: Vec::new(),
        ours: 0,
    }
}

fn full(id: u32, queued: usize, queued_work: f64) -> Candidate {
    Candidate { busy: 4, queued, queued_work, ..candidate(id) }
}

fn cold(id: u32) -> Candidate {
    Candidate { models: Vec::new(), slots: 0, ..candidate(id) }
}

fn waits(name: &str, wait: f64) -> Outlook {
    Outlook { model: model(name), work: 2.0 * wait, wait, wait_here: Some(wait) }
}

/// The places for a model, as (node, slots).
fn places(offer: &Offer, name: &str) -> Vec<(u32, usize)> {
    let places = offer.get(&model(name)).into_iter().flatten();
    places.map(|(id, slots)| (id.0, *slots)).collect()
}

#[test]
fn a_front_offers_who_has_the_model_twice_its_slots() {
    let nodes = [candidate(1), cold(2), candidate(3)];
    let offer = of_front(&nodes, &[], &Offer::new());
    assert_eq!(places(&offer, "m"), [(1, 8), (3, 8)], "before anybody asks");
    let offer = of_front(&nodes, &[waits("m", 29.0)], &offer);
    assert_eq!(places(&offer, "m"), [(1, 8), (3, 8)]);
    let offer = of_front(&nodes, &[waits("m", 31.0)], &offer);
    assert_eq!(places(&offer, "m"), [(1, 8), (2, 8), (3, 8)], "a further node loads what is much wanted");
}

#[test]
fn a_front_has_one_node_load_what_none_has_and_stays_with_it() {
    let busy = Candidate { busy: 2, ..candidate(1) };
    let offer = of_front(&[busy, candidate(2)], &[waits("n", 0.0)], &Offer::new());
    assert_eq!(places(&offer, "n"), [(2, 8)], "the freest");
    let loading = Candidate { busy: 4, queued: 3, ours: 7, ..candidate(2) };
    let offer = of_front(&[candidate(1), loading], &[waits("n", 0.0)], &offer);
    assert_eq!(places(&offer, "n"), [(2, 8)], "which is loading it by now");
    let lacking = Candidate { lacks: vec![model("n")], ..candidate(2) };
    let offer = of_front(&[candidate(1), lacking], &[waits("n", 0.0)], &offer);
    assert_eq!(places(&offer, "n"), [(1, 8)], "unless it does not have it");
    assert!(of_front(&[], &[waits("n", 0.0)], &offer).is_empty());
}

#[test]
fn what_others_send_is_left_to_them_but_nobody_is_kept_out() {
    let of = |busy, queued, ours| Candidate { busy, queued, ours, ..candidate(1) }.room_of_front();
    assert_eq!(of(4, 4, 8), 8, "all of it is ours");
    assert_eq!(of(4, 0, 2), 6);
    assert_eq!(of(4, 4, 0), 4, "never less than its slots");
    assert_eq!(of(0, 0, 3), 8, "what has ended since is nobody's");
    assert_eq!(cold(1).room_of_front(), 8, "a node that has loaded nothing has slots too");
}

#[test]
fn a_node_hands_over_only_what_waits_much_longer_here() {
    let check = |wait, there: Candidate, expected: &[(u32, usize)]| {
        let offer = of_node(&[there], &[waits("m", wait)], false, 1);
        assert_eq!(places(&offer, "m"), expected, "{wait} s here");
    };
    check(1.9, candidate(1), &[]);
    check(2.1, candidate(1), &[(1, 8)]);
    // 4 slots do 2.1 work-seconds a second: 8.4 are 4 s, so 10 s are not too long here.
    check(9.9, full(1, 2, 8.42), &[]);
    check(10.2, full(1, 2, 8.42), &[(1, 2)]);
    check(10.2, full(1, 4, 8.42), &[(1, 0)]);
    // Loading takes 15 s.
    check(31.0, cold(1), &[]);
    check(33.0, cold(1), &[(1, 8)]);
}

#[test]
fn a_node_prefers_who_has_the_model_and_makes_one_at_most_load_it() {
    let offer = of_node(&[cold(1), candidate(2), cold(3)], &[waits("m", 60.0)], false, 1);
    assert_eq!(places(&offer, "m"), [(2, 8)]);
    let offer = of_node(&[cold(1), cold(3)], &[waits("m", 60.0)], false, 1);
    assert_eq!(places(&offer, "m"), [(1, 8)]);
}

#[test]
fn many_full_nodes_share_what_is_free() {
    let offer = of_node(&[candidate(1)], &[waits("m", 60.0)], false, 3);
    assert_eq!(places(&offer, "m"), [(1, 3)], "a third of eight, rounded up");
    let ours = Candidate { busy: 4, ours: 4, ..candidate(1) };
    assert_eq!(ours.room_of_peer(2), 6, "what is there stays, and half of the rest comes");
}

#[test]
fn who_leaves_hands_over_whatever_waits_to_whoever_has_room() {
    let offer = of_node(&[full(1, 0, 0.0)], &[waits("m", 0.1)], true, 1);
    assert_eq!(places(&offer, "m"), [(1, 4)]);
}

/// A store with what nodes report, and a front's view of it.
struct Fleet {
    _dir: tempfile::TempDir,
    store: Arc<SqliteStore>,
    roster: Arc<Roster>,
    queue: Arc<Queue>,
    places: Arc<Places>,
}

impl Fleet {
    fn new(front: bool) -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("fleet.db")).unwrap());
        let own = settings::Fleet { node: "own".to_owned(), ..settings::Fleet::default() };
        let roster = Roster::new(&own, store.clone());
        let queue = Queue::new(&settings::Queue::default());
        let places = Places::new(queue.clone(), roster.clone(), front);
        Self { _dir: dir, store, roster, queue, places }
    }

    async fn reports(&self, node: &str, sequence: u64, change: impl FnOnce(&mut Report)) {
        let mut report = Report {
            node: node.to_owned(),
            address: "10.0.0.1:8443".to_owned(),
            role: Role::Node,
            state: NodeState::Ready,
            slots: 1,
            models: vec!["m".to_owned()],
            sequence,
            certificate_sha256: "ab".repeat(32),
            public_key: format!("key of {node}"),
            ..Report::default()
        };
        change(&mut report);
        self.store.write_report("default", &report, jiff::Timestamp::now().as_second()).await.unwrap();
    }

    async fn look(&self) {
        self.roster.read().await.unwrap();
        self.places.offer(false);
    }

    fn ask(&self) -> Option<UpstreamId> {
        let demand = Demand {
            model: model("m"),
            caller: Principal::of_key("a"),
            priority: Priority::Normal,
            work: 1.0,
            prompt_tokens: 10,
            bytes: 1,
            reach: Reach::Anywhere,
            patience: Patience { wait: Duration::from_secs(9), hold: Duration::from_secs(9) },
        };
        match self.queue.enter(demand).unwrap() {
            crate::request::queue::Entered::Granted(permit) => Some(permit.upstream()),
            crate::request::queue::Entered::Waiting(_) => None,
        }
    }
}

#[tokio::test]
async fn the_roster_knows_everybody_but_itself_and_whom_to_send_to() {
    let fleet = Fleet::new(true);
    fleet.reports("own", 1, |_| {}).await;
    fleet.reports("front", 1, |report| report.role = Role::Front).await;
    fleet.reports("starting", 1, |report| report.state = NodeState::Loading).await;
    fleet.reports("nowhere", 1, |report| report.address.clear()).await;
    fleet.reports("unpinned", 1, |report| report.certificate_sha256.truncate(63)).await;
    fleet.reports("ready", 1, |_| {}).await;
    fleet.look().await;
    let names: Vec<_> = fleet.roster.peers().iter().map(|peer| peer.view.node.clone()).collect();
    assert_eq!(names, ["front", "nowhere", "ready", "starting", "unpinned"]);
    assert_eq!(fleet.roster.ready_nodes(), 1);
    assert_eq!(fleet.roster.public_key("front").as_deref(), Some("key of front"));
    assert_eq!(fleet.roster.public_key("own"), None, "nobody forwards to itself");
    let ready = fleet.ask().unwrap();
    assert_eq!(fleet.roster.peer(ready).unwrap().view.node, "ready");
    // Started anew, with another key: another upstream.
    fleet.reports("ready", 1, |report| report.public_key = "new".to_owned()).await;
    fleet.look().await;
    assert!(fleet.roster.peer(ready).is_none());
    assert!(fleet.ask().is_some_and(|id| id != ready));
}

#[tokio::test]
async fn a_node_that_failed_is_left_out_until_it_reports_again() {
    let fleet = Fleet::new(true);
    fleet.reports("ready", 1, |_| {}).await;
    fleet.look().await;
    let peer = fleet.roster.peer(fleet.ask().unwrap()).unwrap();
    fleet.places.failed(&peer);
    assert_eq!(fleet.ask(), None, "at once");
    fleet.look().await;
    assert_eq!(fleet.ask(), None, "the report is the same");
    fleet.reports("ready", 2, |_| {}).await;
    fleet.look().await;
    assert_eq!(fleet.ask(), Some(peer.id));
}

#[tokio::test]
async fn a_node_without_the_model_is_not_asked_again() {
    let fleet = Fleet::new(true);
    fleet.reports("one", 1, |_| {}).await;
    fleet.reports("two", 1, |_| {}).await;
    fleet.look().await;
    let first = fleet.roster.peer(fleet.ask().unwrap()).unwrap();
    assert!(fleet.places.lacks(&first, &model("m")), "the other may have it");
    let second = fleet.roster.peer(fleet.ask().unwrap()).unwrap();
    assert_ne!(first.id, second.id);
    assert!(!fleet.places.lacks(&second, &model("m")), "nobody has it");
}

#[tokio::test(start_paused = true)]
async fn the_last_roster_stands_while_the_store_fails_and_a_silent_node_leaves_it() {
    let store = Arc::new(Scripted::default());
    let own = settings::Fleet { node: "own".to_owned(), ..settings::Fleet::default() };
    let roster = Roster::new(&own, store.clone());
    *store.records.lock().unwrap() = Some(vec![record("one"), record("two")]);
    roster.read().await.unwrap();
    *store.records.lock().unwrap() = None;
    for _ in 0..30 {
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(roster.read().await.is_err());
    }
    assert_eq!(roster.ready_nodes(), 2, "a minute later");
    // Back, it tells what it knew: nobody has reported since, for longer than a report counts.
    *store.records.lock().unwrap() = Some(vec![record("one"), record("two")]);
    roster.read().await.unwrap();
    assert_eq!(roster.ready_nodes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up() {
    let store = Arc::new(Scripted { hangs: true, ..Scripted::default() });
    let roster = Roster::new(&settings::Fleet::default(), store);
    let began = tokio::time::Instant::now();
    assert!(roster.read().await.is_err());
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_large_fleet_is_read_from_its_summary_as_long_as_there_is_one() {
    let store = Arc::new(Scripted::default());
    let many: Vec<_> = (0..30).map(|n| record(&format!("node-{n}"))).collect();
    let roster = Roster::new(&settings::Fleet::default(), store.clone());
    *store.summary.lock().unwrap() = Some(Summary::of(&many[..28], 0));
    *store.records.lock().unwrap() = Some(many);
    roster.read().await.unwrap();
    assert_eq!(roster.ready_nodes(), 30, "the reports, before it is known how many there are");
    roster.read().await.unwrap();
    assert_eq!(roster.ready_nodes(), 28, "the summary");
    *store.summary.lock().unwrap() = None;
    roster.read().await.unwrap();
    assert_eq!(roster.ready_nodes(), 30, "no leader writes one");
}

fn record(node: &str) -> NodeRecord {
    let report = Report {
        node: node.to_owned(),
        address: "10.0.0.1:8443".to_owned(),
        state: NodeState::Ready,
        sequence: 7,
        certificate_sha256: "ab".repeat(32),
        public_key: format!("key of {node}"),
        ..Report::default()
    };
    NodeRecord { report, written_at: 0, answer: ReportAnswer::default() }
}

/// A store that says what it is told to, or that it is down.
#[derive(Debug, Default)]
struct Scripted {
    records: Mutex<Option<Vec<NodeRecord>>>,
    summary: Mutex<Option<Summary>>,
    hangs: bool,
}

impl ConversationStore for Scripted {}
impl OversightStore for Scripted {}

#[async_trait::async_trait]
impl Store for Scripted {
    async fn put_key(&self, _: &KeyRecord) -> Result<(), StoreError> {
        Ok(())
    }
    async fn key(&self, _: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        Ok(None)
    }
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(Vec::new())
    }
    async fn revoke_key(&self, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn add_usage(&self, _: &str, _: &str, _: &Usage) -> Result<(), StoreError> {
        Ok(())
    }
    async fn usage(&self, _: &str, _: &str) -> Result<Usage, StoreError> {
        Ok(Usage::default())
    }
    async fn reports(&self, _: &str, _: i64) -> Result<Vec<NodeRecord>, StoreError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.records.lock().unwrap().clone().ok_or_else(|| StoreError::Unavailable("down".to_owned()))
    }
    async fn summary(&self, _: &str, _: i64) -> Result<Option<Summary>, StoreError> {
        Ok(self.summary.lock().unwrap().clone())
    }
}
