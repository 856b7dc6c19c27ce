//! Messages, the long ones in parts: an item may have 400 KB.
//!
//! A long text is written as parts under a revision of its own, then the message names that revision, then the parts
//! that it named before go. So a reader finds the old text or the new; one who came between looks again.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::client::{DynamoStore, fault};
use super::item::{Item, count_of, json, json_of, number, text, text_of};
use super::user_key;
use crate::store::{Message, MessageId, StoreError};

/// Bytes of text in one item. DynamoDB refuses items of more than 400 KB, names included; the rest is for the message's
/// other fields, which are some 300 bytes.
pub(super) const PART: usize = 300_000;

/// The last place that 16 digits can name.
const LAST: u64 = 9_999_999_999_999_999;

/// Where a conversation stands.
pub(super) struct Place {
    /// The person's partition.
    pub(super) person: String,
    /// The head's sort key.
    pub(super) head: String,
}

impl Place {
    pub(super) fn of(principal: &str, id: &str) -> Self {
        Self { person: user_key(principal), head: format!("CONV#{id}") }
    }

    /// A sort key below the head.
    pub(super) fn below(&self, rest: &str) -> String {
        format!("{}#{rest}", self.head)
    }

    pub(super) fn pen(&self) -> String {
        self.below("PEN")
    }

    fn message(&self, id: MessageId) -> String {
        self.below(&format!("MSG#{}", digits(id)))
    }

    /// What the parts of one revision begin with. Not below `MSG#`: a query of messages must not meet them.
    fn parts(&self, message: MessageId, revision: &str) -> String {
        self.below(&format!("PART#{}#{revision}#", digits(message)))
    }

    fn part(&self, message: MessageId, revision: &str, at: usize) -> String {
        format!("{}{at:04}", self.parts(message, revision))
    }
}

fn digits(id: MessageId) -> String {
    format!("{:016}", id.0.min(LAST))
}

/// A text in pieces of at most `most` bytes, each of whole characters.
fn pieces(mut rest: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while rest.len() > most {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(most));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

pub(super) async fn write(store: &DynamoStore, place: &Place, message: &Message) -> Result<(), StoreError> {
    let bare = Message { content: String::new(), ..message.clone() };
    let mut fields = vec![("message", json(&bare)?)];
    let revision = format!("{:016x}", fastrand::u64(..));
    if message.content.len() <= PART {
        fields.push(("content", text(&message.content)));
    } else {
        let pieces = pieces(&message.content, PART);
        fields.extend([("revision", text(&revision)), ("parts", number(pieces.len()))]);
        for (at, piece) in pieces.into_iter().enumerate() {
            let part = place.part(message.id, &revision, at);
            store.put(&place.person, &part, [("content", text(piece))]).await?;
        }
    }
    let before = replace(store, place, message.id, fields).await?;
    match before.as_ref().map(parts_of).transpose()?.flatten() {
        // Its own revision: the call was repeated after a lost answer.
        Some((named, count)) if named != revision => {
            let part = |at| key(&place.person, &place.part(message.id, &named, at));
            store.remove_all((0..count).map(part).collect()).await
        }
        _ => Ok(()),
    }
}

/// Writes the message's own item; gives the one that stood there.
async fn replace(
    store: &DynamoStore,
    place: &Place,
    id: MessageId,
    fields: Vec<(&'static str, AttributeValue)>,
) -> Result<Option<Item>, StoreError> {
    let mut put = store.client.put_item().table_name(&store.table).return_values(ReturnValue::AllOld);
    put = put.item("PK", text(&place.person)).item("SK", text(place.message(id)));
    for (name, value) in fields {
        put = put.item(name, value);
    }
    Ok(put.send().await.map_err(fault)?.attributes)
}

pub(super) async fn read(
    store: &DynamoStore,
    place: &Place,
    before: Option<MessageId>,
    most: usize,
) -> Result<Vec<Message>, StoreError> {
    let last = before.map_or(Some(LAST), |before| before.0.checked_sub(1));
    let Some(last) = last.filter(|_| most > 0) else { return Ok(Vec::new()) };
    let (from, to) = (place.message(MessageId(0)), place.message(MessageId(last)));
    let items = store.latest_between(&place.person, [&from, &to], most).await?;
    let mut messages = Vec::with_capacity(items.len());
    for item in items.into_iter().rev() {
        messages.extend(whole(store, place, item).await?);
    }
    Ok(messages)
}

/// The message of an item, with its parts; `None` where it went meanwhile.
async fn whole(store: &DynamoStore, place: &Place, mut item: Item) -> Result<Option<Message>, StoreError> {
    loop {
        let mut message: Message = json_of(&item, "message")?;
        let Some((revision, count)) = parts_of(&item)? else {
            message.content = text_of(&item, "content")?;
            return Ok(Some(message));
        };
        let parts = store.list(&place.person, &place.parts(message.id, &revision)).await?;
        if parts.len() == count {
            message.content = parts.iter().map(|part| text_of(part, "content")).collect::<Result<_, _>>()?;
            return Ok(Some(message));
        }
        // Somebody has written it anew since we read the item, which then names another revision.
        match store.get(&place.person, &place.message(message.id)).await? {
            None => return Ok(None),
            Some(now) if parts_of(&now)?.is_some_and(|(named, _)| named == revision) => {
                return Err(StoreError::Unreadable(format!("{} lacks a part", place.message(message.id))));
            }
            Some(now) => item = now,
        }
    }
}

/// The revision and the number of the parts that an item names.
fn parts_of(item: &Item) -> Result<Option<(String, usize)>, StoreError> {
    if !item.contains_key("revision") {
        return Ok(None);
    }
    Ok(Some((text_of(item, "revision")?, count_of(item, "parts")?)))
}

pub(super) async fn remove(
    store: &DynamoStore,
    place: &Place,
    from: MessageId,
    to: MessageId,
) -> Result<(), StoreError> {
    let messages = store.keys_between(&place.person, [&place.message(from), &place.message(to)]).await?;
    store.remove_all(messages).await?;
    // Behind the messages that named them; and those of a write that never came to its end.
    let (first, last) = (format!("PART#{}", digits(from)), format!("PART#{}~", digits(to)));
    let parts = store.keys_between(&place.person, [&place.below(&first), &place.below(&last)]).await?;
    store.remove_all(parts).await
}

fn key(pk: &str, sk: &str) -> Item {
    Item::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, most, cut) in [
            ("", 4, vec![""]),
            ("abcd", 4, vec!["abcd"]),
            ("abcde", 4, vec!["abcd", "e"]),
            ("abc\u{1f600}d", 4, vec!["abc", "\u{1f600}", "d"]),
            ("\u{1f600}\u{1f600}", 5, vec!["\u{1f600}", "\u{1f600}"]),
        ] {
            assert_eq!(pieces(text, most), cut, "{text:?}");
        }
    }

    #[test]
    fn places_stand_in_the_order_of_time() {
        let place = Place::of("p", "c");
        let [early, late, never] = [9, 10, u64::MAX].map(|id| place.message(MessageId(id)));
        assert!(early < late && late < never, "{early} {late} {never}");
        assert_eq!(early, "CONV#c#MSG#0000000000000009");
        assert_eq!(place.part(MessageId(9), "ab", 3), "CONV#c#PART#0000000000000009#ab#0003");
    }
}
