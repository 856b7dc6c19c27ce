//! One answer of a model as it comes: what can be shown of it, and what is left of it in the end.

use super::protect::Protected;
use crate::error::Refusal;
use crate::ollama::spoken::Spoken;

/// Longest mark, in bytes: what of a text's end may still become one.
const LONGEST_MARK: usize = 12;

/// What has come of an answer.
#[derive(Debug, Default)]
pub(super) struct Reading {
    said: Spoken,
    /// Bytes of it that were shown.
    shown: usize,
}

impl Reading {
    /// Takes bytes.
    ///
    /// # Errors
    /// The error that a stream ended with.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.said.push(bytes)
    }

    /// Is the answer whole?
    pub(super) fn is_whole(&self) -> bool {
        self.said.whole
    }

    /// Did it end only because it may not be longer?
    pub(super) fn is_cut_short(&self) -> bool {
        self.said.cut_short
    }

    /// What can be shown of the text beyond what was: no mark in the making.
    pub(super) fn news(&mut self, protected: &Protected) -> Option<String> {
        if self.shown == 0 {
            self.shown = self.said.text.len() - self.said.text.trim_start().len();
        }
        let rest = &self.said.text[self.shown..];
        let open = rest.rfind('<').filter(|&at| !rest[at..].contains('>') && rest.len() - at < LONGEST_MARK);
        let end = if self.said.whole { rest.trim_end().len() } else { open.unwrap_or(rest.len()) };
        let news = protected.put_back(&rest[..end]);
        self.shown += end;
        (!news.is_empty()).then_some(news)
    }

    /// The answer without what models put around it.
    pub(super) fn answer(&self, source: &str) -> String {
        let mut answer = self.said.text.trim();
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
            assert!(reading.is_whole() && !reading.is_cut_short());
            assert_eq!((reading.said.text.as_str(), shown.as_str()), ("Hallo <x1/>!", "Hallo {name}!"));
        }
    }

    #[test]
    fn what_models_put_around_an_answer_is_taken_off() {
        let answer = |text: &str, source| {
            let mut reading = Reading::default();
            reading.said.text.push_str(text);
            reading.answer(source)
        };
        assert_eq!(answer(" <text>\nHallo\n</text>\n", "Hello"), "Hallo");
        assert_eq!(answer("\"Hallo\"", "Hello"), "Hallo");
        assert_eq!(answer("\"Hallo\"", "\"Hello\""), "\"Hallo\"");
        assert_eq!(answer("Hallo\n\nWelt", "Hello world"), "Hallo Welt");
    }
}
