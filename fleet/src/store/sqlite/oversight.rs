//! People, the audit log, codes and chores. Triggers of the file itself keep the log from change.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::items::{Json, durably, json};
use crate::store::quota::signed;
use crate::store::{AuditEntry, LinkCode, OversightStore, Person, StoreError};

const SAW: &str = "INSERT INTO person (principal, seen) VALUES (?1, ?2)
    ON CONFLICT (principal) DO UPDATE SET seen = max(seen, excluded.seen)";

const CLAIM: &str = "INSERT INTO chore (fleet, name, until) VALUES (?1, ?2, ?4)
    ON CONFLICT (fleet, name) DO UPDATE SET until = excluded.until WHERE until <= ?3";

const PUT_CODE: &str = "INSERT INTO link_code (hash, expires, document) VALUES (?1, ?2, ?3)
    ON CONFLICT (hash) DO UPDATE SET expires = excluded.expires, document = excluded.document";

#[async_trait]
impl OversightStore for SqliteStore {
    async fn saw_person(&self, person: &Person) -> Result<(), StoreError> {
        let person = person.clone();
        let saw = move |file: &mut Connection| {
            file.prepare_cached(SAW)?.execute(params![person.principal, person.seen]).map(drop)
        };
        self.writer.call(saw).await
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.reader.call(|file| people(file)).await
    }

    async fn append_audit(&self, fleet: &str, entry: &AuditEntry) -> Result<AuditEntry, StoreError> {
        let (fleet, entry) = (fleet.to_owned(), entry.clone());
        self.writer.call(move |file| append(file, &fleet, &entry)).await
    }

    async fn audit(
        &self,
        fleet: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (fleet, before) = (fleet.to_owned(), before.map_or(i64::MAX, signed));
        self.reader.call(move |file| audit(file, &fleet, before, most)).await
    }

    async fn put_link_code(&self, code: &LinkCode) -> Result<(), StoreError> {
        let code = code.clone();
        let put = move |file: &mut Connection| {
            let values = params![code.hash, code.expires, json(&code)?];
            durably(file, |change| change.execute(PUT_CODE, values).map(drop))
        };
        self.writer.call(put).await
    }

    async fn take_link_code(&self, hash: &str, now: i64) -> Result<Option<LinkCode>, StoreError> {
        let hash = hash.to_owned();
        self.writer.call(move |file| take_code(file, &hash, now)).await
    }

    async fn claim_chore(&self, fleet: &str, chore: &str, now: i64, until: i64) -> Result<bool, StoreError> {
        let (fleet, chore) = (fleet.to_owned(), chore.to_owned());
        let claim = move |file: &mut Connection| {
            file.prepare_cached(CLAIM)?.execute(params![fleet, chore, now, until])
        };
        Ok(self.writer.call(claim).await? > 0)
    }
}

fn people(connection: &Connection) -> rusqlite::Result<Vec<Person>> {
    connection
        .prepare_cached("SELECT principal, seen FROM person ORDER BY principal")?
        .query_map([], |row| Ok(Person { principal: row.get(0)?, seen: row.get(1)? }))?
        .collect()
}

/// On the disk before this returns: what an administrator then sees is in the log even after a power cut.
fn append(connection: &mut Connection, fleet: &str, entry: &AuditEntry) -> rusqlite::Result<AuditEntry> {
    durably(connection, |change| {
        let last = audit(change, fleet, i64::MAX, 1)?;
        let entry = entry.behind(last.first());
        change
            .prepare_cached("INSERT INTO audit (fleet, number, document) VALUES (?1, ?2, ?3)")?
            .execute(params![fleet, signed(entry.number), json(&entry)?])?;
        Ok(entry)
    })
}

fn audit(
    connection: &Connection,
    fleet: &str,
    before: i64,
    most: usize,
) -> rusqlite::Result<Vec<AuditEntry>> {
    connection
        .prepare_cached(
            "SELECT document FROM audit WHERE fleet = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
        )?
        .query_map(params![fleet, before, signed(most as u64)], |row| row.get(0).map(|Json(entry)| entry))?
        .collect()
}

/// Takes a code out, and all that are over with it.
fn take_code(connection: &mut Connection, hash: &str, now: i64) -> rusqlite::Result<Option<LinkCode>> {
    durably(connection, |change| {
        change.execute("DELETE FROM link_code WHERE expires <= ?1", [now])?;
        change
            .query_row("DELETE FROM link_code WHERE hash = ?1 RETURNING document", [hash], |row| {
                row.get(0).map(|Json(code)| code)
            })
            .optional()
    })
}
