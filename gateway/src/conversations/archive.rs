//! The archive: where the older part of a conversation goes, in a folder or a bucket, and how both parts are seen as one.
//!
//! One number parts them, `archive.until` of the head: messages up to it count in the archive only, later ones in the
//! table only. So whatever is left over on the wrong side by a crash is not seen, and goes with the next move. What moves
//! is written there first, then the number grows, then it goes from the table; what is cut goes from its end.

mod name;
mod object;
mod shelf;
#[cfg(feature = "aws")]
mod s3;
mod recent;

use std::time::{SystemTime, UNIX_EPOCH};

use fleet::store::{
    Archived, Change, Conversation, ConversationStore, Ending, Message, MessageId, StoreError,
};

use crate::config::settings::Conversations;
use name::Names;
use object::Object;
use recent::Recent;
use shelf::{Seen, Shelf};

/// Why the archive did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The setting names no place that this build can use.
    #[error("conversations.archive: {0}")]
    Unusable(String),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder or bucket. Trying again may help.
    #[error("the archive is not available: {0}")]
    Unavailable(String),
    /// An object is missing, or is not what we wrote. Trying again does not help.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// Somebody else changed the conversation meanwhile. Nothing is lost; trying again helps.
    #[error("the conversation was changed meanwhile")]
    Changed,
    /// Somebody else deleted the conversation meanwhile.
    #[error("the conversation is gone")]
    Gone,
}

/// How often a view begins anew where the conversation was changed while it was read.
const LOOKS: usize = 5;

/// How often a change of the head is tried anew where another part of it was changed meanwhile.
const TRIES: usize = 8;

/// Messages read from the table at once.
const PAGE: usize = 200;

/// Both parts of all conversations. Without a place for the older part, the table has all.
///
/// Whoever calls what changes something (`settle`, `truncate`, `delete`) holds the conversation's pen, with at least
/// half a minute left.
#[derive(Debug)]
pub struct Archive {
    shelf: Option<Box<dyn Shelf>>,
    recent: Recent,
}

impl Archive {
    /// The archive that `settings` name. A folder is made where there is none; a bucket is not asked yet.
    ///
    /// # Errors
    /// [`ArchiveError::Unusable`] for a place that cannot be made, or that this build cannot reach.
    pub fn open(settings: &Conversations) -> Result<Self, ArchiveError> {
        let shelf = settings.archive.as_deref().map(shelf::open).transpose()?;
        Ok(Self { shelf, recent: Recent::default() })
    }

    /// Is there a place for the older part?
    pub fn is_kept(&self) -> bool {
        self.shelf.is_some()
    }

    /// The latest `most` messages before `before` (`None`: of all), the oldest of them first, wherever they are.
    ///
    /// # Errors
    /// All but [`ArchiveError::Unusable`].
    pub async fn page(
        &self,
        store: &dyn ConversationStore,
        conversation: &Conversation,
        before: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Message>, ArchiveError> {
        let (principal, id) = (&conversation.principal, &conversation.id);
        let (mut version, mut lacked) = (conversation.version, None);
        for _ in 0..LOOKS {
            let mut messages = store.messages(principal, id, before, most).await?;
            let head = store.conversation(principal, id).await?.ok_or(ArchiveError::Gone)?;
            // What moves, or is cut, while both are read would be seen twice, or not at all.
            if std::mem::replace(&mut version, head.version) != head.version {
                continue;
            }
            let Some(archived) = &head.archive else { return Ok(messages) };
            messages.retain(|message| message.id > archived.until);
            if messages.len() >= most {
                return Ok(messages);
            }
            let Some(older) = self.older(&head, archived).await? else {
                // One that was cut since is found at the next look, which then asks for less.
                if lacked.replace(archived.until) == Some(archived.until) {
                    let missing = format!("messages of {id} up to {} are not there", archived.until.0);
                    return Err(ArchiveError::Damaged(missing));
                }
                continue;
            };
            let end = before.map_or(older.len(), |before| older.partition_point(|older| older.id < before));
            let begin = end.saturating_sub(most - messages.len());
            let mut page = older.get(begin..end).unwrap_or_default().to_vec();
            page.append(&mut messages);
            return Ok(page);
        }
        Err(ArchiveError::Changed)
    }

    /// Every message, the oldest first.
    ///
    /// # Errors
    /// As [`Archive::page`].
    pub async fn whole(
        &self,
        store: &dyn ConversationStore,
        conversation: &Conversation,
    ) -> Result<Vec<Message>, ArchiveError> {
        self.page(store, conversation, None, usize::MAX).await
    }

    /// Moves all but the latest `keep_latest` messages out of the table; gives the conversation as it then is. An answer
    /// that is still marked as being written has broken off: nobody else holds the pen.
    ///
    /// # Errors
    /// All but [`ArchiveError::Unusable`]. After any of them each message is still seen once.
    pub async fn settle(
        &self,
        store: &dyn ConversationStore,
        conversation: &Conversation,
        keep_latest: usize,
    ) -> Result<Conversation, ArchiveError> {
        let Some(shelf) = &self.shelf else { return Ok(conversation.clone()) };
        let (names, until) = (Names::of(conversation), until(conversation));
        let (mut moving, left_over) = in_table(store, conversation, until).await?;
        moving.truncate(moving.len().saturating_sub(keep_latest));
        let Some(last) = moving.last().map(|last| last.id) else {
            if left_over {
                store.delete_messages(&conversation.principal, &conversation.id, MessageId(0), until).await?;
            }
            return Ok(conversation.clone());
        };
        for message in &mut moving {
            if message.state == Ending::Writing {
                message.state = Ending::Broken;
            }
        }
        let (mut all, seen) = self.there(shelf.as_ref(), &names, until).await?;
        all.append(&mut moving);
        let archived = Archived { until: last, messages: all.len() as u64, at: unix_now() };
        put(shelf.as_ref(), &names, conversation, &all, seen).await?;
        let change = |head: &Conversation| Conversation { archive: Some(archived.clone()), ..head.clone() };
        let changed = match self.change(store, conversation, change).await {
            Err(ArchiveError::Gone) => {
                remove(shelf.as_ref(), &names).await?;
                return Err(ArchiveError::Gone);
            }
            changed => changed?,
        };
        store.delete_messages(&changed.principal, &changed.id, MessageId(0), last).await?;
        self.recent.put(&changed.id, all);
        Ok(changed)
    }

    /// Removes the message `from` and all behind it, wherever they are; gives the conversation as it then is, with their
    /// number taken off `messages`.
    ///
    /// # Errors
    /// All but [`ArchiveError::Unusable`]. After any of them some of the last messages may be gone, none of the others.
    pub async fn truncate(
        &self,
        store: &dyn ConversationStore,
        conversation: &Conversation,
        from: MessageId,
    ) -> Result<Conversation, ArchiveError> {
        let archived = conversation.archive.clone().filter(|archived| archived.until >= from);
        let (in_table, _) = in_table(store, conversation, until(conversation)).await?;
        let mut removed = in_table.iter().filter(|message| message.id >= from).count() as u64;
        let mut kept = Vec::new();
        if let Some(archived) = &archived {
            kept = self.older(conversation, archived).await?.ok_or(ArchiveError::Changed)?;
            kept.retain(|message| message.id < from);
            removed += archived.messages.saturating_sub(kept.len() as u64);
        }
        store.delete_messages(&conversation.principal, &conversation.id, from, MessageId(u64::MAX)).await?;
        let left =
            kept.last().map(|last| Archived { until: last.id, messages: kept.len() as u64, at: unix_now() });
        let change = |head: &Conversation| Conversation {
            messages: head.messages.saturating_sub(removed),
            archive: if archived.is_some() { left.clone() } else { head.archive.clone() },
            ..head.clone()
        };
        let changed = self.change(store, conversation, change).await?;
        if let (Some(_), Some(shelf)) = (&archived, &self.shelf) {
            self.rewrite(shelf.as_ref(), &changed, &kept).await?;
        }
        Ok(changed)
    }

    /// Removes a conversation from archive and table, in this order: what cannot be removed can be found, and removed
    /// again. Works also where there is none any more.
    ///
    /// # Errors
    /// [`ArchiveError::Store`] and [`ArchiveError::Unavailable`].
    pub async fn delete(
        &self,
        store: &dyn ConversationStore,
        conversation: &Conversation,
    ) -> Result<(), ArchiveError> {
        self.recent.forget(&conversation.id);
        if let Some(shelf) = &self.shelf {
            remove(shelf.as_ref(), &Names::of(conversation)).await?;
        }
        store.delete_conversation(&conversation.principal, &conversation.id).await?;
        Ok(())
    }

    /// The messages up to `archived.until`; `None` where the object ends before, as one that was cut meanwhile does.
    async fn older(
        &self,
        head: &Conversation,
        archived: &Archived,
    ) -> Result<Option<Vec<Message>>, ArchiveError> {
        if let Some(found) = self.recent.get(&head.id, archived.until) {
            return Ok(Some(found));
        }
        let shelf = self.shelf.as_ref().ok_or_else(|| {
            ArchiveError::Unusable(
                "none is set, and older messages of this conversation are in one".to_owned(),
            )
        })?;
        match self.there(shelf.as_ref(), &Names::of(head), archived.until).await {
            Ok((messages, _)) => {
                self.recent.put(&head.id, messages.clone());
                Ok(Some(messages))
            }
            Err(ArchiveError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the object holds up to `until`, and which object that was.
    async fn there(
        &self,
        shelf: &dyn Shelf,
        names: &Names,
        until: MessageId,
    ) -> Result<(Vec<Message>, Seen), ArchiveError> {
        let (bytes, seen) = shelf.get(&names.json).await?;
        // Nothing of it counts: it is of a move that never came to its end.
        if until == MessageId(0) {
            return Ok((Vec::new(), seen));
        }
        let damaged = |what: &str| ArchiveError::Damaged(format!("{} {what}", names.json));
        let bytes = bytes.ok_or_else(|| damaged("is not there"))?;
        let mut messages = Object::read(&bytes).map_err(|error| damaged(&error.to_string()))?.transcript;
        messages.retain(|message| message.id <= until);
        if messages.last().is_none_or(|last| last.id != until) {
            return Err(damaged("lacks messages that should be there"));
        }
        Ok((messages, seen))
    }

    /// Writes the object anew without what was cut off, or removes it.
    async fn rewrite(
        &self,
        shelf: &dyn Shelf,
        head: &Conversation,
        kept: &[Message],
    ) -> Result<(), ArchiveError> {
        self.recent.forget(&head.id);
        let names = Names::of(head);
        if kept.is_empty() {
            return remove(shelf, &names).await;
        }
        let (_, seen) = shelf.get(&names.json).await?;
        put(shelf, &names, head, kept, seen).await
    }

    /// Changes the head as it stands, unless what the archive holds was changed meanwhile.
    async fn change(
        &self,
        store: &dyn ConversationStore,
        conversation: &Conversation,
        change: impl Fn(&Conversation) -> Conversation,
    ) -> Result<Conversation, ArchiveError> {
        let mut expected = conversation.clone();
        for _ in 0..TRIES {
            match store.change_conversation(&expected, &change(&expected)).await? {
                Change::Made(changed) => return Ok(changed),
                Change::Refused(None) => return Err(ArchiveError::Gone),
                Change::Refused(Some(there)) if there.archive == conversation.archive => expected = there,
                Change::Refused(Some(_)) => break,
            }
        }
        Err(ArchiveError::Changed)
    }
}

/// Up to where the archive counts; 0: there is none.
fn until(conversation: &Conversation) -> MessageId {
    conversation.archive.as_ref().map_or(MessageId(0), |archived| archived.until)
}

/// The messages that count in the table, the oldest first; and are there others, left over from a move?
async fn in_table(
    store: &dyn ConversationStore,
    conversation: &Conversation,
    until: MessageId,
) -> Result<(Vec<Message>, bool), ArchiveError> {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = store.messages(&conversation.principal, &conversation.id, before, PAGE).await?;
        let ends = page.len() < PAGE || page.first().is_none_or(|first| first.id <= until);
        before = page.first().map(|first| first.id);
        pages.push(page);
        if ends {
            break;
        }
    }
    let mut messages: Vec<Message> = pages.into_iter().rev().flatten().collect();
    let all = messages.len();
    messages.retain(|message| message.id > until);
    let left_over = messages.len() < all;
    Ok((messages, left_over))
}

/// Writes both objects: the one to read last, since nothing depends on it.
async fn put(
    shelf: &dyn Shelf,
    names: &Names,
    conversation: &Conversation,
    messages: &[Message],
    seen: Seen,
) -> Result<(), ArchiveError> {
    let object = Object::of(conversation, messages);
    let json = object.json().map_err(|error| ArchiveError::Damaged(error.to_string()))?;
    shelf.put(&names.json, json, seen).await?;
    shelf.put(&names.text, object.text().into(), Seen::Anything).await
}

async fn remove(shelf: &dyn Shelf, names: &Names) -> Result<(), ArchiveError> {
    shelf.delete(&names.text).await?;
    shelf.delete(&names.json).await
}

fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests;
