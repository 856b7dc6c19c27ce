//! The embedded store: one SQLite file, shared by the processes of one machine.
//!
//! SQLite blocks, and a write waits for other processes; so it never runs on a runtime's thread. Two threads of its
//! own, one to read and one to write, take closures from bounded channels: reads never wait behind a write.

mod schema;
mod worker;

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::record::{KeyDocument, is_id};
use super::{KeyHash, KeyRecord, Store, StoreError, Usage};
use worker::Worker;

/// The table in one file. Clones share the threads; the last one ends them.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    reader: Worker,
    writer: Worker,
}

impl SqliteStore {
    /// Opens the file, makes it where there is none (mode 0600), and brings its tables up to date. Blocks for some
    /// milliseconds, up to 5 s where another process is doing the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the file cannot be opened or written; [`StoreError::Unreadable`] where it
    /// is no SQLite file, or one of a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = Worker::start("store-write", schema::open(path)?)?;
        let reader = Worker::start("store-read", schema::open(path)?)?;
        Ok(Self { reader, writer })
    }
}

const PUT: &str = "INSERT INTO item (pk, sk, document) VALUES (?1, 'KEY', ?2)
    ON CONFLICT (pk, sk) DO UPDATE SET document = excluded.document";

const REVOKE: &str = "UPDATE item SET document = json_set(document, '$.disabled', json('true'))
    WHERE pk = ?1 AND sk = 'KEY'";

// The sums are made by the database, so that two processes that add at once both count.
const ADD: &str = "INSERT INTO item (pk, sk, document) VALUES (?1, ?2, json_object(
        'prompt_tokens', ?3, 'generated_tokens', ?4, 'requests', ?5, 'gpu_seconds', ?6))
    ON CONFLICT (pk, sk) DO UPDATE SET document = json_set(document,
        '$.prompt_tokens', coalesce(document ->> '$.prompt_tokens', 0) + ?3,
        '$.generated_tokens', coalesce(document ->> '$.generated_tokens', 0) + ?4,
        '$.requests', coalesce(document ->> '$.requests', 0) + ?5,
        '$.gpu_seconds', coalesce(document ->> '$.gpu_seconds', 0.0) + ?6)";

const ONE: &str = "SELECT document FROM item WHERE pk = ?1 AND sk = ?2";

#[async_trait]
impl Store for SqliteStore {
    async fn put_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let pk = key_place(&key.hash);
        let document = serde_json::to_string(&key.document())
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        self.writer
            .call(move |connection| {
                durably(connection, |change| change.execute(PUT, [pk, document]).map(drop))
            })
            .await
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        let hash = *hash;
        let pk = key_place(&hash);
        let found: Option<String> = self
            .reader
            .call(move |connection| {
                connection.prepare_cached(ONE)?.query_row([&pk, "KEY"], |row| row.get(0)).optional()
            })
            .await?;
        found.map(|document| read(&document).map(|document| KeyRecord::of(hash, document))).transpose()
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows: Vec<(String, String)> = self
            .reader
            .call(|connection| {
                connection
                    .prepare(
                        "SELECT pk, document FROM item WHERE pk >= 'KEY#' AND pk < 'KEY$' AND sk = 'KEY'",
                    )?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .await?;
        let record = |(pk, document): (String, String)| {
            let hash = pk.trim_start_matches("KEY#").parse();
            let hash = hash.map_err(|error| StoreError::Unreadable(format!("{pk}: {error}")))?;
            read::<KeyDocument>(&document).map(|document| KeyRecord::of(hash, document))
        };
        let mut records = rows.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
        records.sort_by_key(|record| (record.created, record.hash));
        Ok(records)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        if !is_id(id) {
            return Err(StoreError::NotAnId(id.to_owned()));
        }
        let from = format!("KEY#{id}");
        // Behind every hexadecimal digit that could follow.
        let to = format!("KEY#{id}g");
        let found = self
            .writer
            .call(move |connection| durably(connection, |change| revoke_between(change, &from, &to)))
            .await?;
        if found > 1 { Err(StoreError::Ambiguous(id.to_owned())) } else { Ok(found == 1) }
    }

    async fn add_usage(&self, principal: &str, day: &str, usage: &Usage) -> Result<(), StoreError> {
        let (pk, sk) = usage_place(principal, day);
        let usage = *usage;
        self.writer
            .call(move |connection| {
                let values = params![
                    pk,
                    sk,
                    signed(usage.prompt_tokens),
                    signed(usage.generated_tokens),
                    signed(usage.requests),
                    usage.gpu_seconds
                ];
                connection.prepare_cached(ADD)?.execute(values).map(drop)
            })
            .await
    }

    async fn usage(&self, principal: &str, day: &str) -> Result<Usage, StoreError> {
        let (pk, sk) = usage_place(principal, day);
        let found: Option<String> = self
            .reader
            .call(move |connection| {
                connection.prepare_cached(ONE)?.query_row([&pk, &sk], |row| row.get(0)).optional()
            })
            .await?;
        found.map_or_else(|| Ok(Usage::default()), |document| read(&document))
    }
}

/// Disables the key between two places if it is the only one there; gives how many there are.
fn revoke_between(change: &Transaction<'_>, from: &str, to: &str) -> rusqlite::Result<usize> {
    let found: Vec<String> = change
        .prepare("SELECT pk FROM item WHERE pk >= ?1 AND pk < ?2 AND sk = 'KEY' LIMIT 2")?
        .query_map([from, to], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if let [only] = found.as_slice() {
        change.execute(REVOKE, [only])?;
    }
    Ok(found.len())
}

/// One transaction that is on the disk when this returns. Usage may lose its last sums in a power cut; a key that was
/// shown, or one that was revoked, may not come undone.
fn durably<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let outcome = (|| {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&change)?;
        change.commit()?;
        Ok(value)
    })();
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    outcome
}

fn key_place(hash: &KeyHash) -> String {
    format!("KEY#{hash}")
}

fn usage_place(principal: &str, day: &str) -> (String, String) {
    (format!("USER#{principal}"), format!("USAGE#{day}"))
}

/// SQLite's integers are signed; what does not fit is as good as the largest.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read<T: serde::de::DeserializeOwned>(document: &str) -> Result<T, StoreError> {
    serde_json::from_str(document).map_err(|error| StoreError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests;
