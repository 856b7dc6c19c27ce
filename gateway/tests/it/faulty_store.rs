//! A real store that fails or hangs when it is told to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use fleet::report::{Report, ReportAnswer};
use fleet::store::{
    ConversationStore, DayOfUse, KeyHash, KeyRecord, OversightStore, Progress, Reservation, SqliteStore,
    Store, StoreError, Usage, WantedModel,
};

/// What gateways ask of the store while they serve, with faults; everything else goes through.
#[derive(Debug)]
pub struct FaultyStore {
    pub inner: SqliteStore,
    failing: AtomicBool,
    hanging: AtomicBool,
    /// Calls that met a fault.
    pub faults: AtomicUsize,
}

impl FaultyStore {
    /// One that works, over the file of a test.
    pub fn open(dir: &Path) -> Arc<Self> {
        let inner = SqliteStore::open(&dir.join("fleet.db")).unwrap();
        Arc::new(Self {
            inner,
            failing: AtomicBool::new(false),
            hanging: AtomicBool::new(false),
            faults: AtomicUsize::new(0),
        })
    }

    /// From now on calls fail, or no longer.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, SeqCst);
    }

    /// From now on calls are never answered, or are again.
    pub fn hang(&self, hanging: bool) {
        self.hanging.store(hanging, SeqCst);
    }

    async fn fault(&self) -> Result<(), StoreError> {
        if self.hanging.load(SeqCst) {
            self.faults.fetch_add(1, SeqCst);
            std::future::pending::<()>().await;
        }
        if self.failing.load(SeqCst) {
            self.faults.fetch_add(1, SeqCst);
            return Err(StoreError::Unavailable("by script".to_owned()));
        }
        Ok(())
    }
}

impl ConversationStore for FaultyStore {}
impl OversightStore for FaultyStore {}

#[async_trait]
impl Store for FaultyStore {
    async fn put_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        self.inner.put_key(key).await
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        self.inner.key(hash).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.inner.keys().await
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.revoke_key(id).await
    }

    async fn add_usage(&self, principal: &str, day: &str, usage: &Usage) -> Result<(), StoreError> {
        self.fault().await?;
        self.inner.add_usage(principal, day, usage).await
    }

    async fn usage(&self, principal: &str, day: &str) -> Result<Usage, StoreError> {
        self.inner.usage(principal, day).await
    }

    async fn usage_since(&self, since: &str) -> Result<Vec<DayOfUse>, StoreError> {
        self.inner.usage_since(since).await
    }

    async fn write_report(&self, fleet: &str, report: &Report, now: i64) -> Result<ReportAnswer, StoreError> {
        self.fault().await?;
        self.inner.write_report(fleet, report, now).await
    }

    async fn want_model(&self, fleet: &str, model: &WantedModel) -> Result<(), StoreError> {
        self.fault().await?;
        self.inner.want_model(fleet, model).await
    }

    async fn unwant_model(&self, fleet: &str, model: &str) -> Result<bool, StoreError> {
        self.fault().await?;
        self.inner.unwant_model(fleet, model).await
    }

    async fn write_progress(
        &self,
        fleet: &str,
        wish: &WantedModel,
        node: &str,
        progress: &Progress,
    ) -> Result<bool, StoreError> {
        self.fault().await?;
        self.inner.write_progress(fleet, wish, node, progress).await
    }

    async fn models(&self, fleet: &str) -> Result<Vec<WantedModel>, StoreError> {
        self.fault().await?;
        self.inner.models(fleet).await
    }

    async fn reserve(
        &self,
        principal: &str,
        minute: i64,
        tokens: u64,
        requests: u64,
        token_limit: u64,
        request_limit: u64,
    ) -> Result<Reservation, StoreError> {
        self.fault().await?;
        self.inner.reserve(principal, minute, tokens, requests, token_limit, request_limit).await
    }

    async fn settle(&self, principal: &str, minute: i64, delta: i64) -> Result<(), StoreError> {
        self.fault().await?;
        self.inner.settle(principal, minute, delta).await
    }
}
