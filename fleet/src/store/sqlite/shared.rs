//! What changes under a condition: the lease, the fleet's state, the progress of models. Each is read and written under
//! the writer's lock, so the condition holds for all processes.

use rusqlite::Connection;

use super::items::{atomically, get, put};
use crate::store::{Change, FleetState, LeaseRecord, Progress, WantedModel};

pub(super) const LEASE: &str = "LEASE#scaler";
pub(super) const STATE: &str = "STATE";

pub(super) fn take_lease(
    connection: &mut Connection,
    pk: &str,
    owner: String,
    observed: Option<u64>,
) -> rusqlite::Result<Change<LeaseRecord>> {
    atomically(connection, |change| {
        let there: Option<LeaseRecord> = get(change, pk, LEASE)?;
        if there.as_ref().map(|lease| lease.version) != observed {
            return Ok(Change::Refused(there));
        }
        let lease = LeaseRecord { owner, version: observed.unwrap_or(0) + 1 };
        put(change, pk, LEASE, &lease)?;
        Ok(Change::Made(lease))
    })
}

pub(super) fn change_state(
    connection: &mut Connection,
    pk: &str,
    expected: u64,
    new: FleetState,
) -> rusqlite::Result<Change<FleetState>> {
    atomically(connection, |change| {
        let there: Option<FleetState> = get(change, pk, STATE)?;
        if there.as_ref().map_or(0, |state| state.version) != expected {
            return Ok(Change::Refused(there));
        }
        put(change, pk, STATE, &new)?;
        Ok(Change::Made(new))
    })
}

pub(super) fn progress(
    connection: &mut Connection,
    [pk, sk]: [&str; 2],
    source: &str,
    node: String,
    progress: Progress,
) -> rusqlite::Result<bool> {
    atomically(connection, |change| {
        let there: Option<WantedModel> = get(change, pk, sk)?;
        let Some(mut model) = there.filter(|model| model.source == source) else { return Ok(false) };
        model.progress.insert(node, progress);
        put(change, pk, sk, &model)?;
        Ok(true)
    })
}
