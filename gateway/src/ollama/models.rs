//! What the local Ollama has, what it has in memory, and our own loads.
//!
//! Whoever asks Ollama for a cold model first owns its load: if that client goes, the load is thrown away. So clients
//! never load. The keeper does, one load per model at a time, and offers the queue places once the model is there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use fleet::shutdown::Tasks;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::client::{Client, ClientError, Outgoing, Upstream};
use super::known::{Known, named, unreachable_now};
use super::names::ModelName;
use super::plain_words;
use crate::config::settings::Ollama;
use crate::error::Refusal;
use crate::metrics::Metrics;
use crate::request::queue::{Queue, UpstreamId};

/// How often `/api/ps` is read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The same while Ollama does not answer: somebody may be waiting for it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long a list of models is believed without need; an unknown name reads it again, at most once a second.
const LIST_EVERY: Duration = Duration::from_secs(30);
const LIST_AGAIN: Duration = Duration::from_secs(1);
/// How long a look may take: these answers need no GPU.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// After a failed load, how long until the next try.
const LOAD_AGAIN: Duration = Duration::from_secs(5);
/// The largest list taken.
const LIST_BYTES: usize = 8 << 20;
/// The one upstream of a node that has its own Ollama.
pub const LOCAL: UpstreamId = UpstreamId::LOCAL;

/// Keeps models in memory and the queue informed.
pub struct Keeper {
    settings: Ollama,
    upstream: Upstream,
    client: Client,
    pinned: Vec<ModelName>,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    known: ArcSwap<Known>,
    loads: Mutex<Loads>,
    /// Counts looks, so that somebody can wait for the next.
    looks: watch::Sender<u64>,
    look_now: Notify,
    listing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Loads {
    running: HashSet<ModelName>,
    failed: HashMap<ModelName, (Instant, Refusal)>,
    offered: HashSet<ModelName>,
}

impl Keeper {
    /// A keeper that knows nothing yet; [`Self::run`] makes it look.
    pub fn new(settings: &Ollama, queue: Arc<Queue>, metrics: Arc<Metrics>, tasks: Tasks) -> Arc<Self> {
        let pinned = settings.models.iter().filter_map(|name| ModelName::parse(name).ok()).collect();
        Arc::new(Self {
            upstream: Upstream::of_url(&settings.url),
            settings: settings.clone(),
            client: Client::default(),
            pinned,
            queue,
            metrics,
            tasks,
            known: ArcSwap::default(),
            loads: Mutex::default(),
            looks: watch::Sender::new(0),
            look_now: Notify::new(),
            listing: tokio::sync::Mutex::default(),
        })
    }

    /// Where the local Ollama listens.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Are all models in memory that readiness needs?
    pub fn is_ready(&self) -> bool {
        let known = self.known.load();
        known.reachable && self.pinned.iter().all(|model| known.is_loaded(model))
    }

    /// Looks, loads and offers, for ever.
    pub async fn run(self: Arc<Self>) {
        loop {
            self.look().await;
            self.start_loads();
            self.offer();
            self.looks.send_modify(|n| *n += 1);
            let pause = if self.known.load().reachable { LOOK_EVERY } else { LOOK_AGAIN };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.queue.changed() => {}
                () = self.look_now.notified() => {}
            }
        }
    }

    /// Asks for a look at once: something was pulled, deleted, loaded, or has failed.
    pub fn look_now(&self) {
        self.look_now.notify_one();
    }

    async fn look(&self) {
        let before = self.known.load_full();
        match self.list("/api/ps").await {
            Ok(running) => {
                let version = if before.reachable { None } else { self.version().await };
                self.learn(|known| {
                    known.listed = known.listed.filter(|_| known.reachable);
                    known.reachable = true;
                    known.silent_since = None;
                    known.running.clone_from(&running);
                    known.version = version.clone().or(known.version.take());
                });
                if self.known.load().listed.is_none_or(|at| at.elapsed() > LIST_EVERY) {
                    self.relist().await;
                }
            }
            Err(error) => {
                if before.reachable {
                    tracing::warn!(%error, "the local Ollama does not answer");
                }
                self.learn(|known| {
                    known.reachable = false;
                    known.silent_since.get_or_insert_with(Instant::now);
                    known.running.clear();
                });
            }
        }
    }

    /// Changes what is known, and nothing that somebody else has learned meanwhile.
    fn learn(&self, change: impl Fn(&mut Known)) {
        self.known.rcu(|known| {
            let mut known = Known::clone(known);
            change(&mut known);
            known
        });
    }

    async fn list(&self, path: &'static str) -> Result<Vec<(ModelName, Value)>, ClientError> {
        named(&self.get(path).await?)
    }

    async fn version(&self) -> Option<String> {
        let bytes = self.get("/api/version").await.ok()?;
        let answer: Value = serde_json::from_slice(&bytes).ok()?;
        answer["version"].as_str().map(str::to_owned)
    }

    async fn get(&self, path: &'static str) -> Result<Bytes, ClientError> {
        let request = Outgoing { method: "GET", path, body: None, headers: Vec::new() };
        let asking = async {
            let mut answer = self.client.send(&self.upstream, &request).await?;
            if answer.status != StatusCode::OK {
                return Err(ClientError::Protocol("a list was refused"));
            }
            answer.body.collect(LIST_BYTES).await
        };
        let late = Err(ClientError::Protocol("a list took too long"));
        tokio::time::timeout(LOOK_WITHIN, asking).await.unwrap_or(late)
    }

    /// Reads the list of models again, unless that was done within the last second.
    pub async fn relist(&self) {
        let _one = self.listing.lock().await;
        if self.known.load().listed.is_some_and(|at| at.elapsed() < LIST_AGAIN) {
            return;
        }
        let asked = Instant::now();
        if let Ok(tags) = self.list("/api/tags").await {
            self.learn(|known| {
                known.tags.clone_from(&tags);
                known.listed = Some(asked);
            });
        }
    }

    /// Models were pulled or deleted: the list is read again before it is shown or believed.
    pub fn models_changed(&self) {
        self.learn(|known| known.listed = None);
        self.look_now();
    }

    /// Returns with a list that is not known to be old.
    pub async fn fresh(&self) {
        let known = self.known.load_full();
        if known.reachable && known.listed.is_none() {
            self.relist().await;
        }
    }

    /// Does Ollama have `model`? Looks again before it says no.
    ///
    /// # Errors
    /// 404 where it does not, 503 while Ollama does not answer.
    pub async fn find(&self, model: &ModelName) -> Result<(), Refusal> {
        let known = self.known.load_full();
        if known.is_down() {
            return Err(unreachable_now());
        }
        if known.has(model) && known.listed.is_some() {
            return Ok(());
        }
        self.relist().await;
        let known = self.known.load();
        match (known.has(model), known.listed.is_some()) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::NoModel(model.to_string())),
            (false, false) => Err(unreachable_now()),
        }
    }

    /// Waits until `model` is in memory, loading it if need be. The load goes on if the caller leaves.
    ///
    /// # Errors
    /// Why the load failed.
    pub async fn load(self: &Arc<Self>, model: &ModelName) -> Result<(), Refusal> {
        let mut looks = self.looks.subscribe();
        loop {
            if self.known.load().is_loaded(model) {
                return Ok(());
            }
            if let Some(refusal) = self.recent_failure(model) {
                return Err(refusal);
            }
            self.start_load(model.clone());
            if looks.changed().await.is_err() {
                return Err(unreachable_now());
            }
        }
    }

    fn loads(&self) -> std::sync::MutexGuard<'_, Loads> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_failure(&self, model: &ModelName) -> Option<Refusal> {
        let loads = self.loads();
        let (at, refusal) = loads.failed.get(model)?;
        (at.elapsed() < LOAD_AGAIN).then(|| refusal.clone())
    }

    fn start_loads(self: &Arc<Self>) {
        let known = self.known.load();
        if known.is_down() {
            self.queue.wanted().iter().for_each(|model| self.queue.fail(model, unreachable_now()));
        }
        if !known.reachable {
            return;
        }
        let wanted = self.pinned.iter().cloned().chain(self.queue.wanted());
        for model in wanted.filter(|model| !known.is_loaded(model)).collect::<Vec<_>>() {
            match self.recent_failure(&model) {
                Some(refusal) => self.queue.fail(&model, refusal),
                None => self.start_load(model),
            }
        }
    }

    /// Begins a load, unless one is under way.
    fn start_load(self: &Arc<Self>, model: ModelName) {
        if !self.loads().running.insert(model.clone()) {
            return;
        }
        let keeper = self.clone();
        self.tasks.spawn(async move {
            let began = Instant::now();
            let result = keeper.load_request(&model).await;
            let took = began.elapsed();
            keeper.metrics.loaded(model.as_str(), took, result.is_ok());
            {
                let mut loads = keeper.loads();
                loads.running.remove(&model);
                match result {
                    Ok(()) => {
                        loads.failed.remove(&model);
                        tracing::info!(%model, seconds = took.as_secs_f64(), "model loaded");
                    }
                    Err(refusal) => {
                        tracing::error!(%model, reason = %refusal, "model cannot be loaded");
                        loads.failed.insert(model.clone(), (Instant::now(), refusal.clone()));
                        keeper.queue.fail(&model, refusal);
                    }
                }
            }
            keeper.look_now();
        });
    }

    /// Ollama loads a model when it is asked for nothing: no prompt, or no input for one that only embeds.
    async fn load_request(&self, model: &ModelName) -> Result<(), Refusal> {
        let mut body = json!({ "model": model.as_str() });
        let path = if self.known.load().embeds(model) {
            body["input"] = json!([]);
            "/api/embed"
        } else {
            "/api/generate"
        };
        if self.pinned.contains(model) {
            body["keep_alive"] = json!(-1);
        }
        self.command(path, &body, self.settings.load_seconds).await
    }

    async fn command(&self, path: &'static str, body: &Value, within: Duration) -> Result<(), Refusal> {
        let request =
            Outgoing { method: "POST", path, body: Some(Bytes::from(body.to_string())), headers: Vec::new() };
        let asking = async {
            let mut answer =
                self.client.send(&self.upstream, &request).await.map_err(|_| unreachable_now())?;
            let status = answer.status;
            let bytes = answer.body.collect(LIST_BYTES).await.map_err(|_| unreachable_now())?;
            if status.is_success() { Ok(()) } else { Err(plain_words::refusal(status, &bytes)) }
        };
        let late = Err(Refusal::TooLate("the model took too long to load".to_owned()));
        tokio::time::timeout(within, asking).await.unwrap_or(late)
    }

    /// Tells the queue which models have places now.
    fn offer(&self) {
        let known = self.known.load();
        let mut loads = self.loads();
        // A model being loaded again by `revive` is still listed, and must not be granted.
        let names = known.running.iter().map(|(name, _)| name);
        let loaded: HashSet<ModelName> =
            names.filter(|name| !loads.running.contains(*name)).cloned().collect();
        for model in loads.offered.difference(&loaded) {
            self.queue.withdraw(LOCAL, model);
        }
        for model in &loaded {
            self.queue.offer(LOCAL, model, known.slots(model, self.settings.parallel));
        }
        loads.offered = loaded;
    }

    /// The upstream broke: no further grants until it has been seen again.
    pub fn broke(&self) {
        let mut loads = self.loads();
        for model in loads.offered.drain() {
            self.queue.withdraw(LOCAL, &model);
        }
        drop(loads);
        self.look_now();
    }

    /// Clears stuck slots: unloading makes Ollama's runner give up whatever it lost.
    pub fn revive(self: &Arc<Self>, model: &ModelName) {
        if !self.loads().running.insert(model.clone()) {
            return;
        }
        tracing::error!(%model, "a slot gives no first byte; unloading the model and loading it again");
        self.metrics.unstuck();
        self.queue.withdraw(LOCAL, model);
        let (keeper, model) = (self.clone(), model.clone());
        self.tasks.spawn(async move {
            let unload = json!({ "model": model.as_str(), "keep_alive": 0 });
            let path = if keeper.known.load().embeds(&model) { "/api/embed" } else { "/api/generate" };
            if let Err(refusal) = keeper.command(path, &unload, keeper.settings.load_seconds).await {
                tracing::error!(%model, reason = %refusal, "the model cannot be unloaded");
            }
            keeper.loads().running.remove(&model);
            keeper.look_now();
        });
    }
}
