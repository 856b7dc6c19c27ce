//! The messages of a conversation, in the table or the archive: one way to read, cut, move and remove them for all of this
//! folder, bounded in time and told in one sentence where it fails.

use std::time::Duration;

use fleet::store::{Conversation, Message, MessageId};
use tokio::time::timeout;

use super::archive::ArchiveError;
use super::store::failed;
use crate::error::Refusal;
use crate::process::Shared;

/// Longest look: a page may need an object of a bucket.
const LOOK: Duration = Duration::from_secs(20);
/// Longest change: reads and writes of objects, and of many messages.
const CHANGE: Duration = Duration::from_secs(60);
/// When to try again what failed.
const RETRY: Duration = Duration::from_secs(2);

/// The latest `most` messages before `before`, the oldest of them first.
///
/// # Errors
/// 404 where the conversation is gone; 503 where they cannot be read.
pub(crate) async fn page(
    shared: &Shared,
    conversation: &Conversation,
    before: Option<MessageId>,
    most: usize,
) -> Result<Vec<Message>, Refusal> {
    within(LOOK, shared.archive.page(&*shared.store, conversation, before, most)).await
}

/// All of them, the oldest first.
///
/// # Errors
/// As [`page`].
pub(super) async fn whole(shared: &Shared, conversation: &Conversation) -> Result<Vec<Message>, Refusal> {
    within(CHANGE, shared.archive.whole(&*shared.store, conversation)).await
}

/// Removes the messages from `from` on; the head as it then is. Under the pen.
///
/// # Errors
/// As [`page`].
pub(super) async fn truncate(
    shared: &Shared,
    conversation: &Conversation,
    from: MessageId,
) -> Result<Conversation, Refusal> {
    within(CHANGE, shared.archive.truncate(&*shared.store, conversation, from)).await
}

/// Moves everything to the archive, if there is one; the head as it then is. Under the pen.
///
/// # Errors
/// As [`page`].
pub(super) async fn settle(shared: &Shared, conversation: &Conversation) -> Result<Conversation, Refusal> {
    within(CHANGE, shared.archive.settle(&*shared.store, conversation, 0)).await
}

/// Removes head, messages and what the archive has. Under the pen.
///
/// # Errors
/// 503.
pub(super) async fn remove(shared: &Shared, conversation: &Conversation) -> Result<(), Refusal> {
    within(CHANGE, shared.archive.delete(&*shared.store, conversation)).await
}

async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, ArchiveError>> + Send,
) -> Result<T, Refusal> {
    let late = |_| Err(ArchiveError::Unavailable(format!("no answer in {} s", time.as_secs())));
    let done = Box::pin(timeout(time, call)).await.unwrap_or_else(late);
    done.map_err(|error| match error {
        ArchiveError::Gone => Refusal::NoConversation,
        ArchiveError::Store(error) => failed(error),
        error => {
            tracing::warn!(%error, "the archive of conversations failed");
            let what = "the older part of this conversation cannot be read or kept at this moment";
            Refusal::Overloaded { what, retry_after: RETRY }
        }
    })
}
