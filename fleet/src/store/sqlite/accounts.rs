//! Keys and what was used: the documents, and the statements that change them.

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use super::items::{self, Json, atomically, durably, get};
use crate::store::quota::signed;
use crate::store::record::KeyDocument;
use crate::store::{DayOfUse, KeyHash, KeyRecord, MOST_DAYS_OF_USE, ModelUsage, StoreError, Usage};

const PUT: &str = "INSERT INTO item (pk, sk, document) VALUES (?1, 'KEY', ?2)
    ON CONFLICT (pk, sk) DO UPDATE SET document = excluded.document";

const REVOKE: &str = "UPDATE item SET document = json_set(document, '$.disabled', json('true'))
    WHERE pk = ?1 AND sk = 'KEY'";

// `USER#` and `USAGE#` are what `substr` leaves out.
const USED_SINCE: &str = "SELECT substr(pk, 6), substr(sk, 7), document FROM item
    WHERE pk >= 'USER#' AND pk < 'USER$' AND sk >= ?1 AND sk < 'USAGE$' LIMIT ?2";

/// The rows of all keys: place and document.
pub(super) fn keys(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare("SELECT pk, document FROM item WHERE pk >= 'KEY#' AND pk < 'KEY$' AND sk = 'KEY'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The records of such rows, the oldest first.
pub(super) fn records(rows: Vec<(String, String)>) -> Result<Vec<KeyRecord>, StoreError> {
    let record = |(pk, document): (String, String)| {
        let unreadable = |error: &dyn std::error::Error| StoreError::Unreadable(format!("{pk}: {error}"));
        let hash = pk.trim_start_matches("KEY#").parse().map_err(|error| unreadable(&error))?;
        let document: KeyDocument = serde_json::from_str(&document).map_err(|error| unreadable(&error))?;
        Ok(KeyRecord::of(hash, document))
    };
    let mut records = rows.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| (record.created, record.hash));
    Ok(records)
}

pub(super) fn put(connection: &mut Connection, pk: &str, document: &str) -> rusqlite::Result<()> {
    durably(connection, |change| change.execute(PUT, [pk, document]).map(drop))
}

pub(super) fn key(connection: &Connection, hash: KeyHash) -> rusqlite::Result<Option<KeyRecord>> {
    let found = get(connection, &format!("KEY#{hash}"), "KEY")?;
    Ok(found.map(|document| KeyRecord::of(hash, document)))
}

/// Disables the key whose hash begins with `id` if it is the only one; gives how many there are.
pub(super) fn revoke(connection: &mut Connection, id: &str) -> rusqlite::Result<usize> {
    // `g` is behind every hexadecimal digit that could follow.
    durably(connection, |change| revoke_between(change, &format!("KEY#{id}"), &format!("KEY#{id}g")))
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

/// What one place keeps of a day.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Day {
    #[serde(flatten)]
    usage: Usage,
    #[serde(skip_serializing_if = "ModelUsage::is_empty")]
    models: ModelUsage,
}

/// Adds under the writer's lock, so that two processes that add at once both count.
pub(super) fn add(
    connection: &mut Connection,
    pk: &str,
    sk: &str,
    usage: &Usage,
    models: &ModelUsage,
) -> rusqlite::Result<()> {
    atomically(connection, |change| {
        let mut day: Day = get(change, pk, sk)?.unwrap_or_default();
        day.usage.add(usage);
        for (model, used) in models {
            day.models.entry(model.clone()).or_default().add(used);
        }
        items::put(change, pk, sk, &day)
    })
}

/// Everybody's days from this place on, in no order; one more than may be given where there are more.
pub(super) fn used_since(connection: &Connection, from: &str) -> rusqlite::Result<Vec<DayOfUse>> {
    connection
        .prepare_cached(USED_SINCE)?
        .query_map(params![from, signed(MOST_DAYS_OF_USE as u64 + 1)], |row| {
            let Json(Day { usage, models }) = row.get(2)?;
            Ok(DayOfUse { principal: row.get(0)?, day: row.get(1)?, usage, models })
        })?
        .collect()
}
