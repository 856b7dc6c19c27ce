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
];

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
