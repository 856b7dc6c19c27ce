//! What reservations turned out to be, on its way to the store. A reservation drops anywhere, also where nothing can be
//! awaited or spawned (a runtime that ends); so it leaves its difference here, and one loop writes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet::store::{Store, StoreError};
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::identity::Principal;
use crate::metrics::Metrics;

/// Calls at once: at 10 ms each more than a thousand a second, far beyond what one node answers.
const AT_ONCE: usize = 16;
/// Longest call.
const CALL_WITHIN: Duration = Duration::from_secs(3);

/// Differences that are not written yet, summed by caller and minute: proven callers only, and empty after each round.
pub(super) struct Settlements {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    pending: Mutex<HashMap<(Principal, i64), i64>>,
    more: Notify,
    failing: AtomicBool,
}

impl Settlements {
    pub(super) fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        let (pending, more) = (Mutex::default(), Notify::new());
        Self { store, metrics, pending, more, failing: AtomicBool::new(false) }
    }

    /// Leaves a difference to be written.
    pub(super) fn add(&self, principal: Principal, minute: i64, difference: i64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = pending.entry((principal, minute)).or_default();
        *sum = sum.saturating_add(difference);
        drop(pending);
        self.more.notify_one();
    }

    pub(super) async fn keep_settling(&self) {
        loop {
            self.more.notified().await;
            self.settle().await;
        }
    }

    /// Writes until nothing is pending.
    pub(super) async fn settle(&self) {
        let writer = || async {
            while let Some(((principal, minute), difference)) = self.next() {
                self.write(&principal, minute, difference).await;
            }
        };
        join_all((0..AT_ONCE).map(|_| writer())).await;
    }

    fn next(&self) -> Option<((Principal, i64), i64)> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let key = pending.keys().next()?.clone();
        pending.remove_entry(&key)
    }

    /// A call that failed may have counted, so it is not repeated: twice the same credit would lift the limit. It is
    /// counted as lost instead; the window it belongs to is over within the minute.
    async fn write(&self, principal: &Principal, minute: i64, difference: i64) {
        let open = Open(Some(&self.metrics));
        let settling = self.store.settle(principal.as_str(), minute, difference);
        let late = || Err(StoreError::Unavailable("no answer in time".to_owned()));
        match timeout(CALL_WITHIN, settling).await.unwrap_or_else(|_| late()) {
            Ok(()) => {
                open.done();
                self.failing.store(false, Relaxed);
            }
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    tracing::warn!(%error, "what requests really used cannot be settled; the estimate stands");
                }
            }
        }
    }
}

/// A settlement under way: lost, and counted so, unless it is done. Also where the process ends meanwhile.
struct Open<'a>(Option<&'a Metrics>);

impl Open<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.lost_settlement();
        }
    }
}
