//! The one table that the processes of a fleet share, behind a trait: SQLite on one machine, DynamoDB in a fleet.
//!
//! `record` says what is kept, `sqlite` keeps it in a file; `contract` is the suite that every store passes.

pub mod record;
pub mod sqlite;
#[cfg(test)]
mod contract;

use std::fmt;

use async_trait::async_trait;

pub use record::{KeyHash, KeyRecord, Usage};
pub use sqlite::SqliteStore;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or was busy for too long. Trying again may help.
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
}

/// The shared table. Each call is one atomic step; none blocks the thread it is awaited on.
///
/// # Errors
/// Every call: [`StoreError::Unavailable`] and [`StoreError::Unreadable`].
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
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
}
