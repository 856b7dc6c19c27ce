//! What was said to whom, and what the bot has not taken yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::flood::Flood;

/// What a scripted call does instead of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// 429: so many seconds of silence.
    FloodWait(u64),
    /// Does its work and then breaks the connection: the answer is lost.
    Lost,
    /// Answers with this status and description.
    Refuse(u16, String),
}

/// A message of a chat.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// Is it the bot's?
    pub by_bot: bool,
    /// What it says now; of a file, its caption.
    pub text: String,
    /// The marks, as they were sent.
    pub entities: Vec<Value>,
    /// A file: name and content.
    pub document: Option<(String, bytes::Bytes)>,
    /// How often it was changed.
    pub edits: usize,
    deleted: bool,
}

impl Message {
    /// One of the bot's.
    pub(super) fn of_bot(text: String, entities: Vec<Value>) -> Self {
        Self { id: 0, by_bot: true, text, entities, document: None, edits: 0, deleted: false }
    }

    pub(super) fn is_there(&self) -> bool {
        !self.deleted
    }
}

/// Everything.
#[derive(Default)]
pub(super) struct World {
    chats: BTreeMap<i64, Vec<Message>>,
    messages: i64,
    /// What the bot has not confirmed, oldest first; and what it has.
    pub(super) updates: Vec<Value>,
    confirmed: Vec<Value>,
    numbers: i64,
    /// Who polls last; earlier ones are sent away.
    pub(super) poller: u64,
    pub(super) flood: Flood,
    writes: Vec<(i64, Instant)>,
    pub(super) commands: Vec<String>,
    pub(super) script: Vec<(String, Failure)>,
    pub(super) blocked: BTreeSet<i64>,
}

impl World {
    /// Somebody writes; without a text it is a picture.
    pub(super) fn said(&mut self, chat: i64, from: i64, text: Option<&str>) -> i64 {
        let id = self.next_message();
        let mut message = Message::of_bot(text.unwrap_or_default().to_owned(), Vec::new());
        (message.id, message.by_bot) = (id, false);
        self.chats.entry(chat).or_default().push(message);
        let mut told = json!({
            "message_id": id,
            "date": jiff::Timestamp::now().as_second(),
            "chat": chat_of(chat),
            "from": { "id": from, "is_bot": false, "first_name": format!("Person {from}"), "language_code": "en" },
        });
        match text {
            Some(text) => told["text"] = text.into(),
            None => {
                told["photo"] = json!([{ "file_id": "p", "file_unique_id": "p", "file_size": 1, "width": 1, "height": 1 }]);
            }
        }
        self.numbers = if self.numbers == 0 { 700_000_000 } else { self.numbers + 1 };
        self.updates.push(json!({ "update_id": self.numbers, "message": told }));
        id
    }

    fn next_message(&mut self) -> i64 {
        self.messages += 1;
        self.messages
    }

    /// Forgets updates below this number: the bot has them.
    pub(super) fn confirm(&mut self, offset: i64) {
        let (taken, open) = std::mem::take(&mut self.updates)
            .into_iter()
            .partition(|update| update["update_id"].as_i64().is_some_and(|id| id < offset));
        self.updates = open;
        self.confirmed = taken;
    }

    pub(super) fn repeat(&mut self) {
        let again = std::mem::take(&mut self.confirmed);
        self.updates.splice(0..0, again);
    }

    pub(super) fn knows(&self, chat: i64) -> bool {
        self.chats.contains_key(&chat)
    }

    /// Adds a message of the bot's; its number.
    pub(super) fn add(&mut self, chat: i64, mut message: Message) -> i64 {
        message.id = self.next_message();
        let id = message.id;
        self.chats.entry(chat).or_default().push(message);
        id
    }

    pub(super) fn message(&mut self, chat: i64, id: i64) -> Option<&mut Message> {
        self.chats.get_mut(&chat)?.iter_mut().find(|message| message.id == id && message.is_there())
    }

    pub(super) fn delete(&mut self, chat: i64, id: i64) {
        if let Some(message) = self.message(chat, id) {
            message.deleted = true;
        }
    }

    pub(super) fn shown(&self, chat: i64) -> Vec<Message> {
        self.chats.get(&chat).into_iter().flatten().filter(|message| message.is_there()).cloned().collect()
    }

    pub(super) fn wrote(&mut self, chat: i64, at: Instant) {
        self.writes.push((chat, at));
    }

    pub(super) fn writes(&self, chat: i64) -> Vec<Instant> {
        self.writes.iter().filter(|(to, _)| *to == chat).map(|(_, at)| *at).collect()
    }
}

/// A chat as messages name it.
pub(super) fn chat_of(chat: i64) -> Value {
    if chat < 0 {
        json!({ "id": chat, "type": "group", "title": "A group" })
    } else {
        json!({ "id": chat, "type": "private", "first_name": format!("Person {chat}") })
    }
}
