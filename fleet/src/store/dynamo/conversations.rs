//! Conversations in their person's partition: the head, marked as `listed` so that a list reads no messages, and beside
//! it the pen and the messages.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;

use super::client::{DynamoStore, fault};
use super::item::{Item, count_of, json, json_of, number, text, text_of};
use super::messages::{self, Place};
use super::table::{EXPIRES_AT, LISTED};
use super::update::{Outcome, Repeat};
use crate::store::conversations::{check_head, check_message};
use crate::store::{Change, Conversation, ConversationStore, Message, MessageId, Pen, PenHeld, StoreError};

/// How long a pen that nobody laid down is kept after its time, in seconds.
const PEN_KEPT: i64 = 24 * 3600;

#[async_trait]
impl ConversationStore for DynamoStore {
    async fn begin_conversation(&self, conversation: &Conversation) -> Result<bool, StoreError> {
        check_head(conversation)?;
        let new = Conversation { version: 1, ..conversation.clone() };
        let place = Place::of(&new.principal, &new.id);
        let update = self
            .update(&place.person, &place.head)
            .set(LISTED, text(listed(&new.principal)))
            .set("conversation", json(&new)?);
        Ok(matches!(update.after_version(None, head_of).await?, Change::Made(_)))
    }

    async fn conversation(&self, principal: &str, id: &str) -> Result<Option<Conversation>, StoreError> {
        let place = Place::of(principal, id);
        self.get(&place.person, &place.head).await?.as_ref().map(head_of).transpose()
    }

    async fn conversations(&self, principal: &str) -> Result<Vec<Conversation>, StoreError> {
        let items = self.listed(&listed(principal), "USER#").await?;
        let mut heads = items.iter().map(head_of).collect::<Result<Vec<_>, _>>()?;
        heads.sort_by(|a, b| b.updated.cmp(&a.updated).then_with(|| b.id.cmp(&a.id)));
        Ok(heads)
    }

    async fn change_conversation(
        &self,
        expected: &Conversation,
        new: &Conversation,
    ) -> Result<Change<Conversation>, StoreError> {
        check_head(new)?;
        let place = Place::of(&expected.principal, &expected.id);
        let update = self.update(&place.person, &place.head).set("conversation", json(&new.after(expected))?);
        update.after_version(Some(expected.version), head_of).await
    }

    async fn delete_conversation(&self, principal: &str, id: &str) -> Result<bool, StoreError> {
        let place = Place::of(principal, id);
        self.remove_below(&place).await?;
        let there = self.remove(&place.person, &place.head).await?;
        // A message that came between the two. What comes later finds no head, and goes by itself.
        self.remove_below(&place).await?;
        Ok(there)
    }

    async fn take_pen(
        &self,
        principal: &str,
        id: &str,
        holder: &str,
        now: i64,
        until: i64,
    ) -> Result<PenHeld, StoreError> {
        let place = Place::of(principal, id);
        let update = self
            .update(&place.person, &place.pen())
            .set("holder", text(holder))
            .set("until", number(until))
            .set(EXPIRES_AT, number(until.saturating_add(PEN_KEPT)))
            .value("now", number(now))
            .name("PK")
            .only_if("attribute_not_exists(#PK) OR #until <= :now OR #holder = :holder");
        match update.run(Repeat::Safe).await? {
            Outcome::Made(item) => Ok(PenHeld::Yes(pen_of(&item)?.stop)),
            Outcome::Refused(item) => {
                Ok(PenHeld::No(item.as_ref().map(pen_of).transpose()?.map_or(now, |pen| pen.until)))
            }
        }
    }

    async fn drop_pen(&self, principal: &str, id: &str, holder: &str) -> Result<(), StoreError> {
        let place = Place::of(principal, id);
        let delete = self.client.delete_item().table_name(&self.table);
        let dropped = delete
            .key("PK", text(&place.person))
            .key("SK", text(place.pen()))
            .expression_attribute_names("#holder", "holder")
            .expression_attribute_values(":holder", text(holder))
            .condition_expression("#holder = :holder")
            .send()
            .await;
        match dropped {
            Err(error)
                if !matches!(
                    error.as_service_error(),
                    Some(DeleteItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Err(fault(error))
            }
            _ => Ok(()),
        }
    }

    async fn ask_to_stop(&self, principal: &str, id: &str, now: i64) -> Result<bool, StoreError> {
        let place = Place::of(principal, id);
        // The holder's own name, so that the wish ends with their turn and nobody need take it back.
        let update = self
            .update(&place.person, &place.pen())
            .set_from("stopped", "holder")
            .value("now", number(now))
            .name("PK")
            .name("until")
            .only_if("attribute_exists(#PK) AND #until > :now");
        Ok(matches!(update.run(Repeat::Safe).await?, Outcome::Made(_)))
    }

    async fn pen(&self, principal: &str, id: &str, now: i64) -> Result<Option<Pen>, StoreError> {
        let place = Place::of(principal, id);
        let pen = self.get(&place.person, &place.pen()).await?.as_ref().map(pen_of).transpose()?;
        Ok(pen.filter(|pen| pen.until > now))
    }

    async fn write_message(&self, principal: &str, id: &str, message: &Message) -> Result<(), StoreError> {
        check_message(message)?;
        let place = Place::of(principal, id);
        messages::write(self, &place, message).await?;
        // After the write: a deletion then either sees the message or is seen here.
        if self.get(&place.person, &place.head).await?.is_none() {
            messages::remove(self, &place, message.id, message.id).await?;
        }
        Ok(())
    }

    async fn messages(
        &self,
        principal: &str,
        id: &str,
        before: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Message>, StoreError> {
        messages::read(self, &Place::of(principal, id), before, most).await
    }

    async fn delete_messages(
        &self,
        principal: &str,
        id: &str,
        from: MessageId,
        to: MessageId,
    ) -> Result<(), StoreError> {
        messages::remove(self, &Place::of(principal, id), from, to).await
    }
}

impl DynamoStore {
    /// Removes everything of a conversation but its head.
    async fn remove_below(&self, place: &Place) -> Result<(), StoreError> {
        let keys = self.keys_between(&place.person, [&place.below(""), &place.below("~")]).await?;
        self.remove_all(keys).await
    }
}

/// Under what a person's conversations are listed.
fn listed(principal: &str) -> String {
    format!("CONV#{principal}")
}

fn head_of(item: &Item) -> Result<Conversation, StoreError> {
    json_of(item, "conversation")
}

fn pen_of(item: &Item) -> Result<Pen, StoreError> {
    let holder = text_of(item, "holder")?;
    let stop = item.get("stopped").and_then(|stopped| stopped.as_s().ok()) == Some(&holder);
    Ok(Pen { holder, until: count_of(item, "until")?, stop })
}
