//! Who is shut out, and the windows of tokens and requests.

use rusqlite::{Connection, OptionalExtension, params};

use super::items::{Json, get};
use super::nodes::sweep;
use crate::store::quota::{signed, window_expires_at};
use crate::store::{Denial, Reservation, Window};

// One statement: the condition and the sums cannot be parted.
const RESERVE: &str = "INSERT INTO item (pk, sk, document, expires_at)
    VALUES (?1, ?2, json_object('tokens', ?3, 'requests', ?4), ?5)
    ON CONFLICT (pk, sk) DO UPDATE SET document = json_set(document,
        '$.tokens', (document ->> '$.tokens') + ?3, '$.requests', (document ->> '$.requests') + ?4)
    WHERE (document ->> '$.tokens') <= ?6 AND (document ->> '$.requests') <= ?7
    RETURNING document";

const SETTLE: &str =
    "UPDATE item SET document = json_set(document, '$.tokens', (document ->> '$.tokens') + ?3)
    WHERE pk = ?1 AND sk = ?2";

pub(super) fn denials(connection: &Connection) -> rusqlite::Result<Vec<Denial>> {
    connection
        .prepare_cached(
            "SELECT document FROM item WHERE pk >= 'DENY#' AND pk < 'DENY$' AND sk = 'DENY' ORDER BY pk",
        )?
        .query_map([], |row| row.get(0).map(|Json(denial)| denial))?
        .collect()
}

/// Claims tokens and requests if no more than `room` of them is taken; never, where that is `None`.
pub(super) fn reserve(
    connection: &Connection,
    pk: &str,
    minute: i64,
    [tokens, requests]: [u64; 2],
    room: Option<(i64, i64)>,
) -> rusqlite::Result<Reservation> {
    let sk = place(minute);
    if let Some((token_room, request_room)) = room {
        let expires_at = window_expires_at(minute);
        let values = params![pk, sk, signed(tokens), signed(requests), expires_at, token_room, request_room];
        let reserved: Option<Json<Window>> =
            connection.prepare_cached(RESERVE)?.query_row(values, |row| row.get(0)).optional()?;
        if let Some(Json(window)) = reserved {
            sweep(connection, minute.saturating_mul(60))?;
            return Ok(Reservation::Reserved(window));
        }
    }
    Ok(Reservation::Refused(get(connection, pk, &sk)?.unwrap_or_default()))
}

pub(super) fn settle(connection: &Connection, pk: &str, minute: i64, delta: i64) -> rusqlite::Result<()> {
    connection.prepare_cached(SETTLE)?.execute(params![pk, place(minute), delta]).map(drop)
}

fn place(minute: i64) -> String {
    format!("WINDOW#{minute}")
}
