//! What the archive holds of a conversation: everything as JSON, and a text for people.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use fleet::store::{Conversation, Ending, Message, Speaker};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The shape of the JSON object; grows when an older program could misread a newer object.
const FORMAT: u32 = 1;

/// A conversation in the archive.
#[derive(Serialize, Deserialize)]
pub(super) struct Object<'a> {
    format: u32,
    /// The head as it was when messages last moved; the table's is the one that counts.
    conversation: Cow<'a, Conversation>,
    /// The messages, the oldest first.
    pub transcript: Cow<'a, [Message]>,
}

/// Why bytes are no conversation.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoObject {
    #[error("is not JSON as we write it: {0}")]
    Shape(serde_json::Error),
    #[error("has the format {0}; this program knows {FORMAT}")]
    Newer(u32),
}

/// An object as it was read.
pub(super) struct Read {
    pub transcript: Vec<Message>,
}

impl<'a> Object<'a> {
    pub(super) fn of(conversation: &'a Conversation, messages: &'a [Message]) -> Self {
        Self {
            format: FORMAT,
            conversation: Cow::Borrowed(conversation),
            transcript: Cow::Borrowed(messages),
        }
    }

    pub(super) fn json(&self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(self).map(Bytes::from)
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Read, NoObject> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let Version { format } = serde_json::from_slice(bytes).map_err(NoObject::Shape)?;
        if format != FORMAT {
            return Err(NoObject::Newer(format));
        }
        let object: Object<'static> = serde_json::from_slice(bytes).map_err(NoObject::Shape)?;
        Ok(Read { transcript: object.transcript.into_owned() })
    }

    /// To read: who said what, and when.
    pub(super) fn text(&self) -> String {
        let head = &self.conversation;
        let mut text = format!("{}\nModel: {}\nBegun: {}\n", head.title, head.model, moment(head.created));
        if !head.system.is_empty() {
            let _ = write!(text, "System prompt:\n{}\n", head.system);
        }
        for message in self.transcript.iter() {
            let who = match message.role {
                Speaker::User => "Person",
                Speaker::Assistant => head.model.as_str(),
            };
            let how = match message.state {
                Ending::Whole => "",
                Ending::Stopped => " (stopped)",
                Ending::Writing | Ending::Broken => " (broken off)",
            };
            let _ = write!(text, "\n--- {who}, {}{how}\n{}\n", moment(message.at), message.content);
        }
        text
    }
}

/// A time for people; the number where it is none.
fn moment(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use fleet::store::MessageId;

    use super::*;

    fn conversation() -> Conversation {
        Conversation {
            title: "Plans".to_owned(),
            model: "gemma3n:e4b".to_owned(),
            system: "Be short.".to_owned(),
            created: 1_795_000_000,
            ..Conversation::default()
        }
    }

    fn messages() -> Vec<Message> {
        let said = |id, role, content: &str, state| Message {
            id: MessageId(id),
            role,
            content: content.to_owned(),
            state,
            at: 1_795_000_060,
            seconds: 1.5,
            ..Message::default()
        };
        vec![
            said(1, Speaker::User, "Why?", Ending::Whole),
            said(2, Speaker::Assistant, "Because \u{1f600}", Ending::Stopped),
        ]
    }

    #[test]
    fn json_has_everything_and_is_read_back() {
        let (conversation, messages) = (conversation(), messages());
        let json = Object::of(&conversation, &messages).json().unwrap();
        assert_eq!(Object::read(&json).unwrap().transcript, messages);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["conversation"]["system"], "Be short.");
        assert_eq!(value["transcript"][1]["seconds"], 1.5);
    }

    #[test]
    fn the_text_is_for_people() {
        let text = Object::of(&conversation(), &messages()).text();
        assert_eq!(
            text,
            "Plans\nModel: gemma3n:e4b\nBegun: 2026-11-18 11:06:40 UTC\nSystem prompt:\nBe short.\n\n\
             --- Person, 2026-11-18 11:07:40 UTC\nWhy?\n\n\
             --- gemma3n:e4b, 2026-11-18 11:07:40 UTC (stopped)\nBecause \u{1f600}\n"
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bytes in
            ["", "{}", "[]", "{\"format\":1}", "{\"format\":2,\"conversation\":{},\"transcript\":[]}"]
        {
            assert!(Object::read(bytes.as_bytes()).is_err(), "{bytes}");
        }
    }
}
