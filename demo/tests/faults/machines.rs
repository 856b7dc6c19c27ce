//! The machines' Ollamas, one for each node that the scaler starts: simulated, within the test, so that it can hold them and look into them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::process::free_address;

/// The model that all have.
pub const MODEL: &str = "tiny";

/// How a machine's boot goes, once it has been seen.
#[derive(Debug, Clone, Copy)]
pub enum Boot {
    /// After so long its gateway starts.
    Well(Duration),
    /// After so long it ends without a word.
    Dies(Duration),
}

/// How an Ollama answers.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Requests at once.
    pub slots: usize,
    /// Tokens of an answer.
    pub words: u64,
    /// Tokens a second of one stream alone.
    pub speed: f64,
}

/// What the scaler notes of a node.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Note {
    pub id: String,
    pub pid: u32,
}

/// The notes of nodes that run.
pub fn notes(folder: &Path) -> Vec<Note> {
    let entries = fs::read_dir(folder.join("machines")).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|is| is == "json"));
    files.filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect()
}

/// How many nodes were ever started, noted or not: each leaves a mark.
pub fn launched(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("born-")).count()
}

/// How many nodes there should be, as the group has it.
pub fn desired(folder: &Path) -> Option<u32> {
    fs::read_to_string(folder.join("machines/desired")).ok()?.trim().parse().ok()
}

/// All machines of a fleet.
pub struct Machines {
    folder: PathBuf,
    pace: Pace,
    boot: Boot,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held_after: Option<u64>,
    ollamas: BTreeMap<String, Arc<SimulatedOllama>>,
}

impl Machines {
    /// None yet; the task gives each that comes an Ollama.
    pub fn watch(folder: &Path, pace: Pace, boot: Boot) -> (Arc<Self>, JoinHandle<()>) {
        let machines = Arc::new(Self { folder: folder.to_owned(), pace, boot, state: Mutex::default() });
        let watching = machines.clone();
        (machines, tokio::spawn(async move { watching.run().await }))
    }

    async fn run(self: Arc<Self>) {
        let mut seen = Vec::new();
        loop {
            for note in notes(&self.folder).into_iter().filter(|note| !note.id.is_empty()) {
                if !seen.contains(&note.id) {
                    seen.push(note.id.clone());
                    tokio::spawn(self.clone().boot(note.id));
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn boot(self: Arc<Self>, id: String) {
        let (after, ends) = match self.boot {
            Boot::Well(after) => (after, self.start(&id).await),
            Boot::Dies(after) => (after, "dies".to_owned()),
        };
        sleep(after).await;
        let (path, part) = (self.folder.join(format!("boot-{id}")), self.folder.join(format!("{id}.part")));
        fs::write(&part, ends + "\n").and_then(|()| fs::rename(part, path)).unwrap();
    }

    async fn start(&self, id: &str) -> String {
        let model = Model::chat(MODEL)
            .load_time(Duration::from_millis(300))
            .words(self.pace.words)
            .speed(100_000.0, self.pace.speed);
        let ollama = SimulatedOllama::builder().parallel(self.pace.slots).recording(false).model(model);
        let ollama = Arc::new(ollama.start().await.unwrap());
        let mut state = self.state.lock().unwrap();
        if let Some(tokens) = state.held_after {
            ollama.hold_tokens_after(tokens);
        }
        state.ollamas.insert(id.to_owned(), ollama.clone());
        format!("{} {}", ollama.url(), free_address())
    }

    /// Every stream stops after so many tokens, everywhere.
    pub fn hold_after(&self, tokens: u64) {
        let mut state = self.state.lock().unwrap();
        state.held_after = Some(tokens);
        state.ollamas.values().for_each(|ollama| ollama.hold_tokens_after(tokens));
    }

    /// Streams run on.
    pub fn release(&self) {
        let mut state = self.state.lock().unwrap();
        state.held_after = None;
        state.ollamas.values().for_each(|ollama| ollama.release_tokens());
    }

    /// The most requests that were ever at once in one Ollama's model, and those that waited inside one now.
    pub fn most_at_once(&self) -> usize {
        self.state
            .lock()
            .unwrap()
            .ollamas
            .values()
            .map(|ollama| ollama.most_at_once(MODEL))
            .max()
            .unwrap_or(0)
    }

    /// Requests inside all Ollamas now, running or waiting there.
    pub fn inside(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        let stats = state.ollamas.values().map(|ollama| ollama.stats());
        stats.fold((0, 0), |sum, stats| (sum.0 + stats.running, sum.1 + stats.waiting))
    }
}
