//! The rule of the lease: what to ask next, and what an answer means. Time is a value; there is no clock, no store.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Change, LeaseRecord};

/// How often a leader renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// How often everyone else looks.
pub const POLL_EVERY: Duration = Duration::from_secs(2);

/// How often one looks that never leads: it asks whether the lease has stood still for 30 s, and there are a hundred of it.
pub const WATCH_EVERY: Duration = Duration::from_secs(10);

/// How long a lease must be seen unchanged before another takes it.
pub const TAKE_AFTER: Duration = Duration::from_secs(10);

/// How long a leader acts after its last successful renewal *began*: the store may have written it that early.
pub const ACT_FOR: Duration = Duration::from_secs(5);

/// After a call that failed. Twice within [`ACT_FOR`], so that one lost renewal does not end a term.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The next call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Read the lease.
    Poll,
    /// Write it, if its version is still this.
    Write {
        /// The version seen; `None`: there is no lease.
        observed: Option<u64>,
    },
}

/// What one process knows of the lease.
#[derive(Debug)]
pub struct Tenure {
    /// `None`: it watches only.
    owner: Option<String>,
    due: Instant,
    standing: Standing,
    unchanged: Duration,
}

#[derive(Debug)]
enum Standing {
    /// Nothing seen yet.
    New,
    Following {
        seen: Option<LeaseRecord>,
        looked: Instant,
    },
    Leading {
        version: u64,
        /// When the last renewal that is known to have worked began.
        renewed: Instant,
    },
}

impl Tenure {
    /// One that wants to lead. `owner` must be nobody else's, ever.
    pub fn candidate(owner: String, now: Instant) -> Self {
        Self { owner: Some(owner), due: now, standing: Standing::New, unchanged: Duration::ZERO }
    }

    /// One that only looks.
    pub fn watcher(now: Instant) -> Self {
        Self { owner: None, due: now, standing: Standing::New, unchanged: Duration::ZERO }
    }

    /// The owner it writes; empty for a watcher, which never does.
    pub fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or_default()
    }

    /// When the next call is to be made.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The next call.
    pub fn next(&self) -> Call {
        match &self.standing {
            Standing::Leading { version, .. } => Call::Write { observed: Some(*version) },
            Standing::Following { seen, .. } if self.may_take(seen.as_ref()) => {
                Call::Write { observed: seen.as_ref().map(|lease| lease.version) }
            }
            _ => Call::Poll,
        }
    }

    /// Free, given back, its own (a write whose answer was lost), or silent for long enough.
    fn may_take(&self, seen: Option<&LeaseRecord>) -> bool {
        let Some(owner) = &self.owner else { return false };
        seen.is_none_or(|lease| lease.owner.is_empty() || lease.owner == *owner)
            || self.unchanged >= TAKE_AFTER
    }

    fn every(&self) -> Duration {
        if self.owner.is_some() { POLL_EVERY } else { WATCH_EVERY }
    }

    /// Somebody may lead, and it is this one.
    pub fn may_act(&self, now: Instant) -> bool {
        match self.standing {
            Standing::Leading { renewed, .. } => now.saturating_duration_since(renewed) < ACT_FOR,
            _ => false,
        }
    }

    /// How long looks have found the same; zero while leading.
    pub fn unchanged_for(&self) -> Duration {
        self.unchanged
    }

    /// The answer to [`Call::Poll`].
    pub fn polled(&mut self, now: Instant, seen: Option<LeaseRecord>) {
        self.unchanged = match &self.standing {
            // A look counts for at most the time between two looks: a clock that jumps, or a process that was stopped,
            // has not watched for as long as its clock says.
            Standing::Following { seen: before, looked } if *before == seen => {
                self.unchanged + now.saturating_duration_since(*looked).min(self.every())
            }
            _ => Duration::ZERO,
        };
        self.due = if self.may_take(seen.as_ref()) { now } else { now + self.every() };
        self.standing = Standing::Following { seen, looked: now };
    }

    /// The answer to [`Call::Write`], which began at `began`.
    pub fn written(&mut self, began: Instant, now: Instant, change: Change<LeaseRecord>) {
        match (change, &mut self.standing) {
            (Change::Made(lease), _) => {
                self.unchanged = Duration::ZERO;
                self.due = (began + RENEW_EVERY).max(now);
                self.standing = Standing::Leading { version: lease.version, renewed: began };
            }
            // An earlier renewal whose answer was lost. It began we don't know when, so it lengthens nothing.
            (Change::Refused(Some(lease)), Standing::Leading { version, .. })
                if Some(&lease.owner) == self.owner.as_ref() =>
            {
                *version = lease.version;
                self.due = now;
            }
            (Change::Refused(seen), _) => {
                self.standing = Standing::New;
                self.polled(now, seen);
            }
        }
    }

    /// A call failed, or was given up.
    pub fn failed(&mut self, now: Instant) {
        self.due = now + RETRY_AFTER;
    }

    /// Stops leading at once; gives the version to write the lease back with.
    pub fn resign(&mut self, now: Instant) -> Option<u64> {
        let Standing::Leading { version, .. } = self.standing else { return None };
        self.standing = Standing::New;
        self.due = now + POLL_EVERY;
        Some(version)
    }
}
