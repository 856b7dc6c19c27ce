//! Whatever the order of messages, stops, moves, closes, cuts and crashes: each message is seen once, in order.

use std::sync::Arc;

use fastrand::Rng;

use super::faulty::{Crash, Faulty, Script};
use super::*;

/// Random lives of a conversation, and what happens in each.
const LIVES: u64 = 24;
const DEEDS: usize = 60;

/// What somebody does next.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// A message, whole or stopped.
    Say(Ending),
    /// Moves all but so many to the archive; closing keeps none.
    Settle(usize),
    /// An edit: the message at this place and all behind it go.
    Cut(usize),
}

fn deed(random: &mut Rng, messages: usize) -> Deed {
    match random.u8(..10) {
        0..5 => Deed::Say(if random.bool() { Ending::Whole } else { Ending::Stopped }),
        5..7 => Deed::Settle(random.usize(..8)),
        7 => Deed::Settle(0),
        _ => Deed::Cut(random.usize(..=messages)),
    }
}

/// A conversation under test, seen by two processes with a memory of their own.
struct Life {
    store: Faulty<SqliteStore>,
    script: Arc<Script>,
    archives: [Archive; 2],
    /// What must be seen.
    expected: Vec<Message>,
    /// Messages ever said: their numbers are never given twice.
    said: u64,
}

impl Life {
    async fn begin<S: Shelf + 'static>(folder: &Path, shelf: impl Fn() -> S) -> Self {
        let script = Arc::new(Script::default());
        let (inner, _) = begin(folder, 0).await;
        let store = Faulty { inner, script: script.clone() };
        let archive = || over(Faulty { inner: shelf(), script: script.clone() });
        let archives = [archive(), archive()];
        Self { store, script, archives, expected: Vec::new(), said: 0 }
    }

    /// Does it; what may be seen afterwards if it came to its end, and if it did not.
    async fn act(
        &mut self,
        by: usize,
        deed: Deed,
    ) -> (Result<(), ArchiveError>, Vec<Message>, Vec<Vec<Message>>) {
        let before = self.expected.clone();
        let archive = &self.archives[by];
        match deed {
            Deed::Say(state) => {
                let message = Message { state, ..said(self.said) };
                self.said += 1;
                let after: Vec<Message> = before.iter().cloned().chain([message.clone()]).collect();
                let done = say(&self.store, &message).await;
                (done, after.clone(), vec![before, after])
            }
            Deed::Settle(keep) => {
                let done = async {
                    let head = self.store.conversation(PRINCIPAL, "c").await?.unwrap();
                    archive.settle(&self.store, &head, keep).await.map(drop)
                };
                (done.await, before.clone(), vec![before])
            }
            Deed::Cut(at) => {
                let from = before.get(at).map_or(MessageId(FIRST + self.said), |message| message.id);
                let done = async {
                    let head = self.store.conversation(PRINCIPAL, "c").await?.unwrap();
                    archive.truncate(&self.store, &head, from).await.map(drop)
                };
                let beginnings = (at..=before.len()).map(|end| before[..end].to_vec()).collect();
                (done.await, before[..at].to_vec(), beginnings)
            }
        }
    }

    /// What is seen by one of the processes, whole and in pages.
    async fn see(&self, by: usize, random: &mut Rng) -> Vec<Message> {
        let head = head(&self.store.inner).await;
        let whole = self.archives[by].whole(&self.store, &head).await.unwrap();
        for _ in 0..3 {
            let (end, most) = (random.usize(..=whole.len()), random.usize(..12));
            let before = whole.get(end).map(|message| message.id);
            let page = self.archives[by].page(&self.store, &head, before, most).await.unwrap();
            assert_eq!(page, whole[end.saturating_sub(most)..end], "a page of {most} before {before:?}");
        }
        whole
    }
}

async fn say(store: &Faulty<SqliteStore>, message: &Message) -> Result<(), ArchiveError> {
    store.write_message(PRINCIPAL, "c", message).await?;
    let head = store.conversation(PRINCIPAL, "c").await?.unwrap();
    let counted = Conversation { messages: head.messages + 1, ..head.clone() };
    store.change_conversation(&head, &counted).await?;
    Ok(())
}

pub(super) async fn live<S: Shelf + 'static>(seed: u64, deeds: usize, folder: &Path, shelf: impl Fn() -> S) {
    let mut random = Rng::with_seed(seed);
    let mut life = Life::begin(folder, shelf).await;
    let mut crashed = 0;
    for at in 0..deeds {
        let (by, deed) = (random.usize(..2), deed(&mut random, life.expected.len()));
        let crash = random.bool().then(|| Crash { after: random.usize(..8), done: random.bool() });
        life.script.take();
        *life.script.crash.lock().unwrap() = crash;
        let (done, after, perhaps) = life.act(by, deed).await;
        *life.script.crash.lock().unwrap() = None;
        let case = format!("seed {seed}, deed {at}: {deed:?}, {crash:?}: {done:?}");
        let seen = [life.see(0, &mut random).await, life.see(1, &mut random).await];
        assert_eq!(seen[0], seen[1], "both see the same; {case}");
        let [seen, _] = seen;
        if done.is_ok() {
            assert_eq!(numbers(&seen), numbers(&after), "{case}");
            assert_eq!(seen, after, "{case}");
        } else {
            crashed += 1;
            assert!(crash.is_some(), "without a crash nothing fails; {case}");
            assert!(perhaps.contains(&seen), "{case}: {:?}", numbers(&seen));
        }
        life.expected = seen;
    }
    assert!(crashed > 0, "a life without crashes shows little: seed {seed}");
    // However it ended: one more move brings the table in order, and a deletion leaves nothing.
    let head = head(&life.store.inner).await;
    let settled = life.archives[0].settle(&life.store, &head, 0).await.unwrap();
    assert_eq!(life.store.inner.messages(PRINCIPAL, "c", None, 999).await.unwrap(), vec![]);
    assert_eq!(life.archives[1].whole(&life.store, &settled).await.unwrap(), life.expected);
    life.archives[1].delete(&life.store, &settled).await.unwrap();
    let (left, _) = life.archives[0].shelf.as_ref().unwrap().get(&Names::of(&settled).json).await.unwrap();
    assert!(left.is_none());
}

#[tokio::test]
async fn each_message_is_seen_once_whatever_happens() {
    for seed in 0..LIVES {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Arc::new(in_memory());
        live(seed, DEEDS, folder.path(), || shelf.clone()).await;
    }
}

#[tokio::test]
async fn and_so_it_is_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = folder.path().join("archive");
    for seed in 1000..1002 {
        let folder = tempfile::tempdir().unwrap();
        live(seed, DEEDS, folder.path(), || Boxed(shelf::open(shelf.to_str().unwrap()).unwrap())).await;
    }
}

/// A shelf as it was opened.
#[derive(Debug)]
struct Boxed(Box<dyn Shelf>);

#[async_trait::async_trait]
impl Shelf for Boxed {
    async fn get(&self, name: &str) -> Result<(Option<bytes::Bytes>, Seen), ArchiveError> {
        self.0.get(name).await
    }

    async fn put(&self, name: &str, bytes: bytes::Bytes, seen: Seen) -> Result<(), ArchiveError> {
        self.0.put(name, bytes, seen).await
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        self.0.delete(name).await
    }
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_brought_to_its_end() {
    for after in 0..3 {
        for done in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let shelf = Arc::new(in_memory());
            let life = Life::begin(folder.path(), || shelf.clone()).await;
            for at in 0..6 {
                say(&life.store, &said(at)).await.unwrap();
            }
            let settled =
                life.archives[0].settle(&life.store, &head(&life.store.inner).await, 2).await.unwrap();
            life.script.take();
            *life.script.crash.lock().unwrap() = Some(Crash { after, done });
            assert!(life.archives[0].delete(&life.store, &settled).await.is_err());
            *life.script.crash.lock().unwrap() = None;
            life.archives[1].delete(&life.store, &settled).await.unwrap();
            let names = Names::of(&settled);
            for name in [&names.json, &names.text] {
                assert!(shelf.get(name).await.unwrap().0.is_none(), "{name}");
            }
            assert_eq!(life.store.inner.messages(PRINCIPAL, "c", None, 9).await.unwrap(), vec![]);
        }
    }
}
