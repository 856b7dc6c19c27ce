//! The fleet's state as one gateway sees and changes it: who wakes a sleeping fleet, and what a wait will be.
//!
//! [`Wake::admitted`] is a step of the journey; [`Wake::run`] reads and writes the store beside the requests; what
//! follows from what it has seen is decided in `decide`, without a clock. `orders` is what operators may tell the
//! fleet, `nodes` who is there. The state belongs to the whole fleet: the scaler's leader moves it on from `Waking`.

mod decide;
mod nodes;
mod orders;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::store::{Change, FleetState, Phase, Store, StoreError};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use self::decide::Attitude;
use self::nodes::Nodes;
use crate::config::Config;
use crate::error::Refusal;
use crate::ollama::models::Keeper;
use crate::request::queue::{Load, Queue, expected_rate};

pub use self::nodes::NodeLine;
pub use self::orders::OrderError;

/// Between two looks at the state while no node is ready.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same while one is and nobody waits: what sleeps meanwhile is woken by the first who has to.
const LOOK_WHILE_AWAKE: Duration = Duration::from_secs(5);
/// Longest call of the store; behind it the last state stands.
const CALL: Duration = Duration::from_secs(3);
/// How long an admitted request counts as waiting before the queue shows it: its tokens are reserved in between.
const WISH: Duration = Duration::from_secs(5);

/// One process's view of the fleet's state.
pub struct Wake {
    store: Arc<dyn Store>,
    fleet: String,
    boot_estimate: Duration,
    queue: Arc<Queue>,
    keeper: Option<Arc<Keeper>>,
    nodes: Nodes,
    /// An [`Attitude`]: all that a request must know.
    attitude: AtomicU8,
    wanted: Notify,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// `None` until the store has answered once.
    state: Option<FleetState>,
    /// When a request last found nobody to serve it.
    wished: Option<Instant>,
    failing: bool,
}

impl Wake {
    /// Has seen nothing yet; does no I/O. `keeper` is the local Ollama's, where there is one.
    pub fn new(
        config: &Config,
        store: Arc<dyn Store>,
        queue: Arc<Queue>,
        keeper: Option<Arc<Keeper>>,
    ) -> Self {
        let fleet = config.fleet.name.clone();
        Self {
            nodes: Nodes::new(store.clone(), fleet.clone()),
            store,
            fleet,
            boot_estimate: config.fleet.boot_estimate_seconds,
            queue,
            keeper,
            attitude: AtomicU8::new(Attitude::Wake as u8),
            wanted: Notify::new(),
            seen: Mutex::default(),
        }
    }

    /// An inference request has been admitted. Where nothing could serve it, the fleet is woken, beside the requests:
    /// however many come, one write. While a node is there this is one atomic load.
    ///
    /// # Errors
    /// [`Refusal::Broken`] where nodes do not come up: holding the request would only delay the news.
    pub fn admitted(&self) -> Result<(), Refusal> {
        match Attitude::of(self.attitude.load(Ordering::Acquire)) {
            Attitude::Pass => Ok(()),
            Attitude::Wake => {
                self.seen().wished = Some(Instant::now());
                self.wanted.notify_one();
                Ok(())
            }
            Attitude::Broken => Err(self.broken()),
        }
    }

    /// The state as last seen; asleep until the store has answered once.
    pub fn state(&self) -> FleetState {
        self.seen().state.clone().unwrap_or_default()
    }

    /// Can a request be served at this moment, here or by another node?
    pub fn is_ready(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| keeper.is_ready()) || self.nodes.is_any_ready()
    }

    /// How long until a node is ready, were the fleet woken now; zero where one is. What a queue without places adds
    /// to its own prediction, which counts from the first place.
    pub fn until_ready(&self) -> Duration {
        decide::until_ready(self.seen().state.as_ref(), self.is_ready(), self.boot_estimate, unix_now())
    }

    /// How long a request that came now would wait for its turn: the rest of the boot, then what waits before it.
    pub fn expected_wait(&self, load: &Load) -> Duration {
        let drain = decide::drain_seconds(load, expected_rate);
        self.until_ready().saturating_add(Duration::try_from_secs_f64(drain).unwrap_or(Duration::MAX))
    }

    /// What a held caller may be told, as in `asleep, about 80 s`; `None` while a node is ready.
    pub fn hint(&self) -> Option<String> {
        if self.until_ready().is_zero() {
            return None;
        }
        let wait = self.expected_wait(&self.queue.load());
        let state = decide::word(self.state().phase).replace('_', " ");
        Some(format!("{state}, about {} s", wait.as_secs_f64().ceil()))
    }

    /// Every living node's line; read again where it is older than two seconds.
    pub async fn nodes(&self) -> Vec<NodeLine> {
        self.nodes.fresh().await
    }

    /// Watches the state and wakes the fleet, for ever. Once per process.
    pub async fn run(&self) {
        loop {
            let looked = self.look().await;
            self.note_store(looked.as_ref().err());
            if looked.is_ok() {
                tokio::select! {
                    () = sleep(self.pause()) => {}
                    () = self.wanted.notified() => {}
                }
            } else {
                // Not sooner for the next request: a thousand of them must not hammer a store that is down.
                sleep(LOOK_EVERY).await;
            }
        }
    }

    /// One look at the store, and the one write that may follow from it.
    async fn look(&self) -> Result<(), StoreError> {
        let state = self.bounded(self.store.state(&self.fleet)).await?;
        if state.phase != Phase::Awake && (state.phase != Phase::Asleep || self.is_wanted()) {
            let _ = self.nodes.fresh().await; // who cannot be read is not ready: waking once too often harms nobody
        }
        self.note(state.clone());
        match decide::attitude(Some(state.phase), self.is_ready()) {
            Attitude::Wake if self.is_wanted() => self.wake(&state).await,
            Attitude::Broken => {
                self.turn_away();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn wake(&self, state: &FleetState) -> Result<(), StoreError> {
        let waking = state.moved_to(Phase::Waking, unix_now());
        match self.bounded(self.store.change_state(&self.fleet, state, &waking)).await? {
            Change::Made(made) => {
                tracing::info!(fleet = self.fleet, from = decide::word(state.phase), "waking the fleet");
                self.note(made);
            }
            // Somebody was faster, and most likely woke it.
            Change::Refused(Some(theirs)) => self.note(theirs),
            Change::Refused(None) => {}
        }
        Ok(())
    }

    /// Requests that were held in hope of a node are told that none comes.
    fn turn_away(&self) {
        for model in self.queue.wanted() {
            self.queue.fail(&model, self.broken());
        }
    }

    fn broken(&self) -> Refusal {
        let state = self.state();
        Refusal::Broken {
            reason: state.reason.unwrap_or_else(|| "its nodes do not come up".to_owned()),
            retry_after: self.until_ready(),
        }
    }

    /// Does anyone wait whom no node serves?
    fn is_wanted(&self) -> bool {
        let wished = self.seen().wished.is_some_and(|at| at.elapsed() < WISH);
        wished || self.queue.load().queued > 0
    }

    fn pause(&self) -> Duration {
        let serves = self.state().phase == Phase::Awake || self.is_ready();
        if serves && self.queue.load().queued == 0 { LOOK_WHILE_AWAKE } else { LOOK_EVERY }
    }

    /// What is true from now on, for requests.
    fn note(&self, state: FleetState) {
        let attitude = decide::attitude(Some(state.phase), self.is_ready());
        let mut seen = self.seen();
        if attitude == Attitude::Pass {
            seen.wished = None;
        }
        self.attitude.store(attitude as u8, Ordering::Release);
        seen.state = Some(state);
    }

    /// Once when it begins to fail, once when it is over.
    fn note_store(&self, error: Option<&StoreError>) {
        let was = std::mem::replace(&mut self.seen().failing, error.is_some());
        match error {
            Some(error) if !was => {
                tracing::warn!(%error, "the fleet's state cannot be read or changed; the last one stands");
            }
            None if was => tracing::info!("the fleet's state can be read again"),
            _ => {}
        }
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let late = |_| Err(StoreError::Unavailable(format!("no answer in {} s", CALL.as_secs())));
        timeout(CALL, call).await.unwrap_or_else(late)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    Timestamp::now().as_second()
}
