//! Conversations and messages as JSON, and the ids in it.

use fleet::store::{Conversation, Ending, Message, MessageId, Speaker};
use serde_json::{Value, json};

/// Digits of a message's id: microseconds since 1970 have sixteen until the year 2286.
const DIGITS: usize = 16;

/// No message stands behind this one.
pub(super) const LAST: MessageId = MessageId(9_999_999_999_999_999);

/// A conversation as a list shows it.
pub(crate) fn listed(conversation: &Conversation) -> Value {
    json!({
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model,
        "created": conversation.created,
        "updated": conversation.updated,
        "closed": conversation.closed,
        "messages": conversation.messages,
        "prompt_tokens": conversation.prompt_tokens,
        "output_tokens": conversation.output_tokens,
        "archived": conversation.archive.is_some(),
    })
}

/// A conversation with what only its own view shows.
pub(crate) fn whole(conversation: &Conversation, busy: bool) -> Value {
    let mut shown = listed(conversation);
    shown["system"] = json!(conversation.system);
    shown["options"] = json!(conversation.options);
    shown["busy"] = json!(busy);
    shown
}

/// A message. `busy`: somebody is writing in its conversation; otherwise what is being written has broken off.
pub(crate) fn message(message: &Message, busy: bool) -> Value {
    let state = match message.state {
        Ending::Writing if !busy => Ending::Broken,
        state => state,
    };
    let mut shown = json!({
        "id": shown_id(message.id),
        "role": message.role,
        "content": message.content,
        "state": state,
        "at": message.at,
    });
    if message.role == Speaker::Assistant {
        shown["prompt_tokens"] = json!(message.prompt_tokens);
        shown["output_tokens"] = json!(message.output_tokens);
        shown["first_token_seconds"] = json!(message.first_token_seconds);
        shown["seconds"] = json!(message.seconds);
        shown["turns_cut"] = json!(message.turns_cut);
    }
    shown
}

/// A message's id as clients know it: text, since JavaScript rounds such numbers.
pub(crate) fn shown_id(id: MessageId) -> String {
    format!("{:0DIGITS$}", id.0)
}

/// The id that a client sent.
pub(crate) fn message_id(text: &str) -> Option<MessageId> {
    let digits = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok().map(MessageId)).flatten()
}

/// The id of a message said at `micros` since 1970, behind `last`.
pub(super) fn next_id(micros: i64, last: Option<MessageId>) -> MessageId {
    let now = u64::try_from(micros).unwrap_or_default();
    MessageId(last.map_or(now, |last| now.max(last.0 + 1)))
}

/// Could it be a conversation's? Lower-case hexadecimal digits and hyphens, as a UUID has them.
pub(crate) fn is_id(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// A new conversation's id: a UUID of version 4 (RFC 9562, 5.4).
pub(super) fn new_id() -> String {
    let random = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{random:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_they_look_like() {
        for _ in 0..100 {
            let id = new_id();
            assert!(is_id(&id) && id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
            assert!(!is_id(&id.to_uppercase()) || !id.contains(|c: char| c.is_ascii_lowercase()));
            assert!(!is_id(&id[1..]) && !is_id(&id.replace('-', "0")));
        }
        let id = MessageId(1_700_000_000_000_000);
        assert_eq!(message_id(&shown_id(id)), Some(id));
        for wrong in ["", "1", "170000000000000x", "17000000000000000", "-700000000000000"] {
            assert_eq!(message_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn messages_stand_behind_each_other_whatever_the_clock_says() {
        assert_eq!(next_id(5, None), MessageId(5));
        assert_eq!(next_id(5, Some(MessageId(4))), MessageId(5));
        assert_eq!(next_id(5, Some(MessageId(5))), MessageId(6));
        assert_eq!(next_id(-5, Some(MessageId(9))), MessageId(10));
    }

    #[test]
    fn what_nobody_writes_any_more_has_broken_off() {
        let writing = Message { role: Speaker::Assistant, state: Ending::Writing, ..Message::default() };
        assert_eq!(message(&writing, true)["state"], "writing");
        assert_eq!(message(&writing, false)["state"], "broken");
        assert!(message(&Message::default(), false).get("seconds").is_none());
    }
}
