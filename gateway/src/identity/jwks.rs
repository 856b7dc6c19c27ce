//! The keys of one issuer, fetched by one task and read by everybody.
//!
//! That there is one task makes every promise simple: it is the single flight; callers come and go without ending a
//! fetch; whoever holds a known key never waits, since nothing is fetched on the way of a request. It asks again
//! every `EVERY`, so that a removed key is out within 40 s, and at once when a token names a key it does not know,
//! but for strangers' sake not more often than every `COOL_DOWN`. Whatever goes wrong, the last good set stays.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::fetch::{self, Fetch, FetchError};
use super::jwk::Key;
use super::jwt::{Reason, Unverified};

/// Between two fetches while all is well. A key removed just after the issuer answered is out after the rest of that
/// fetch, this pause, one that fails, the retry's pause and the retry: 3 + 25 + 3 + 1 + 3 = 35 s.
const EVERY: Duration = Duration::from_secs(25);

/// After a failed fetch: doubling from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Between two fetches that unknown keys cause. A new key is found within 5 + 3 s even while strangers name unknown
/// ones all the time; 60 of those cost one fetch.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// How long a token with an unknown key waits for the fetch it caused.
const WAIT: Duration = Duration::from_millis(3500);

/// How long the last good set is trusted while its issuer cannot be reached.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Keys read of one set; Entra publishes some ten.
const MOST_KEYS: usize = 100;

/// The usable keys of one issuer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys that are unsound or not for us are left out, and the rest is good.
    ///
    /// # Errors
    /// What is no key set, has more than 100 keys, or names some of which none is usable. An empty set is believed:
    /// its issuer has taken all keys back.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let document: Document<'_> = serde_json::from_slice(bytes).map_err(|_| "not a key set")?;
        if document.keys.len() > MOST_KEYS {
            return Err("too many keys");
        }
        let mut keys = Vec::new();
        for entry in &document.keys {
            match Key::from_jwk(entry.get()) {
                Ok(key) => keys.push(key),
                Err(reason) => tracing::debug!(reason, "a key of the set is left out"),
            }
        }
        if keys.is_empty() && !document.keys.is_empty() {
            return Err("no usable key");
        }
        Ok(Self { keys })
    }

    /// The keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// What is known now.
#[derive(Debug, Clone, Default)]
struct State {
    /// `None`: never fetched, or too long ago.
    set: Option<Arc<KeySet>>,
    /// Counts the changes of `set`.
    generation: u64,
    /// Fetches begun, and fetches finished, good or bad.
    begun: u64,
    finished: u64,
    /// When the last good one began.
    good: Option<Instant>,
}

/// Why no key was found for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The token is at fault.
    Refused(Reason),
    /// Its issuer has not been reached yet: nobody can say.
    Unreachable,
}

/// The keys of one issuer.
pub(super) struct Jwks {
    url: String,
    fetch: Arc<dyn Fetch>,
    state: watch::Sender<State>,
    wished: Notify,
    /// When a fetch was last wished for, and which one fulfils the wish.
    last_wish: Mutex<Option<(Instant, u64)>>,
}

impl Jwks {
    pub(super) fn new(url: String, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            url,
            fetch,
            state: watch::Sender::default(),
            wished: Notify::new(),
            last_wish: Mutex::default(),
        }
    }

    /// Which set holds now. What was verified under another number must be verified again.
    pub(super) fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// The key that signed `token` by its own account, and the generation it is of.
    pub(super) async fn key_for(&self, token: &Unverified<'_>) -> Result<(Key, u64), NoKey> {
        if let Some(found) = look(&self.state.borrow(), token)? {
            return Ok(found);
        }
        self.wait_for(token).await;
        let state = self.state.borrow();
        look(&state, token)?.ok_or(match state.set {
            Some(_) => NoKey::Refused("unknown_key"),
            None => NoKey::Unreachable,
        })
    }

    /// Waits for the key, or for a fetch that began after it was missed; at the start for the first fetch before that.
    /// Within the cool-down callers share the wish of the first: they wait while it is under way, and not at all when
    /// it is done.
    async fn wait_for(&self, token: &Unverified<'_>) {
        let settled = |state: &State| !matches!(look(state, token), Ok(None));
        let mut states = self.state.subscribe();
        let waiting = async {
            if states.wait_for(|state| state.finished > 0).await.is_ok_and(|state| settled(&state)) {
                return;
            }
            let wished = self.wish(Instant::now());
            let enough = |state: &State| state.finished >= wished || settled(state);
            drop(states.wait_for(enough).await);
        };
        // A timeout leaves the caller with what is known then.
        drop(timeout(WAIT, waiting).await);
    }

    /// Which fetch to wait for: the next to begin, or the one that was wished for lately.
    fn wish(&self, now: Instant) -> u64 {
        let mut last = self.last_wish.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at, fetch)) if now.duration_since(at) < COOL_DOWN => fetch,
            _ => {
                let next = self.state.borrow().begun + 1;
                *last = Some((now, next));
                self.wished.notify_one();
                next
            }
        }
    }

    /// Fetches for ever.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let mut failures = 0_u32;
        loop {
            let pause = match self.refresh().await {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!(url = %self.url, failures, "the issuer's keys can be fetched again");
                    }
                    failures = 0;
                    EVERY
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    // At powers of two: an outage is a dozen lines, not thousands.
                    if failures.is_power_of_two() {
                        let known = self.state.borrow().set.is_some();
                        tracing::warn!(url = %self.url, %error, failures, known, "the issuer's keys cannot be fetched");
                    }
                    RETRY.1.min(RETRY.0 * 2_u32.saturating_pow(failures - 1))
                }
            };
            tokio::select! {
                () = self.wished.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    async fn refresh(&self) -> Result<(), FetchError> {
        let begun = Instant::now();
        self.state.send_if_modified(|state| {
            state.begun += 1;
            false
        });
        let fetched = timeout(fetch::LONGEST, self.fetch.get(&self.url, None)).await;
        let outcome = fetched
            .unwrap_or(Err(FetchError::TooSlow))
            .and_then(|body| KeySet::parse(&body).map_err(FetchError::Garbage));
        self.state.send_modify(|state| state.learn(begun, outcome.as_ref().ok()));
        outcome.map(drop)
    }
}

impl State {
    fn learn(&mut self, begun: Instant, fetched: Option<&KeySet>) {
        self.finished = self.begun;
        match fetched {
            Some(set) => {
                self.good = Some(begun);
                if self.set.as_deref() != Some(set) {
                    self.set = Some(Arc::new(set.clone()));
                    self.generation += 1;
                }
            }
            None if self.good.is_some_and(|good| begun.duration_since(good) > STALE) => {
                self.set = None;
                self.good = None;
                self.generation += 1;
            }
            None => {}
        }
    }
}

fn look(state: &State, token: &Unverified<'_>) -> Result<Option<(Key, u64)>, NoKey> {
    let Some(set) = &state.set else { return Ok(None) };
    let key = token.key(set).map_err(NoKey::Refused)?;
    Ok(key.map(|key| (key.clone(), state.generation)))
}

#[cfg(test)]
mod tests;
