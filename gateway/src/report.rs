//! The node's life in the fleet: it writes its load report every two seconds, at once when something turned, and reads
//! its order from the same write's answer. What the store does never disturbs those who are served.

mod activity;
mod tally;
mod work;
mod orders;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use fleet::report::{NodeState, Report, ReportAnswer, Role};
use fleet::store::{Store, StoreError};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

pub use self::activity::Activity;
use self::orders::Orders;
use self::tally::Rate;
pub use self::tally::{Ended, Tally, Verdict};
pub use self::work::Work;
use crate::connection::handshake::Certificate;
use crate::drain::Phase;
use crate::process::Shared;

/// Longest call to the store: one that hangs must not keep later reports from being tried.
const CALL_WITHIN: Duration = Duration::from_secs(3);
/// Shortest time between two writes, however often things turn.
const LEAST_PAUSE: Duration = Duration::from_millis(200);
/// How often we look whether something has turned.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Writes one process's reports.
pub struct Reporter {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    certificate: Arc<Certificate>,
    public_key: String,
    started_at: i64,
    sequence: u64,
    rate: Rate,
    orders: Orders,
    failing: bool,
}

/// What is told at once when it turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    state: NodeState,
    queued: bool,
}

impl Reporter {
    /// A reporter that has written nothing. `public_key` is the Ed25519 key of this process's identity tokens,
    /// base64url; empty while it makes none.
    pub fn new(
        shared: Arc<Shared>,
        store: Arc<dyn Store>,
        certificate: Arc<Certificate>,
        public_key: String,
    ) -> Self {
        Self {
            shared,
            store,
            certificate,
            public_key,
            started_at: Timestamp::now().as_second(),
            sequence: 0,
            rate: Rate::new(Instant::now()),
            orders: Orders::default(),
            failing: false,
        }
    }

    /// Reports for ever.
    pub async fn run(mut self) {
        loop {
            let (began, told) = (Instant::now(), self.turn());
            self.write().await;
            self.pause(began, told).await;
        }
    }

    /// Writes one report and obeys what stands beside it.
    async fn write(&mut self) {
        self.sequence += 1;
        let (report, wall) = (self.report(), Timestamp::now().as_second());
        let fleet = &self.shared.config.fleet.name;
        let written = timeout(CALL_WITHIN, self.store.write_report(fleet, &report, wall)).await;
        match written {
            Ok(Ok(answer)) => self.written(answer),
            Ok(Err(error)) => self.failed(&error),
            Err(_) => self.failed(&StoreError::Unavailable("no answer in time".to_owned())),
        }
    }

    fn written(&mut self, answer: ReportAnswer) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("load reports are written again");
        }
        let now = Instant::now();
        self.orders.hear(answer, Timestamp::now().as_second(), now);
        self.shared.drain.order(self.orders.drains_until(now));
    }

    /// An order that stood goes on until it lapses, which the drain sees to by itself.
    fn failed(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(%error, "load reports cannot be written; serving goes on");
        }
    }

    /// Waits until the next report is due.
    async fn pause(&self, began: Instant, told: Turn) {
        let every = self.shared.config.fleet.report_every_seconds;
        loop {
            sleep(LOOK_EVERY).await;
            let passed = began.elapsed();
            if passed >= every || (passed >= LEAST_PAUSE && self.turn() != told) {
                return;
            }
        }
    }

    fn turn(&self) -> Turn {
        Turn { state: self.shared.state(), queued: self.shared.queue.load().queued > 0 }
    }

    /// The process as it is now.
    fn report(&mut self) -> Report {
        let shared = &self.shared;
        let (load, tally, state) = (shared.queue.load(), &shared.books.tally, shared.state());
        // What runs at a peer is busy there. But who leaves must not be ended under what it still relays.
        let busy = if state == NodeState::Draining { load.busy } else { load.busy - load.away };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let known = shared.keeper().map(|keeper| keeper.known());
        let models = known.iter().flat_map(|known| known.running.iter().map(|(name, _)| name.to_string()));
        Report {
            node: shared.config.fleet.node.clone(),
            address: shared.config.peer_address().unwrap_or_default(),
            role: if shared.config.ollama.is_some() { Role::Node } else { Role::Front },
            state,
            slots: count(load.slots),
            busy: count(busy),
            queued: count(load.queued),
            queued_work_seconds: load.queued_work_seconds,
            oldest_wait_seconds: load.oldest_wait_seconds,
            tokens_per_second: self.rate.of(tally.tokens(), Instant::now()),
            models: models.collect(),
            last_request_at: shared.activity.last(),
            started_at: self.started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sequence: self.sequence,
            certificate_sha256: self.certificate.sha256(),
            public_key: self.public_key.clone(),
            order_seen: self.orders.seen(),
            gpu_memory_bytes: shared.offer.measured.gpu_memory(),
            disk_free_bytes: shared.offer.measured.disk_free(),
            load: shared.books.work.load(&load),
            counts: tally.counts(),
        }
    }
}

impl Shared {
    /// What this process can do for a request right now. A front needs nothing to hold requests: it is always ready.
    pub fn state(&self) -> NodeState {
        match self.keeper() {
            _ if self.drain.phase() != Phase::Serving => NodeState::Draining,
            Err(_) => NodeState::Ready,
            Ok(keeper) if keeper.is_ready() => NodeState::Ready,
            Ok(keeper) if keeper.known().reachable => NodeState::Loading,
            Ok(_) => NodeState::Starting,
        }
    }
}
