//! The deny list: who is shut out at once, whatever credential they still hold. Tokens outlive a dismissal.
//!
//! Read from the store every five seconds, so that a denial is in force everywhere within ten. While the store is down
//! the last list stands: who was shut out stays out, and nobody is let in or shut out anew. A gateway that starts
//! while the store is down has no list yet and refuses nobody by it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fleet::store::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Principal;

/// Half of what is promised: the other half is for a slow store and for streams to be ended.
const READ_EVERY: Duration = Duration::from_secs(5);
/// Longest read.
const READ: Duration = Duration::from_secs(3);

/// Who is shut out, as last read. One list a process.
pub struct Denials {
    store: Arc<dyn Store>,
    list: watch::Sender<HashSet<String>>,
}

impl Denials {
    /// Nobody yet; does no I/O.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, list: watch::Sender::default() }
    }

    /// Is this principal shut out?
    pub fn denies(&self, principal: &Principal) -> bool {
        let list = self.list.borrow();
        !list.is_empty() && list.contains(principal.as_str())
    }

    /// Returns when this principal is shut out: at once, or once a later list says so.
    pub async fn shut_out(&self, principal: &Principal) {
        let shut_out = |list: &HashSet<String>| list.contains(principal.as_str());
        if self.list.subscribe().wait_for(shut_out).await.is_err() {
            std::future::pending().await // the list is gone with the gateway, and nobody is shut out any more
        }
    }

    /// Reads the list for ever.
    pub async fn keep_fresh(&self) {
        let mut failing = false;
        loop {
            let read = self.read().await;
            match &read {
                Err(error) if !failing => {
                    tracing::warn!(%error, "the deny list cannot be read; the last one stands")
                }
                Ok(()) if failing => tracing::info!("the deny list can be read again"),
                _ => {}
            }
            failing = read.is_err();
            sleep(READ_EVERY).await;
        }
    }

    async fn read(&self) -> Result<(), StoreError> {
        let late = |_| Err(StoreError::Unavailable(format!("no answer in {} s", READ.as_secs())));
        let denials = timeout(READ, self.store.denials()).await.unwrap_or_else(late)?;
        let new: HashSet<_> = denials.into_iter().map(|denial| denial.principal).collect();
        self.list.send_if_modified(|list| {
            let changed = *list != new;
            *list = new;
            changed
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fleet::store::{ConversationStore, Denial, OversightStore, SqliteStore};

    use super::*;

    fn denial(principal: &Principal) -> Denial {
        Denial { principal: principal.as_str().to_owned(), ..Denial::default() }
    }

    #[tokio::test]
    async fn the_list_is_what_was_last_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("fleet.db")).unwrap());
        let denials = Denials::new(store.clone());
        let (alice, bob) = (Principal::of_token("https://issuer", "alice"), Principal::of_key("bob"));
        denials.read().await.unwrap();
        assert!(!denials.denies(&alice) && !denials.denies(&bob));

        store.deny(&denial(&alice)).await.unwrap();
        assert!(!denials.denies(&alice), "not before it was read");
        let (read, ()) = tokio::join!(denials.read(), denials.shut_out(&alice));
        read.unwrap();
        assert!(denials.denies(&alice) && !denials.denies(&bob));
        let waits = timeout(Duration::from_millis(20), denials.shut_out(&bob)).await;
        assert!(waits.is_err(), "another's denial ends nobody");

        assert!(store.allow(alice.as_str()).await.unwrap());
        denials.read().await.unwrap();
        assert!(!denials.denies(&alice));
    }

    #[derive(Debug)]
    struct Silent;

    impl ConversationStore for Silent {}
    impl OversightStore for Silent {}

    #[async_trait::async_trait]
    impl Store for Silent {
        async fn put_key(&self, _: &fleet::store::KeyRecord) -> Result<(), StoreError> {
            Ok(())
        }
        async fn key(
            &self,
            _: &fleet::store::KeyHash,
        ) -> Result<Option<fleet::store::KeyRecord>, StoreError> {
            Ok(None)
        }
        async fn keys(&self) -> Result<Vec<fleet::store::KeyRecord>, StoreError> {
            Ok(Vec::new())
        }
        async fn revoke_key(&self, _: &str) -> Result<bool, StoreError> {
            Ok(false)
        }
        async fn add_usage(&self, _: &str, _: &str, _: &fleet::store::Usage) -> Result<(), StoreError> {
            Ok(())
        }
        async fn usage(&self, _: &str, _: &str) -> Result<fleet::store::Usage, StoreError> {
            Ok(fleet::store::Usage::default())
        }
        async fn denials(&self) -> Result<Vec<Denial>, StoreError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_stalls_leaves_the_last_list() {
        let denials = Denials::new(Arc::new(Silent));
        let alice = Principal::of_key("alice");
        denials.list.send_modify(|list| _ = list.insert(alice.as_str().to_owned()));
        let read = timeout(READ * 2, denials.read()).await.expect("a read is bounded");
        assert!(read.is_err() && denials.denies(&alice));
    }
}
