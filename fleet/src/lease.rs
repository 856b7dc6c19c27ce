//! Which scaler acts. One lease in the store, renewed by its holder and taken from one that has fallen silent; versions
//! are compared, and each process's own monotonic clock, never two clocks.
//!
//! `tenure` is the rule, without a clock or a store; [`Lease`] drives it.

mod tenure;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use tenure::{ACT_FOR, Call, POLL_EVERY, RENEW_EVERY, TAKE_AFTER, Tenure, WATCH_EVERY};

use crate::store::Store;

/// Longest call. With [`ACT_FOR`] it stays below [`TAKE_AFTER`]: what a leader began at its last moment has ended when
/// another may lead (5 + 3 < 10).
const CALL_LIMIT: Duration = Duration::from_secs(3);

/// The scaler's lease in one fleet, as one process sees it.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn Store>,
    fleet: String,
    tenure: Mutex<Tenure>,
    failing: AtomicBool,
}

impl Lease {
    /// One that leads when it can. Each has an owner of its own: `name` and random digits, so that a process never takes
    /// its predecessor for itself.
    pub fn new(store: Arc<dyn Store>, fleet: &str, name: &str) -> Self {
        let owner = format!("{name}/{:016x}", fastrand::u64(..));
        Self::with(store, fleet, Tenure::candidate(owner, Instant::now()))
    }

    /// One that only watches whether somebody leads.
    pub fn watch(store: Arc<dyn Store>, fleet: &str) -> Self {
        Self::with(store, fleet, Tenure::watcher(Instant::now()))
    }

    fn with(store: Arc<dyn Store>, fleet: &str, tenure: Tenure) -> Self {
        Self { store, fleet: fleet.to_owned(), tenure: Mutex::new(tenure), failing: AtomicBool::new(false) }
    }

    /// May this process change anything at this moment? Ask right before each action, and give each at most 3 s.
    pub fn may_act(&self) -> bool {
        self.tenure().may_act(Instant::now())
    }

    /// How long the lease has been seen without a change: 30 s of it mean that no scaler is alive.
    pub fn unchanged_for(&self) -> Duration {
        self.tenure().unchanged_for()
    }

    /// Keeps, takes or watches the lease until `shutdown`, then gives it back.
    pub async fn run(&self, shutdown: CancellationToken) {
        loop {
            let due = self.tenure().due();
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep_until(due) => self.step().await,
            }
        }
        self.release().await;
    }

    /// Does the one call that is next: a look, a renewal, or an attempt to take the lease.
    pub async fn step(&self) {
        let began = Instant::now();
        let (call, owner) = {
            let tenure = self.tenure();
            (tenure.next(), tenure.owner().to_owned())
        };
        match call {
            Call::Poll => match timeout(CALL_LIMIT, self.store.lease(&self.fleet)).await {
                Ok(Ok(seen)) => {
                    self.works();
                    self.tenure().polled(Instant::now(), seen);
                }
                Ok(Err(error)) => self.failed(&error),
                Err(elapsed) => self.failed(&elapsed),
            },
            Call::Write { observed } => {
                let write = self.store.take_lease(&self.fleet, &owner, observed);
                match timeout(CALL_LIMIT, write).await {
                    Ok(Ok(change)) => {
                        self.works();
                        self.tenure().written(began, Instant::now(), change);
                    }
                    Ok(Err(error)) => self.failed(&error),
                    Err(elapsed) => self.failed(&elapsed),
                }
            }
        }
    }

    /// Stops leading and says so, so that another need not wait. Nothing where it did not lead.
    pub async fn release(&self) {
        let Some(version) = self.tenure().resign(Instant::now()) else { return };
        let write = self.store.take_lease(&self.fleet, "", Some(version));
        if !matches!(timeout(CALL_LIMIT, write).await, Ok(Ok(_))) {
            tracing::debug!("the lease could not be given back; it lapses");
        }
    }

    fn works(&self) {
        if self.failing.swap(false, Relaxed) {
            tracing::info!("the scaler's lease can be read again");
        }
    }

    fn failed(&self, error: &dyn std::error::Error) {
        if !self.failing.swap(true, Relaxed) {
            tracing::warn!(%error, "the scaler's lease cannot be read or renewed; tried every second");
        }
        self.tenure().failed(Instant::now());
    }

    fn tenure(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
