//! What a test may look at: counters to wait for, and every request as it came.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::names::key_of;
use super::tap::Wire;

/// How long [`Observer::wait_until`] waits by default.
const PATIENCE: Duration = Duration::from_secs(5);

/// Counters since the start (`running`, `waiting`, `pending` and `open` are of now).
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Connections open now.
    pub open: usize,
    /// Connections accepted.
    pub accepted: usize,
    /// Requests read to the end of their body.
    pub requests: usize,
    /// Generations and embeddings that hold a slot now.
    pub running: usize,
    /// Requests that wait for a slot of a loaded model now.
    pub waiting: usize,
    /// Requests that wait for a model not in memory now, the one that loads it included.
    pub pending: usize,
    /// Tokens written.
    pub tokens: usize,
    /// Generations that came to their end, whatever it was.
    pub finished: usize,
    /// Requests whose client left while they waited, loaded or ran, and whose slot is free again.
    pub cancelled: usize,
    models: BTreeMap<String, ModelStats>,
}

/// Counters of one model.
#[derive(Debug, Clone, Default)]
pub struct ModelStats {
    /// Generations that hold a slot now.
    pub running: usize,
    /// The most that ever held a slot at the same time.
    pub most_at_once: usize,
    /// Loads begun.
    pub loads_started: usize,
    /// Loads that came to their end.
    pub loads_finished: usize,
    /// Loads whose owner left, or that failed.
    pub loads_aborted: usize,
}

impl Stats {
    /// The counters of a model, by any spelling of its name.
    pub fn model(&self, name: &str) -> ModelStats {
        self.models.get(&key_of(name)).cloned().unwrap_or_default()
    }

    pub(super) fn model_mut(&mut self, key: &str) -> &mut ModelStats {
        self.models.entry(key.to_owned()).or_default()
    }
}

/// What was awaited did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} in vain; the counters are {stats:?}")]
pub struct WaitedTooLong {
    /// How long.
    pub waited: Duration,
    /// The counters at the end.
    pub stats: Box<Stats>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The number of its connection, from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The target as it stood in the request line.
    pub target: String,
    /// Names (as hyper keeps them, in lower case) and values in order.
    pub headers: Vec<(String, String)>,
    /// The bytes read from the socket for this request: head, framing and body. Empty when not recording.
    pub raw: Bytes,
    /// The body without its framing.
    pub body: Bytes,
}

impl Seen {
    /// The raw bytes up to and with the blank line.
    pub fn head(&self) -> &[u8] {
        let end = self.raw.windows(4).position(|w| w == b"\r\n\r\n").map_or(self.raw.len(), |at| at + 4);
        &self.raw[..end]
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Counters, requests and raw connections of one simulated Ollama.
#[derive(Default)]
pub(super) struct Observer {
    stats: watch::Sender<Stats>,
    seen: Mutex<Vec<Seen>>,
    wires: Mutex<Vec<Wire>>,
}

impl Observer {
    pub(super) fn count(&self, change: impl FnOnce(&mut Stats)) {
        self.stats.send_modify(change);
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats.borrow().clone()
    }

    pub(super) async fn wait_until(
        &self,
        reached: impl FnMut(&Stats) -> bool,
    ) -> Result<Stats, WaitedTooLong> {
        let mut changes = self.stats.subscribe();
        match tokio::time::timeout(PATIENCE, changes.wait_for(reached)).await {
            Ok(Ok(stats)) => Ok(stats.clone()),
            _ => Err(WaitedTooLong { waited: PATIENCE, stats: Box::new(self.stats()) }),
        }
    }

    /// Notes an accepted connection; gives its number.
    pub(super) fn accepted(&self, wire: &Wire, recording: bool) -> usize {
        self.count(|stats| {
            stats.open += 1;
            stats.accepted += 1;
        });
        if recording {
            lock(&self.wires).push(wire.clone());
        }
        self.stats.borrow().accepted - 1
    }

    pub(super) fn saw(&self, seen: Seen, recording: bool) {
        if recording {
            lock(&self.seen).push(seen);
        }
        self.count(|stats| stats.requests += 1);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    pub(super) fn connections(&self) -> Vec<Bytes> {
        lock(&self.wires).iter().map(Wire::all).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
