//! What is true of the file, beyond the contract.

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use rusqlite::Connection;

use super::*;
use crate::store::contract;

#[tokio::test]
async fn it_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    contract::check(|| SqliteStore::open(&path).unwrap(), contract::Race(1000)).await;
}

#[tokio::test]
async fn only_its_user_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    store.add_usage("somebody", "2026-01-01", &Usage::default()).await.unwrap();
    for file in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        let mode = folder.path().join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn many_may_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let together = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                together.wait();
                SqliteStore::open(&path).unwrap();
            });
        }
    });
}

#[test]
fn a_newer_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable(text) if text.contains("99")), "{error}");
}

#[test]
fn what_is_no_database_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    std::fs::write(&path, "not a database, but long enough to be taken for one".repeat(99)).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Unreadable(_))));
    let missing = folder.path().join("no/such/folder.db");
    assert!(matches!(SqliteStore::open(&missing), Err(StoreError::Unavailable(_))));
}
