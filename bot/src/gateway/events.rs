//! The events of an answer, out of the bytes of a stream: any cut of the bytes gives the same events.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Conversation, Message};

/// The longest event that is taken: a stored message of the longest kind, escaped, with room.
const EVENT_BYTES: usize = 8 << 20;

/// What a stream says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The question is kept, the answer begins.
    Start(Start),
    /// Nothing comes yet, and why.
    Wait(Wait),
    /// A piece of the answer.
    Delta(String),
    /// The answer as it was stored: the end.
    Whole(Message, Conversation),
    /// It could not be finished: the end.
    Failed(Broken),
}

/// `start`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Start {
    /// The id that the answer is stored by.
    pub answer: String,
    /// How many turns the model does not see any more.
    #[serde(default)]
    pub turns_cut: u64,
}

/// `wait`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Wait {
    /// `queued`, `asleep` or `waking`.
    pub state: String,
    /// For about how long, where that is known.
    pub seconds: Option<f64>,
}

/// `error`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Broken {
    /// A sentence.
    pub error: String,
    /// What had come until then.
    #[serde(default)]
    pub message: Option<Message>,
}

#[derive(Deserialize)]
struct Delta {
    text: String,
}

#[derive(Deserialize)]
struct Whole {
    message: Message,
    conversation: Conversation,
}

/// The stream is not what was agreed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the gateway's events cannot be read ({0})")]
pub struct Garbled(&'static str);

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// What has come since the last event.
    held: Vec<u8>,
    /// So much of it holds no end of an event.
    looked_at: usize,
}

impl Reader {
    /// Takes the next bytes; gives the events that they end.
    ///
    /// # Errors
    /// An event that is too long, or not of the agreed form. Names that are not known are passed over: a newer gateway
    /// may have more to say.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Garbled> {
        self.held.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.end_of_event() {
            let event: Vec<u8> = self.held.drain(..end).collect();
            self.looked_at = 0;
            events.extend(read(&event)?);
        }
        if self.held.len() > EVENT_BYTES {
            return Err(Garbled("an event does not end"));
        }
        Ok(events)
    }

    /// Where the bytes of the first event end, its empty line included.
    fn end_of_event(&mut self) -> Option<usize> {
        let from = self.looked_at.saturating_sub(1);
        let found = self.held[from..].windows(2).position(|pair| pair == b"\n\n");
        self.looked_at = self.held.len();
        found.map(|at| from + at + 2)
    }
}

fn read(event: &[u8]) -> Result<Option<Event>, Garbled> {
    let text = std::str::from_utf8(event).map_err(|_| Garbled("bytes that are no text"))?;
    let Some(name) = fields(text, "event").last() else { return Ok(None) };
    let data = fields(text, "data").collect::<Vec<_>>().join("\n");
    Ok(match name {
        "start" => Some(Event::Start(of(&data)?)),
        "wait" => Some(Event::Wait(of(&data)?)),
        "delta" => Some(Event::Delta(of::<Delta>(&data)?.text)),
        "message" => {
            let Whole { message, conversation } = of(&data)?;
            Some(Event::Whole(message, conversation))
        }
        "error" => Some(Event::Failed(of(&data)?)),
        _ => None,
    })
}

fn fields<'a>(text: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_start)
}

/// serde's own words would quote an answer.
fn of<T: DeserializeOwned>(data: &str) -> Result<T, Garbled> {
    serde_json::from_str(data).map_err(|_| Garbled("an event of another form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": \n\nevent: start\ndata: {\"user\":null,\"answer\":\"0002\",\"turns_cut\":1,\"model\":\"m\"}\n\n\
        event: wait\ndata: {\"state\":\"waking\",\"seconds\":null}\n\nevent: later\ndata: what is this\n\n\
        event: delta\ndata: {\"text\":\"né\\n\\n\"}\n\n: \n\n\
        event: error\ndata: {\"error\":\"no\",\"code\":\"broken\",\"retryAfter\":null,\"message\":null}\n\n";

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_events() {
        let whole = Reader::default().take(STREAM.as_bytes()).unwrap();
        assert_eq!(
            whole,
            [
                Event::Start(Start { answer: "0002".to_owned(), turns_cut: 1 }),
                Event::Wait(Wait { state: "waking".to_owned(), seconds: None }),
                Event::Delta("né\n\n".to_owned()),
                Event::Failed(Broken { error: "no".to_owned(), message: None }),
            ]
        );
        for size in 1..40 {
            let mut reader = Reader::default();
            let pieces = STREAM.as_bytes().chunks(size);
            let events: Vec<Event> = pieces.flat_map(|piece| reader.take(piece).unwrap()).collect();
            assert_eq!(events, whole, "in pieces of {size}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let told = Reader::default().take(b"event: delta\ndata: {\"words\":\"private\"}\n\n").unwrap_err();
        assert!(!told.to_string().contains("private"), "{told}");
        assert!(Reader::default().take(&vec![b'x'; EVENT_BYTES + 1]).is_err());
    }
}
