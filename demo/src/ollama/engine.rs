//! Which models are in memory and who may use them: loads, slots, keep-alive, eviction, the bounded load queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::Refusal;
use super::models::Model;
use super::script::Script;
use super::stats::Observer;

/// The server's settings, named as Ollama's environment names them.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) num_parallel: usize,
    pub(super) max_queue: usize,
    pub(super) max_loaded_models: usize,
    pub(super) keep_alive: KeepAlive,
}

/// How long a model stays in memory after its last request; `None` is for ever.
pub(super) type KeepAlive = Option<Duration>;

/// The options that need a runner of their own: any difference to the loaded one reloads the model.
pub(super) type RunnerOptions = BTreeMap<&'static str, String>;

/// What a request wants of the engine.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) model: Model,
    pub(super) options: RunnerOptions,
    /// Tokens of context: `num_ctx`, else the model's.
    pub(super) context: u64,
    /// Resets the model's timer; `None` leaves what was set last.
    pub(super) keep_alive: Option<KeepAlive>,
    /// The load fails with this text.
    pub(super) fail_load: Option<String>,
}

/// A model's process.
struct Runner {
    slots: Arc<Semaphore>,
    busy: AtomicUsize,
    dead: CancellationToken,
    options: RunnerOptions,
}

struct Loaded {
    runner: Arc<Runner>,
    model: Model,
    context: u64,
    users: usize,
    keep_alive: KeepAlive,
    idle_since: Instant,
}

impl Loaded {
    /// When it leaves the memory if nobody comes; `None` is never.
    fn expires(&self) -> Option<Instant> {
        let since = if self.users > 0 { Instant::now() } else { self.idle_since };
        self.keep_alive.and_then(|time| since.checked_add(time))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.users == 0 && self.expires().is_some_and(|at| at <= now)
    }
}

/// A loaded model, as `/api/ps` shows it.
pub(super) struct InMemory {
    pub(super) model: Model,
    pub(super) context: u64,
    /// From now; `None` is never.
    pub(super) expires_in: KeepAlive,
}

#[derive(Default)]
struct State {
    loaded: HashMap<String, Loaded>,
    pending: usize,
}

/// The scheduler of one simulated Ollama.
pub(super) struct Engine {
    settings: Settings,
    state: Mutex<State>,
    /// One load at a time; whoever needs one waits here, in order of arrival.
    loader: tokio::sync::Mutex<()>,
    changed: watch::Sender<()>,
    observer: Arc<Observer>,
    script: Arc<Script>,
}

impl Engine {
    pub(super) fn new(settings: Settings, observer: Arc<Observer>, script: Arc<Script>) -> Arc<Self> {
        let (state, loader, changed) =
            (Mutex::default(), tokio::sync::Mutex::default(), watch::Sender::default());
        Arc::new(Self { settings, state, loader, changed, observer, script })
    }

    /// A use of the model's runner, loading it first if need be. Dropping the future aborts the load it owns.
    ///
    /// # Errors
    /// 503 when too many wait for models not in memory; 500 when the load was told to fail.
    pub(super) async fn runner(self: &Arc<Self>, want: &Want) -> Result<User, Refusal> {
        if let Some(user) = self.join(want) {
            return Ok(user);
        }
        let _pending = Pending::enter(self)?;
        let _turn = self.loader.lock().await;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(user) = self.join(want) {
                return Ok(user);
            }
            if self.make_room(&want.model.key()) {
                return self.load(want).await;
            }
            // The sender lives in `self`, so waiting cannot fail.
            let _ = changed.changed().await;
        }
    }

    /// Ends the model's stay: at once, or when its last stream has ended.
    pub(super) fn unload(&self, key: &str) {
        let mut state = self.lock();
        if let Some(loaded) = state.loaded.get_mut(key) {
            loaded.keep_alive = Some(Duration::ZERO);
        }
        state.loaded.retain(|_, loaded| !loaded.is_over(Instant::now()));
        self.changed.send_replace(());
    }

    /// Kills the model's process: what runs on it dies, the next request loads again.
    pub(super) fn kill(&self, key: &str) {
        if let Some(loaded) = self.lock().loaded.remove(key) {
            loaded.runner.dead.cancel();
        }
        self.changed.send_replace(());
    }

    /// What is in memory, longest-lived first; a loading model is absent.
    pub(super) fn in_memory(&self) -> Vec<InMemory> {
        let now = Instant::now();
        let mut state = self.lock();
        state.loaded.retain(|_, loaded| !loaded.is_over(now));
        let mut all: Vec<InMemory> = (state.loaded.values())
            .map(|loaded| InMemory {
                model: loaded.model.clone(),
                context: loaded.context,
                expires_in: loaded.expires().map(|at| at.saturating_duration_since(now)),
            })
            .collect();
        all.sort_by_key(|m| std::cmp::Reverse(m.expires_in.unwrap_or(Duration::MAX)));
        all
    }

    /// The loaded runner, if its options fit.
    fn join(self: &Arc<Self>, want: &Want) -> Option<User> {
        let key = want.model.key();
        let mut state = self.lock();
        state.loaded.retain(|_, loaded| !loaded.is_over(Instant::now()));
        let loaded = state.loaded.get_mut(&key).filter(|loaded| loaded.runner.options == want.options)?;
        loaded.users += 1;
        loaded.keep_alive = want.keep_alive.unwrap_or(loaded.keep_alive);
        Some(User { engine: self.clone(), key, runner: loaded.runner.clone() })
    }

    /// Takes out what stands in the way of a load; false while that is busy.
    fn make_room(&self, key: &str) -> bool {
        let mut state = self.lock();
        if let Some(old) = state.loaded.get(key) {
            if old.users > 0 {
                return false;
            }
            state.loaded.remove(key);
        }
        if state.loaded.len() < self.settings.max_loaded_models {
            return true;
        }
        let idle = state.loaded.iter().filter(|(_, loaded)| loaded.users == 0);
        let Some(victim) = idle.min_by_key(|(_, loaded)| loaded.idle_since).map(|(key, _)| key.clone())
        else {
            return false;
        };
        state.loaded.remove(&victim);
        true
    }

    async fn load(self: &Arc<Self>, want: &Want) -> Result<User, Refusal> {
        let key = want.model.key();
        self.observer.count(|stats| stats.model_mut(&key).loads_started += 1);
        let mut attempt = Attempt { engine: self, key: &key, done: false };
        self.script.load_may_begin().await;
        tokio::time::sleep(want.model.load_time).await;
        if let Some(text) = &want.fail_load {
            return Err(Refusal::new(500, text));
        }
        attempt.done = true;
        let runner = Arc::new(Runner {
            slots: Arc::new(Semaphore::new(want.model.slots_of(self.settings.num_parallel))),
            busy: AtomicUsize::new(0),
            dead: CancellationToken::new(),
            options: want.options.clone(),
        });
        let loaded = Loaded {
            runner: runner.clone(),
            model: want.model.clone(),
            context: want.context,
            users: 1,
            keep_alive: want.keep_alive.unwrap_or(self.settings.keep_alive),
            idle_since: Instant::now(),
        };
        self.lock().loaded.insert(key.clone(), loaded);
        drop(attempt);
        Ok(User { engine: self.clone(), key, runner })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A load under way; dropped undone, it was aborted.
struct Attempt<'a> {
    engine: &'a Engine,
    key: &'a str,
    done: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.engine.observer.count(|stats| {
            let model = stats.model_mut(self.key);
            *(if self.done { &mut model.loads_finished } else { &mut model.loads_aborted }) += 1;
        });
    }
}

/// A place in the queue of requests whose model is not in memory.
struct Pending<'a>(&'a Engine);

impl<'a> Pending<'a> {
    /// One is being served, `max_queue` more may wait: the next is refused.
    fn enter(engine: &'a Engine) -> Result<Self, Refusal> {
        let mut state = engine.lock();
        if state.pending > engine.settings.max_queue {
            return Err(Refusal::queue_full());
        }
        state.pending += 1;
        engine.observer.count(|stats| stats.pending = state.pending);
        Ok(Self(engine))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pending -= 1;
        self.0.observer.count(|stats| stats.pending = state.pending);
    }
}

/// A request that uses a runner: while there is one, the model stays in memory.
pub(super) struct User {
    engine: Arc<Engine>,
    key: String,
    runner: Arc<Runner>,
}

impl User {
    /// A slot of the runner, waited for without bound, as in Ollama.
    pub(super) async fn slot(&self) -> Option<Slot<'_>> {
        let observer = &self.engine.observer;
        let waiting = Waiting::enter(observer);
        let permit = self.runner.slots.clone().acquire_owned().await.ok()?;
        drop(waiting);
        self.runner.busy.fetch_add(1, Ordering::Relaxed);
        observer.count(|stats| {
            stats.running += 1;
            let model = stats.model_mut(&self.key);
            model.running += 1;
            model.most_at_once = model.most_at_once.max(model.running);
        });
        Some(Slot { user: self, _permit: permit })
    }

    /// Resolves when the runner's process was killed.
    pub(super) async fn died(&self) {
        self.runner.dead.cancelled().await;
    }

    /// Kills the runner's process.
    pub(super) fn kill(&self) {
        self.runner.dead.cancel();
        self.engine.kill(&self.key);
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut state = self.engine.lock();
        if let Some(loaded) = state.loaded.get_mut(&self.key)
            && Arc::ptr_eq(&loaded.runner, &self.runner)
        {
            loaded.users -= 1;
            loaded.idle_since = Instant::now();
        }
        state.loaded.retain(|_, loaded| !loaded.is_over(Instant::now()));
        self.engine.changed.send_replace(());
    }
}

struct Waiting<'a>(&'a Observer);

impl<'a> Waiting<'a> {
    fn enter(observer: &'a Observer) -> Self {
        observer.count(|stats| stats.waiting += 1);
        Self(observer)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.count(|stats| stats.waiting -= 1);
    }
}

/// A slot in use.
pub(super) struct Slot<'a> {
    user: &'a User,
    _permit: OwnedSemaphorePermit,
}

impl Slot<'_> {
    /// How much slower each stream is beside the others: 1 + 0.3 for every further one.
    pub(super) fn slowdown(&self) -> f64 {
        let others = self.user.runner.busy.load(Ordering::Relaxed).saturating_sub(1);
        1.0 + 0.3 * f64::from(u32::try_from(others).unwrap_or(u32::MAX))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.user.runner.busy.fetch_sub(1, Ordering::Relaxed);
        self.user.engine.observer.count(|stats| {
            stats.running -= 1;
            stats.model_mut(&self.user.key).running -= 1;
        });
    }
}
