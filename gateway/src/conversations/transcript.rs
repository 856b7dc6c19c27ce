//! The messages of a conversation, wherever they are: one way to read, cut and remove them for all of this folder.

use fleet::store::{Conversation, Message, MessageId};

use super::shapes::LAST;
use super::store::{bounded, failed};
use crate::error::Refusal;
use crate::process::Shared;

/// The latest `most` messages before `before`, the oldest of them first.
///
/// # Errors
/// 503 where they cannot be read.
pub(crate) async fn page(
    shared: &Shared,
    conversation: &Conversation,
    before: Option<MessageId>,
    most: usize,
) -> Result<Vec<Message>, Refusal> {
    let (principal, id) = (&conversation.principal, &conversation.id);
    bounded(shared.store.messages(principal, id, before, most)).await.map_err(failed)
}

/// Removes the messages from `from` on; the head as it then is. Under the pen.
///
/// # Errors
/// 503.
pub(super) async fn truncate(
    shared: &Shared,
    conversation: &Conversation,
    from: MessageId,
) -> Result<Conversation, Refusal> {
    let (principal, id) = (&conversation.principal, &conversation.id);
    bounded(shared.store.delete_messages(principal, id, from, LAST)).await.map_err(failed)?;
    Ok(conversation.clone())
}

/// Moves everything to the archive, if there is one; the head as it then is. Under the pen.
///
/// # Errors
/// 503.
pub(super) async fn settle(shared: &Shared, conversation: &Conversation) -> Result<Conversation, Refusal> {
    let _ = shared;
    Ok(conversation.clone())
}

/// Removes head, messages and what the archive has. Under the pen.
///
/// # Errors
/// 404 where it is gone already; 503.
pub(super) async fn remove(shared: &Shared, conversation: &Conversation) -> Result<(), Refusal> {
    let (principal, id) = (&conversation.principal, &conversation.id);
    let removed = bounded(shared.store.delete_conversation(principal, id)).await.map_err(failed)?;
    if removed { Ok(()) } else { Err(Refusal::NoConversation) }
}
