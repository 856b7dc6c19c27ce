//! Translated files until they are fetched: in memory, for some minutes, for who had them made and nobody else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::config::settings::Translate;
use crate::identity::Principal;

/// A translated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Its name.
    pub name: String,
    /// Its `Content-Type`.
    pub kind: &'static str,
    /// What is in it.
    pub bytes: Bytes,
}

struct Entry {
    id: String,
    owner: Principal,
    file: KeptFile,
    until: Instant,
}

/// The files of one process, bounded in time and bytes.
pub struct Kept {
    files: Mutex<VecDeque<Entry>>,
    keep: Duration,
    most: usize,
}

impl Kept {
    /// Keeps nothing yet.
    pub fn new(settings: &Translate) -> Self {
        Self { files: Mutex::default(), keep: settings.keep_seconds, most: settings.keep_bytes }
    }

    /// Keeps a file; the id by which its owner gets it. The oldest go where there is no room.
    pub fn put(&self, owner: &Principal, file: KeptFile) -> String {
        let id = format!("{:032x}", fastrand::u128(..));
        let mut files = self.files();
        files.push_back(Entry {
            id: id.clone(),
            owner: owner.clone(),
            file,
            until: Instant::now() + self.keep,
        });
        let mut bytes: usize = files.iter().map(|entry| entry.file.bytes.len()).sum();
        while bytes > self.most
            && files.len() > 1
            && let Some(oldest) = files.pop_front()
        {
            bytes -= oldest.file.bytes.len();
        }
        id
    }

    /// The owner's file of this id, as often as they like while it is kept.
    pub fn get(&self, owner: &Principal, id: &str) -> Option<KeptFile> {
        let now = Instant::now();
        let files = self.files();
        let found = files.iter().find(|entry| entry.id == id && entry.owner == *owner && now < entry.until);
        found.map(|entry| entry.file.clone())
    }

    /// Forgets what is over its time.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.files().retain(|entry| now < entry.until);
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: usize) -> KeptFile {
        KeptFile { name: "a.txt".to_owned(), kind: "text/plain", bytes: vec![1; bytes].into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_its_owners_for_its_time() {
        let kept = Kept::new(&Translate { keep_bytes: 100, ..Translate::default() });
        let (alice, bob) = (Principal::of_key("alice"), Principal::of_key("bob"));
        let id = kept.put(&alice, file(10));
        assert_eq!(kept.get(&alice, &id), Some(file(10)));
        assert_eq!(kept.get(&bob, &id), None, "nobody else's");
        tokio::time::advance(Duration::from_secs(601)).await;
        assert_eq!(kept.get(&alice, &id), None, "over");
        kept.sweep();
        assert!(kept.files().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_make_room() {
        let kept = Kept::new(&Translate { keep_bytes: 100, ..Translate::default() });
        let alice = Principal::of_key("alice");
        let ids: Vec<_> = [60, 40, 50].map(|size| kept.put(&alice, file(size))).into();
        let there: Vec<_> = ids.iter().map(|id| kept.get(&alice, id).is_some()).collect();
        assert_eq!(there, [false, true, true]);
        let huge = kept.put(&alice, file(500));
        assert!(kept.get(&alice, &huge).is_some(), "the newest is there in any case");
    }
}
