//! Conversations of people with models: heads, messages, and the pen that one writer at a time holds.
//!
//! What the table keeps is the recent part; older messages go to object storage, which is the gateway's to know.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Change, StoreError, keeps_no_fleet};

/// Bytes of a conversation's head at most, as JSON: an item of the table has 400 KB, and a list reads all heads.
pub const MOST_HEAD_BYTES: usize = 128 * 1024;

/// Bytes of one message's text at most.
pub const MOST_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// What a conversation is, without its messages. Times are seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// Whose it is. Nobody else can tell that it exists.
    pub principal: String,
    /// A UUID, lower case with hyphens.
    pub id: String,
    /// What it is listed by.
    pub title: String,
    /// A person chose the title: the model makes no other.
    pub titled: bool,
    /// The canonical name of the model; it stays.
    pub model: String,
    /// The system prompt; empty: none.
    pub system: String,
    /// Options of the model, as `/api/chat` takes them.
    pub options: BTreeMap<String, Value>,
    /// When it was made.
    pub created: i64,
    /// When a message last came; lists have the newest first.
    pub updated: i64,
    /// Nothing is added to it until it is opened again.
    pub closed: bool,
    /// Messages in all, those in the archive too.
    pub messages: u64,
    /// Tokens read, and written, for it in all.
    pub prompt_tokens: u64,
    /// See `prompt_tokens`.
    pub output_tokens: u64,
    /// What the archive holds.
    pub archive: Option<Archived>,
    /// Grows with each change; the store counts it. 0: never written.
    pub version: u64,
}

impl Conversation {
    /// As it stands behind `expected`, in its place and with the next version.
    pub(super) fn after(&self, expected: &Self) -> Self {
        let (principal, id) = (expected.principal.clone(), expected.id.clone());
        Self { principal, id, version: expected.version + 1, ..self.clone() }
    }
}

/// How far a conversation is in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Archived {
    /// Messages up to this one are there, and count there only.
    pub until: MessageId,
    /// How many.
    pub messages: u64,
    /// When it was last written.
    pub at: i64,
}

/// A message's place in its conversation: microseconds since 1970, made strictly greater than the one before. The table
/// writes it as 16 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The person.
    #[default]
    User,
    /// The model.
    Assistant,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// All of it is there.
    #[default]
    Whole,
    /// The model is writing it. Where nobody holds the pen any more, it broke off.
    Writing,
    /// The person stopped it: what had come is there.
    Stopped,
    /// It broke off by a fault: what had come is there.
    Broken,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Its place.
    pub id: MessageId,
    /// Who said it.
    pub role: Speaker,
    /// What was said.
    pub content: String,
    /// How it ended.
    pub state: Ending,
    /// When it was said, in seconds since 1970.
    pub at: i64,
    /// Tokens read for it; answers only, as all below.
    pub prompt_tokens: u64,
    /// Tokens of it.
    pub output_tokens: u64,
    /// Seconds from the question to the first token, waiting included.
    pub first_token_seconds: f64,
    /// Seconds from the question to the end.
    pub seconds: f64,
    /// Whole turns that were left out of what the model read, for want of room.
    pub turns_cut: u64,
}

/// The right to write in a conversation: one holder at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pen {
    /// Who holds it: a text made for one turn.
    pub holder: String,
    /// Until when, in seconds since 1970, unless it is renewed.
    pub until: i64,
    /// Somebody asked its holder to stop.
    pub stop: bool,
}

/// How taking, or renewing, the pen went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PenHeld {
    /// It is the caller's; true: somebody has asked them to stop since they took it.
    Yes(bool),
    /// Another holds it until this time.
    No(i64),
}

/// Refuses a head that no item could hold.
pub(super) fn check_head(head: &Conversation) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(head).map_err(|error| StoreError::Unreadable(error.to_string()))?.len();
    if bytes <= MOST_HEAD_BYTES {
        return Ok(());
    }
    Err(StoreError::TooMuch(format!(
        "title, system prompt and options of a conversation have {bytes} bytes together; {MOST_HEAD_BYTES} may be kept"
    )))
}

/// Refuses a text longer than any store promises to keep.
pub(super) fn check_message(message: &Message) -> Result<(), StoreError> {
    let bytes = message.content.len();
    if bytes <= MOST_MESSAGE_BYTES {
        return Ok(());
    }
    Err(StoreError::TooMuch(format!("a message has {bytes} bytes; {MOST_MESSAGE_BYTES} may be kept")))
}

/// The conversations of the table. All of a principal's are in one partition.
///
/// # Errors
/// Every call: as [`Store`](super::Store)'s. [`StoreError::TooMuch`] for a head of more than [`MOST_HEAD_BYTES`] and a
/// message of more than [`MOST_MESSAGE_BYTES`].
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Writes a new conversation with version 1; false where there is one of this id.
    async fn begin_conversation(&self, conversation: &Conversation) -> Result<bool, StoreError> {
        let _ = conversation;
        keeps_no_fleet()
    }

    /// One conversation, as it is at this moment.
    async fn conversation(&self, principal: &str, id: &str) -> Result<Option<Conversation>, StoreError> {
        let _ = (principal, id);
        keeps_no_fleet()
    }

    /// All of a principal's, the latest `updated` first; a change may be missing for a second. Reads no messages.
    async fn conversations(&self, principal: &str) -> Result<Vec<Conversation>, StoreError> {
        let _ = principal;
        keeps_no_fleet()
    }

    /// Writes `new` with the next version, if nobody has written, or deleted it, since `expected` was read; principal,
    /// id and version of `new` are not looked at. What is there instead is told: `Refused(None)` where it is gone.
    async fn change_conversation(
        &self,
        expected: &Conversation,
        new: &Conversation,
    ) -> Result<Change<Conversation>, StoreError> {
        let _ = (expected, new);
        keeps_no_fleet()
    }

    /// Removes every message, the pen and the head; false where there was no head. An earlier try that ended half-way
    /// is brought to its end, also where only messages were left.
    async fn delete_conversation(&self, principal: &str, id: &str) -> Result<bool, StoreError> {
        let _ = (principal, id);
        keeps_no_fleet()
    }

    /// Takes the pen, or renews it, until `until`: where nobody has it, its time is over at `now`, or `holder` has it.
    async fn take_pen(
        &self,
        principal: &str,
        id: &str,
        holder: &str,
        now: i64,
        until: i64,
    ) -> Result<PenHeld, StoreError> {
        let _ = (principal, id, holder, now, until);
        keeps_no_fleet()
    }

    /// Lays the pen down, if `holder` has it.
    async fn drop_pen(&self, principal: &str, id: &str, holder: &str) -> Result<(), StoreError> {
        let _ = (principal, id, holder);
        keeps_no_fleet()
    }

    /// Asks whoever holds the pen at `now` to stop; false where nobody does.
    async fn ask_to_stop(&self, principal: &str, id: &str, now: i64) -> Result<bool, StoreError> {
        let _ = (principal, id, now);
        keeps_no_fleet()
    }

    /// The pen, if somebody holds it at `now`.
    async fn pen(&self, principal: &str, id: &str, now: i64) -> Result<Option<Pen>, StoreError> {
        let _ = (principal, id, now);
        keeps_no_fleet()
    }

    /// Writes a message in the place of one with the same id. What an item cannot hold is
    /// split and put together again, and a reader sees the old text or the new, never a mixture. Nothing is kept where
    /// the conversation is gone.
    async fn write_message(&self, principal: &str, id: &str, message: &Message) -> Result<(), StoreError> {
        let _ = (principal, id, message);
        keeps_no_fleet()
    }

    /// The latest `most` messages before `before` (`None`: of all), the oldest of them first, as they are at this
    /// moment.
    async fn messages(
        &self,
        principal: &str,
        id: &str,
        before: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let _ = (principal, id, before, most);
        keeps_no_fleet()
    }

    /// Removes the messages from `from` to `to`, both included.
    async fn delete_messages(
        &self,
        principal: &str,
        id: &str,
        from: MessageId,
        to: MessageId,
    ) -> Result<(), StoreError> {
        let _ = (principal, id, from, to);
        keeps_no_fleet()
    }
}
