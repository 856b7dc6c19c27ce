//! What an answer cost, as Ollama counts it.

use std::time::Duration;

use memchr::memmem;
use serde::Deserialize;

use crate::ollama::dialect::{Api, Family};

/// Facts for the accounts. `None`: the answer did not say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Frames of the upstream, comments not counted.
    pub frames: u64,
    /// Chunks that carried generated text: nearly the tokens, and all that is known of a cut stream.
    pub tokens: u64,
    /// Tokens of the prompt that were evaluated.
    pub prompt_tokens: Option<u32>,
    /// Tokens generated.
    pub output_tokens: Option<u32>,
    /// From the request's start in Ollama to the runner being ready; with its time in Ollama's queue.
    pub load: Option<Duration>,
    /// Reading the prompt.
    pub prefill: Option<Duration>,
    /// Generating.
    pub decode: Option<Duration>,
}

/// The native counts: numbers of tokens, and nanoseconds. Zeros are left out by Ollama.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Counts {
    prompt_eval_count: Option<u32>,
    eval_count: Option<u32>,
    load_duration: Option<u64>,
    prompt_eval_duration: Option<u64>,
    eval_duration: Option<u64>,
}

/// The counts of the other families, under both spellings.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Usage {
    #[serde(alias = "input_tokens")]
    prompt_tokens: Option<u32>,
    #[serde(alias = "output_tokens")]
    completion_tokens: Option<u32>,
}

impl Seen {
    pub(super) fn take_native(&mut self, counts: &Counts) {
        self.prompt_tokens = counts.prompt_eval_count;
        self.output_tokens = counts.eval_count;
        self.load = counts.load_duration.map(Duration::from_nanos);
        self.prefill = counts.prompt_eval_duration.map(Duration::from_nanos);
        self.decode = counts.eval_duration.map(Duration::from_nanos);
    }

    pub(super) fn take_usage(&mut self, usage: &Usage) {
        self.prompt_tokens = usage.prompt_tokens;
        self.output_tokens = usage.completion_tokens;
    }
}

/// Reads the counts of an answer that was not streamed from its last bytes: 2 KiB hold them, unless log
/// probabilities follow, which stand behind them; pass more then, at best the whole answer.
///
/// The patterns begin with a quote and end with a colon, so no text of the model can hold them; of several the last
/// counts, since what comes out of the model stands before the counts.
pub fn facts_of_whole(api: Api, tail: &[u8]) -> Seen {
    let mut seen = Seen { frames: 1, ..Seen::default() };
    let number = |key: &str| number_after(tail, key);
    let tokens = |key: &str| number(key).and_then(|n| u32::try_from(n).ok());
    if api.family() == Family::Native {
        seen.take_native(&Counts {
            prompt_eval_count: tokens("\"prompt_eval_count\":"),
            eval_count: tokens("\"eval_count\":"),
            load_duration: number("\"load_duration\":"),
            prompt_eval_duration: number("\"prompt_eval_duration\":"),
            eval_duration: number("\"eval_duration\":"),
        });
        return seen;
    }
    let usage = memmem::rfind(tail, b"\"usage\":{").map(|at| &tail[at + 8..]).unwrap_or_default();
    // The object is followed by the rest of the answer: a stream of one value reads just it.
    if let Some(Ok(usage)) = serde_json::Deserializer::from_slice(usage).into_iter::<Usage>().next() {
        seen.take_usage(&usage);
    }
    seen
}

/// The whole number behind the last `key`.
fn number_after(bytes: &[u8], key: &str) -> Option<u64> {
    let rest = &bytes[memmem::rfind(bytes, key.as_bytes())? + key.len()..];
    let digits = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}
