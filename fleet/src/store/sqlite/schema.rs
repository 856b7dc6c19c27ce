//! The file: who may read it, how it is opened, and the steps that bring an old one up to date.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::worker::fault;
use crate::store::StoreError;

/// How long a call waits while another process writes. Their writes take milliseconds; 5 s is a hung disk.
const BUSY: Duration = Duration::from_secs(5);

/// Step n brings a file of version n to version n + 1. Steps are added, never changed.
const STEPS: &[&str] = &[
    "CREATE TABLE item (
        pk TEXT NOT NULL,
        sk TEXT NOT NULL,
        document TEXT NOT NULL CHECK (json_valid(document)),
        PRIMARY KEY (pk, sk)
    ) STRICT, WITHOUT ROWID",
    "ALTER TABLE item ADD COLUMN expires_at INTEGER;
    CREATE INDEX item_expires_at ON item (expires_at) WHERE expires_at IS NOT NULL",
    CONVERSATIONS,
    OVERSIGHT,
];

/// Heads apart from messages, so that a list reads no messages; and messages in a table with row ids, since a document may
/// have megabytes.
const CONVERSATIONS: &str = "CREATE TABLE conversation (
        principal TEXT NOT NULL,
        id TEXT NOT NULL,
        updated INTEGER NOT NULL,
        document TEXT NOT NULL CHECK (json_valid(document)),
        PRIMARY KEY (principal, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conversation_updated ON conversation (principal, updated);
    CREATE TABLE message (
        principal TEXT NOT NULL,
        id TEXT NOT NULL,
        message INTEGER NOT NULL,
        document TEXT NOT NULL CHECK (json_valid(document)),
        PRIMARY KEY (principal, id, message)
    ) STRICT;
    CREATE TABLE pen (
        principal TEXT NOT NULL,
        id TEXT NOT NULL,
        holder TEXT NOT NULL,
        until INTEGER NOT NULL,
        stop INTEGER NOT NULL,
        PRIMARY KEY (principal, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX pen_until ON pen (until)";

/// The third trigger stops `INSERT OR REPLACE`, whose deletion fires no trigger.
const OVERSIGHT: &str =
    "CREATE TABLE person (principal TEXT PRIMARY KEY, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE audit (
        fleet TEXT NOT NULL,
        number INTEGER NOT NULL,
        document TEXT NOT NULL CHECK (json_valid(document)),
        PRIMARY KEY (fleet, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
    CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
        BEGIN SELECT raise(ABORT, 'the audit log is never cut'); END;
    CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE fleet = NEW.fleet AND number = NEW.number)
        BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
    CREATE TABLE link_code (
        hash TEXT PRIMARY KEY,
        expires INTEGER NOT NULL,
        document TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE chore (
        fleet TEXT NOT NULL,
        name TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (fleet, name)
    ) STRICT, WITHOUT ROWID";

/// A connection to an up-to-date file.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    keep_private(path).map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
    let mut connection = Connection::open(path).map_err(fault)?;
    prepare(&connection).map_err(fault)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Only our user may read the file; SQLite gives its `-wal` and `-shm` the same mode.
fn keep_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let version: usize =
        begun.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map_err(fault)? as usize;
    let Some(missing) = STEPS.get(version..) else {
        return Err(StoreError::Unreadable(format!(
            "the file has version {version}, this program knows {}; use the newer program",
            STEPS.len()
        )));
    };
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        begun.execute_batch(step).map_err(fault)?;
    }
    begun.pragma_update(None, "user_version", STEPS.len() as u32).map_err(fault)?;
    begun.commit().map_err(fault)
}
