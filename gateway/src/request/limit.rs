//! What one caller may take, before any byte of their body is read: requests per minute and open requests. Then,
//! once their size is known, tokens ([`Quota`]) and memory ([`Bodies`]).
//!
//! All limits are the principal's: however many connections, tokens, keys, paths and protocols, there is one count.

mod bucket;
mod table;
mod quota;
mod fleet_quota;
mod bodies;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use self::bodies::{Bodies, BodyHold};
use self::bucket::{Bucket, Size};
pub use self::fleet_quota::{FleetQuota, ReadyNodes};
pub use self::quota::{InMemory, Quota, Reservation};
use self::table::{Entry, Table};
use crate::error::Refusal;
use crate::identity::{Caller, Principal};

/// What a caller is told to wait who has too many requests open. When one of them ends is theirs to know; a second
/// is the shortest a client may be told.
const OPEN_RETRY: Duration = Duration::from_secs(1);

/// Codes that a caller may guess wrongly in a minute. Nobody guesses one of 130 bits; this keeps the store from those who try.
const WRONG_CODES: Size = Size { capacity: 10.0, per_second: 10.0 / 60.0 };

/// Counts each caller's requests, for the whole process.
pub struct Limiter(Arc<Table<Requests>>);

/// One caller's requests: begun lately, and open.
struct Requests {
    begun: Bucket,
    open: u32,
    guessed: Bucket,
}

impl Limiter {
    /// A limiter that has seen nobody.
    pub fn new() -> Self {
        Self(Arc::new(Table::new()))
    }

    /// Begins a request of this caller. A refused one does not count.
    ///
    /// # Errors
    /// [`Refusal::TooMany`]: over the requests per minute (beyond the burst), with the time after which the next is
    /// let through; or over the open requests, with a second.
    pub fn begin(&self, caller: &Caller) -> Result<Pass, Refusal> {
        let rights = &caller.rights;
        let size = Size {
            capacity: f64::from(rights.requests_burst.max(1)),
            per_second: f64::from(rights.requests_per_minute) / 60.0,
        };
        self.0.with(&caller.principal, |requests, now| {
            if requests.open >= rights.open_requests {
                let what = "too many of your requests are open: wait for one of them to end";
                return Err(Refusal::TooMany { what, retry_after: OPEN_RETRY });
            }
            let what = "you have reached your requests per minute";
            let begun = requests.begun.take(1.0, size, now);
            begun.map_err(|retry_after| Refusal::TooMany { what, retry_after })?;
            requests.open += 1;
            Ok(())
        })?;
        Ok(Pass { table: Arc::clone(&self.0), principal: caller.principal.clone() })
    }

    /// Begins to look whether a code is good. It counts as wrong until [`Guess::was_right`].
    ///
    /// # Errors
    /// [`Refusal::TooMany`]: ten were wrong in a minute.
    pub fn guess(&self, caller: &Caller) -> Result<Guess, Refusal> {
        let taken =
            self.0.with(&caller.principal, |requests, now| requests.guessed.take(1.0, WRONG_CODES, now));
        let what = "too many codes were wrong";
        taken.map_err(|retry_after| Refusal::TooMany { what, retry_after })?;
        Ok(Guess { table: Arc::clone(&self.0), principal: caller.principal.clone() })
    }

    /// Forgets who has no open request and whose minute is whole again; returns how many are left. Beginning
    /// requests does so too, once a minute.
    pub fn sweep(&self) -> usize {
        self.0.sweep()
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

/// One open request of a caller; it is closed when this drops.
pub struct Pass {
    table: Arc<Table<Requests>>,
    principal: Principal,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.table.with(&self.principal, |requests, _| requests.open = requests.open.saturating_sub(1));
    }
}

/// A code that somebody tries.
pub struct Guess {
    table: Arc<Table<Requests>>,
    principal: Principal,
}

impl Guess {
    /// It was good, and counts for nothing.
    pub fn was_right(self) {
        self.table.with(&self.principal, |requests, now| requests.guessed.correct(-1.0, WRONG_CODES, now));
    }
}

impl Entry for Requests {
    fn new(now: Instant) -> Self {
        Self { begun: Bucket::new(now), open: 0, guessed: Bucket::new(now) }
    }

    fn is_idle(&mut self, now: Instant) -> bool {
        self.open == 0 && self.begun.is_full(now) && self.guessed.is_full(now)
    }
}
