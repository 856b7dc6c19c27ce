//! The table in memory, as the contract of every store has it; it can be out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fleet::report::{NodeRecord, Order, Report, ReportAnswer, STALE_AFTER, Summary};
use fleet::store::{
    Change, ConversationStore, FleetState, KeyHash, KeyRecord, LeaseRecord, OversightStore, Store,
    StoreError, Usage,
};

use super::Fate;
use super::fate::{Side, Turn, never};
use super::sim::Sim;

/// One process's way to the table.
#[derive(Clone)]
pub struct MemoryStore {
    pub sim: Arc<Mutex<Sim>>,
    pub fate: Arc<Fate>,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MemoryStore")
    }
}

impl MemoryStore {
    fn read<T>(&self, what: impl Fn(&mut Sim) -> T) -> Result<T, StoreError> {
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        if sim.store_out { Err(out()) } else { Ok(what(&mut sim)) }
    }

    /// A call that changes something.
    async fn change<T>(&self, what: impl Fn(&mut Sim) -> T) -> Result<T, StoreError> {
        let turn = {
            let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
            self.fate.turn(&mut sim.random)
        };
        match turn {
            Turn::Done => self.read(what),
            Turn::Dies(Side::Before) => never().await,
            Turn::Dies(Side::After) => {
                let _ = self.read(what);
                never().await
            }
            Turn::Lost { done } => {
                if done {
                    let _ = self.read(what);
                }
                Err(StoreError::Unavailable("lost".to_owned()))
            }
        }
    }
}

fn out() -> StoreError {
    StoreError::Unavailable("out".to_owned())
}

impl ConversationStore for MemoryStore {}
impl OversightStore for MemoryStore {}

#[async_trait]
impl Store for MemoryStore {
    async fn put_key(&self, _: &KeyRecord) -> Result<(), StoreError> {
        Err(out())
    }
    async fn key(&self, _: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        Err(out())
    }
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Err(out())
    }
    async fn revoke_key(&self, _: &str) -> Result<bool, StoreError> {
        Err(out())
    }
    async fn add_usage(&self, _: &str, _: &str, _: &Usage) -> Result<(), StoreError> {
        Err(out())
    }
    async fn usage(&self, _: &str, _: &str) -> Result<Usage, StoreError> {
        Err(out())
    }

    async fn write_report(&self, _: &str, report: &Report, now: i64) -> Result<ReportAnswer, StoreError> {
        self.read(|sim| sim.write_report(report, now))
    }

    async fn reports(&self, _: &str, now: i64) -> Result<Vec<NodeRecord>, StoreError> {
        self.read(|sim| {
            let current = |record: &&NodeRecord| record.written_at + STALE_AFTER > now;
            sim.records.values().filter(current).cloned().collect()
        })
    }

    async fn order(&self, _: &str, node: &str, order: &Order) -> Result<bool, StoreError> {
        self.change(|sim| {
            let Some(record) = sim.records.get_mut(node) else { return false };
            if record.answer.order_seq > order.seq {
                return false;
            }
            record.answer =
                ReportAnswer { order: order.kind, order_seq: order.seq, order_until: order.until };
            true
        })
        .await
    }

    async fn forget(&self, _: &str, node: &str) -> Result<(), StoreError> {
        self.change(|sim| drop(sim.records.remove(node))).await
    }

    async fn write_summary(&self, _: &str, summary: &Summary) -> Result<(), StoreError> {
        self.read(|sim| sim.summary = Some(summary.clone()))
    }

    async fn lease(&self, _: &str) -> Result<Option<LeaseRecord>, StoreError> {
        self.read(|sim| sim.lease.clone())
    }

    async fn take_lease(
        &self,
        _: &str,
        owner: &str,
        observed: Option<u64>,
    ) -> Result<Change<LeaseRecord>, StoreError> {
        self.read(|sim| {
            if sim.lease.as_ref().map(|lease| lease.version) != observed {
                return Change::Refused(sim.lease.clone());
            }
            let made = LeaseRecord { owner: owner.to_owned(), version: observed.unwrap_or(0) + 1 };
            sim.lease = Some(made.clone());
            Change::Made(made)
        })
    }

    async fn state(&self, _: &str) -> Result<FleetState, StoreError> {
        self.read(|sim| sim.state.clone())
    }

    async fn change_state(
        &self,
        _: &str,
        expected: &FleetState,
        new: &FleetState,
    ) -> Result<Change<FleetState>, StoreError> {
        self.change(|sim| sim.change_state(expected, new)).await
    }
}
