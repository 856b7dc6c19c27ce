//! Conversations are their person's, messages are whole and in order, and one at a time writes.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Race, all};
use crate::store::{
    Archived, Change, Conversation, Ending, MOST_HEAD_BYTES, MOST_MESSAGE_BYTES, Message, MessageId, Pen,
    PenHeld, Speaker, Store, StoreError,
};

const NOW: i64 = 1_795_000_000;
/// The microsecond at which the first message of each test is said.
const FIRST: u64 = 1_795_000_000_000_000;

fn begun(principal: &str, id: &str) -> Conversation {
    Conversation {
        principal: principal.to_owned(),
        id: id.to_owned(),
        title: "Zoë's \"plan\"".to_owned(),
        titled: true,
        model: "gemma3n:e4b".to_owned(),
        system: "Be short.".to_owned(),
        options: BTreeMap::from([("temperature".to_owned(), json!(0.5))]),
        created: NOW,
        updated: NOW,
        version: 1,
        ..Conversation::default()
    }
}

fn said(at: u64, content: impl Into<String>) -> Message {
    Message {
        id: MessageId(FIRST + at),
        role: if at.is_multiple_of(2) { Speaker::User } else { Speaker::Assistant },
        content: content.into(),
        state: Ending::Stopped,
        at: NOW,
        prompt_tokens: 7,
        output_tokens: 3,
        first_token_seconds: 0.25,
        seconds: 1.5,
        turns_cut: 2,
    }
}

/// A conversation with `count` messages.
async fn filled(store: &impl Store, principal: &str, id: &str, count: u64) -> Vec<Message> {
    assert_eq!(store.begin_conversation(&begun(principal, id)).await, Ok(true));
    let messages: Vec<Message> = (0..count).map(|at| said(at, format!("message {at}"))).collect();
    for message in &messages {
        store.write_message(principal, id, message).await.unwrap();
    }
    messages
}

pub(super) async fn a_conversation_is_kept_and_changes_under_its_version<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let first = begun("https://issuer.example/#ann '", "c-1");
    assert_eq!(store.conversation(&first.principal, "c-1").await, Ok(None));
    let unnumbered = Conversation { version: 44, ..first.clone() };
    assert_eq!(store.begin_conversation(&unnumbered).await, Ok(true));
    let again = Conversation { title: "another".to_owned(), ..first.clone() };
    assert_eq!(other.begin_conversation(&again).await, Ok(false));
    assert_eq!(other.conversation(&first.principal, "c-1").await, Ok(Some(first.clone())));

    let mut new = Conversation { title: "renamed".to_owned(), closed: true, messages: 9, ..first.clone() };
    new.archive = Some(Archived { until: MessageId(FIRST), messages: 4, at: NOW });
    // Where it stands is never changed.
    new.id = "elsewhere".to_owned();
    let made = Conversation { id: "c-1".to_owned(), version: 2, ..new.clone() };
    assert_eq!(other.change_conversation(&first, &new).await, Ok(Change::Made(made.clone())));
    assert_eq!(store.conversation(&first.principal, "c-1").await, Ok(Some(made.clone())));
    assert_eq!(store.change_conversation(&first, &again).await, Ok(Change::Refused(Some(made.clone()))));
    assert_eq!(store.delete_conversation(&first.principal, "c-1").await, Ok(true));
    assert_eq!(
        store.change_conversation(&made, &again).await,
        Ok(Change::Refused(None)),
        "it does not come back"
    );
    assert_eq!(store.conversation(&first.principal, "c-1").await, Ok(None));
}

pub(super) async fn lists_have_the_latest_first_and_nobody_elses<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    assert_eq!(store.conversations("lists").await, Ok(vec![]));
    for at in 0..20 {
        let begun = Conversation { updated: NOW + at, ..begun("lists", &format!("c-{at:02}")) };
        store.begin_conversation(&begun).await.unwrap();
        store.write_message("lists", &begun.id, &said(0, "not in the list")).await.unwrap();
    }
    store.take_pen("lists", "c-03", "turn", NOW, NOW + 60).await.unwrap();
    store.begin_conversation(&begun("lists#more", "c-00")).await.unwrap();
    let oldest = store.conversation("lists", "c-00").await.unwrap().unwrap();
    let newest = Conversation { updated: NOW + 99, ..oldest.clone() };
    store.change_conversation(&oldest, &newest).await.unwrap();
    let listed = other.conversations("lists").await.unwrap();
    let ids: Vec<&str> = listed.iter().map(|head| head.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[1], ids[19]), (20, "c-00", "c-19", "c-01"));
    assert_eq!(listed[0].updated, NOW + 99);
    assert_eq!(store.conversation("lists#more", "c-01").await, Ok(None), "an id is one person's");
    assert_eq!(store.messages("lists#more", "c-01", None, 9).await, Ok(vec![]));
}

pub(super) async fn messages_are_told_in_pages<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let messages = filled(&store, "pages", "c", 20).await;
    filled(&store, "pages", "c-2", 1).await;
    assert_eq!(other.messages("pages", "c", None, 100).await.as_ref(), Ok(&messages), "the oldest first");
    assert_eq!(other.messages("pages", "c", None, 9).await.unwrap(), messages[11..], "the latest nine");
    let before = Some(messages[11].id);
    assert_eq!(other.messages("pages", "c", before, 9).await.unwrap(), messages[2..11], "nine before those");
    assert_eq!(other.messages("pages", "c", Some(messages[0].id), 9).await, Ok(vec![]));
    assert_eq!(other.messages("pages", "c", None, 0).await, Ok(vec![]));
}

pub(super) async fn a_message_stands_in_the_place_of_the_last<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let mut messages = filled(&store, "place", "c", 3).await;
    messages[1] = Message {
        state: Ending::Whole,
        content: "all of it \u{0}\u{1f600}\\\"".to_owned(),
        ..messages[1].clone()
    };
    messages[2] = Message { state: Ending::Writing, content: String::new(), ..messages[2].clone() };
    for message in &messages[1..] {
        other.write_message("place", "c", message).await.unwrap();
    }
    assert_eq!(store.messages("place", "c", None, 9).await, Ok(messages));
}

/// `bytes` of text in which no two places look alike, with characters of four bytes, controls and quotes.
fn long(seed: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 32);
    while text.len() < bytes {
        text.push_str(&format!("{seed}:{} \u{1f600}\"\\\u{1}ü", text.len()));
    }
    text
}

pub(super) async fn long_messages_are_whole<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let mut messages = filled(&store, "long", "c", 3).await;
    // Longer, shorter, as long again with other words, and short enough for one item at last.
    for (seed, bytes) in [(1, 500_000), (2, 2_000_000), (3, 350_000), (4, 350_000), (5, 10)] {
        messages[1].content = long(seed, bytes);
        store.write_message("long", "c", &messages[1]).await.unwrap();
        let read = other.messages("long", "c", None, 9).await.unwrap();
        assert!(read == messages, "{bytes} bytes");
        let alone = other.messages("long", "c", Some(messages[2].id), 1).await.unwrap();
        assert!(alone == messages[1..2], "{bytes} bytes, alone");
    }
    store.delete_messages("long", "c", messages[1].id, messages[1].id).await.unwrap();
    messages.remove(1);
    assert!(other.messages("long", "c", None, 9).await.unwrap() == messages);
}

pub(super) async fn a_reader_sees_the_old_text_or_the_new<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    filled(&store, "mixture", "c", 1).await;
    let texts: Vec<String> = (0..4).map(|seed| long(seed, 400_000 + seed * 1000)).collect();
    store.write_message("mixture", "c", &said(0, texts[0].clone())).await.unwrap();
    let writing = async {
        for text in &texts[1..] {
            store.write_message("mixture", "c", &said(0, text.clone())).await.unwrap();
        }
    };
    let reading = async {
        let mut latest = 0;
        while latest < texts.len() - 1 {
            let read = other.messages("mixture", "c", None, 9).await.unwrap();
            let seen = texts.iter().position(|text| *text == read[0].content);
            let seen = seen.expect("a text that nobody wrote");
            assert!(seen >= latest, "an old text comes back");
            latest = seen;
        }
    };
    futures_util::future::join(writing, reading).await;
}

pub(super) async fn more_than_is_promised_is_refused<S: Store>(open: &impl Fn() -> S) {
    let store = open();
    filled(&store, "most", "c", 0).await;
    let head = store.conversation("most", "c").await.unwrap().unwrap();
    let large = Conversation { system: "x".repeat(MOST_HEAD_BYTES), ..head.clone() };
    assert!(matches!(store.change_conversation(&head, &large).await, Err(StoreError::TooMuch(_))));
    let another = Conversation { id: "c-2".to_owned(), ..large };
    assert!(matches!(store.begin_conversation(&another).await, Err(StoreError::TooMuch(_))));
    let message = said(0, "x".repeat(MOST_MESSAGE_BYTES + 1));
    assert!(matches!(store.write_message("most", "c", &message).await, Err(StoreError::TooMuch(_))));
    assert_eq!(store.messages("most", "c", None, 9).await, Ok(vec![]));
}

pub(super) async fn stretches_of_messages_go<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let messages = filled(&store, "stretch", "c", 40).await;
    let neighbour = filled(&store, "stretch", "c-2", 2).await;
    store.delete_messages("stretch", "c", messages[5].id, messages[34].id).await.unwrap();
    let left: Vec<Message> = [&messages[..5], &messages[35..]].concat();
    assert_eq!(other.messages("stretch", "c", None, 99).await, Ok(left), "both ends included");
    store.delete_messages("stretch", "c", MessageId(0), messages[37].id).await.unwrap();
    store.delete_messages("stretch", "c", messages[39].id, MessageId(u64::MAX)).await.unwrap();
    assert_eq!(other.messages("stretch", "c", None, 99).await.unwrap(), messages[38..39]);
    assert_eq!(other.messages("stretch", "c-2", None, 99).await, Ok(neighbour));
}

pub(super) async fn what_is_deleted_is_gone_and_stays_so<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let messages = filled(&store, "deleted", "c", 26).await;
    store.write_message("deleted", "c", &said(0, long(1, 700_000))).await.unwrap();
    store.take_pen("deleted", "c", "turn", NOW, NOW + 60).await.unwrap();
    let neighbour = filled(&store, "deleted", "c-2", 2).await;
    assert_eq!(other.delete_conversation("deleted", "c").await, Ok(true));
    // A writer that has not heard of it, of a short message and of a long one.
    store.write_message("deleted", "c", &messages[3]).await.unwrap();
    store.write_message("deleted", "c", &said(1, long(1, 700_000))).await.unwrap();
    assert_eq!(other.conversation("deleted", "c").await, Ok(None));
    assert_eq!(other.messages("deleted", "c", None, 99).await, Ok(vec![]));
    assert_eq!(other.pen("deleted", "c", NOW).await, Ok(None));
    assert_eq!(other.delete_conversation("deleted", "c").await, Ok(false));
    let ids: Vec<String> =
        other.conversations("deleted").await.unwrap().into_iter().map(|head| head.id).collect();
    assert_eq!(ids, ["c-2"]);
    assert_eq!(other.messages("deleted", "c-2", None, 99).await, Ok(neighbour));
    // The same id again is another conversation.
    filled(&store, "deleted", "c", 0).await;
    assert_eq!(other.messages("deleted", "c", None, 99).await, Ok(vec![]));
}

pub(super) async fn one_at_a_time_has_the_pen<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    filled(&store, "pen", "c", 0).await;
    assert_eq!(other.pen("pen", "c", NOW).await, Ok(None));
    assert_eq!(store.take_pen("pen", "c", "one", NOW, NOW + 60).await, Ok(PenHeld::Yes(false)));
    assert_eq!(other.take_pen("pen", "c", "two", NOW + 59, NOW + 99).await, Ok(PenHeld::No(NOW + 60)));
    let held = Pen { holder: "one".to_owned(), until: NOW + 60, stop: false };
    assert_eq!(other.pen("pen", "c", NOW + 59).await, Ok(Some(held)));
    assert_eq!(other.pen("pen", "c", NOW + 60).await, Ok(None), "its time is over");
    assert_eq!(
        store.take_pen("pen", "c", "one", NOW + 30, NOW + 90).await,
        Ok(PenHeld::Yes(false)),
        "renewed"
    );
    assert_eq!(other.take_pen("pen", "c", "two", NOW + 89, NOW + 99).await, Ok(PenHeld::No(NOW + 90)));
    assert_eq!(other.take_pen("pen", "c", "two", NOW + 90, NOW + 150).await, Ok(PenHeld::Yes(false)));
    store.drop_pen("pen", "c", "one").await.unwrap();
    assert_eq!(
        store.take_pen("pen", "c", "one", NOW + 91, NOW + 99).await,
        Ok(PenHeld::No(NOW + 150)),
        "not theirs"
    );
    other.drop_pen("pen", "c", "two").await.unwrap();
    other.drop_pen("pen", "c", "two").await.unwrap();
    assert_eq!(store.take_pen("pen", "c", "one", NOW + 92, NOW + 99).await, Ok(PenHeld::Yes(false)));
}

pub(super) async fn of_many_writers_one_has_the_pen<S: Store>(open: &impl Fn() -> S, race: Race) {
    filled(&open(), "pen race", "c", 0).await;
    for now in [NOW, NOW + 60] {
        let taken = all(open, race, 50, async |store, at| {
            store.take_pen("pen race", "c", &format!("{now} {at}"), now, now + 60).await.unwrap()
        });
        let taken = taken.await;
        assert_eq!(taken.iter().filter(|taken| matches!(taken, PenHeld::Yes(_))).count(), 1);
        assert!(
            taken.iter().all(|taken| matches!(taken, PenHeld::Yes(false)) || *taken == PenHeld::No(now + 60))
        );
    }
}

pub(super) async fn a_writer_hears_that_it_should_stop<S: Store>(open: &impl Fn() -> S) {
    let (writer, other) = (open(), open());
    filled(&writer, "stop", "c", 0).await;
    assert_eq!(other.ask_to_stop("stop", "c", NOW).await, Ok(false), "nobody writes");
    writer.take_pen("stop", "c", "one", NOW, NOW + 60).await.unwrap();
    assert_eq!(other.ask_to_stop("stop", "c", NOW + 1).await, Ok(true));
    assert_eq!(other.pen("stop", "c", NOW + 1).await.unwrap().map(|pen| pen.stop), Some(true));
    assert_eq!(writer.take_pen("stop", "c", "one", NOW + 2, NOW + 70).await, Ok(PenHeld::Yes(true)));
    assert_eq!(writer.take_pen("stop", "c", "one", NOW + 3, NOW + 80).await, Ok(PenHeld::Yes(true)), "still");
    assert_eq!(other.ask_to_stop("stop", "c", NOW + 80).await, Ok(false), "its time is over");
    assert_eq!(
        other.take_pen("stop", "c", "two", NOW + 80, NOW + 90).await,
        Ok(PenHeld::Yes(false)),
        "the next turn was not asked"
    );
    other.drop_pen("stop", "c", "two").await.unwrap();
    assert_eq!(writer.ask_to_stop("stop", "c", NOW + 81).await, Ok(false), "it was laid down");
}
