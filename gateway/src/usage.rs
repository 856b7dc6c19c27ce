//! Usage per principal and day: gathered in memory, written to the store every few seconds and at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet::store::{Store, Usage};
use jiff::Timestamp;

use crate::identity::Principal;

/// How much of the accounts a crash may lose.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// What has been used and not yet written. Holds proven principals only, and is emptied with each write.
pub struct UsageLedger {
    store: Arc<dyn Store>,
    pending: Mutex<HashMap<(Principal, String), Usage>>,
}

impl UsageLedger {
    /// An empty ledger over `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, pending: Mutex::default() }
    }

    /// Adds to what `principal` has used today (UTC).
    pub fn add(&self, principal: &Principal, usage: &Usage) {
        let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
        self.gather(principal.clone(), day, usage);
    }

    fn gather(&self, principal: Principal, day: String, usage: &Usage) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = pending.entry((principal, day)).or_default();
        sum.prompt_tokens += usage.prompt_tokens;
        sum.generated_tokens += usage.generated_tokens;
        sum.requests += usage.requests;
        sum.gpu_seconds += usage.gpu_seconds;
    }

    /// Writes what is pending; what the store does not take is kept for the next time.
    pub async fn write(&self) {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        for ((principal, day), usage) in pending {
            if let Err(error) = self.store.add_usage(principal.as_str(), &day, &usage).await {
                tracing::warn!(%error, "usage is not written yet");
                self.gather(principal, day, &usage);
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
