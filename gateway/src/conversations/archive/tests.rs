//! What is true of both parts together: each message once, in order, whatever happens in which order.

mod faulty;
mod random;
mod cost;
#[cfg(feature = "aws")]
mod bucket;

use std::path::Path;

use fleet::store::{ConversationStore, Speaker, SqliteStore};
use object_store::memory::InMemory;

use super::shelf::Objects;
use super::*;

const PRINCIPAL: &str = "https://issuer.example/#ann";
const FIRST: u64 = 1_795_000_000_000_000;

fn begun(id: &str) -> Conversation {
    Conversation {
        principal: PRINCIPAL.to_owned(),
        id: id.to_owned(),
        model: "gemma3n:e4b".to_owned(),
        title: "Plans".to_owned(),
        ..Conversation::default()
    }
}

fn said(at: u64) -> Message {
    Message {
        id: MessageId(FIRST + at),
        role: if at.is_multiple_of(2) { Speaker::User } else { Speaker::Assistant },
        content: format!("message {at}"),
        ..Message::default()
    }
}

/// A store in a folder, a conversation in it, and its head.
async fn begin(folder: &Path, messages: u64) -> (SqliteStore, Conversation) {
    let store = SqliteStore::open(&folder.join("fleet.db")).unwrap();
    store.begin_conversation(&begun("c")).await.unwrap();
    let mut head = head(&store).await;
    for at in 0..messages {
        store.write_message(PRINCIPAL, "c", &said(at)).await.unwrap();
    }
    let counted = Conversation { messages, ..head.clone() };
    store.change_conversation(&head, &counted).await.unwrap();
    head = self::head(&store).await;
    (store, head)
}

async fn head(store: &dyn ConversationStore) -> Conversation {
    store.conversation(PRINCIPAL, "c").await.unwrap().unwrap()
}

fn settings(archive: Option<&Path>) -> Conversations {
    Conversations {
        archive: archive.map(|path| path.to_str().unwrap().to_owned()),
        ..Conversations::default()
    }
}

/// An archive in memory, which can tell versions, as a bucket can.
fn over(shelf: impl Shelf + 'static) -> Archive {
    Archive { shelf: Some(Box::new(shelf)), recent: Recent::default() }
}

fn in_memory() -> Objects<InMemory> {
    Objects { objects: InMemory::new(), tells_versions: true }
}

fn numbers(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id.0 - FIRST).collect()
}

fn count(from: u64, to: u64) -> Vec<u64> {
    (from..to).collect()
}

/// Every file below a folder, by name.
fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_conversation_goes_to_a_folder_and_is_seen_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = folder.path().join("archive");
    let archive = Archive::open(&settings(Some(&shelf))).unwrap();
    let (store, conversation) = begin(folder.path(), 10).await;
    let settled = archive.settle(&store, &conversation, 4).await.unwrap();
    let archived = settled.archive.clone().unwrap();
    assert_eq!((archived.until, archived.messages), (MessageId(FIRST + 5), 6));
    assert_eq!(settled.messages, 10, "those in the archive too");
    assert_eq!(numbers(&store.messages(PRINCIPAL, "c", None, 99).await.unwrap()), count(6, 10));
    let base = "https%3A%2F%2Fissuer.example%2F%23ann/model_gemma3n%3Ae4b/session_c";
    assert_eq!(files(&shelf), [format!("{base}.json"), format!("{base}.txt")]);
    let text = std::fs::read_to_string(shelf.join(format!("{base}.txt"))).unwrap();
    assert!(text.contains("message 5") && !text.contains("message 6"), "{text}");

    // Another process, which remembers nothing, and then the one that does.
    for archive in [&Archive::open(&settings(Some(&shelf))).unwrap(), &archive] {
        let page = async |before: Option<u64>, most| {
            let before = before.map(|at| MessageId(FIRST + at));
            numbers(&archive.page(&store, &settled, before, most).await.unwrap())
        };
        assert_eq!(page(None, 3).await, count(7, 10));
        assert_eq!(page(Some(7), 3).await, count(4, 7), "across both parts");
        assert_eq!(page(Some(4), 3).await, count(1, 4));
        assert_eq!(page(Some(1), 3).await, count(0, 1));
        assert_eq!(page(Some(0), 3).await, count(0, 0));
        assert_eq!(archive.whole(&store, &settled).await.unwrap(), (0..10).map(said).collect::<Vec<_>>());
    }
    archive.delete(&store, &settled).await.unwrap();
    assert!(files(&shelf).is_empty(), "deletion deletes both");
    assert!(matches!(archive.whole(&store, &settled).await, Err(ArchiveError::Gone)));
    archive.delete(&store, &settled).await.unwrap();
}

#[tokio::test]
async fn only_our_user_may_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let shelf = folder.path().join("deep/archive");
    Archive::open(&settings(Some(&shelf))).unwrap();
    assert_eq!(shelf.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_place_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Archive::open(&settings(Some(&file.join("below")))).unwrap_err();
    assert!(matches!(&error, ArchiveError::Unusable(why) if why.contains("file/below")), "{error}");
    for place in ["s3://", "s3:///prefix", "s3://bucket/../other", "s3://bucket/a//b"] {
        let settings = Conversations { archive: Some(place.to_owned()), ..Conversations::default() };
        assert!(matches!(Archive::open(&settings), Err(ArchiveError::Unusable(_))), "{place}");
    }
}

#[tokio::test]
async fn without_an_archive_the_table_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&settings(None)).unwrap();
    let (store, conversation) = begin(folder.path(), 8).await;
    assert_eq!(archive.settle(&store, &conversation, 2).await.unwrap(), conversation);
    assert_eq!(numbers(&archive.page(&store, &conversation, None, 5).await.unwrap()), count(3, 8));
    let cut = archive.truncate(&store, &conversation, MessageId(FIRST + 5)).await.unwrap();
    assert_eq!((cut.messages, numbers(&archive.whole(&store, &cut).await.unwrap())), (5, count(0, 5)));
    archive.delete(&store, &cut).await.unwrap();
    assert_eq!(store.conversation(PRINCIPAL, "c").await.unwrap(), None);
}

#[tokio::test]
async fn what_was_archived_elsewhere_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (store, conversation) = begin(folder.path(), 8).await;
    let settled = over(in_memory()).settle(&store, &conversation, 2).await.unwrap();
    let none = Archive::open(&settings(None)).unwrap();
    assert_eq!(none.page(&store, &settled, None, 2).await.unwrap().len(), 2, "the table's part is there");
    assert!(matches!(none.page(&store, &settled, None, 5).await, Err(ArchiveError::Unusable(_))));
    let empty = over(in_memory());
    assert!(matches!(empty.page(&store, &settled, None, 5).await, Err(ArchiveError::Damaged(_))));
    assert!(matches!(empty.settle(&store, &settled, 0).await, Err(ArchiveError::Damaged(_))));
    assert_eq!(
        store.messages(PRINCIPAL, "c", None, 9).await.unwrap().len(),
        2,
        "and nothing is taken from it"
    );
}

#[tokio::test]
async fn long_conversations_move_and_move_again() {
    let folder = tempfile::tempdir().unwrap();
    let archive = over(in_memory());
    let (store, conversation) = begin(folder.path(), 2 * PAGE as u64 + 50).await;
    let settled = archive.settle(&store, &conversation, 40).await.unwrap();
    for at in 450..500 {
        store.write_message(PRINCIPAL, "c", &said(at)).await.unwrap();
    }
    let settled = archive.settle(&store, &settled, 0).await.unwrap();
    assert_eq!(settled.archive.as_ref().map(|archived| archived.messages), Some(500));
    assert_eq!(store.messages(PRINCIPAL, "c", None, 99).await.unwrap(), vec![]);
    assert_eq!(archive.settle(&store, &settled, 0).await.unwrap(), settled, "there is nothing more to move");
    assert_eq!(numbers(&archive.whole(&store, &settled).await.unwrap()), count(0, 500));
}

#[tokio::test]
async fn a_cut_reaches_into_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = folder.path().join("archive");
    let archive = Archive::open(&settings(Some(&shelf))).unwrap();
    let (store, conversation) = begin(folder.path(), 10).await;
    let settled = archive.settle(&store, &conversation, 4).await.unwrap();
    let cut = archive.truncate(&store, &settled, MessageId(FIRST + 8)).await.unwrap();
    assert_eq!((cut.messages, cut.archive.as_ref().map(|archived| archived.messages)), (8, Some(6)));
    let cut = archive.truncate(&store, &cut, MessageId(FIRST + 3)).await.unwrap();
    assert_eq!((cut.messages, cut.archive.as_ref().map(|archived| archived.messages)), (3, Some(3)));
    for name in files(&shelf) {
        let kept = std::fs::read_to_string(shelf.join(&name)).unwrap();
        assert!(kept.contains("message 2") && !kept.contains("message 3"), "{name}");
    }
    store.write_message(PRINCIPAL, "c", &said(10)).await.unwrap();
    let settled = archive.settle(&store, &cut, 0).await.unwrap();
    assert_eq!(numbers(&archive.whole(&store, &settled).await.unwrap()), [0, 1, 2, 10]);
    let cut = archive.truncate(&store, &settled, MessageId(0)).await.unwrap();
    assert_eq!((cut.archive.clone(), archive.whole(&store, &cut).await.unwrap()), (None, vec![]));
    assert!(files(&shelf).is_empty());
}

#[tokio::test]
async fn what_was_being_written_has_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let archive = over(in_memory());
    let (store, conversation) = begin(folder.path(), 2).await;
    let answer = Message { state: Ending::Writing, ..said(1) };
    store.write_message(PRINCIPAL, "c", &answer).await.unwrap();
    let settled = archive.settle(&store, &conversation, 0).await.unwrap();
    let seen = archive.whole(&store, &settled).await.unwrap();
    assert_eq!((seen[0].state, seen[1].state), (Ending::Whole, Ending::Broken));
}

#[tokio::test]
async fn a_new_title_does_not_hinder_a_move_and_a_deletion_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = folder.path().join("archive");
    let archive = Archive::open(&settings(Some(&shelf))).unwrap();
    let (store, conversation) = begin(folder.path(), 6).await;
    let renamed = Conversation { title: "Renamed".to_owned(), ..conversation.clone() };
    store.change_conversation(&conversation, &renamed).await.unwrap();
    let settled = archive.settle(&store, &conversation, 2).await.unwrap();
    assert_eq!(settled.title, "Renamed");
    store.delete_conversation(PRINCIPAL, "c").await.unwrap();
    store.begin_conversation(&begun("other")).await.unwrap();
    // A mover who read the messages before they were deleted.
    let late = faulty::Deaf { store: store.clone(), messages: (6..9).map(said).collect() };
    assert!(matches!(archive.settle(&late, &settled, 0).await, Err(ArchiveError::Gone)));
    assert!(files(&shelf).is_empty(), "nothing of it comes back: {:?}", files(&shelf));
}

#[tokio::test]
async fn readers_beside_a_writer_see_each_message_once() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = std::sync::Arc::new(in_memory());
    let (writing, reading) = (over(shelf.clone()), over(shelf));
    const BASE: u64 = 6;
    let (store, mut conversation) = begin(folder.path(), BASE).await;
    let first = conversation.clone();
    let (mut states, mut random) = (vec![count(0, BASE)], fastrand::Rng::with_seed(7));
    let done = std::cell::Cell::new(false);
    let seen = std::cell::RefCell::new(Vec::new());
    let writer = async {
        for at in BASE..BASE + 150 {
            let mut now = states.last().unwrap().clone();
            store.write_message(PRINCIPAL, "c", &said(at)).await.unwrap();
            now.push(at);
            if random.u8(..4) == 0 {
                states.push(now.clone());
                let keep = random.usize(BASE as usize..=now.len());
                now.truncate(keep);
                let from = now.last().unwrap() + 1;
                conversation =
                    writing.truncate(&store, &conversation, MessageId(FIRST + from)).await.unwrap();
            }
            states.push(now);
            conversation = writing.settle(&store, &conversation, random.usize(0..6)).await.unwrap();
        }
        done.set(true);
    };
    let reader = async {
        loop {
            let last = done.get();
            match reading.whole(&store, &first).await {
                Ok(view) => seen.borrow_mut().push(numbers(&view)),
                // The writer was faster each time.
                Err(ArchiveError::Changed) => {}
                Err(error) => panic!("{error}"),
            }
            if last {
                break;
            }
        }
    };
    futures_util::future::join(writer, reader).await;
    assert!(!seen.borrow().is_empty(), "nothing was ever seen");
    for view in seen.into_inner() {
        // A cut goes from the end, message by message if need be; so a view may be the beginning of what there was.
        let known = states.iter().any(|state| state.starts_with(&view));
        assert!(known && view.len() >= BASE as usize, "never was so: {view:?}");
    }
}
