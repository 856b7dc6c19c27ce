//! Which keys are believed, and what is kept of them.

use std::sync::Mutex;

use async_trait::async_trait;
use fleet::store::{ConversationStore, OversightStore, SqliteStore, Usage};

use super::*;

const NOW: i64 = 1_800_000_000;

fn store() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("fleet.db")).unwrap();
    (folder, Arc::new(store))
}

async fn check(keys: &ApiKeys, secret: &str, now: i64) -> Result<String, &'static str> {
    match keys.check(secret, now as f64).await {
        Ok(record) => Ok(record.owner.clone()),
        Err(refusal) => Err(refusal.label()),
    }
}

#[tokio::test]
async fn a_key_is_good_until_its_end() {
    let (_folder, store) = store();
    let (secret, record) =
        create(&*store, "nightly", vec!["batch".to_owned()], NOW, Some(NOW + 60)).await.unwrap();
    assert!(looks_like_one(&secret) && secret.len() == PREFIX.len() + 43);
    assert_eq!(record.roles, ["batch"]);
    let keys = ApiKeys::new(store);
    assert_eq!(check(&keys, &secret, NOW).await, Ok("nightly".to_owned()));
    assert_eq!(check(&keys, &secret, NOW + 59).await, Ok("nightly".to_owned()));
    assert_eq!(check(&keys, &secret, NOW + 60).await, Err("key_expired"));
}

#[tokio::test]
async fn what_was_never_made_is_refused() {
    let (_folder, store) = store();
    let (secret, _) = create(&*store, "nightly", vec![], NOW, None).await.unwrap();
    let (other, _) = create(&*store, "nightly", vec![], NOW, None).await.unwrap();
    assert_ne!(secret, other);
    let keys = ApiKeys::new(store);
    let unknown = format!("{PREFIX}{}", "A".repeat(43));
    assert_eq!(check(&keys, &unknown, NOW).await, Err("key_unknown"));
    for text in [
        PREFIX.to_owned(),
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}A"),
        format!("{secret}="),
        secret.replace(PREFIX, "OLLM_"),
        secret.replace(PREFIX, ""),
        format!("{PREFIX}{}", "!".repeat(43)),
    ] {
        assert_eq!(check(&keys, &text, NOW).await, Err("key_malformed"), "{text}");
    }
}

#[tokio::test]
async fn the_file_never_holds_a_key() {
    let (folder, store) = store();
    let (secret, record) = create(&*store, "nightly", vec![], NOW, None).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none());
        assert!(memchr::memmem::find(&bytes, &secret.as_bytes()[PREFIX.len()..]).is_none());
    }
    let wal = std::fs::read(folder.path().join("fleet.db-wal")).unwrap();
    assert!(memchr::memmem::find(&wal, record.hash.to_string().as_bytes()).is_some());
}

/// Holds one record, counts who asks, and can break, hang or lie.
#[derive(Debug, Default)]
struct Scripted {
    record: Mutex<Option<KeyRecord>>,
    broken: Mutex<Option<StoreError>>,
    hangs: Mutex<bool>,
    asked: Mutex<usize>,
}

impl ConversationStore for Scripted {}
impl OversightStore for Scripted {}

#[async_trait]
impl Store for Scripted {
    async fn put_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        *self.record.lock().unwrap() = Some(key.clone());
        Ok(())
    }

    async fn key(&self, _: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        *self.asked.lock().unwrap() += 1;
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        match self.broken.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(self.record.lock().unwrap().clone()),
        }
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn revoke_key(&self, _: &str) -> Result<bool, StoreError> {
        *self.record.lock().unwrap().as_mut().map(|record| &mut record.disabled).unwrap() = true;
        Ok(true)
    }

    async fn add_usage(&self, _: &str, _: &str, _: &Usage) -> Result<(), StoreError> {
        Ok(())
    }

    async fn usage(&self, _: &str, _: &str) -> Result<Usage, StoreError> {
        Ok(Usage::default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_out_within_five_seconds() {
    let store = Arc::new(Scripted::default());
    let (secret, _) = create(&*store, "nightly", vec![], NOW, None).await.unwrap();
    let keys = ApiKeys::new(Arc::clone(&store) as Arc<dyn Store>);
    for _ in 0..100 {
        check(&keys, &secret, NOW).await.unwrap();
    }
    assert_eq!(*store.asked.lock().unwrap(), 1, "remembered");
    store.revoke_key("").await.unwrap();
    tokio::time::sleep(Duration::from_millis(4900)).await;
    assert!(check(&keys, &secret, NOW).await.is_ok());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(check(&keys, &secret, NOW).await, Err("key_revoked"));
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_down_keys_are_neither_good_nor_bad() {
    let store = Arc::new(Scripted::default());
    let (secret, _) = create(&*store, "nightly", vec![], NOW, None).await.unwrap();
    let keys = ApiKeys::new(Arc::clone(&store) as Arc<dyn Store>);
    *store.broken.lock().unwrap() = Some(StoreError::Unavailable("disk".to_owned()));
    let refusal = keys.check(&secret, NOW as f64).await.unwrap_err();
    assert_eq!(refusal.status(), 503);
    *store.broken.lock().unwrap() = None;
    *store.hangs.lock().unwrap() = true;
    let begun = Instant::now();
    let refusal = keys.check(&secret, NOW as f64).await.unwrap_err();
    assert_eq!(refusal.status(), 503);
    assert!(begun.elapsed() <= STORE_WAIT);
    *store.hangs.lock().unwrap() = false;
    assert!(check(&keys, &secret, NOW).await.is_ok());
}

#[tokio::test]
async fn a_store_that_gives_another_key_is_not_believed() {
    let store = Arc::new(Scripted::default());
    create(&*store, "somebody else", vec![], NOW, None).await.unwrap();
    let keys = ApiKeys::new(store);
    let other = format!("{PREFIX}{}", "A".repeat(43));
    assert_eq!(check(&keys, &other, NOW).await, Err("key_unknown"));
}
