//! The keys of conversations.

use serde::Deserialize;

/// `[conversations]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Conversations {
    /// Are there any? False: the routes do not exist. Default true.
    pub enabled: bool,
    /// Where older messages go: a folder, or `s3://bucket/prefix` (with the build for AWS). Default: nowhere, the table
    /// keeps all.
    pub archive: Option<String>,
    /// Hours without a message after which a conversation goes to the archive. Default 24.
    pub idle_hours: u64,
    /// Days without a message after which a conversation is deleted, in table and archive. Default 0: never.
    pub keep_days: u64,
    /// Messages in the table above which older ones go to the archive; the latest 40 stay. Default 100.
    pub recent_messages: usize,
    /// The same by their bytes. Default 1 MiB.
    pub recent_bytes: u64,
    /// May moderators search in what was said? Default false.
    pub search: bool,
    /// Does a model make titles? Default true.
    pub titles: bool,
    /// Which. Default: the conversation's own.
    pub titles_model: Option<String>,
    /// Longest message of a person, in characters. Default 100000.
    pub message_characters: usize,
    /// Tokens that a model reads at once, as long as its server has not said: the `OLLAMA_CONTEXT_LENGTH` it runs with.
    /// Default 4096, Ollama's own on a small GPU.
    pub context_tokens: u64,
}

impl Default for Conversations {
    fn default() -> Self {
        Self {
            enabled: true,
            archive: None,
            idle_hours: 24,
            keep_days: 0,
            recent_messages: 100,
            recent_bytes: 1 << 20,
            search: false,
            titles: true,
            titles_model: None,
            message_characters: 100_000,
            context_tokens: 4096,
        }
    }
}
