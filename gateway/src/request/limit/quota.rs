//! Tokens per minute: reserved by estimate before a request waits, settled with the truth when it ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::bucket::{Bucket, Size};
use super::table::{Entry, Table};
use crate::error::Refusal;
use crate::identity::{Caller, Principal};

/// Where callers' token quotas are kept.
#[async_trait]
pub trait Quota: Send + Sync {
    /// Takes `tokens` (prompt and expected answer) from the caller's minute.
    ///
    /// # Errors
    /// [`Refusal::TooMany`], with the time after which the same would be let through.
    async fn reserve(&self, caller: &Caller, tokens: u64) -> Result<Reservation, Refusal>;
}

/// Tokens taken from a caller's quota. Settled when it drops: with the true count where one was given, else with
/// the estimate.
pub struct Reservation {
    reserved: u64,
    actual: u64,
    settle: Option<Settle>,
}

type Settle = Box<dyn FnOnce(i64) + Send>;

impl Reservation {
    /// A reservation of `tokens`. `settle` is called once, at the end, with the true count less `tokens`, if they
    /// differ; it must not block.
    pub fn new(tokens: u64, settle: impl FnOnce(i64) + Send + 'static) -> Self {
        Self { reserved: tokens, actual: tokens, settle: Some(Box::new(settle)) }
    }

    /// Notes the true count so far; the last one stands when the reservation drops.
    pub fn count(&mut self, actual: u64) {
        self.actual = actual;
    }

    /// Ends the reservation with the true count: 0 gives everything back.
    pub fn settle(mut self, actual: u64) {
        self.count(actual);
    }

    /// Tokens that were reserved.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let difference = i64::try_from(i128::from(self.actual) - i128::from(self.reserved));
        if let Some(settle) = self.settle.take().filter(|_| self.actual != self.reserved) {
            settle(difference.unwrap_or(i64::MAX));
        }
    }
}

/// Quotas in this process's memory: for one node, and while the store cannot be asked. A bucket per principal holds a minute's tokens and refills
/// evenly; what turned out larger than estimated is a debt that later requests wait for.
pub struct InMemory(Arc<Table<Bucket>>);

impl InMemory {
    /// Quotas of which nothing is used.
    pub fn new() -> Self {
        Self(Arc::new(Table::new()))
    }

    /// Forgets whose minute is whole again; returns how many principals are left. Reserving does so too, once a
    /// minute.
    pub fn sweep(&self) -> usize {
        self.0.sweep()
    }

    /// Takes `tokens` out of a bucket of this size, or says how long to wait until it could.
    pub(super) fn take(
        &self,
        principal: &Principal,
        tokens: u64,
        size: Size,
    ) -> Result<Reservation, Duration> {
        self.0.with(principal, |bucket, now| bucket.take(tokens as f64, size, now))?;
        let (table, principal) = (Arc::clone(&self.0), principal.clone());
        Ok(Reservation::new(tokens, move |difference| {
            table.with(&principal, |bucket, now| bucket.correct(difference as f64, size, now));
        }))
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Quota for InMemory {
    async fn reserve(&self, caller: &Caller, tokens: u64) -> Result<Reservation, Refusal> {
        let per_minute = caller.rights.tokens_per_minute as f64;
        let size = Size { capacity: per_minute, per_second: per_minute / 60.0 };
        self.take(&caller.principal, tokens, size).map_err(too_many)
    }
}

pub(super) fn too_many(retry_after: Duration) -> Refusal {
    Refusal::TooMany { what: "your tokens per minute are used up", retry_after }
}

impl Entry for Bucket {
    fn new(now: Instant) -> Self {
        Self::new(now)
    }

    fn is_idle(&mut self, now: Instant) -> bool {
        self.is_full(now)
    }
}
