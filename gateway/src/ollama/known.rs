//! What is known of the local Ollama at one moment: whether it answers, what it has, what it has in memory.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::client::ClientError;
use super::names::ModelName;
use crate::error::Refusal;

/// How long requests wait for an Ollama that does not answer before they are refused: a restart (systemd's
/// `RestartSec=3`, and a moment) should cost nobody an error.
const GRACE: Duration = Duration::from_secs(4);
/// Families whose runner has one slot, whatever `OLLAMA_NUM_PARALLEL` says (server/sched.go of v0.33).
const ONE_SLOT: &[&str] =
    &["mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next", "lfm2", "lfm2moe", "nemotron_h"];

/// What is known of the local Ollama at one moment.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// Does it answer?
    pub reachable: bool,
    /// Its version.
    pub version: Option<String>,
    /// Entries of `/api/tags`, as Ollama wrote them.
    pub tags: Vec<(ModelName, Value)>,
    /// Entries of `/api/ps`, as Ollama wrote them.
    pub running: Vec<(ModelName, Value)>,
    /// When the list of models was read.
    pub(crate) listed: Option<Instant>,
    /// Since when it does not answer; `None` also before the first look.
    pub(crate) silent_since: Option<Instant>,
}

impl Known {
    /// Has it been silent for longer than a restart takes?
    pub fn is_down(&self) -> bool {
        self.silent_since.is_some_and(|since| since.elapsed() > GRACE)
    }

    /// Is the model in memory?
    pub fn is_loaded(&self, model: &ModelName) -> bool {
        self.running.iter().any(|(name, _)| name == model)
    }

    fn tag(&self, model: &ModelName) -> Option<&Value> {
        self.tags.iter().find(|(name, _)| name == model).map(|(_, entry)| entry)
    }

    /// Does Ollama have the model?
    pub fn has(&self, model: &ModelName) -> bool {
        self.tag(model).is_some()
    }

    /// Is it a model that only embeds?
    pub(crate) fn embeds(&self, model: &ModelName) -> bool {
        self.tag(model).is_some_and(|entry| {
            let has = |what: &str| {
                entry["capabilities"].as_array().is_some_and(|all| all.iter().any(|c| c == what))
            };
            has("embedding") && !has("completion")
        })
    }

    /// Slots it has once loaded, of the `parallel` that others have.
    pub(super) fn slots(&self, model: &ModelName, parallel: usize) -> usize {
        let family =
            self.tag(model).and_then(|entry| entry["details"]["family"].as_str()).unwrap_or_default();
        let one = self.embeds(model) || ONE_SLOT.contains(&family) || family.starts_with("nemotron_h");
        if one { 1 } else { parallel }
    }
}

/// The entries of a list as Ollama writes it (`/api/tags`, `/api/ps`), by name; those without a name are left out.
///
/// # Errors
/// Where it is no such list.
pub fn named(list: &[u8]) -> Result<Vec<(ModelName, Value)>, ClientError> {
    let list: Models =
        serde_json::from_slice(list).map_err(|_| ClientError::Protocol("the list is no JSON"))?;
    let named = |entry: Value| Some((ModelName::parse(entry["name"].as_str()?).ok()?, entry));
    Ok(list.models.unwrap_or_default().into_iter().filter_map(named).collect())
}

#[derive(Deserialize)]
struct Models {
    #[serde(default)]
    models: Option<Vec<Value>>,
}

/// 503 while the model server starts or restarts.
pub fn unreachable_now() -> Refusal {
    Refusal::Overloaded {
        what: "the model server is starting or restarting",
        retry_after: Duration::from_secs(5),
    }
}
