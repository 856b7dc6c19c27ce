//! The models a simulated Ollama has: what they are called and how fast they pretend to be.

use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::names::{Name, key_of};

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Generates text.
    Chat,
    /// Turns text into vectors; always one slot, as in Ollama.
    Embedding,
}

/// One model. Without further settings it is instant: no load time, no time per token.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) load_time: Duration,
    pub(super) prefill: f64,
    pub(super) decode: f64,
    pub(super) context: u64,
    pub(super) slots: Option<usize>,
    pub(super) words: u64,
    pub(super) dimensions: usize,
    pub(super) modified_at: Timestamp,
}

impl Model {
    /// A model that generates text: 40 words by default, 4096 tokens of context.
    pub fn chat(name: &str) -> Self {
        Self::new(name, Kind::Chat)
    }

    /// A model that makes vectors of 128 numbers.
    pub fn embedding(name: &str) -> Self {
        Self::new(name, Kind::Embedding)
    }

    fn new(name: &str, kind: Kind) -> Self {
        let name = Name::parse(name).map_or_else(|_| name.to_owned(), |parsed| parsed.shortest());
        Self {
            name,
            kind,
            size: 3_338_801_804,
            load_time: Duration::ZERO,
            prefill: f64::INFINITY,
            decode: f64::INFINITY,
            context: 4096,
            slots: None,
            words: 40,
            dimensions: 128,
            modified_at: Timestamp::now(),
        }
    }

    /// The times of a small model on an NVIDIA T4: 4 s to load, 1000 tokens/s read, 40 tokens/s written.
    #[must_use]
    pub fn like_a_t4(self) -> Self {
        self.load_time(Duration::from_secs(4)).speed(1000.0, 40.0)
    }

    /// Bytes, as the lists show them.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// How long a load takes.
    #[must_use]
    pub fn load_time(mut self, time: Duration) -> Self {
        self.load_time = time;
        self
    }

    /// Tokens per second: prompt read, and text written by one stream alone. Infinity is instant.
    #[must_use]
    pub fn speed(mut self, prefill: f64, decode: f64) -> Self {
        (self.prefill, self.decode) = (prefill, decode);
        self
    }

    /// Tokens of context without `num_ctx`.
    #[must_use]
    pub fn context(mut self, tokens: u64) -> Self {
        self.context = tokens;
        self
    }

    /// Slots of this model, where they differ from the server's `parallel`.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = Some(slots);
        self
    }

    /// How many words (tokens) an answer has when nothing limits it.
    #[must_use]
    pub fn words(mut self, words: u64) -> Self {
        self.words = words;
        self
    }

    /// The model never stops by itself: every answer ends by its limit.
    #[must_use]
    pub fn endless(self) -> Self {
        self.words(u64::MAX)
    }

    /// Numbers in a vector of an embedding model.
    #[must_use]
    pub fn dimensions(mut self, numbers: usize) -> Self {
        self.dimensions = numbers;
        self
    }

    /// The same model under another name.
    pub(super) fn renamed(&self, name: &Name) -> Self {
        Self { name: name.shortest(), modified_at: Timestamp::now(), ..self.clone() }
    }

    /// What all spellings of the name share.
    pub(super) fn key(&self) -> String {
        key_of(&self.name)
    }

    pub(super) fn slots_of(&self, parallel: usize) -> usize {
        match self.kind {
            Kind::Embedding => 1,
            Kind::Chat => self.slots.unwrap_or(parallel).max(1),
        }
    }

    /// 64 hexadecimal digits: stable for a name.
    pub(super) fn digest(&self) -> String {
        hex(digest::digest(&digest::SHA256, self.name.as_bytes()).as_ref())
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
