//! Usage per principal, day and model: gathered in memory, written to the store every few seconds and at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet::store::{ModelUsage, Store, Usage};
use jiff::Timestamp;

use crate::identity::Principal;
use crate::ollama::names::ModelName;

/// How much of the accounts a crash may lose.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// What has been used and not yet written. Holds proven principals only, and is emptied with each write.
pub struct UsageLedger {
    store: Arc<dyn Store>,
    pending: Mutex<HashMap<(Principal, String), Used>>,
}

/// A sum, and its part of each model.
#[derive(Default)]
struct Used {
    sum: Usage,
    models: ModelUsage,
}

impl UsageLedger {
    /// An empty ledger over `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, pending: Mutex::default() }
    }

    /// Adds to what `principal` has used today (UTC); `model` is the one that has served them, if one has.
    pub fn add(&self, principal: &Principal, model: Option<&ModelName>, usage: &Usage) {
        let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
        let models = model.map(|model| (model.as_str().to_owned(), *usage)).into_iter().collect();
        self.gather(principal.clone(), day, &Used { sum: *usage, models });
    }

    fn gather(&self, principal: Principal, day: String, used: &Used) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = pending.entry((principal, day)).or_default();
        gathered.sum.add(&used.sum);
        for (model, usage) in &used.models {
            gathered.models.entry(model.clone()).or_default().add(usage);
        }
    }

    /// Writes what is pending; what the store does not take is kept for the next time.
    pub async fn write(&self) {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        for ((principal, day), used) in pending {
            let written =
                self.store.add_usage_by_model(principal.as_str(), &day, &used.sum, &used.models).await;
            if let Err(error) = written {
                tracing::warn!(%error, "usage is not written yet");
                self.gather(principal, day, &used);
            }
        }
    }

    /// Writes for ever.
    pub async fn keep_writing(&self) {
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            self.write().await;
        }
    }
}
