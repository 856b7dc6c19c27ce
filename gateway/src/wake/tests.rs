//! One gateway's watch over the state, in virtual time, over a store that stalls, fails and counts on command.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use async_trait::async_trait;
use fleet::report::{NodeRecord, NodeState, Report, ReportAnswer};
use fleet::store::{ConversationStore, KeyHash, KeyRecord, OversightStore, Usage};

use super::*;
use crate::identity::{Principal, Priority};
use crate::ollama::names::ModelName;
use crate::request::queue::{Demand, Patience, Reach};

/// Holds one state and the reports, in memory: a paused clock bears no thread of a database.
#[derive(Debug, Default)]
struct Scripted {
    state: Mutex<FleetState>,
    records: Mutex<Vec<NodeRecord>>,
    /// Never answers.
    stalls: AtomicBool,
    /// Moves the state on itself between a look and the write that follows.
    is_faster: AtomicBool,
    looks: AtomicUsize,
    writes: AtomicUsize,
}

impl Scripted {
    fn phase(&self) -> Phase {
        self.state.lock().unwrap().phase
    }

    fn version(&self) -> u64 {
        self.state.lock().unwrap().version
    }

    fn set(&self, phase: Phase) {
        let mut state = self.state.lock().unwrap();
        *state = FleetState { version: state.version + 1, ..state.moved_to(phase, unix_now()) };
    }

    fn report(&self, state: NodeState, sequence: u64) {
        let report = Report { node: "one".to_owned(), state, sequence, ..Report::default() };
        let record = NodeRecord { report, written_at: unix_now(), answer: ReportAnswer::default() };
        *self.records.lock().unwrap() = vec![record];
    }

    async fn answers(&self) {
        if self.stalls.load(Ordering::SeqCst) {
            std::future::pending().await
        }
    }
}

impl ConversationStore for Scripted {}
impl OversightStore for Scripted {}

#[async_trait]
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
        self.answers().await;
        Ok(self.records.lock().unwrap().clone())
    }
    async fn state(&self, _: &str) -> Result<FleetState, StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.answers().await;
        Ok(self.state.lock().unwrap().clone())
    }
    async fn change_state(
        &self,
        _: &str,
        expected: &FleetState,
        new: &FleetState,
    ) -> Result<Change<FleetState>, StoreError> {
        self.answers().await;
        if self.is_faster.swap(false, Ordering::SeqCst) {
            self.set(Phase::Waking);
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock().unwrap();
        if state.version != expected.version {
            return Ok(Change::Refused(Some(state.clone())));
        }
        *state = FleetState { version: state.version + 1, ..new.clone() };
        Ok(Change::Made(state.clone()))
    }
}

struct Watching {
    wake: Arc<Wake>,
    store: Arc<Scripted>,
    queue: Arc<Queue>,
    tasks: fleet::shutdown::Tasks,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn watching(phase: Phase) -> Watching {
    let config = Config::default();
    let store = Arc::new(Scripted::default());
    store.set(phase);
    let queue = Queue::new(&config.queue);
    let wake = Arc::new(Wake::new(&config, store.clone(), queue.clone(), None));
    let tasks = fleet::shutdown::Tasks::new();
    let running = wake.clone();
    tasks.spawn_background(async move { running.run().await });
    Watching { wake, store, queue, tasks }
}

/// Lets everything happen that takes this long.
async fn pass(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

impl Watching {
    /// A request that waits in the queue until it is dropped.
    fn held(&self) -> tokio::task::JoinHandle<Result<crate::request::queue::Permit, Refusal>> {
        let demand = Demand {
            model: ModelName::parse("gemma3n:e4b").unwrap(),
            caller: Principal::of_key("alice"),
            priority: Priority::Normal,
            work: 3.0,
            prompt_tokens: 10,
            bytes: 10,
            reach: Reach::Anywhere,
            patience: Patience { wait: Duration::from_secs(600), hold: Duration::from_secs(600) },
        };
        let queue = self.queue.clone();
        self.tasks.spawn(async move { queue.place(demand).await })
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_cause_one_write() {
    let Watching { wake, store, .. } = &watching(Phase::Asleep);
    pass(0.1).await;
    for _ in 0..1000 {
        wake.admitted().unwrap();
    }
    pass(0.1).await;
    assert_eq!((store.phase(), store.version()), (Phase::Waking, 2));
    for _ in 0..1000 {
        wake.admitted().unwrap();
    }
    pass(30.0).await;
    assert_eq!((store.version(), store.writes.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_but_a_request_wakes() {
    let Watching { wake, store, .. } = &watching(Phase::Asleep);
    pass(60.0).await;
    assert_eq!((store.version(), wake.state().phase), (1, Phase::Asleep));
    assert!(store.looks.load(Ordering::SeqCst) >= 50, "looked at about once a second");
}

#[tokio::test(start_paused = true)]
async fn who_loses_the_race_is_content_with_the_winner() {
    let Watching { wake, store, .. } = &watching(Phase::Asleep);
    pass(0.1).await;
    store.is_faster.store(true, Ordering::SeqCst);
    wake.admitted().unwrap();
    pass(0.1).await;
    assert_eq!((wake.state().phase, store.version()), (Phase::Waking, 2));
    pass(10.0).await;
    assert_eq!(store.writes.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_tried_until_it_is_back() {
    let watching = watching(Phase::Asleep);
    let Watching { wake, store, .. } = &watching;
    pass(0.1).await;
    store.stalls.store(true, Ordering::SeqCst);
    wake.admitted().unwrap();
    let held = watching.held();
    pass(60.0).await;
    let looks = store.looks.load(Ordering::SeqCst);
    assert!((10..=25).contains(&looks), "each call is bounded, and none follows at once: {looks}");
    assert!(!held.is_finished() && store.phase() == Phase::Asleep);
    store.stalls.store(false, Ordering::SeqCst);
    pass(5.0).await;
    assert_eq!((store.phase(), store.version()), (Phase::Waking, 2));
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_nobody_has_any_more_wakes_nobody() {
    let watching = watching(Phase::Asleep);
    let Watching { wake, store, .. } = &watching;
    pass(0.1).await;
    store.stalls.store(true, Ordering::SeqCst);
    wake.admitted().unwrap();
    let held = watching.held();
    pass(30.0).await;
    held.abort();
    store.stalls.store(false, Ordering::SeqCst);
    pass(30.0).await;
    assert_eq!((store.phase(), store.version()), (Phase::Asleep, 1));
}

#[tokio::test(start_paused = true)]
async fn who_is_held_while_the_fleet_falls_asleep_wakes_it() {
    let watching = watching(Phase::Awake);
    let Watching { wake, store, .. } = &watching;
    pass(0.1).await;
    wake.admitted().unwrap();
    let held = watching.held();
    pass(10.0).await;
    assert_eq!(store.version(), 1, "awake: nothing to write");
    store.report(NodeState::Ready, 1);
    store.set(Phase::FallingAsleep);
    pass(6.0).await;
    assert_eq!(store.phase(), Phase::FallingAsleep, "a node is ready still");
    store.report(NodeState::Draining, 2);
    pass(4.0).await;
    assert_eq!(store.phase(), Phase::Waking);
    held.abort();
}

#[tokio::test(start_paused = true)]
async fn a_broken_fleet_refuses_and_lets_go_of_whom_it_held() {
    let watching = watching(Phase::Waking);
    let Watching { wake, store, .. } = &watching;
    pass(0.1).await;
    wake.admitted().unwrap();
    let held = watching.held();
    pass(2.0).await;
    store.set(Phase::Broken);
    store.state.lock().unwrap().reason = Some("there is no capacity".to_owned());
    pass(2.0).await;
    let told = held.await.unwrap().expect_err("a refusal");
    for refusal in [told, wake.admitted().unwrap_err()] {
        assert_eq!((refusal.status().as_u16(), refusal.label()), (503, "broken"));
        assert!(refusal.to_string().contains("there is no capacity"), "{refusal}");
    }
    store.report(NodeState::Ready, 1);
    pass(4.0).await;
    wake.admitted().expect("a node that is there serves");
    assert_eq!(store.phase(), Phase::Broken);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_fell_silent_is_not_ready() {
    let Watching { wake, store, .. } = &watching(Phase::FallingAsleep);
    store.report(NodeState::Ready, 1);
    pass(3.0).await;
    assert!(wake.is_ready() && wake.nodes().await.len() == 1);
    pass(12.0).await; // the store still shows it, as with a clock that runs ahead
    assert!(!wake.is_ready() && wake.nodes().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_wait_will_be_is_told() {
    let watching = watching(Phase::Asleep);
    let Watching { wake, store, queue, .. } = &watching;
    pass(0.1).await;
    assert_eq!(wake.until_ready(), Duration::from_secs(240));
    assert_eq!(wake.hint().unwrap(), "asleep, about 240 s");
    let held = watching.held();
    pass(0.1).await;
    assert!(wake.expected_wait(&queue.load()) > wake.until_ready());
    held.abort();
    store.report(NodeState::Ready, 1);
    assert_eq!(wake.nodes().await.len(), 1);
    assert_eq!((wake.until_ready(), wake.hint()), (Duration::ZERO, None));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_one_change_however_often_it_is_given() {
    let Watching { wake, store, .. } = &watching(Phase::Asleep);
    let operator = Principal::of_key("operator");
    for _ in 0..3 {
        assert_eq!(wake.wake_by(&operator).await.unwrap().phase, Phase::Waking);
    }
    assert_eq!(store.version(), 2);
    for _ in 0..3 {
        assert_eq!(wake.sleep_by(&operator).await.unwrap().phase, Phase::FallingAsleep);
    }
    assert_eq!((store.version(), wake.state().phase), (3, Phase::FallingAsleep));
    store.is_faster.store(true, Ordering::SeqCst);
    store.set(Phase::Asleep);
    assert_eq!(wake.wake_by(&operator).await.unwrap().phase, Phase::Waking, "another was faster");
    store.stalls.store(true, Ordering::SeqCst);
    let refused = wake.sleep_by(&operator).await.unwrap_err();
    assert!(matches!(refused, OrderError::Store(_)), "{refused}");
}
