//! One answer of a model as it comes: lines of `/api/chat` in, text out.

use serde::Deserialize;

use super::protect::Protected;
use crate::error::Refusal;

/// Longest mark, in bytes: what of a text's end may still become one.
const LONGEST_MARK: usize = 12;

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
pub(super) struct Reading {
    held: Vec<u8>,
    /// The text so far.
    pub(super) text: String,
    /// Bytes of it that were shown.
    shown: usize,
    /// The answer is whole.
    pub(super) whole: bool,
    /// It ended only because it may not be longer.
    pub(super) cut_short: bool,
}

impl Reading {
    /// Takes bytes; whole lines count, blank ones are signs of life.
    ///
    /// # Errors
    /// The error that a stream ended with.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
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

    /// What can be shown of the text beyond what was: no mark in the making.
    pub(super) fn news(&mut self, protected: &Protected) -> Option<String> {
        if self.shown == 0 {
            self.shown = self.text.len() - self.text.trim_start().len();
        }
        let rest = &self.text[self.shown..];
        let open = rest.rfind('<').filter(|&at| !rest[at..].contains('>') && rest.len() - at < LONGEST_MARK);
        let end = if self.whole { rest.trim_end().len() } else { open.unwrap_or(rest.len()) };
        let news = protected.put_back(&rest[..end]);
        self.shown += end;
        (!news.is_empty()).then_some(news)
    }

    /// The answer without what models put around it.
    pub(super) fn answer(&self, source: &str) -> String {
        let mut answer = self.text.trim();
        answer = answer.strip_prefix("<text>").unwrap_or(answer);
        answer = answer.strip_suffix("</text>").unwrap_or(answer).trim();
        for (open, close) in [('"', '"'), ('“', '”'), ('„', '“'), ('「', '」')] {
            let quoted = answer.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
            if let Some(inner) =
                quoted.filter(|inner| !inner.contains([open, close]) && !source.starts_with(open))
            {
                answer = inner;
            }
        }
        if source.contains('\n') {
            return answer.to_owned();
        }
        answer.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::segments::Coding;
    use super::*;

    #[test]
    fn lines_become_text_however_they_are_cut() {
        let lines = "{\"message\":{\"content\":\"Hal\"},\"done\":false}\n \n\
            {\"message\":{\"content\":\"lo <x1\"}}\n{\"message\":{\"content\":\"/>!\"}}\n\
            {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n";
        let protected = Protected::of("Hello {name}!", Coding::Plain);
        for size in [1, 7, 1000] {
            let mut reading = Reading::default();
            let mut shown = String::new();
            for piece in lines.as_bytes().chunks(size) {
                reading.push(piece).unwrap();
                let news = reading.news(&protected).unwrap_or_default();
                assert!(!news.contains('<'), "{news}");
                shown += &news;
            }
            assert!(reading.whole && !reading.cut_short);
            assert_eq!((reading.text.as_str(), shown.as_str()), ("Hallo <x1/>!", "Hallo {name}!"));
        }
    }

    #[test]
    fn errors_within_a_stream_are_errors() {
        let error = Reading::default().push(b"{\"error\":\"it broke\"}\n").unwrap_err();
        assert_eq!(error.to_string(), "it broke");
    }

    #[test]
    fn what_models_put_around_an_answer_is_taken_off() {
        let answer =
            |text: &str, source| Reading { text: text.to_owned(), ..Reading::default() }.answer(source);
        assert_eq!(answer(" <text>\nHallo\n</text>\n", "Hello"), "Hallo");
        assert_eq!(answer("\"Hallo\"", "Hello"), "Hallo");
        assert_eq!(answer("\"Hallo\"", "\"Hello\""), "\"Hallo\"");
        assert_eq!(answer("Hallo\n\nWelt", "Hello world"), "Hallo Welt");
    }
}
