//! Who is tidied, when, and what others notice of it.

use fleet::store::{Archived, ConversationStore, Message, MessageId, OversightStore, Speaker, SqliteStore};

use super::*;

const NOW: i64 = 1_795_000_000;

fn settings() -> Conversations {
    Conversations { keep_days: 30, ..Conversations::default() }
}

#[test]
fn a_head_tells_what_is_due() {
    let head = |rested, closed, messages, archived| Conversation {
        updated: NOW - rested,
        closed,
        messages,
        archive: Some(Archived { messages: archived, ..Archived::default() }),
        ..Conversation::default()
    };
    for (rested, closed, messages, archived, expected) in [
        (0, false, 500, 0, Due::Nothing),
        (QUIET - 1, true, 5, 0, Due::Nothing),
        (QUIET, false, 5, 0, Due::Look),
        (QUIET, true, 5, 0, Due::Settle(0)),
        (QUIET, true, 5, 5, Due::Look),
        (QUIET, false, 101, 0, Due::Settle(LATEST_KEPT)),
        (QUIET, false, 101, 1, Due::Look),
        (LOOK_BACK, false, 5, 0, Due::Nothing),
        (DAY - 1, false, 5, 0, Due::Nothing),
        (DAY, false, 5, 0, Due::Settle(0)),
        (DAY, false, 5, 5, Due::Nothing),
        (30 * DAY - 1, false, 5, 5, Due::Nothing),
        (30 * DAY, false, 5, 5, Due::Delete),
        (30 * DAY, true, 5, 0, Due::Delete),
    ] {
        let case = (rested, closed, messages, archived);
        assert_eq!(
            due(&head(rested, closed, messages, archived), &settings(), true, NOW),
            expected,
            "{case:?}"
        );
    }
    let resting = head(10 * DAY, true, 500, 0);
    assert_eq!(due(&resting, &settings(), false, NOW), Due::Nothing, "there is no archive");
    let for_ever = Conversations { keep_days: 0, ..settings() };
    assert_eq!(due(&head(10_000 * DAY, false, 5, 5), &for_ever, true, NOW), Due::Nothing);
    let endless = Conversations { idle_hours: u64::MAX, keep_days: u64::MAX, ..settings() };
    assert_eq!(due(&resting, &endless, true, NOW), Due::Settle(0), "it is closed");
}

#[test]
fn those_not_seen_for_long_are_looked_at_seldom() {
    let person = |ago| Person { principal: "p".to_owned(), seen: NOW - ago };
    assert!(is_worth_a_look(&person(2 * DAY - 1), &settings(), NOW, 7));
    assert!(!is_worth_a_look(&person(2 * DAY), &settings(), NOW, 7));
    assert!(is_worth_a_look(&person(2 * DAY), &settings(), NOW, 0));
}

/// A store and an archive with conversations that rested so long, each with four messages, the last being written.
async fn filled(folder: &std::path::Path, rested: &[(&str, i64)]) -> (SqliteStore, Archive, Conversations) {
    let shelf = folder.join("archive").to_str().unwrap().to_owned();
    let settings = Conversations { archive: Some(shelf), ..settings() };
    let store = SqliteStore::open(&folder.join("fleet.db")).unwrap();
    store.saw_person(&Person { principal: "ann".to_owned(), seen: NOW }).await.unwrap();
    for (id, rested) in rested {
        let begun = Conversation {
            principal: "ann".to_owned(),
            id: (*id).to_owned(),
            updated: NOW - rested,
            messages: 4,
            ..Conversation::default()
        };
        store.begin_conversation(&begun).await.unwrap();
        for at in 1..=4 {
            let state = if at == 4 { Ending::Writing } else { Ending::Whole };
            let role = if at % 2 == 0 { Speaker::Assistant } else { Speaker::User };
            let message = Message { id: MessageId(at), role, state, ..Message::default() };
            store.write_message("ann", id, &message).await.unwrap();
        }
    }
    let archive = Archive::open(&settings).unwrap();
    (store, archive, settings)
}

async fn round(store: &SqliteStore, archive: &Archive, settings: &Conversations) -> Done {
    Round { store, archive, settings, pace: Duration::ZERO }.run(NOW).await.unwrap()
}

#[tokio::test]
async fn a_round_brings_everything_in_order_once() {
    let folder = tempfile::tempdir().unwrap();
    let rested = [("now", 0), ("torn", HOUR / 2), ("idle", 2 * DAY), ("over", 31 * DAY)];
    let (store, archive, settings) = filled(folder.path(), &rested).await;
    let all = Done { settled: 1, deleted: 1, mended: 1, failed: 0 };
    assert_eq!(round(&store, &archive, &settings).await, all);
    let last = async |id: &str| {
        let messages = store.messages("ann", id, None, 9).await.unwrap();
        messages.last().map(|last| (messages.len(), last.state))
    };
    assert_eq!(last("now").await, Some((4, Ending::Writing)), "somebody writes");
    assert_eq!(last("torn").await, Some((4, Ending::Broken)));
    assert_eq!(last("idle").await, None, "it is in the archive");
    let idle = store.conversation("ann", "idle").await.unwrap().unwrap();
    let seen = archive.whole(&store, &idle).await.unwrap();
    assert_eq!((seen.len(), seen[3].state), (4, Ending::Broken));
    assert_eq!(store.conversation("ann", "over").await.unwrap(), None);
    assert_eq!(round(&store, &archive, &settings).await, Done::default(), "and there is nothing more to do");
    for id in ["torn", "idle"] {
        assert_eq!(store.pen("ann", id, unix_now()).await.unwrap(), None, "the pen was laid down");
    }
}

#[tokio::test]
async fn long_messages_go_before_they_are_many() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive, settings) = filled(folder.path(), &[("long", HOUR / 2), ("few", HOUR / 2)]).await;
    let settings = Conversations { recent_bytes: 1000, ..settings };
    for (id, count) in [("long", LATEST_KEPT as u64 + 5), ("few", LATEST_KEPT as u64)] {
        for at in 1..=count {
            let message = Message { id: MessageId(at), content: "x".repeat(100), ..Message::default() };
            store.write_message("ann", id, &message).await.unwrap();
        }
    }
    let done = Done { settled: 1, ..Done::default() };
    assert_eq!(round(&store, &archive, &settings).await, done);
    let left = async |id: &str| store.messages("ann", id, None, 99).await.unwrap().len();
    assert_eq!((left("long").await, left("few").await), (LATEST_KEPT, LATEST_KEPT));
    let head = store.conversation("ann", "long").await.unwrap().unwrap();
    assert_eq!(archive.whole(&store, &head).await.unwrap().len(), LATEST_KEPT + 5);
}

#[tokio::test]
async fn what_is_being_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive, settings) =
        filled(folder.path(), &[("torn", HOUR / 2), ("idle", 2 * DAY), ("over", 31 * DAY)]).await;
    for id in ["torn", "idle", "over"] {
        store.take_pen("ann", id, "a turn", unix_now(), unix_now() + 600).await.unwrap();
    }
    assert_eq!(round(&store, &archive, &settings).await, Done::default());
    assert_eq!(store.messages("ann", "over", None, 9).await.unwrap().len(), 4);
}

#[tokio::test]
async fn one_that_fails_does_not_keep_the_others_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive, settings) = filled(folder.path(), &[("idle", 2 * DAY), ("lost", 2 * DAY)]).await;
    let lost = store.conversation("ann", "lost").await.unwrap().unwrap();
    let elsewhere = Archived { until: MessageId(2), messages: 2, at: NOW };
    let moved = Conversation { archive: Some(elsewhere), ..lost.clone() };
    store.change_conversation(&lost, &moved).await.unwrap();
    let done = Done { settled: 1, failed: 1, ..Done::default() };
    assert_eq!(round(&store, &archive, &settings).await, done);
    assert_eq!(
        store.messages("ann", "lost", None, 9).await.unwrap().len(),
        4,
        "nothing is taken from the table"
    );
}
