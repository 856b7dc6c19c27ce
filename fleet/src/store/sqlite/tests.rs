//! What is true of the file, beyond the contract.

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use rusqlite::Connection;

use super::*;
use crate::store::{AuditEntry, MOST_DAYS_OF_USE, OversightStore, Phase, contract, is_intact};

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

#[tokio::test]
async fn a_file_of_the_first_version_keeps_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "CREATE TABLE item (pk TEXT NOT NULL, sk TEXT NOT NULL, document TEXT NOT NULL CHECK (json_valid(document)),
            PRIMARY KEY (pk, sk)) STRICT, WITHOUT ROWID;
         INSERT INTO item VALUES ('USER#old', 'USAGE#2026-01-01', '{\"requests\":3}');
         PRAGMA user_version = 1",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.usage("old", "2026-01-01").await.unwrap().requests, 3);
    assert!(matches!(store.reserve("old", 1, 1, 1, 1, 1).await, Ok(Reservation::Reserved(_))));
}

#[tokio::test]
async fn nobody_changes_the_audit_log_past_us() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let store = SqliteStore::open(&path).unwrap();
    let entry = AuditEntry { action: "view".to_owned(), ..AuditEntry::default() };
    let first = store.append_audit("f", &entry).await.unwrap();
    store.append_audit("f", &entry).await.unwrap();
    let file = Connection::open(&path).unwrap();
    for change in [
        "UPDATE audit SET document = '{}'",
        "UPDATE audit SET number = 9 WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
        "INSERT OR REPLACE INTO audit VALUES ('f', 1, '{}')",
        "INSERT INTO audit VALUES ('f', 1, '{}') ON CONFLICT DO UPDATE SET document = '{}'",
    ] {
        let refused = file.execute(change, []).unwrap_err().to_string();
        assert!(refused.contains("the audit log is never"), "{change}: {refused}");
    }
    let log = store.audit("f", None, 9).await.unwrap();
    assert!(log.len() == 2 && log[1] == first && is_intact(&log));
}

#[tokio::test]
async fn a_list_of_conversations_reads_no_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    drop(SqliteStore::open(&path).unwrap());
    let plan = |query: &str| -> String {
        let file = Connection::open(&path).unwrap();
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>("detail")).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let heads =
        plan("SELECT document FROM conversation WHERE principal = 'p' ORDER BY updated DESC, id DESC");
    assert!(heads.contains("conversation_updated") && !heads.contains("TEMP B-TREE"), "{heads}");
    let page = plan(
        "SELECT document FROM message WHERE principal = 'p' AND id = 'c' AND message < 9 ORDER BY message DESC",
    );
    assert!(page.contains("principal=? AND id=? AND message<?") && !page.contains("TEMP B-TREE"), "{page}");
}

#[tokio::test]
async fn what_has_expired_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let store = SqliteStore::open(&path).unwrap();
    let items = || {
        let count = "SELECT count(*) FROM item";
        Connection::open(&path).unwrap().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    for minute in 0..10 {
        store.reserve("somebody", minute, 1, 1, 9, 9).await.unwrap();
    }
    store.write_report("f", &Report { node: "gone".to_owned(), ..Report::default() }, 0).await.unwrap();
    assert_eq!(items(), 11);
    store.write_report("f", &Report { node: "here".to_owned(), ..Report::default() }, 100_000).await.unwrap();
    assert_eq!(items(), 1);
}

const FILE: &str = "FLEET_TEST_FILE";

/// The other process of the test below: this program again, told to run this test and nothing else.
#[tokio::test]
#[ignore = "run by `processes_share_a_file` in a process of its own"]
async fn another_process() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store = SqliteStore::open(Path::new(&path)).unwrap();
    let one = Usage { requests: 1, ..Usage::default() };
    let mut reserved = Usage::default();
    for _ in 0..100 {
        store.add_usage("all", "2026-01-01", &one).await.unwrap();
        let reservation = store.reserve("all", 1, 10, 1, 1500, 1000).await.unwrap();
        reserved.requests += u64::from(matches!(reservation, Reservation::Reserved(_)));
    }
    store.add_usage("reserved", "2026-01-01", &reserved).await.unwrap();
    let asleep = FleetState::default();
    let woken = store.change_state("f", &asleep, &asleep.moved_to(Phase::Waking, 1)).await.unwrap();
    if matches!(woken, Change::Made(_)) {
        store.add_usage("woken", "2026-01-01", &one).await.unwrap();
    }
}

#[tokio::test]
async fn processes_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let processes: Vec<_> = (0..4)
        .map(|_| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "store::sqlite::tests::another_process"])
                .env(FILE, &path)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let store = SqliteStore::open(&path).unwrap();
    let count = async |who| store.usage(who, "2026-01-01").await.unwrap().requests;
    assert_eq!(count("all").await, 400, "every sum counts");
    assert_eq!(count("reserved").await, 150, "the limit, exactly");
    assert_eq!(count("woken").await, 1, "one wake");
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

#[tokio::test]
async fn more_use_than_may_be_given_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let store = SqliteStore::open(&path).unwrap();
    let rows = |from: u64, to: u64| {
        let insert = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
            INSERT INTO item (pk, sk, document) SELECT 'USER#' || i, 'USAGE#2026-01-01', '{\"requests\":1}' FROM n";
        Connection::open(&path).unwrap().execute(insert, [from as i64, to as i64]).unwrap();
    };
    let most = MOST_DAYS_OF_USE as u64;
    rows(1, most);
    assert_eq!(store.usage_since("2026-01-01").await.unwrap().len(), MOST_DAYS_OF_USE);
    rows(most + 1, most + 1);
    assert!(matches!(store.usage_since("2026-01-01").await, Err(StoreError::TooMuch(_))));
}
