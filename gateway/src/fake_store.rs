//! A store for tests on paused time, where the real one's threads would be outside the clock: reports and windows in
//! memory, and faults by script.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use fleet::report::{Report, ReportAnswer};
use fleet::store::{
    ConversationStore, KeyHash, KeyRecord, LeaseRecord, OversightStore, Reservation, Store, StoreError,
    Usage, Window,
};
use tokio::time::Instant;

/// What the store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Works,
    Fails,
    /// Does not answer, and does nothing.
    Hangs,
}

#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    pub mode: Mutex<Mode>,
    /// Calls that came, answered or not.
    pub calls: AtomicUsize,
    /// Reports as they were written.
    pub reports: Mutex<Vec<(Instant, Report)>>,
    /// The order beside the report.
    pub answer: Mutex<ReportAnswer>,
    pub windows: Mutex<HashMap<(String, i64), Window>>,
    /// The scaler's lease.
    pub lease: Mutex<Option<LeaseRecord>>,
}

impl FakeStore {
    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// What a principal has taken in a minute.
    pub fn window(&self, principal: &str, minute: i64) -> Window {
        self.windows.lock().unwrap().get(&(principal.to_owned(), minute)).copied().unwrap_or_default()
    }

    async fn begin(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, SeqCst);
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Works => Ok(()),
            Mode::Fails => Err(StoreError::Unavailable("by script".to_owned())),
            Mode::Hangs => std::future::pending().await,
        }
    }
}

impl ConversationStore for FakeStore {}
impl OversightStore for FakeStore {}

#[async_trait]
impl Store for FakeStore {
    async fn put_key(&self, _: &KeyRecord) -> Result<(), StoreError> {
        self.begin().await
    }

    async fn key(&self, _: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        self.begin().await.map(|()| None)
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.begin().await.map(|()| Vec::new())
    }

    async fn revoke_key(&self, _: &str) -> Result<bool, StoreError> {
        self.begin().await.map(|()| false)
    }

    async fn add_usage(&self, _: &str, _: &str, _: &Usage) -> Result<(), StoreError> {
        self.begin().await
    }

    async fn usage(&self, _: &str, _: &str) -> Result<Usage, StoreError> {
        self.begin().await.map(|()| Usage::default())
    }

    async fn write_report(&self, _: &str, report: &Report, _: i64) -> Result<ReportAnswer, StoreError> {
        self.begin().await?;
        self.reports.lock().unwrap().push((Instant::now(), report.clone()));
        Ok(*self.answer.lock().unwrap())
    }

    async fn lease(&self, _: &str) -> Result<Option<LeaseRecord>, StoreError> {
        self.begin().await.map(|()| self.lease.lock().unwrap().clone())
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
        self.begin().await?;
        let mut windows = self.windows.lock().unwrap();
        let window = windows.entry((principal.to_owned(), minute)).or_default();
        let after =
            Window { tokens: window.tokens + tokens as i64, requests: window.requests + requests as i64 };
        if after.tokens > token_limit as i64 || after.requests > request_limit as i64 {
            return Ok(Reservation::Refused(*window));
        }
        *window = after;
        Ok(Reservation::Reserved(after))
    }

    async fn settle(&self, principal: &str, minute: i64, delta: i64) -> Result<(), StoreError> {
        self.begin().await?;
        if let Some(window) = self.windows.lock().unwrap().get_mut(&(principal.to_owned(), minute)) {
            window.tokens += delta;
        }
        Ok(())
    }
}
