//! One frame at a time: does it pass, and what does it tell?
//!
//! Most frames are tokens, so each family's usual token is recognised by its bytes. A quote inside a JSON string is
//! always escaped, so a pattern with quotes cannot occur inside one; it can in a nested object (a tool's arguments),
//! which is why candidates are read properly before anything follows from them.

use memchr::memmem;
use serde::Deserialize;

use super::facts::{Counts, Usage};
use super::{Frames, Verdict};
use crate::ollama::dialect::Api;
use crate::ollama::plain_words::{of_error, plain_words};

/// How a chat chunk without text ends.
const EMPTY: &[u8] = b"\"content\":\"\"},\"finish_reason\":null}]}";

impl Frames {
    /// Judges one whole frame and remembers what it says.
    pub(super) fn judge(&mut self, frame: &[u8]) -> Verdict {
        if self.error.is_some() || self.broken {
            // Behind an error stands at most an end marker that would make the answer look whole.
            return Verdict::Drop;
        }
        self.seen.frames += 1;
        match self.api {
            Api::Pull => self.pull_line(frame),
            Api::Responses | Api::Messages => self.named_event(frame),
            Api::ChatCompletions | Api::Completions | Api::OpenAiEmbeddings => self.data_event(frame),
            Api::Generate | Api::Chat | Api::Embed | Api::Embeddings | Api::Show | Api::Delete => {
                self.token_line(frame)
            }
        }
    }

    /// A line of generate or chat.
    fn token_line(&mut self, line: &[u8]) -> Verdict {
        // The brace that ends the line closes the outermost object, so `done` in front of it is that object's.
        if line.ends_with(b"\"done\":false}\n") {
            self.seen.tokens += 1;
            return Verdict::Pass;
        }
        let candidate = line.starts_with(b"{\"error\"") || memmem::find(line, b"\"done\":true").is_some();
        match candidate.then(|| serde_json::from_slice::<Line<'_>>(line).ok()).flatten() {
            Some(Line { error: Some(_), .. }) => self.fail(line),
            Some(Line { done: Some(true), counts, .. }) => {
                self.complete = true;
                self.seen.take_native(&counts);
                Verdict::Pass
            }
            _ => {
                self.seen.tokens += 1;
                Verdict::Pass
            }
        }
    }

    /// A line of a pull.
    fn pull_line(&mut self, line: &[u8]) -> Verdict {
        let candidate = line.starts_with(b"{\"error\"") || memmem::find(line, b"success").is_some();
        match candidate.then(|| serde_json::from_slice::<Line<'_>>(line).ok()).flatten() {
            Some(Line { error: Some(_), .. }) => self.fail(line),
            Some(Line { status: Some("success"), .. }) => {
                self.complete = true;
                Verdict::Pass
            }
            _ => Verdict::Pass,
        }
    }

    /// An event of the chat or text completions: `data: {…}` or `data: [DONE]`.
    fn data_event(&mut self, event: &[u8]) -> Verdict {
        let Some(data) = event.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else {
            return self.other_event(event);
        };
        if data == b"[DONE]" {
            self.complete = true;
            return Verdict::Pass;
        }
        // The usual token of a chat. The chunk of a dead engine has an empty content.
        if data.ends_with(b"\"},\"finish_reason\":null}]}") && !data.ends_with(EMPTY) {
            self.seen.tokens += 1;
            return Verdict::Pass;
        }
        let candidate = data.starts_with(b"{\"error\"")
            || memmem::find(data, b"\"model\":\"\"").is_some()
            || memmem::find(data, b"\"choices\":[]").is_some();
        let chunk = candidate.then(|| serde_json::from_slice::<Chunk<'_>>(data).ok()).flatten();
        match chunk {
            Some(Chunk { error: Some(_), .. }) => self.fail(data),
            Some(Chunk { model: Some(""), .. }) => {
                // The engine died: Ollama squeezes its error through the chunk converter, and nothing is left of it.
                self.broken = true;
                Verdict::Drop
            }
            Some(Chunk { choices: Some(choices), usage: Some(usage), .. }) if choices.is_empty() => {
                self.seen.take_usage(&usage);
                if self.hide_usage { Verdict::Drop } else { Verdict::Pass }
            }
            _ => {
                self.seen.tokens += u64::from(memmem::find(data, b"\"finish_reason\":null").is_some());
                Verdict::Pass
            }
        }
    }

    /// An event of responses or messages: `event: name`, then `data: {…}`.
    fn named_event(&mut self, event: &[u8]) -> Verdict {
        let Some(rest) = event.strip_prefix(b"event: ") else { return self.other_event(event) };
        let mut lines = rest.splitn(2, |b| *b == b'\n');
        let name = lines.next().unwrap_or_default();
        let data = || {
            let line = rest.get(name.len() + 1..).unwrap_or_default();
            line.strip_prefix(b"data:").unwrap_or_default().trim_ascii()
        };
        match name {
            b"content_block_delta" => self.seen.tokens += 1,
            b"message_stop" => self.complete = true,
            b"message_delta" | b"response.completed" | b"response.incomplete" | b"response.failed" => {
                self.complete |= name != b"message_delta";
                if let Ok(end) = serde_json::from_slice::<End>(data())
                    && let Some(usage) = end.usage.or(end.response.and_then(|response| response.usage))
                {
                    self.seen.take_usage(&usage);
                }
            }
            b"error" => return self.fail(data()),
            delta if delta.ends_with(b".delta") => self.seen.tokens += 1,
            _ => {}
        }
        Verdict::Pass
    }

    /// An event of another form: comments (another gateway's keep-alive) are dropped, a bare error is one.
    fn other_event(&mut self, event: &[u8]) -> Verdict {
        self.seen.frames -= 1;
        if event.starts_with(b":") {
            return Verdict::Drop;
        }
        match event.strip_prefix(b"data:").map(<[u8]>::trim_ascii) {
            Some(data) if data.starts_with(b"{\"error\"") => self.fail(data),
            _ => Verdict::Pass,
        }
    }

    fn fail(&mut self, body: &[u8]) -> Verdict {
        self.error = Some(of_error(body).unwrap_or_else(|| plain_words("")));
        Verdict::Drop
    }
}

/// What matters of an NDJSON line.
#[derive(Deserialize)]
struct Line<'a> {
    done: Option<bool>,
    status: Option<&'a str>,
    error: Option<serde::de::IgnoredAny>,
    #[serde(flatten)]
    counts: Counts,
}

/// What matters of a chunk of the completions.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    model: Option<&'a str>,
    choices: Option<Vec<serde::de::IgnoredAny>>,
    usage: Option<Usage>,
    error: Option<serde::de::IgnoredAny>,
}

/// What matters of an event that ends an answer.
#[derive(Deserialize)]
struct End {
    usage: Option<Usage>,
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<Usage>,
}
