//! The models that the fleet should have. What administrators pull and delete, on any gateway, are wishes in the store;
//! every node brings its own Ollama into line with them, also one that boots much later.
//!
//! [`Wishes`] is what a gateway knows and changes of them, `converge` a node's loop and `decide` its rule, `bring` how
//! a model gets there, `follow` what the client of a pull is told meanwhile.

mod decide;
mod bring;
mod converge;
mod follow;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::store::{Progress, Store, StoreError, WantedModel};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

pub use self::converge::Converge;
pub use self::follow::Follow;
use crate::config::settings;
use crate::ollama::names::ModelName;

/// Longest call to the store: one that hangs must not keep the next from being tried.
const CALL_WITHIN: Duration = Duration::from_secs(3);
/// How old a list may be that is only shown.
const FRESH: Duration = Duration::from_secs(2);

/// The wishes, as one gateway knows and changes them.
pub struct Wishes {
    store: Arc<dyn Store>,
    fleet: String,
    node: String,
    seen: Mutex<Seen>,
    /// Counts what this process has changed about a wish.
    changes: watch::Sender<u64>,
}

/// What was read last.
#[derive(Default)]
struct Seen {
    wishes: Vec<WantedModel>,
    /// Also where nothing could be read.
    tried: Option<Instant>,
    /// The time of the last wish made here: no two of a model have the same, or the second would be taken for the first.
    wished: i64,
}

/// A wish that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The wish, as the store has it.
    pub wish: WantedModel,
    /// Nobody wanted the model before.
    pub first: bool,
}

impl Wishes {
    /// Has read nothing yet.
    pub fn new(settings: &settings::Fleet, store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            store,
            fleet: settings.name.clone(),
            node: settings.node.clone(),
            seen: Mutex::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// Every wish, as it is now.
    ///
    /// # Errors
    /// What the store says, or that it says nothing.
    pub async fn read(&self) -> Result<Vec<WantedModel>, StoreError> {
        let read = bounded(self.store.models(&self.fleet)).await;
        let mut seen = self.seen();
        seen.tried = Some(Instant::now());
        if let Ok(wishes) = &read {
            seen.wishes.clone_from(wishes);
        }
        read
    }

    /// Every wish, not older than two seconds; as last read while the store fails.
    pub async fn fresh(&self) -> Vec<WantedModel> {
        if self.seen().tried.is_none_or(|at| at.elapsed() >= FRESH) {
            let _ = self.read().await; // the last ones stand
        }
        self.seen().wishes.clone()
    }

    /// Wants a model, or wants it anew: every node pulls it once more then, which is how a model is renewed.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn want(&self, model: &ModelName) -> Result<Made, StoreError> {
        let name = model.as_str();
        let first = !self.read().await?.iter().any(|wish| wish.name == name);
        let requested_at = {
            let mut seen = self.seen();
            seen.wished = unix_now().max(seen.wished + 1);
            seen.wished
        };
        let wish = WantedModel {
            name: name.to_owned(),
            source: name.to_owned(),
            requested_at,
            progress: BTreeMap::new(),
        };
        bounded(self.store.want_model(&self.fleet, &wish)).await?;
        self.changed();
        Ok(Made { wish, first })
    }

    /// Wants a model no longer; the wish there was, as it was read just before.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn unwant(&self, model: &ModelName) -> Result<Option<WantedModel>, StoreError> {
        let wish = self.read().await?.into_iter().find(|wish| wish.name == model.as_str());
        let gone = bounded(self.store.unwant_model(&self.fleet, model.as_str())).await?;
        self.seen().wishes.retain(|wish| wish.name != model.as_str());
        self.changed();
        Ok(wish.filter(|_| gone))
    }

    /// Writes how far this node is; false where nobody wants the model any more.
    async fn say(&self, wish: &WantedModel, progress: &Progress) -> Result<bool, StoreError> {
        let said = bounded(self.store.write_progress(&self.fleet, wish, &self.node, progress)).await;
        self.changed();
        said
    }

    /// Forgets what nodes said of a wish: the same wish is made once more.
    async fn forget_progress(&self, wish: &WantedModel) -> Result<(), StoreError> {
        let bare = WantedModel { progress: BTreeMap::new(), ..wish.clone() };
        bounded(self.store.want_model(&self.fleet, &bare)).await
    }

    /// Sees every change by this process.
    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Unavailable("no answer in time".to_owned()));
    timeout(CALL_WITHIN, call).await.unwrap_or_else(late)
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    Timestamp::now().as_second()
}
