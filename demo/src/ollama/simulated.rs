//! The handle: builds, starts and stops a simulated Ollama, scripts it and looks at it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;

use super::app::App;
use super::engine::{Engine, KeepAlive, Settings};
use super::generate::Bench;
use super::models::Model;
use super::names::key_of;
use super::script::{Fault, Script};
use super::serve;
use super::stats::{Observer, Seen, Stats, WaitedTooLong};
use crate::tasks::Tasks;

/// Settings of a simulated Ollama; the defaults are Ollama's own.
#[derive(Debug, Clone)]
pub struct Builder {
    address: SocketAddr,
    models: Vec<Model>,
    settings: Settings,
    recording: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let settings = Settings {
            num_parallel: 1,
            max_queue: 512,
            max_loaded_models: 3,
            keep_alive: Some(Duration::from_secs(300)),
        };
        Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), models: Vec::new(), settings, recording: true }
    }
}

impl Builder {
    /// Where to listen; by default a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Adds a model. With none, there are `tiny` (chat) and `tinyembed` (embedding).
    #[must_use]
    pub fn model(mut self, model: Model) -> Self {
        self.models.push(model);
        self
    }

    /// `OLLAMA_NUM_PARALLEL`: slots of each loaded chat model (1).
    #[must_use]
    pub fn parallel(mut self, slots: usize) -> Self {
        self.settings.num_parallel = slots;
        self
    }

    /// `OLLAMA_MAX_QUEUE`: requests that may wait for a model not in memory (512).
    #[must_use]
    pub fn max_queue(mut self, requests: usize) -> Self {
        self.settings.max_queue = requests;
        self
    }

    /// `OLLAMA_MAX_LOADED_MODELS` (3).
    #[must_use]
    pub fn max_loaded_models(mut self, models: usize) -> Self {
        self.settings.max_loaded_models = models.max(1);
        self
    }

    /// `OLLAMA_KEEP_ALIVE` (5 minutes); `None` is for ever.
    #[must_use]
    pub fn keep_alive(mut self, time: KeepAlive) -> Self {
        self.settings.keep_alive = time;
        self
    }

    /// Whether requests and raw bytes are kept for looking at (they are). A long run should not.
    #[must_use]
    pub fn recording(mut self, on: bool) -> Self {
        self.recording = on;
        self
    }

    /// Listens and serves.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(self) -> io::Result<SimulatedOllama> {
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let (observer, script) = (Arc::new(Observer::default()), Arc::new(Script::default()));
        let engine = Engine::new(self.settings, observer.clone(), script.clone());
        let tasks = Tasks::default();
        let models = if self.models.is_empty() {
            vec![Model::chat("tiny"), Model::embedding("tinyembed")]
        } else {
            self.models
        };
        let bench = Bench { engine, observer, script, tasks: tasks.clone() };
        let app = Arc::new(App { catalogue: Mutex::new(models), bench, recording: self.recording });
        let ollama = SimulatedOllama { address, app, tasks, listening: Mutex::default() };
        ollama.listen(listener);
        Ok(ollama)
    }
}

/// A running simulated Ollama. Dropping it stops it and everything it spawned.
pub struct SimulatedOllama {
    address: SocketAddr,
    app: Arc<App>,
    tasks: Tasks,
    listening: Mutex<Tasks>,
}

impl SimulatedOllama {
    /// Settings to start one with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One with the default settings and instant models.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    fn listen(&self, listener: TcpListener) {
        let (app, tasks) = (self.app.clone(), self.tasks.child());
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = tasks.clone();
        let connections = tasks.clone();
        tasks.spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve::connection(stream, app.clone()));
                }
            }
        });
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next inference request goes wrong like this. Called again, the one after it.
    pub fn fault(&self, fault: Fault) {
        self.app.bench.script.add(None, fault);
    }

    /// The next request to exactly this path goes wrong like this.
    pub fn fault_on(&self, path: &str, fault: Fault) {
        self.app.bench.script.add(Some(path), fault);
    }

    /// Loads begin (and are counted) but do not end until [`Self::release_loads`].
    pub fn hold_loads(&self) {
        self.app.bench.script.hold_loads(true);
    }

    /// Ends [`Self::hold_loads`].
    pub fn release_loads(&self) {
        self.app.bench.script.hold_loads(false);
    }

    /// Every generation stops after so many tokens (0: before the first) until [`Self::release_tokens`].
    pub fn hold_tokens_after(&self, tokens: u64) {
        self.app.bench.script.hold_tokens(Some(tokens));
    }

    /// Ends [`Self::hold_tokens_after`].
    pub fn release_tokens(&self) {
        self.app.bench.script.hold_tokens(None);
    }

    /// Kills the model's engine process now: what runs on it dies, the next request loads it again.
    pub fn kill_engine(&self, model: &str) {
        self.app.bench.engine.kill(&key_of(model));
    }

    /// Stops listening and cuts every connection; models stay in memory.
    pub async fn go_down(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listening.end_and_wait().await;
    }

    /// Listens again on the same address.
    ///
    /// # Errors
    /// When somebody else took the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        self.listen(TcpListener::bind(self.address).await?);
        Ok(())
    }

    /// Every request read so far, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.app.bench.observer.seen()
    }

    /// The requests to inference routes.
    pub fn inferences(&self) -> Vec<Seen> {
        let path = |seen: &Seen| seen.target.split('?').next().unwrap_or_default().to_owned();
        self.requests()
            .into_iter()
            .filter(|seen| super::route::INFERENCE.contains(&path(seen).as_str()))
            .collect()
    }

    /// The exact bytes read from each connection, finished requests or not.
    pub fn connections(&self) -> Vec<Bytes> {
        self.app.bench.observer.connections()
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.app.bench.observer.stats()
    }

    /// Generations that hold a slot now.
    pub fn running(&self) -> usize {
        self.stats().running
    }

    /// The most generations of a model that ever held a slot at the same time.
    pub fn most_at_once(&self, model: &str) -> usize {
        self.stats().model(model).most_at_once
    }

    /// Inference requests whose client left before their end was reached.
    pub fn cancelled(&self) -> usize {
        self.stats().cancelled
    }

    /// Loads of a model that were begun.
    pub fn loads_started(&self, model: &str) -> usize {
        self.stats().model(model).loads_started
    }

    /// Loads of a model that came to their end.
    pub fn loads_finished(&self, model: &str) -> usize {
        self.stats().model(model).loads_finished
    }

    /// Waits (at most 5 s) until the counters are as `reached` wants them.
    ///
    /// # Errors
    /// When they never were; the error shows them.
    pub async fn wait_until(&self, reached: impl FnMut(&Stats) -> bool) -> Result<Stats, WaitedTooLong> {
        self.app.bench.observer.wait_until(reached).await
    }
}

impl Drop for SimulatedOllama {
    fn drop(&mut self) {
        self.tasks.end();
    }
}
