//! The keys of translation and of the page that uses it.

use std::path::PathBuf;
use std::time::Duration;

use fleet::config::seconds;
use serde::Deserialize;

/// `[translate]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Translate {
    /// The model that translates. Default: the first of `ollama.models`; in the front, the first chat model that the
    /// caller may use.
    pub model: Option<String>,
    /// Segments of one request that are at work, or wait for a slot, at once. Default 4.
    pub concurrency: usize,
    /// Longest segment, in characters; longer lines are cut between sentences. Default 600.
    pub segment_characters: usize,
    /// Longest text of one request, in characters. Default 50000.
    pub characters: usize,
    /// Largest file, in bytes, also when it is unpacked. Default 10 MiB.
    pub file_bytes: u64,
    /// Most characters to translate in a file. Default 500000.
    pub file_characters: usize,
    /// How long a translated file can be fetched. Default 600 s.
    #[serde(deserialize_with = "seconds")]
    pub keep_seconds: Duration,
    /// Memory for translated files, in bytes; over it the oldest go. Default 128 MiB.
    pub keep_bytes: usize,
}

impl Default for Translate {
    fn default() -> Self {
        Self {
            model: None,
            concurrency: 4,
            segment_characters: 600,
            characters: 50_000,
            file_bytes: 10 << 20,
            file_characters: 500_000,
            keep_seconds: Duration::from_secs(600),
            keep_bytes: 128 << 20,
        }
    }
}

/// `[ui]`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Ui {
    /// The folder of the built page, served at `/ui/`, read at the start. Default: no page.
    pub directory: Option<PathBuf>,
}
