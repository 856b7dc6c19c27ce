//! The steps that all statements share: read a document, change one under the writer's lock, list a range.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A column that holds a document.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(FromSqlError::other)
    }
}

/// As text, for a parameter.
pub(super) fn json(document: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(document).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// One document.
pub(super) fn get<T: DeserializeOwned>(
    connection: &Connection,
    pk: &str,
    sk: &str,
) -> rusqlite::Result<Option<T>> {
    connection
        .prepare_cached("SELECT document FROM item WHERE pk = ?1 AND sk = ?2")?
        .query_row([pk, sk], |row| row.get(0).map(|Json(document)| document))
        .optional()
}

/// Writes a document in the place of an older one.
pub(super) fn put(
    connection: &Connection,
    pk: &str,
    sk: &str,
    document: &impl Serialize,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO item (pk, sk, document) VALUES (?1, ?2, ?3)
             ON CONFLICT (pk, sk) DO UPDATE SET document = excluded.document",
        )?
        .execute([pk, sk, &json(document)?])
        .map(drop)
}

/// Removes a document; false where there was none.
pub(super) fn remove(connection: &Connection, pk: &str, sk: &str) -> rusqlite::Result<bool> {
    let removed =
        connection.prepare_cached("DELETE FROM item WHERE pk = ?1 AND sk = ?2")?.execute([pk, sk])?;
    Ok(removed > 0)
}

/// The documents of one partition whose sort key begins with `prefix`, in its order. `prefix` ends with `#`; `$` is the
/// character behind it.
pub(super) fn list<T: DeserializeOwned>(
    connection: &Connection,
    pk: &str,
    prefix: &str,
) -> rusqlite::Result<Vec<T>> {
    let end = format!("{}$", prefix.trim_end_matches('#'));
    connection
        .prepare_cached("SELECT document FROM item WHERE pk = ?1 AND sk >= ?2 AND sk < ?3 ORDER BY sk")?
        .query_map([pk, prefix, &end], |row| row.get(0).map(|Json(document)| document))?
        .collect()
}

/// Several statements as one step: no other process writes between them.
pub(super) fn atomically<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&change)?;
    change.commit()?;
    Ok(value)
}

/// One transaction that is on the disk when this returns. Usage may lose its last sums in a power cut; a key that was
/// shown, or one that was revoked, may not come undone.
pub(super) fn durably<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let outcome = atomically(connection, work);
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    outcome
}
