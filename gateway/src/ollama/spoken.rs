//! What a model says as it comes: the lines of a streamed `/api/chat` in, text out.

use serde::Deserialize;

use crate::error::Refusal;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    message: Message,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: String,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize, Default)]
struct Message {
    #[serde(default)]
    content: String,
}

/// What has come of an answer.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    held: Vec<u8>,
    /// The text so far.
    pub(crate) text: String,
    /// The answer is whole.
    pub(crate) whole: bool,
    /// It ended only because it may not be longer.
    pub(crate) cut_short: bool,
}

impl Spoken {
    /// Takes bytes; whole lines count, blank ones are signs of life.
    ///
    /// # Errors
    /// The error that a stream ended with. What came before it is in `text`.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = memchr::memchr(b'\n', &self.held) {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_slice(&line).map_err(|_| Refusal::Upstream {
                text: "the model server sent something that is not part of an answer".to_owned(),
                worked: true,
            })?;
            if let Some(text) = line.error {
                return Err(Refusal::Upstream { text, worked: true });
            }
            self.text.push_str(&line.message.content);
            self.whole |= line.done;
            self.cut_short |= line.done_reason == "length";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_text_however_they_are_cut() {
        let lines = "{\"message\":{\"content\":\"Hal\"},\"done\":false}\n \n\
            {\"message\":{\"content\":\"lo\"}}\n{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"length\"}\n";
        for size in [1, 7, 1000] {
            let mut spoken = Spoken::default();
            for piece in lines.as_bytes().chunks(size) {
                spoken.push(piece).unwrap();
            }
            assert_eq!((spoken.text.as_str(), spoken.whole, spoken.cut_short), ("Hallo", true, true));
        }
    }

    #[test]
    fn errors_within_a_stream_are_errors_and_what_came_stays() {
        let mut spoken = Spoken::default();
        let error =
            spoken.push(b"{\"message\":{\"content\":\"Hal\"}}\n{\"error\":\"it broke\"}\n").unwrap_err();
        assert_eq!((error.to_string().as_str(), spoken.text.as_str()), ("it broke", "Hal"));
    }
}
