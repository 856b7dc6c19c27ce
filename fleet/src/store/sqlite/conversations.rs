//! Conversations in tables of their own: heads by person and time, messages by conversation and place, pens.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::items::{Json, atomically, durably, json};
use crate::store::conversations::{check_head, check_message};
use crate::store::quota::signed;
use crate::store::{Change, Conversation, ConversationStore, Message, MessageId, Pen, PenHeld, StoreError};

/// How long a pen that nobody laid down is kept after its time: only so that the table does not grow.
const PEN_KEPT: i64 = 24 * 3600;

// Only beside a head, so that a writer who learns late that all was deleted leaves nothing behind.
const WRITE: &str = "INSERT INTO message (principal, id, message, document)
    SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM conversation WHERE principal = ?1 AND id = ?2)
    ON CONFLICT (principal, id, message) DO UPDATE SET document = excluded.document";

const TAKE_PEN: &str = "INSERT INTO pen (principal, id, holder, until, stop) VALUES (?1, ?2, ?3, ?5, 0)
    ON CONFLICT (principal, id) DO UPDATE SET until = excluded.until, holder = excluded.holder,
        stop = CASE WHEN holder = excluded.holder THEN stop ELSE 0 END
        WHERE until <= ?4 OR holder = excluded.holder
    RETURNING stop";

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn begin_conversation(&self, conversation: &Conversation) -> Result<bool, StoreError> {
        check_head(conversation)?;
        let new = Conversation { version: 1, ..conversation.clone() };
        self.writer.call(move |file| begin(file, &new)).await
    }

    async fn conversation(&self, principal: &str, id: &str) -> Result<Option<Conversation>, StoreError> {
        let place = place(principal, id);
        self.reader.call(move |file| head(file, &place)).await
    }

    async fn conversations(&self, principal: &str) -> Result<Vec<Conversation>, StoreError> {
        let principal = principal.to_owned();
        self.reader.call(move |file| heads(file, &principal)).await
    }

    async fn change_conversation(
        &self,
        expected: &Conversation,
        new: &Conversation,
    ) -> Result<Change<Conversation>, StoreError> {
        check_head(new)?;
        let (place, expected, new) =
            (place(&expected.principal, &expected.id), expected.version, new.after(expected));
        self.writer.call(move |file| change(file, &place, expected, new)).await
    }

    async fn delete_conversation(&self, principal: &str, id: &str) -> Result<bool, StoreError> {
        let place = place(principal, id);
        self.writer.call(move |file| delete(file, &place)).await
    }

    async fn take_pen(
        &self,
        principal: &str,
        id: &str,
        holder: &str,
        now: i64,
        until: i64,
    ) -> Result<PenHeld, StoreError> {
        let (place, holder) = (place(principal, id), holder.to_owned());
        self.writer.call(move |file| take_pen(file, &place, &holder, now, until)).await
    }

    async fn drop_pen(&self, principal: &str, id: &str, holder: &str) -> Result<(), StoreError> {
        let ([principal, id], holder) = (place(principal, id), holder.to_owned());
        let drop_pen = "DELETE FROM pen WHERE principal = ?1 AND id = ?2 AND holder = ?3";
        self.writer
            .call(move |file| file.prepare_cached(drop_pen)?.execute([principal, id, holder]).map(drop))
            .await
    }

    async fn ask_to_stop(&self, principal: &str, id: &str, now: i64) -> Result<bool, StoreError> {
        let [principal, id] = place(principal, id);
        let ask = "UPDATE pen SET stop = 1 WHERE principal = ?1 AND id = ?2 AND until > ?3";
        let asked =
            move |file: &mut Connection| file.prepare_cached(ask)?.execute(params![principal, id, now]);
        Ok(self.writer.call(asked).await? > 0)
    }

    async fn pen(&self, principal: &str, id: &str, now: i64) -> Result<Option<Pen>, StoreError> {
        let place = place(principal, id);
        let pen = self.reader.call(move |file| pen(file, &place)).await?;
        Ok(pen.filter(|pen| pen.until > now))
    }

    async fn write_message(&self, principal: &str, id: &str, message: &Message) -> Result<(), StoreError> {
        check_message(message)?;
        let ([principal, id], message) = (place(principal, id), message.clone());
        let write = move |file: &mut Connection| {
            let values = params![principal, id, signed(message.id.0), json(&message)?];
            file.prepare_cached(WRITE)?.execute(values).map(drop)
        };
        self.writer.call(write).await
    }

    async fn messages(
        &self,
        principal: &str,
        id: &str,
        before: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let (place, before) = (place(principal, id), before.map_or(i64::MAX, |before| signed(before.0)));
        self.reader.call(move |file| messages(file, &place, before, most)).await
    }

    async fn delete_messages(
        &self,
        principal: &str,
        id: &str,
        from: MessageId,
        to: MessageId,
    ) -> Result<(), StoreError> {
        let [principal, id] = place(principal, id);
        let delete = "DELETE FROM message WHERE principal = ?1 AND id = ?2 AND message BETWEEN ?3 AND ?4";
        let remove = move |file: &mut Connection| {
            let values = params![principal, id, signed(from.0), signed(to.0)];
            durably(file, |change| change.execute(delete, values).map(drop))
        };
        self.writer.call(remove).await
    }
}

/// Principal and id, to own.
fn place(principal: &str, id: &str) -> [String; 2] {
    [principal.to_owned(), id.to_owned()]
}

fn begin(connection: &Connection, new: &Conversation) -> rusqlite::Result<bool> {
    let values = params![new.principal, new.id, new.updated, json(new)?];
    let begun = connection
        .prepare_cached(
            "INSERT INTO conversation (principal, id, updated, document) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (principal, id) DO NOTHING",
        )?
        .execute(values)?;
    Ok(begun > 0)
}

fn head(connection: &Connection, place: &[String; 2]) -> rusqlite::Result<Option<Conversation>> {
    connection
        .prepare_cached("SELECT document FROM conversation WHERE principal = ?1 AND id = ?2")?
        .query_row(place.each_ref(), |row| row.get(0).map(|Json(head)| head))
        .optional()
}

fn heads(connection: &Connection, principal: &str) -> rusqlite::Result<Vec<Conversation>> {
    connection
        .prepare_cached(
            "SELECT document FROM conversation WHERE principal = ?1 ORDER BY updated DESC, id DESC",
        )?
        .query_map([principal], |row| row.get(0).map(|Json(head)| head))?
        .collect()
}

fn change(
    connection: &mut Connection,
    place: &[String; 2],
    expected: u64,
    new: Conversation,
) -> rusqlite::Result<Change<Conversation>> {
    atomically(connection, |change| {
        let there = head(change, place)?;
        if there.as_ref().is_none_or(|there| there.version != expected) {
            return Ok(Change::Refused(there));
        }
        let [principal, id] = place;
        change
            .prepare_cached(
                "UPDATE conversation SET updated = ?3, document = ?4 WHERE principal = ?1 AND id = ?2",
            )?
            .execute(params![principal, id, new.updated, json(&new)?])?;
        Ok(Change::Made(new))
    })
}

fn delete(connection: &mut Connection, place: &[String; 2]) -> rusqlite::Result<bool> {
    durably(connection, |change| {
        for table in ["message", "pen"] {
            change.execute(
                &format!("DELETE FROM {table} WHERE principal = ?1 AND id = ?2"),
                place.each_ref(),
            )?;
        }
        Ok(change.execute("DELETE FROM conversation WHERE principal = ?1 AND id = ?2", place.each_ref())? > 0)
    })
}

fn take_pen(
    connection: &mut Connection,
    place: &[String; 2],
    holder: &str,
    now: i64,
    until: i64,
) -> rusqlite::Result<PenHeld> {
    atomically(connection, |change| {
        change.prepare_cached("DELETE FROM pen WHERE until < ?1")?.execute([now.saturating_sub(PEN_KEPT)])?;
        let [principal, id] = place;
        let taken = change
            .prepare_cached(TAKE_PEN)?
            .query_row(params![principal, id, holder, now, until], |row| row.get(0))
            .optional()?;
        match taken {
            Some(stop) => Ok(PenHeld::Yes(stop)),
            None => Ok(PenHeld::No(pen(change, place)?.map_or(now, |pen| pen.until))),
        }
    })
}

fn pen(connection: &Connection, place: &[String; 2]) -> rusqlite::Result<Option<Pen>> {
    connection
        .prepare_cached("SELECT holder, until, stop FROM pen WHERE principal = ?1 AND id = ?2")?
        .query_row(place.each_ref(), |row| {
            Ok(Pen { holder: row.get(0)?, until: row.get(1)?, stop: row.get(2)? })
        })
        .optional()
}

fn messages(
    connection: &Connection,
    [principal, id]: &[String; 2],
    before: i64,
    most: usize,
) -> rusqlite::Result<Vec<Message>> {
    let mut found: Vec<Message> = connection
        .prepare_cached(
            "SELECT document FROM message WHERE principal = ?1 AND id = ?2 AND message < ?3
             ORDER BY message DESC LIMIT ?4",
        )?
        .query_map(params![principal, id, before, signed(most as u64)], |row| {
            row.get(0).map(|Json(message)| message)
        })?
        .collect::<Result<_, _>>()?;
    found.reverse();
    Ok(found)
}
