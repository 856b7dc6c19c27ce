//! One entry per principal, for as long as it matters.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::identity::Principal;

/// How often a table is searched for entries that have become idle.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// An entry of a [`Table`].
pub(super) trait Entry {
    /// A principal that is seen for the first time, or again after it was forgotten.
    fn new(now: Instant) -> Self;
    /// Would a new entry be no different?
    fn is_idle(&mut self, now: Instant) -> bool;
}

/// A table by principal. Only authenticated callers reach it, and whoever uses it sweeps it once a minute, so it
/// stays as small as the number of people who were active in the last minutes.
pub(super) struct Table<E>(Mutex<Entries<E>>);

struct Entries<E> {
    entries: HashMap<Principal, E>,
    swept: Instant,
}

impl<E: Entry> Table<E> {
    pub fn new() -> Self {
        Self(Mutex::new(Entries { entries: HashMap::new(), swept: Instant::now() }))
    }

    /// Does something with the entry of a principal, made if it is not there.
    pub fn with<T>(&self, principal: &Principal, act: impl FnOnce(&mut E, Instant) -> T) -> T {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Read inside the lock, so that time does not run backwards between two cores.
        let now = Instant::now();
        if now.saturating_duration_since(table.swept) >= SWEEP_EVERY {
            table.sweep(now);
        }
        act(table.entries.entry(principal.clone()).or_insert_with(|| E::new(now)), now)
    }

    /// Forgets idle entries; returns how many are left.
    pub fn sweep(&self) -> usize {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.sweep(Instant::now());
        table.entries.len()
    }
}

impl<E: Entry> Entries<E> {
    fn sweep(&mut self, now: Instant) {
        self.entries.retain(|_, entry| !entry.is_idle(now));
        self.entries.shrink_to(2 * self.entries.len());
        self.swept = now;
    }
}
