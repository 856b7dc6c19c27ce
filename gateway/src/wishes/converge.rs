//! A node brings its Ollama into line with the wishes: one loop looks, says and deletes, the other pulls, one model at a
//! time, since two would share one line and one disk. What the store does disturbs neither a pull nor those who are
//! served.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fleet::store::{Progress, ProgressState, StoreError, WantedModel};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::bring::{self, Amount};
use super::decide::{Duty, Here, Memory, Next};
use super::{Wishes, unix_now};
use crate::config::settings::Ollama;
use crate::ollama::client::{Client, Outgoing};
use crate::ollama::models::Keeper;
use crate::ollama::names::ModelName;

/// How often the wishes are read.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same while one is open here, or has just changed: who pulls often deletes soon.
const LOOK_WHILE_OPEN: Duration = Duration::from_secs(2);
const JUST_CHANGED: Duration = Duration::from_secs(30);
/// Nodes come and go, and what they said of a wish stays with it. Of more than this many, three times the largest fleet,
/// most are gone: all is forgotten, and who lives says it again. One entry takes up to 600 bytes, an item 400 KB.
const NODES_SAID: usize = 300;
/// Until Ollama answers.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Progress is written at most this often: each write of each node is a request to the store.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// Longest deletion: it needs no network and no GPU.
const DELETE_WITHIN: Duration = Duration::from_secs(60);

/// One node, and the wishes.
pub struct Converge {
    wishes: Arc<Wishes>,
    keeper: Arc<Keeper>,
    client: Client,
    fetch_command: Vec<String>,
    pinned: Vec<ModelName>,
    since: i64,
    memory: Mutex<Memory>,
    /// As last read; `None` before.
    wanted: watch::Sender<Option<Vec<WantedModel>>>,
    looking: tokio::sync::Mutex<Looking>,
}

/// What one look tells the next.
#[derive(Default)]
struct Looking {
    failing: bool,
    changed: Option<Instant>,
}

impl Converge {
    /// Has looked at nothing yet.
    pub fn new(settings: &Ollama, wishes: Arc<Wishes>, keeper: Arc<Keeper>) -> Self {
        Self {
            wishes,
            keeper,
            client: Client::default(),
            fetch_command: settings.fetch_command.clone(),
            pinned: settings.models.iter().filter_map(|name| ModelName::parse(name).ok()).collect(),
            since: unix_now(),
            memory: Mutex::default(),
            wanted: watch::Sender::new(None),
            looking: tokio::sync::Mutex::default(),
        }
    }

    /// Does the configuration keep this model here?
    pub fn is_pinned(&self, model: &ModelName) -> bool {
        self.pinned.contains(model)
    }

    /// Converges for ever.
    pub async fn run(&self) {
        tokio::join!(self.keep_looking(), self.keep_pulling());
    }

    async fn keep_looking(&self) {
        loop {
            self.look().await;
            sleep(self.pause().await).await;
        }
    }

    async fn pause(&self) -> Duration {
        if !self.keeper.known().reachable {
            return LOOK_AGAIN;
        }
        let just_changed = self.looking.lock().await.changed.is_some_and(|at| at.elapsed() < JUST_CHANGED);
        let wishes = self.wanted.borrow().clone().unwrap_or_default();
        let next = self.memory().next(&wishes, &self.here(), Instant::now());
        if just_changed || matches!(next, Next::Pull(_)) { LOOK_WHILE_OPEN } else { LOOK_EVERY }
    }

    /// Reads the wishes, and does at once what follows from them but for pulling, which begins.
    pub async fn look(&self) {
        let mut looking = self.looking.lock().await;
        let read = self.wishes.read().await;
        note_store(&mut looking.failing, read.as_ref().err());
        let (Ok(wishes), true) = (read, self.keeper.known().reachable) else { return };
        self.keeper.fresh().await;
        let duties = self.memory().duties(&wishes, &self.here());
        let changed = self.wanted.borrow().as_ref().is_some_and(|before| names(before) != names(&wishes));
        if changed {
            looking.changed = Some(Instant::now());
        }
        if let Some(crowded) = wishes.iter().find(|wish| wish.progress.len() > NODES_SAID) {
            let _ = self.wishes.forget_progress(crowded).await; // at the next look again
        }
        self.wanted.send_replace(Some(wishes)); // also where nothing changed: Ollama may have lost a model
        for duty in duties {
            match duty {
                Duty::Present(wish, bytes) => {
                    let said = self.say(&wish, ProgressState::Present, Amount::whole(bytes), None);
                    let _ = said.await; // what could not be said is a duty at the next look too
                }
                Duty::Delete(model) => self.delete(&model).await,
            }
        }
    }

    async fn delete(&self, model: &ModelName) {
        let body = Bytes::from(json!({ "model": model.as_str() }).to_string());
        let request =
            Outgoing { method: "DELETE", path: "/api/delete", body: Some(body), headers: Vec::new() };
        let asked = timeout(DELETE_WITHIN, self.client.send(self.keeper.upstream(), &request)).await;
        let gone =
            matches!(&asked, Ok(Ok(answer)) if answer.status.is_success() || answer.status.as_u16() == 404);
        if gone {
            self.memory().deleted(model);
            tracing::info!(%model, "a model that nobody wants any more is deleted");
        } else {
            tracing::warn!(%model, "a model that nobody wants any more cannot be deleted; tried again");
        }
        self.keeper.models_changed();
        self.keeper.fresh().await;
    }

    async fn keep_pulling(&self) {
        let mut wanted = self.wanted.subscribe();
        loop {
            let wishes = wanted.borrow_and_update().clone().unwrap_or_default();
            let next = self.memory().next(&wishes, &self.here(), Instant::now());
            match next {
                _ if !self.keeper.known().reachable => sleep(LOOK_AGAIN).await,
                Next::Pull(wish) => self.bring(&wish, &mut wanted).await,
                Next::At(time) => {
                    tokio::select! {
                        () = sleep_until(time) => {}
                        _ = wanted.changed() => {} // the sender is ours
                    }
                }
                Next::Nothing => {
                    let _ = wanted.changed().await;
                }
            }
        }
    }

    /// Pulls one model to its end, or until nobody wants it any more.
    async fn bring(&self, wish: &WantedModel, wanted: &mut watch::Receiver<Option<Vec<WantedModel>>>) {
        let Ok(model) = ModelName::parse(&wish.name) else { return };
        self.memory().begun(&model, &self.here());
        tracing::info!(%model, "pulling a model");
        let began = Instant::now();
        let _ = self.say(wish, ProgressState::Pulling, Amount::default(), None).await;
        let amount = watch::Sender::new(Amount::default());
        let fetched = tokio::select! {
            fetched = self.fetch(wish, &amount) => fetched,
            () = self.tell(wish, amount.subscribe()) => return unwanted(&model),
            () = withdrawn(wish, wanted) => return unwanted(&model),
        };
        self.keeper.models_changed();
        self.keeper.fresh().await;
        let lacking = || Err("it was fetched, and the model server does not have it".to_owned());
        let fetched = fetched.and_then(|()| if self.keeper.known().has(&model) { Ok(()) } else { lacking() });
        let amount = *amount.borrow();
        let said = match fetched {
            Ok(()) => {
                tracing::info!(%model, seconds = began.elapsed().as_secs_f64(), "model pulled");
                self.memory().met(&model, wish, amount.total);
                self.say(wish, ProgressState::Present, Amount::whole(amount.total), None).await
            }
            Err(why) => {
                tracing::warn!(%model, reason = why, "a model cannot be pulled; tried again later");
                self.memory().failed(&model, wish, Instant::now(), fastrand::f64());
                self.say(wish, ProgressState::Failed, amount, Some(why)).await
            }
        };
        if said != Ok(true) {
            self.look().await; // deleted meanwhile, or the store is away: the next look sees
        }
    }

    async fn fetch(&self, wish: &WantedModel, amount: &watch::Sender<Amount>) -> Result<(), String> {
        if self.fetch_command.is_empty() {
            bring::pull(&self.client, self.keeper.upstream(), &wish.name, amount).await
        } else {
            bring::fetch(&self.fetch_command, wish, amount).await
        }
    }

    /// Writes how far the pull is; returns when nobody wants it any more.
    async fn tell(&self, wish: &WantedModel, mut amount: watch::Receiver<Amount>) {
        loop {
            if amount.changed().await.is_err() {
                std::future::pending::<()>().await; // it is over, and its end is told elsewhere
            }
            let now = *amount.borrow_and_update();
            if self.say(wish, ProgressState::Pulling, now, None).await == Ok(false) {
                return;
            }
            sleep(SAY_EVERY).await;
        }
    }

    async fn say(
        &self,
        wish: &WantedModel,
        state: ProgressState,
        amount: Amount,
        error: Option<String>,
    ) -> Result<bool, StoreError> {
        let Amount { completed, total } = amount;
        let brought = ModelName::parse(&wish.name).is_ok_and(|model| self.memory().has_brought(&model));
        let progress = Progress { state, completed, total, error, brought, at: unix_now() };
        let said = self.wishes.say(wish, &progress).await;
        if let Err(error) = &said {
            tracing::debug!(model = wish.name, %error, "a model's progress was not written");
        }
        said
    }

    fn here(&self) -> Here<'_> {
        let has: HashSet<_> = self.keeper.known().tags.iter().map(|(name, _)| name.clone()).collect();
        Here { node: &self.wishes.node, since: self.since, has, pinned: &self.pinned }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unwanted(model: &ModelName) {
    tracing::info!(%model, "nobody wants the model any more that was being pulled");
}

/// Returns when the wish is gone.
async fn withdrawn(wish: &WantedModel, wanted: &mut watch::Receiver<Option<Vec<WantedModel>>>) {
    let is_gone = |wishes: &Option<Vec<WantedModel>>| {
        let same = |other: &WantedModel| other.name == wish.name && other.source == wish.source;
        wishes.as_ref().is_some_and(|wishes| !wishes.iter().any(same))
    };
    let _ = wanted.wait_for(is_gone).await; // the sender outlives the pull
}

fn names(wishes: &[WantedModel]) -> Vec<(&str, i64)> {
    wishes.iter().map(|wish| (wish.name.as_str(), wish.requested_at)).collect()
}

/// Once when it begins to fail, once when it is over.
fn note_store(failing: &mut bool, error: Option<&StoreError>) {
    let was = std::mem::replace(failing, error.is_some());
    match error {
        Some(error) if !was => {
            tracing::warn!(%error, "the fleet's models cannot be read; the last known stand")
        }
        None if was => tracing::info!("the fleet's models can be read again"),
        _ => {}
    }
}
