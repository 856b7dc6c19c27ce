//! The reading half of a round. Nothing here changes anything; what does not answer in time is not known this round.

use fleet::store::{FleetState, StoreError};
use tokio::time::timeout;

use super::{CALL, Round};
use crate::Seconds;
use crate::act::word;
use crate::observe::Facts;
use crate::observe::gateway::CLOCKS;

/// A little less than the time between two rounds: a description is asked for in the round that is due.
const EARLY: Seconds = 1.0;

impl Round {
    /// Reads the fleet's state; `None` where the store did not answer.
    pub async fn read_state(&mut self) -> Option<()> {
        let read = timeout(CALL, self.parts.store.state(&self.parts.fleet)).await;
        let state = self.answered(read.unwrap_or_else(|_| Err(late())))?;
        self.note(state);
        Some(())
    }

    /// Whatever others did to the state is on the record.
    fn note(&mut self, state: FleetState) {
        if state.version != self.state.version {
            let (phase, before) = (word(state.phase), word(self.state.phase));
            let reason = state.reason.as_deref();
            let hold = state.hold.map(|hold| hold.nodes);
            let fleet = &self.parts.fleet;
            if (state.phase, state.hold) != (self.state.phase, self.state.hold) {
                tracing::info!(
                    fleet,
                    phase,
                    before,
                    reason,
                    hold,
                    "the fleet's state was changed by another"
                );
            }
        }
        self.state = state;
    }

    /// Reads the reports and, where it is time, the group.
    pub(super) async fn read_facts(&mut self) -> Facts {
        let parts = self.parts.clone();
        let now = parts.clock.now();
        let due = self.described_at.is_none_or(|at| now - at >= parts.describe_every - EARLY);
        let reports = timeout(CALL, parts.store.reports(&parts.fleet, parts.clock.wall() - CLOCKS));
        let describe = async {
            match due {
                true => timeout(CALL, parts.group.describe()).await.ok(),
                false => None,
            }
        };
        let (reports, group) = futures_util::future::join(reports, describe).await;
        let reports = self.answered(reports.unwrap_or_else(|_| Err(late())));
        let group = match group {
            Some(Ok(group)) => {
                self.described_at = Some(now);
                Some(group)
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the group could not be described");
                None
            }
            None => None,
        };
        Facts { reports, group }
    }

    /// Asks the group anew in the next round.
    pub fn describe_next(&mut self) {
        self.described_at = None;
    }

    fn answered<T>(&mut self, read: Result<T, StoreError>) -> Option<T> {
        match read {
            Ok(value) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the store answers again");
                }
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "the store cannot be read: nothing is changed until it can");
                }
                None
            }
        }
    }
}

fn late() -> StoreError {
    StoreError::Unavailable("no answer in time".to_owned())
}
