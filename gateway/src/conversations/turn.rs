//! The beginning of a turn: what a person wishes, checked against what is there, and the person's side of it stored. All
//! of it under the pen, in an order in which dying between any two steps leaves a conversation that can be read.

use std::sync::Arc;

use fleet::store::{Conversation, Ending, Message, MessageId, Speaker};
use serde::Deserialize;

use super::clock::{micros_now, unix_now};
use super::edit;
use super::shapes::{LAST, message_id, next_id};
use super::store::{bounded, change, failed, find};
use super::title;
use super::transcript;
use super::window::{self, Window, fit};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::names::ModelName;
use crate::process::Shared;
use crate::request::Journey;

/// Messages read at once: a few turns are all that most windows hold.
const AT_ONCE: usize = 50;

/// The body of `POST /conversations/{id}/messages`. Roles are ours to give.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    replaces: Option<String>,
    #[serde(default)]
    regenerate: Option<bool>,
}

/// What a person wishes.
pub(super) enum Wish {
    /// To say this.
    Say(String),
    /// To have said this in the place of that message; what came behind it goes.
    Edit(String, MessageId),
    /// Another answer than the last.
    Again,
}

impl Said {
    /// What is meant by it. `most`: characters that a message may have.
    ///
    /// # Errors
    /// 400 for what means nothing, or two things; 413 for a text that is too long.
    pub(super) fn wish(self, most: usize) -> Result<Wish, Refusal> {
        let content = match (self.content, self.regenerate.unwrap_or(false)) {
            (Some(content), false) => content,
            (None, true) if self.replaces.is_none() => return Ok(Wish::Again),
            _ => {
                return Err(Refusal::Invalid(
                    "send `content`, with `replaces` to edit an earlier message, or `regenerate`: true alone"
                        .to_owned(),
                ));
            }
        };
        if content.trim().is_empty() {
            return Err(Refusal::Invalid("`content` is empty".to_owned()));
        }
        let characters = content.chars().count();
        if characters > most {
            return Err(Refusal::TooLong(format!(
                "the message has {characters} characters, the limit is {most}; send it in parts"
            )));
        }
        let Some(replaces) = self.replaces else { return Ok(Wish::Say(content)) };
        let from = message_id(&replaces).ok_or_else(no_such_message)?;
        Ok(Wish::Edit(content, from))
    }
}

/// A turn whose question is stored, and whose answer is to be made.
pub(super) struct Turn {
    /// The head, with the question.
    pub(super) conversation: Conversation,
    /// Its model.
    pub(super) model: ModelName,
    /// The question, if this turn brought it.
    pub(super) user: Option<Message>,
    /// What the model may read, the question last.
    pub(super) said: Vec<Message>,
    /// Messages before those.
    pub(super) unread: u64,
    /// How much of it fits.
    pub(super) window: Window,
    /// Whole turns that do not.
    pub(super) turns_cut: u64,
    /// The answer's place.
    pub(super) answer: MessageId,
    /// Answers that go as soon as another is there, the last of them whole.
    pub(super) old: Vec<Message>,
    /// Messages that the conversation has without any answer to this question.
    pub(super) others: u64,
    /// No answer was whole yet.
    pub(super) first: bool,
}

/// What stands in a conversation, as far as a turn must know it.
struct There {
    /// The latest messages, the oldest first: all that fit into a window, or all there are.
    said: Vec<Message>,
    /// From the message that is replaced on.
    tail: Vec<Message>,
    /// Messages in all.
    total: u64,
}

/// Makes ready for an answer: finds, checks, stores the question.
///
/// # Errors
/// 404, 409 for a closed conversation, 413 for what no window holds, 400, 503. Then nothing was changed, but in a fault
/// of the store.
pub(super) async fn prepare(
    journey: &Journey,
    caller: &Caller,
    id: &str,
    wish: Wish,
) -> Result<Turn, Refusal> {
    let shared = &journey.shared;
    let conversation = find(&*shared.store, caller.principal.as_str(), id).await?;
    if conversation.closed {
        return Err(Refusal::Conflict(
            "this conversation is closed; open it again with PATCH and {\"closed\": false}".to_owned(),
        ));
    }
    let model = edit::model(shared, &conversation.model, &caller.rights)?;
    journey.find_model(&model).await?;
    let window = window_of(shared, &conversation, &model, caller);
    let from = if let Wish::Edit(_, from) = &wish { Some(*from) } else { None };
    let there = read(shared, &conversation, from, window).await?;
    let last = there.tail.last().or(there.said.last()).map(|last| last.id);
    let There { mut said, tail, mut total } = there;
    let mut old = Vec::new();
    let user = match wish {
        Wish::Say(content) | Wish::Edit(content, _) => {
            total -= tail.len() as u64;
            Some(asked(content, next_id(micros_now(), last)))
        }
        Wish::Again => {
            let answers = said.iter().rev().take_while(|message| message.role == Speaker::Assistant).count();
            old = said.split_off(said.len() - answers);
            if said.is_empty() {
                return Err(Refusal::Conflict(
                    "there is nothing yet that could be answered again".to_owned(),
                ));
            }
            total -= old.len() as u64;
            None
        }
    };
    let unread = total.saturating_sub(said.len() as u64);
    said.extend(user.clone());
    let turns_cut = fit(&conversation.system, &said, unread, window).map_err(too_long)?.turns_cut;
    let mut turn = Turn {
        model,
        unread,
        window,
        turns_cut,
        answer: next_id(micros_now(), user.as_ref().map(|user| user.id).or(last)),
        others: total + u64::from(user.is_some()),
        first: !said
            .iter()
            .any(|message| message.role == Speaker::Assistant && message.state == Ending::Whole),
        conversation,
        user,
        said,
        old,
    };
    turn.keep(shared, &tail).await?;
    Ok(turn)
}

impl Turn {
    /// Stores the question, and removes what it replaces. The new one first, where both are in the table: who dies
    /// between the two leaves too much, never too little.
    async fn keep(&mut self, shared: &Arc<Shared>, replaced: &[Message]) -> Result<(), Refusal> {
        let Some(user) = &self.user else { return Ok(()) };
        let Conversation { principal, id, .. } = self.conversation.clone();
        let from = replaced.first().map(|first| first.id);
        let archived = self.conversation.archive.as_ref().map(|archive| archive.until);
        let in_archive = from.filter(|from| archived.is_some_and(|until| *from <= until));
        if let Some(from) = in_archive {
            self.conversation = transcript::truncate(shared, &self.conversation, from).await?;
        }
        bounded(shared.store.write_message(&principal, &id, user)).await.map_err(failed)?;
        if let (Some(from), Some(last), None) = (from, replaced.last(), in_archive) {
            bounded(shared.store.delete_messages(&principal, &id, from, last.id)).await.map_err(failed)?;
        }
        let (others, now, heading) = (self.others, unix_now(), title::of_question(&user.content));
        let there = self.conversation.clone();
        self.conversation = change(&*shared.store, there, |conversation| {
            (conversation.messages, conversation.updated) = (others, now);
            if conversation.title.is_empty() {
                conversation.title.clone_from(&heading);
            }
        })
        .await?;
        Ok(())
    }
}

/// Reads from the end: the part that is replaced, and before it as much as a window holds.
async fn read(
    shared: &Shared,
    conversation: &Conversation,
    from: Option<MessageId>,
    window: Window,
) -> Result<There, Refusal> {
    let (mut all, mut tokens) = (Vec::<Message>::new(), 0);
    let from = from.unwrap_or(LAST);
    let whole = loop {
        let before = all.first().map(|first| first.id);
        let mut page = transcript::page(shared, conversation, before, AT_ONCE).await?;
        let ended = page.len() < AT_ONCE;
        tokens += page.iter().filter(|message| message.id < from).map(window::tokens).sum::<u64>();
        page.append(&mut all);
        all = page;
        if ended || tokens > window.budget {
            break ended;
        }
    };
    mend(shared, conversation, &mut all).await?;
    let total = if whole { all.len() as u64 } else { conversation.messages.max(all.len() as u64) };
    let tail = all.split_off(all.partition_point(|message| message.id < from));
    let replaces = tail.first().is_some_and(|first| first.id == from && first.role == Speaker::User);
    if from != LAST && !replaces {
        return Err(no_such_message());
    }
    Ok(There { said: all, tail, total })
}

/// We have the pen: whoever was writing here has died over it.
async fn mend(shared: &Shared, conversation: &Conversation, all: &mut [Message]) -> Result<(), Refusal> {
    let archived = conversation.archive.as_ref().map_or(MessageId(0), |archive| archive.until);
    for message in all.iter_mut().filter(|message| message.state == Ending::Writing && message.id > archived)
    {
        message.state = Ending::Broken;
        let (principal, id) = (&conversation.principal, &conversation.id);
        bounded(shared.store.write_message(principal, id, message)).await.map_err(failed)?;
    }
    Ok(())
}

fn asked(content: String, id: MessageId) -> Message {
    Message { id, role: Speaker::User, content, at: unix_now(), ..Message::default() }
}

/// How much the model reads at once: what its options say, what it was loaded with, what it may be loaded with.
fn window_of(shared: &Shared, conversation: &Conversation, model: &ModelName, caller: &Caller) -> Window {
    let number = |name| conversation.options.get(name).and_then(serde_json::Value::as_u64);
    let known = shared.known();
    let entry = |entries: &[(ModelName, serde_json::Value)], path: &str| {
        let entry = entries.iter().find(|(name, _)| name == model).map(|(_, entry)| entry);
        entry.and_then(|entry| entry.pointer(path)?.as_u64()).filter(|tokens| *tokens > 0)
    };
    let asked = number("num_ctx").filter(|_| caller.rights.operate);
    let loaded = || entry(&known.running, "/context_length");
    let usual = || {
        let own = entry(&known.tags, "/details/context_length").unwrap_or(u64::MAX);
        own.min(shared.config.conversations.context_tokens)
    };
    let tokens = asked.filter(|asked| *asked > 0).or_else(loaded).unwrap_or_else(usual);
    Window::of(tokens, number("num_predict"))
}

pub(super) fn too_long(window::TooLong { tokens, fit }: window::TooLong) -> Refusal {
    Refusal::TooLong(format!(
        "this message is too long for the model: with the system prompt it has about {tokens} tokens, and {fit} fit; \
         shorten it, or send it in parts"
    ))
}

fn no_such_message() -> Refusal {
    Refusal::Invalid("`replaces` must be the id of a message of yours in this conversation".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(body: &str) -> Result<Wish, Refusal> {
        edit::read::<Said>(body.as_bytes(), "fields")?.wish(10)
    }

    #[test]
    fn a_wish_is_one_thing() {
        assert!(matches!(wish(r#"{"content":"Hello"}"#), Ok(Wish::Say(text)) if text == "Hello"));
        let edit = wish(r#"{"content":"Hello","replaces":"1700000000000000"}"#);
        assert!(matches!(edit, Ok(Wish::Edit(_, MessageId(1_700_000_000_000_000)))));
        assert!(matches!(wish(r#"{"regenerate":true}"#), Ok(Wish::Again)));
        for wrong in [
            "{}",
            "[]",
            "\"Hello\"",
            r#"{"content":""}"#,
            r#"{"content":" \n"}"#,
            r#"{"content":1}"#,
            r#"{"content":"a","regenerate":true}"#,
            r#"{"regenerate":false}"#,
            r#"{"regenerate":true,"replaces":"1700000000000000"}"#,
            r#"{"content":"a","replaces":"17"}"#,
            r#"{"content":"a","role":"system"}"#,
            r#"{"content":"a","messages":[]}"#,
            r#"{"content":"a","model":"other"}"#,
        ] {
            assert!(matches!(wish(wrong), Err(Refusal::Invalid(_))), "{wrong}");
        }
        assert!(matches!(wish(r#"{"content":"ten and one"}"#), Err(Refusal::TooLong(_))));
        assert!(wish(r#"{"content":"zehn äöüß!"}"#).is_ok());
    }
}
