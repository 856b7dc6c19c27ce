//! Tokens and requests per minute for the whole fleet: one conditional add in the shared table per request, so that both
//! limits hold however many gateways a caller reaches. While the table cannot be asked, nobody is turned away for it.

mod outage;
mod settlements;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fleet::store::{Reservation as Answer, Store, StoreError, Window};
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use self::outage::Outage;
use self::settlements::Settlements;
use super::bucket::Size;
use super::quota::too_many;
use super::table::{Entry, Table};
use super::{InMemory, Quota, Reservation};
use crate::error::Refusal;
use crate::identity::{Caller, Principal, Rights};
use crate::metrics::Metrics;

/// Longest wait for the table, which answers within 10 ms: half a second more to a first token is noticed, and bears it
/// for the three requests that find out.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// How long the last answer about a caller is remembered: their minute, and the next.
const KNOWN_FOR: Duration = Duration::from_secs(120);

/// How many nodes are ready, this one included.
pub type ReadyNodes = Arc<dyn Fn() -> usize + Send + Sync>;

/// Quotas in the store, with this process's memory to fall back on.
pub struct FleetQuota {
    store: Arc<dyn Store>,
    ready_nodes: ReadyNodes,
    metrics: Arc<Metrics>,
    clock: fn() -> i64,
    outage: Mutex<Outage>,
    known: Table<Known>,
    memory: InMemory,
    settlements: Arc<Settlements>,
}

/// What the store last said of a caller.
struct Known {
    minute: i64,
    tokens: i64,
    at: Instant,
}

/// A minute of the wall clock, which all gateways share, and what is left of it.
#[derive(Debug, Clone, Copy)]
struct Minute {
    number: i64,
    left: Duration,
}

impl FleetQuota {
    /// Quotas of which this process knows nothing yet.
    pub fn new(store: Arc<dyn Store>, ready_nodes: ReadyNodes, metrics: Arc<Metrics>) -> Self {
        Self {
            settlements: Arc::new(Settlements::new(store.clone(), metrics.clone())),
            store,
            ready_nodes,
            metrics,
            clock: || Timestamp::now().as_second(),
            outage: Mutex::default(),
            known: Table::new(),
            memory: InMemory::new(),
        }
    }

    /// Forgets who was not seen lately; returns how many principals are left. Reserving does so too, once a minute.
    pub fn sweep(&self) -> usize {
        self.known.sweep() + self.memory.sweep()
    }

    /// Settles in the background, for ever.
    pub async fn keep_settling(&self) {
        self.settlements.keep_settling().await;
    }

    /// Settles what is pending: at the end of the process.
    pub async fn settle(&self) {
        self.settlements.settle().await;
    }

    fn minute(&self) -> Minute {
        let now = (self.clock)();
        Minute {
            number: now.div_euclid(60),
            left: Duration::from_secs(60 - now.rem_euclid(60).unsigned_abs()),
        }
    }

    /// Asks the store, unless it is known not to answer.
    ///
    /// A call that failed may have counted, and so may one whose caller left meanwhile. It is not taken back: if it had not counted, that would be a credit, and a
    /// limit that can be lifted by a flaky table is none. At worst a caller lacks one request's tokens until the next
    /// minute.
    async fn ask(&self, caller: &Caller, minute: Minute, tokens: u64, begun: u64) -> Option<Answer> {
        if !self.outage().may_ask(Instant::now()) {
            return None;
        }
        let (who, rights) = (caller.principal.as_str(), &caller.rights);
        let asking =
            self.store.reserve(who, minute.number, tokens, begun, rights.tokens_per_minute, requests(rights));
        let late = || Err(StoreError::Unavailable("no answer in time".to_owned()));
        let answer = timeout(ANSWER_WITHIN, asking).await.unwrap_or_else(|_| late());
        match answer {
            Ok(answer) => {
                if self.outage().ended() {
                    tracing::info!("limits hold for the whole fleet again");
                }
                Some(answer)
            }
            Err(error) => {
                if self.outage().failed(Instant::now()) {
                    tracing::warn!(%error, "limits cannot be asked of the store; requests are let through and counted");
                }
                None
            }
        }
    }

    /// The store's word, as the caller hears it.
    fn obey(
        &self,
        caller: &Caller,
        minute: Minute,
        tokens: u64,
        answer: Answer,
    ) -> Result<Reservation, Refusal> {
        let (Answer::Reserved(window) | Answer::Refused(window)) = answer;
        self.known.with(&caller.principal, |known, now| {
            *known = Known { minute: minute.number, tokens: window.tokens, at: now };
        });
        match answer {
            Answer::Reserved(_) => Ok(self.settled(caller.principal.clone(), minute, tokens)),
            Answer::Refused(window) => Err(refusal(caller, window, minute.left)),
        }
    }

    fn settled(&self, principal: Principal, minute: Minute, tokens: u64) -> Reservation {
        let settlements = Arc::clone(&self.settlements);
        Reservation::new(tokens, move |difference| settlements.add(principal, minute.number, difference))
    }

    /// Without the store: this node's part of what the fleet had left for the caller is taken from memory, and what
    /// goes beyond it is let through as well. Both are counted. Requests per minute and open requests still hold for
    /// this process.
    fn unchecked(&self, caller: &Caller, minute: Minute, tokens: u64) -> Reservation {
        let nodes = (self.ready_nodes)().max(1) as f64;
        let limit = caller.rights.tokens_per_minute as f64;
        let used = self.known.with(&caller.principal, |known, now| {
            known.at = now; // who asks is not forgotten
            if known.minute == minute.number { known.tokens as f64 } else { 0.0 }
        });
        let share = Size { capacity: (limit - used).max(0.0) / nodes, per_second: limit / nodes / 60.0 };
        let taken = self.memory.take(&caller.principal, tokens, share);
        self.metrics.unchecked_limit(taken.is_ok());
        taken.unwrap_or_else(|_| Reservation::new(tokens, |_| {}))
    }

    fn outage(&self) -> std::sync::MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Quota for FleetQuota {
    async fn reserve(&self, caller: &Caller, tokens: u64) -> Result<Reservation, Refusal> {
        self.reserve_for(caller, tokens, 1).await
    }
}

impl FleetQuota {
    /// The same for a part of a request: `begun` requests (1 for the first part, 0 for the others) are counted with it.
    ///
    /// # Errors
    /// As [`Quota::reserve`].
    pub async fn reserve_for(
        &self,
        caller: &Caller,
        tokens: u64,
        begun: u64,
    ) -> Result<Reservation, Refusal> {
        let minute = self.minute();
        // What is larger than a whole minute fits into an untouched one, since it never could else; what it really used
        // is settled. A limit of nothing lets nothing through.
        let claim = tokens.min(caller.rights.tokens_per_minute).max(1);
        match self.ask(caller, minute, claim, begun).await {
            Some(answer) => self.obey(caller, minute, claim, answer),
            None => Ok(self.unchecked(caller, minute, tokens)),
        }
    }
}

/// Requests that may begin in one minute. A burst is allowed at once, also one that is larger than the minute's rate:
/// what a single gateway lets through the fleet does not refuse.
fn requests(rights: &Rights) -> u64 {
    u64::from(rights.requests_per_minute.max(rights.requests_burst))
}

/// Which limit it was. The next minute begins with nothing used, so waiting for it is enough.
fn refusal(caller: &Caller, window: Window, left: Duration) -> Refusal {
    if window.requests.unsigned_abs() >= requests(&caller.rights) {
        return Refusal::TooMany { what: "you have reached your requests per minute", retry_after: left };
    }
    too_many(left)
}

impl Entry for Known {
    fn new(now: Instant) -> Self {
        Self { minute: i64::MIN, tokens: 0, at: now }
    }

    fn is_idle(&mut self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) > KNOWN_FOR
    }
}
