//! What can be done with conversations without a model: finding them, looking into them, removing them. For their own
//! principal, and for moderators who name one.

use std::sync::Arc;
use std::time::Duration;

use fleet::store::Conversation;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::clock::unix_now;
use super::pen::Pen;
use super::query::{Cursor, Part, Wanted};
use super::shapes::{self, is_id, shown_id};
use super::store::{bounded, failed, find};
use super::transcript;
use crate::error::Refusal;
use crate::process::Shared;

/// How long a removal waits for an answer that is being written to end; a writer elsewhere hears of it within five
/// seconds.
const STOPS_WITHIN: Duration = Duration::from_secs(8);
/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A page of a principal's conversations, the latest first.
///
/// # Errors
/// 503 where the store fails.
pub(crate) async fn list(shared: &Shared, principal: &str, wanted: &Wanted) -> Result<Value, Refusal> {
    let mut all = bounded(shared.store.conversations(principal)).await.map_err(failed)?;
    all.sort_by(|one, other| place(other).cmp(&place(one)));
    Ok(page(&all, wanted))
}

fn place(conversation: &Conversation) -> (i64, &str) {
    (conversation.updated, &conversation.id)
}

fn page(all: &[Conversation], wanted: &Wanted) -> Value {
    let behind = |one: &Conversation| {
        wanted.before.as_ref().is_none_or(|cursor| place(one) < (cursor.updated, cursor.id.as_str()))
    };
    let fits = |one: &Conversation| {
        wanted.search.as_ref().is_none_or(|text| one.title.to_lowercase().contains(text.as_str()))
    };
    let mut found = all.iter().filter(|one| behind(one) && fits(one));
    let shown: Vec<_> = found.by_ref().take(wanted.limit).collect();
    let next = found.next().and(shown.last());
    let next = next.map(|last| Cursor { updated: last.updated, id: last.id.clone() }.written());
    json!({ "conversations": shown.into_iter().map(shapes::listed).collect::<Vec<_>>(), "next": next })
}

/// A conversation and a page of its messages, the oldest of them first.
///
/// # Errors
/// 404 where this principal has none of this id.
pub(crate) async fn view(shared: &Shared, principal: &str, id: &str, part: Part) -> Result<Value, Refusal> {
    if !is_id(id) {
        return Err(Refusal::NoConversation);
    }
    let conversation = find(&*shared.store, principal, id).await?;
    // The pen first: an answer that ends between the two looks is shown as what it is.
    let busy = bounded(shared.store.pen(principal, id, unix_now())).await.map_err(failed)?.is_some();
    let mut messages = transcript::page(shared, &conversation, part.before, part.limit + 1).await?;
    let more = messages.len() > part.limit;
    if more {
        messages.remove(0);
    }
    let earlier = messages.first().filter(|_| more).map(|first| shown_id(first.id));
    Ok(json!({
        "conversation": shapes::whole(&conversation, busy),
        "messages": messages.iter().map(|message| shapes::message(message, busy)).collect::<Vec<_>>(),
        "earlier": earlier,
    }))
}

/// Removes a conversation with everything in it, from the table and the archive. An answer that is being written is
/// stopped first.
///
/// # Errors
/// 404 where this principal has none of this id; 409 while its writer does not stop.
pub(crate) async fn remove(shared: &Arc<Shared>, principal: &str, id: &str) -> Result<(), Refusal> {
    if !is_id(id) {
        return Err(Refusal::NoConversation);
    }
    let conversation = find(&*shared.store, principal, id).await?;
    let pen = wrest(shared, principal, id).await?;
    let removed = transcript::remove(shared, &conversation).await;
    pen.lay_down().await;
    removed
}

/// The pen, from whoever has it: they are asked to stop.
async fn wrest(shared: &Arc<Shared>, principal: &str, id: &str) -> Result<Pen, Refusal> {
    let until = Instant::now() + STOPS_WITHIN;
    loop {
        match Pen::take(shared, principal, id).await {
            Err(Refusal::Conflict(_)) if Instant::now() < until => {
                stop(shared, principal, id).await?;
                sleep(LOOK_EVERY).await;
            }
            taken => return taken,
        }
    }
}

/// Asks whoever writes there to stop; false where nobody does.
///
/// # Errors
/// 503 where the store fails.
pub(super) async fn stop(shared: &Shared, principal: &str, id: &str) -> Result<bool, Refusal> {
    let here = shared.conversations.stop(principal, id);
    let anywhere = bounded(shared.store.ask_to_stop(principal, id, unix_now())).await.map_err(failed)?;
    Ok(here || anywhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversations() -> Vec<Conversation> {
        let one = |n: i64| Conversation {
            id: format!("00000000-0000-4000-8000-{n:012}"),
            title: format!("Title {n}"),
            updated: 100 - n / 2, // two at a time
            ..Conversation::default()
        };
        let mut all: Vec<_> = (0..10).map(one).collect();
        all.sort_by(|one, other| place(other).cmp(&place(one)));
        all
    }

    #[test]
    fn pages_show_each_conversation_once() {
        let all = conversations();
        let mut wanted = Wanted { search: None, before: None, limit: 3 };
        let mut seen = Vec::new();
        loop {
            let shown = page(&all, &wanted);
            seen.extend(shown["conversations"].as_array().unwrap().iter().map(|one| one["id"].clone()));
            let Some(next) = shown["next"].as_str() else { break };
            wanted.before = Some(Cursor::read(next).unwrap());
        }
        assert_eq!(seen, all.iter().map(|one| json!(one.id)).collect::<Vec<_>>());
    }

    #[test]
    fn titles_are_searched_in_whatever_case() {
        let wanted = Wanted { search: Some("title 7".to_owned()), before: None, limit: 3 };
        let shown = page(&conversations(), &wanted);
        assert_eq!(shown["conversations"].as_array().unwrap().len(), 1);
        assert_eq!((&shown["conversations"][0]["title"], &shown["next"]), (&json!("Title 7"), &Value::Null));
    }
}
