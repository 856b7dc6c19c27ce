//! Calls of the store as conversations make them: bounded in time, told in one sentence where they fail, and changes of a
//! head that others may change meanwhile.

use std::time::Duration;

use fleet::store::{Change, Conversation, Store, StoreError};
use tokio::time::timeout;

use crate::error::Refusal;

/// Longest call: a page of long messages from a slow table.
const CALL: Duration = Duration::from_secs(10);
/// When to try again what the store did not do.
const RETRY: Duration = Duration::from_secs(2);
/// How often a change is tried: only a person's own tabs, and one answer, change the same head.
const TRIES: usize = 8;

/// The call, if it does not take too long.
pub(super) async fn bounded<T>(
    call: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Unavailable(format!("no answer in {} s", CALL.as_secs())));
    timeout(CALL, call).await.unwrap_or_else(late)
}

/// What a person is told for whom the store did not do something.
pub(crate) fn failed(error: StoreError) -> Refusal {
    tracing::warn!(%error, "the store of conversations failed");
    Refusal::Overloaded { what: "conversations cannot be read or kept at this moment", retry_after: RETRY }
}

/// The head of a conversation.
///
/// # Errors
/// 404 where this principal has none of this id.
pub(crate) async fn find(store: &dyn Store, principal: &str, id: &str) -> Result<Conversation, Refusal> {
    let found = bounded(store.conversation(principal, id)).await.map_err(failed)?;
    found.ok_or(Refusal::NoConversation)
}

/// Changes a head, whatever others change in it meanwhile; what stands there now.
///
/// # Errors
/// 404 where it is gone; 503.
pub(super) async fn change(
    store: &dyn Store,
    mut there: Conversation,
    change: impl Fn(&mut Conversation) + Send + Sync,
) -> Result<Conversation, Refusal> {
    for _ in 0..TRIES {
        let mut new = there.clone();
        change(&mut new);
        match bounded(store.change_conversation(&there, &new)).await.map_err(failed)? {
            Change::Made(made) => return Ok(made),
            Change::Refused(Some(theirs)) if theirs.version > 0 => there = theirs,
            Change::Refused(_) => return Err(Refusal::NoConversation),
        }
    }
    Err(failed(StoreError::Unavailable("a conversation was changed by others all the time".to_owned())))
}
