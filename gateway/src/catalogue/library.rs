//! The catalogue's file: which models there are and what is known of each. The one that comes with the program is
//! `models.toml`; `[catalogue] file` puts another in its place, in the same form.

use std::path::Path;

use fleet::config::{ConfigError, from_toml};
use serde::{Deserialize, Serialize};

use crate::ollama::names::ModelName;

/// The catalogue that comes with the program.
const BUILT_IN: &str = include_str!("../../models.toml");

/// Requests inside one Ollama at once for which memory is reckoned: `OLLAMA_NUM_PARALLEL` of our nodes.
pub const SLOTS: u64 = 4;
/// Tokens of context that each of them has: `OLLAMA_CONTEXT_LENGTH` of our nodes. A model with a shorter window has its own.
pub const CONTEXT: u64 = 8192;

/// Tokens that Ollama reads at once, for which it keeps room beside every sliding window
/// (`kvcache/causal.go` of <https://github.com/ollama/ollama>: windows of all slots, and one batch).
const BATCH: u64 = 512;
/// Bytes that CUDA and the buffers of the computation take beside weights and context: our own allowance. Ollama tells 0.3
/// to 0.7 GB for models of this size, without CUDA itself.
const COMPUTATION: u64 = 1_000_000_000;

/// The whole file.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct File {
    models: Vec<Model>,
}

/// A model that is known to run well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// As it is pulled.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// Codes of ISO 639-1, or `many` for more than its makers list.
    pub languages: Vec<String>,
    /// Tokens of its longest window.
    pub context: u64,
    /// How many it has, as in `4B`.
    pub parameters: String,
    /// Bytes that are pulled, and that its weights take in memory.
    pub download_bytes: u64,
    /// Bytes of memory that each token of context takes: 2 (keys and values) × layers that see the whole context ×
    /// key-value heads × their width × 2 (16-bit numbers). 0 where nothing is kept between tokens.
    #[serde(skip_serializing)]
    pub context_bytes_per_token: u64,
    /// Tokens that the other layers see, where there are such: their sliding window.
    #[serde(skip_serializing, default)]
    pub window: u64,
    /// Bytes that each of those takes, reckoned the same way over those layers.
    #[serde(skip_serializing, default)]
    pub window_bytes_per_token: u64,
    /// Under which terms it may be used.
    pub licence: String,
    /// Where its size, window and licence are said.
    pub source: String,
    /// Where layers and heads are said.
    #[serde(skip_serializing)]
    pub architecture: String,
    /// What it is good for, in a sentence or two.
    pub note: String,
}

impl Model {
    /// Bytes of GPU memory that it takes: the weights, the context of all slots, and what the computation needs.
    pub fn memory_bytes(&self) -> u64 {
        let context = self.context.min(CONTEXT);
        let whole = (SLOTS * context).saturating_mul(self.context_bytes_per_token);
        let windows = SLOTS * self.window.min(context) + BATCH;
        let sliding = windows.saturating_mul(self.window_bytes_per_token);
        [self.download_bytes, whole, sliding, COMPUTATION].into_iter().fold(0, u64::saturating_add)
    }

    /// The name as lists have it.
    pub fn canonical(&self) -> Option<ModelName> {
        ModelName::parse(&self.name).ok()
    }
}

/// Reads the catalogue of `file`, or the one that comes with the program.
///
/// # Errors
/// Every mistake, each with the key `catalogue.file`, the file, and where in it.
pub fn read(file: Option<&Path>) -> Result<Vec<Model>, ConfigError> {
    let Some(path) = file else { return parse(BUILT_IN) };
    let named = |what: &str| format!("catalogue.file: `{}`: {what}", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError { mistakes: vec![named(&error.to_string())] })?;
    parse(&text).map_err(|error| ConfigError {
        mistakes: error.mistakes.iter().map(|mistake| named(mistake)).collect(),
    })
}

fn parse(text: &str) -> Result<Vec<Model>, ConfigError> {
    from_toml::<File>(text, mistakes).map(|file| file.models)
}

fn mistakes(file: &File) -> Vec<String> {
    let mut found: Vec<String> =
        file.models.iter().enumerate().flat_map(|(at, model)| of_one(at, model)).collect();
    if file.models.is_empty() {
        found.push("models: there is none".to_owned());
    }
    for (at, model) in file.models.iter().enumerate() {
        let name = model.canonical();
        if name.is_some() && file.models[..at].iter().any(|before| before.canonical() == name) {
            found.push(format!("models[{at}].name: `{}` is there twice", model.name));
        }
    }
    found
}

fn of_one(at: usize, model: &Model) -> Vec<String> {
    let url = |text: &str| url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    let code = |code: &String| {
        code == "many"
            || ((2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    let rules = [
        (
            ModelName::parse(&model.name).is_ok(),
            "name",
            format!("`{}` is no model name: write it as model:tag", model.name),
        ),
        (!model.title.trim().is_empty(), "title", "it is empty".to_owned()),
        (
            !model.languages.is_empty() && model.languages.iter().all(code),
            "languages",
            format!("{:?} are not codes as in `de`, or `many`", model.languages),
        ),
        (model.context > 0, "context", "0 tokens read nothing".to_owned()),
        (model.download_bytes > 0, "download_bytes", "0 bytes are no model".to_owned()),
        (
            !model.licence.trim().is_empty(),
            "licence",
            "it is empty; say under which terms it may be used".to_owned(),
        ),
        (url(&model.source), "source", format!("`{}` is no https address", model.source)),
        (url(&model.architecture), "architecture", format!("`{}` is no https address", model.architecture)),
    ];
    let broken = rules.into_iter().filter(|(holds, ..)| !holds);
    broken.map(|(_, key, what)| format!("models[{at}].{key}: {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
        [[models]]
        name = "small:1b"
        title = "Small"
        languages = ["de", "en"]
        context = 4096
        parameters = "1B"
        download_bytes = 1_000_000_000
        context_bytes_per_token = 1000
        licence = "MIT"
        source = "https://example.com/small"
        architecture = "https://example.com/small/config.json"
        note = "For tests."
    "#;

    #[test]
    fn the_catalogue_that_comes_with_the_program_has_no_mistakes() {
        let models = read(None).unwrap();
        assert!((10..=14).contains(&models.len()), "{}", models.len());
        for model in &models {
            let memory = model.memory_bytes();
            assert!(memory < 24_000_000_000, "{}: {memory}; nodes have 16 or 24 GB", model.name);
            assert!(model.download_bytes > 100_000_000, "{}: bytes, not megabytes", model.name);
            assert!(!model.note.is_empty(), "{}", model.name);
        }
    }

    #[test]
    fn memory_is_weights_and_the_context_of_all_slots() {
        let small = parse(ONE).unwrap().remove(0);
        let beside = 1_000_000_000 + COMPUTATION; // its weights first
        assert_eq!(small.memory_bytes(), beside + 4 * 4096 * 1000, "its own context where that is shorter");
        let long = Model { context: 131_072, ..small.clone() };
        assert_eq!(long.memory_bytes(), beside + 4 * 8192 * 1000);
        let none = Model { context_bytes_per_token: 0, ..small };
        assert_eq!(none.memory_bytes(), beside);
        let sliding = Model { window: 1024, window_bytes_per_token: 10, ..none };
        assert_eq!(
            sliding.memory_bytes(),
            beside + (4 * 1024 + 512) * 10,
            "a window does not grow with the context"
        );
    }

    #[test]
    fn every_mistake_is_told_at_once_and_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.toml");
        let two = ONE
            .replace("small:1b", "not a name")
            .replace("[\"de\", \"en\"]", "[\"German\"]")
            .replace("1_000_000_000", "0")
            .replace("https://example.com/small\"", "example.com\"")
            .replace("licence", "license");
        std::fs::write(&path, format!("{ONE}{ONE}{two}")).unwrap();
        let told = read(Some(&path)).unwrap_err().mistakes;
        let all = told.join("\n");
        assert!(told.iter().all(|mistake| mistake.starts_with("catalogue.file: `")), "{all}");
        for words in ["models[1].name: `small:1b` is there twice", "models[2]", "licen"] {
            assert!(all.contains(words), "{words} in {all}");
        }
        std::fs::write(&path, two.replace("license", "licence")).unwrap();
        let all = read(Some(&path)).unwrap_err().mistakes.join("\n");
        for key in ["name", "languages", "download_bytes", "source"] {
            assert!(all.contains(&format!("models[0].{key}: ")), "{key} in {all}");
        }
        std::fs::write(&path, "").unwrap();
        assert!(read(Some(&path)).unwrap_err().to_string().contains("there is none"));
        let missing = folder.path().join("none.toml");
        assert!(read(Some(&missing)).unwrap_err().to_string().contains("none.toml"));
    }
}
