//! The one table that the processes of a fleet share, behind a trait: SQLite on one machine, DynamoDB in a fleet.
//!
//! `record`, `state`, `wanted`, `quota`, `conversations` and `oversight` (and [`crate::report`]) say what is kept, `sqlite`
//! keeps it in a file and `dynamo` in a table of AWS, `settings` chooses; `contract` is the suite that every store passes.

pub mod record;
pub mod state;
pub mod wanted;
pub mod quota;
pub mod conversations;
pub mod oversight;
pub mod sqlite;
pub mod settings;
#[cfg(feature = "dynamodb")]
pub mod dynamo;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod cost;

use std::fmt;

use async_trait::async_trait;

pub use conversations::{
    Archived, Conversation, ConversationStore, Ending, MOST_HEAD_BYTES, MOST_MESSAGE_BYTES, Message,
    MessageId, Pen, PenHeld, Speaker,
};
#[cfg(feature = "dynamodb")]
pub use dynamo::DynamoStore;
pub use oversight::{AuditEntry, LinkCode, OversightStore, Person, is_intact};
pub use quota::{Denial, Reservation, Window};
pub use record::{DayOfUse, KeyHash, KeyRecord, MOST_DAYS_OF_USE, Usage};
pub use settings::{StoreKind, StoreSettings};
pub use sqlite::SqliteStore;
pub use state::{Boot, Change, FleetState, Hold, LeaseRecord, Phase, Spent};
pub use wanted::{Progress, ProgressState, WantedModel};

use crate::report::{NodeRecord, Order, Report, ReportAnswer, Summary};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, was busy for too long, or did not say whether it has done it. Trying again may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What it holds cannot be read: written by a newer version, or damaged. Trying again does not help.
    #[error("the store holds what this version cannot read: {0}")]
    Unreadable(String),
    /// The id begins the hash of more than one key.
    #[error("`{0}` names more than one key; give more of its hash")]
    Ambiguous(String),
    /// The id is not 12 to 64 lower-case hexadecimal digits.
    #[error("`{0}` is no key id: 12 to 64 of the digits 0-9 and a-f, as `list` shows them")]
    NotAnId(String),
    /// More would have to be looked through, or given, than one call may. Trying again does not help.
    #[error("{0}")]
    TooMuch(String),
}

/// The shared table. Each call is one atomic step; none blocks the thread it is awaited on.
///
/// Time is given, in seconds since 1970, never read. Only keys and one caller's usage must be implemented: a stand-in in a
/// test that keeps nothing of a fleet answers the rest with [`StoreError::Unavailable`].
///
/// # Errors
/// Every call: [`StoreError::Unavailable`] and [`StoreError::Unreadable`].
#[async_trait]
pub trait Store: ConversationStore + OversightStore + fmt::Debug {
    /// Writes an API key's record, in the place of an older one with the same hash.
    async fn put_key(&self, key: &KeyRecord) -> Result<(), StoreError>;

    /// The record of the key with this hash, whatever its state.
    async fn key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError>;

    /// Every key's record, the oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Disables the one key whose hash begins with `id` ([`KeyHash::id`], or more of it); false where there is none.
    /// Also [`StoreError::Ambiguous`] and [`StoreError::NotAnId`].
    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError>;

    /// Adds to what `principal` used on `day` (`yyyy-mm-dd`, UTC). Sums from several processes all count.
    async fn add_usage(&self, principal: &str, day: &str, usage: &Usage) -> Result<(), StoreError>;

    /// What `principal` used on `day`; zeros where nothing was.
    async fn usage(&self, principal: &str, day: &str) -> Result<Usage, StoreError>;

    /// What everybody used since `since` (`yyyy-mm-dd`, that day too), by principal, each one's newest day first; a sum
    /// may be missing for a second. All of it or nothing: [`StoreError::TooMuch`] where that is more than
    /// [`MOST_DAYS_OF_USE`], or a larger table than can be looked through.
    ///
    /// Costly: it looks at every item of the table (in SQLite, at every caller's). For a person who asks now and then;
    /// nothing may call it by itself.
    async fn usage_since(&self, since: &str) -> Result<Vec<DayOfUse>, StoreError> {
        let _ = since;
        keeps_no_fleet()
    }

    /// Writes a node's report in the place of its last one, and gives the order that stands beside it. Never touches
    /// the order.
    async fn write_report(&self, fleet: &str, report: &Report, now: i64) -> Result<ReportAnswer, StoreError> {
        let _ = (fleet, report, now);
        keeps_no_fleet()
    }

    /// Every node's latest report, by name, as it is at this moment; without those that are stale or expired at `now`.
    async fn reports(&self, fleet: &str, now: i64) -> Result<Vec<NodeRecord>, StoreError> {
        let _ = (fleet, now);
        keeps_no_fleet()
    }

    /// Gives a node an order, or renews it; false where the node has never reported, or has a later order.
    async fn order(&self, fleet: &str, node: &str, order: &Order) -> Result<bool, StoreError> {
        let _ = (fleet, node, order);
        keeps_no_fleet()
    }

    /// Removes a node that is gone, with its order.
    async fn forget(&self, fleet: &str, node: &str) -> Result<(), StoreError> {
        let _ = (fleet, node);
        keeps_no_fleet()
    }

    /// Writes what peers and fronts of a large fleet read.
    async fn write_summary(&self, fleet: &str, summary: &Summary) -> Result<(), StoreError> {
        let _ = (fleet, summary);
        keeps_no_fleet()
    }

    /// The leader's summary, perhaps the one before the last; `None` where it is stale at `now`.
    async fn summary(&self, fleet: &str, now: i64) -> Result<Option<Summary>, StoreError> {
        let _ = (fleet, now);
        keeps_no_fleet()
    }

    /// Who holds the scaler's lease. [`crate::lease::Lease`] is the way to use it.
    async fn lease(&self, fleet: &str) -> Result<Option<LeaseRecord>, StoreError> {
        let _ = fleet;
        keeps_no_fleet()
    }

    /// Writes `owner` with the next version, if the lease's version is still `observed` (`None`: there is no lease).
    async fn take_lease(
        &self,
        fleet: &str,
        owner: &str,
        observed: Option<u64>,
    ) -> Result<Change<LeaseRecord>, StoreError> {
        let _ = (fleet, owner, observed);
        keeps_no_fleet()
    }

    /// The fleet's state; asleep where nothing was ever written.
    async fn state(&self, fleet: &str) -> Result<FleetState, StoreError> {
        let _ = fleet;
        keeps_no_fleet()
    }

    /// Writes `new` with the next version, if nobody has written since `expected` was read.
    async fn change_state(
        &self,
        fleet: &str,
        expected: &FleetState,
        new: &FleetState,
    ) -> Result<Change<FleetState>, StoreError> {
        let _ = (fleet, expected, new);
        keeps_no_fleet()
    }

    /// Wants a model, in the place of an older wish for it; progress begins anew.
    async fn want_model(&self, fleet: &str, model: &WantedModel) -> Result<(), StoreError> {
        let _ = (fleet, model);
        keeps_no_fleet()
    }

    /// Wants it no longer; false where nobody did.
    async fn unwant_model(&self, fleet: &str, model: &str) -> Result<bool, StoreError> {
        let _ = (fleet, model);
        keeps_no_fleet()
    }

    /// Writes how far `node` is with a model, beside what other nodes wrote; false where the wish, with this source, is
    /// gone.
    async fn write_progress(
        &self,
        fleet: &str,
        wish: &WantedModel,
        node: &str,
        progress: &Progress,
    ) -> Result<bool, StoreError> {
        let _ = (fleet, wish, node, progress);
        keeps_no_fleet()
    }

    /// The models that the fleet should have, by name.
    async fn models(&self, fleet: &str) -> Result<Vec<WantedModel>, StoreError> {
        let _ = fleet;
        keeps_no_fleet()
    }

    /// Shuts a principal out, in the place of an older denial.
    async fn deny(&self, denial: &Denial) -> Result<(), StoreError> {
        let _ = denial;
        keeps_no_fleet()
    }

    /// Lets a principal in again; false where it was not shut out.
    async fn allow(&self, principal: &str) -> Result<bool, StoreError> {
        let _ = principal;
        keeps_no_fleet()
    }

    /// Is this principal shut out at this moment?
    async fn denial(&self, principal: &str) -> Result<Option<Denial>, StoreError> {
        let _ = principal;
        keeps_no_fleet()
    }

    /// Everyone who is shut out, by name, for a list refreshed every few seconds: a change may be missing for one.
    async fn denials(&self) -> Result<Vec<Denial>, StoreError> {
        keeps_no_fleet()
    }

    /// Takes `tokens` and `requests` out of what `principal` may use in `minute` (since 1970), all or nothing, in one
    /// step: whatever else is reserved at once, neither limit is passed, and nobody who fits is refused. A call that
    /// failed with [`StoreError::Unavailable`] may have counted.
    async fn reserve(
        &self,
        principal: &str,
        minute: i64,
        tokens: u64,
        requests: u64,
        token_limit: u64,
        request_limit: u64,
    ) -> Result<Reservation, StoreError> {
        let _ = (principal, minute, tokens, requests, token_limit, request_limit);
        keeps_no_fleet()
    }

    /// Corrects a reservation by the true count: `delta_tokens` is what was used less what was reserved. Nothing where
    /// the window is long gone.
    async fn settle(&self, principal: &str, minute: i64, delta_tokens: i64) -> Result<(), StoreError> {
        let _ = (principal, minute, delta_tokens);
        keeps_no_fleet()
    }
}

fn keeps_no_fleet<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("this one keeps keys and usage only".to_owned()))
}
