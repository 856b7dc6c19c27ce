//! Reports and orders: two writers of one item, which never touch each other's part.

use rusqlite::{Connection, OptionalExtension, params};

use super::items::{Json, json};
use crate::report::{EXPIRES_AFTER, NodeRecord, Order, ReportAnswer, is_current};
use crate::store::quota::signed;

const WRITE: &str = "INSERT INTO item (pk, sk, document, expires_at)
    VALUES (?1, ?2, json_object('report', json(?3), 'written_at', ?4), ?5)
    ON CONFLICT (pk, sk) DO UPDATE SET expires_at = ?5,
        document = json_set(document, '$.report', json(?3), '$.written_at', ?4)
    RETURNING document";

const ORDER: &str = "UPDATE item
    SET document = json_set(document, '$.order', json(?3), '$.order_seq', ?4, '$.order_until', ?5)
    WHERE pk = ?1 AND sk = ?2 AND coalesce(document ->> '$.order_seq', 0) <= ?4";

/// Writes a report and gives the order beside it.
pub(super) fn write(
    connection: &Connection,
    pk: &str,
    sk: &str,
    report: &str,
    now: i64,
) -> rusqlite::Result<ReportAnswer> {
    let answer = connection
        .prepare_cached(WRITE)?
        .query_row(params![pk, sk, report, now, now + EXPIRES_AFTER], |row| row.get(0))
        .map(|Json(answer)| answer)?;
    sweep(connection, now)?;
    Ok(answer)
}

/// The reports that still count. One that this version cannot read is as good as none: its node is unknown, and what is
/// unknown counts as busy.
pub(super) fn current(connection: &Connection, pk: &str, now: i64) -> rusqlite::Result<Vec<NodeRecord>> {
    let rows: Vec<(String, String)> = connection
        .prepare_cached(
            "SELECT sk, document FROM item
             WHERE pk = ?1 AND sk >= 'NODE#' AND sk < 'NODE$' AND expires_at > ?2 ORDER BY sk",
        )?
        .query_map(params![pk, now], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut records: Vec<NodeRecord> = Vec::with_capacity(rows.len());
    for (node, document) in rows {
        match serde_json::from_str(&document) {
            Ok(record) => records.push(record),
            Err(error) => tracing::warn!(node, %error, "a report cannot be read"),
        }
    }
    records.retain(|record| is_current(record.written_at, now));
    Ok(records)
}

/// Writes an order beside a report; false where there is none, or a later order.
pub(super) fn order(connection: &Connection, pk: &str, sk: &str, order: &Order) -> rusqlite::Result<bool> {
    let values = params![pk, sk, json(&order.kind)?, signed(order.seq), order.until];
    Ok(connection.prepare_cached(ORDER)?.execute(values)? > 0)
}

/// Throws away what has expired, as DynamoDB does by itself. A few at a time: nobody's report waits long for it.
pub(super) fn sweep(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    let expired: Option<i64> = connection
        .prepare_cached("SELECT expires_at FROM item WHERE expires_at < ?1 LIMIT 1")?
        .query_row([now], |row| row.get(0))
        .optional()?;
    if expired.is_some() {
        connection
            .prepare_cached(
                "DELETE FROM item WHERE (pk, sk) IN (SELECT pk, sk FROM item WHERE expires_at < ?1 LIMIT 100)",
            )?
            .execute([now])?;
    }
    Ok(())
}
