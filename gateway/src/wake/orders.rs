//! What operators tell the fleet: wake, and sleep. Each is one conditional change, and told twice it is one.

use fleet::store::{Change, FleetState, StoreError};

use super::{Wake, decide, unix_now};
use crate::identity::Principal;

/// How often a change is tried that others were faster than. Each loss means that somebody else has won.
const TRIES: usize = 5;

/// Why the fleet was not told.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The store failed; the change may have been made.
    #[error("the fleet's state cannot be changed: {0}")]
    Store(#[from] StoreError),
    /// The state changed faster than it could be read.
    #[error("the fleet's state is changing too fast")]
    Contended,
}

impl Wake {
    /// Wakes the fleet by `operator`'s word; the state after it.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn wake_by(&self, operator: &Principal) -> Result<FleetState, OrderError> {
        self.told(operator, "wake", decide::woken).await
    }

    /// Puts the fleet to sleep by `operator`'s word, and ends a hold: the leader drains all nodes. The state after it.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn sleep_by(&self, operator: &Principal) -> Result<FleetState, OrderError> {
        self.told(operator, "sleep", decide::put_to_sleep).await
    }

    /// Holds at least `nodes` for `seconds` by `operator`'s word, and wakes the fleet for it; 0 nodes end a hold. The
    /// state after it.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn hold_by(
        &self,
        operator: &Principal,
        nodes: u32,
        seconds: i64,
    ) -> Result<FleetState, OrderError> {
        let hold = |state: &FleetState, now: i64| decide::held(state, now, nodes, seconds);
        self.told(operator, "hold", hold).await
    }

    async fn told(
        &self,
        operator: &Principal,
        order: &'static str,
        change: impl Fn(&FleetState, i64) -> Option<FleetState>,
    ) -> Result<FleetState, OrderError> {
        let mut state = self.bounded(self.store.state(&self.fleet)).await?;
        for _ in 0..TRIES {
            let from = decide::word(state.phase);
            let changed = match change(&state, unix_now()) {
                Some(next) => self.bounded(self.store.change_state(&self.fleet, &state, &next)).await?,
                None => Change::Made(state),
            };
            match changed {
                Change::Made(made) => {
                    let (operator, to) = (operator.as_str(), decide::word(made.phase));
                    tracing::info!(operator, order, from, to, fleet = self.fleet, "the fleet was told");
                    self.note(made.clone());
                    return Ok(made);
                }
                Change::Refused(theirs) => state = theirs.unwrap_or_default(),
            }
        }
        Err(OrderError::Contended)
    }
}
