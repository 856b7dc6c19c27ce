//! What the bot remembers: who is linked by which key, their models and conversations, and which answers are still
//! being written. A JSON file that only its owner may read, replaced whole at every change.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::config::Secret;

/// The form of the file.
const VERSION: u32 = 1;

/// Ids of updates run upwards, but after a week without any they begin anew at a random one
/// (core.telegram.org/bots/api#update). One that is this far below the last is a new beginning, not a repetition.
const REPEATED_WITHIN: u32 = 10_000;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// It cannot be read or written.
    #[error("state: {path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// What happened.
        error: io::Error,
    },
    /// It is not one of ours.
    #[error(
        "state: {path} is not what the bot wrote ({reason}); put the right file there, or take this one away"
    )]
    Content {
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A linked person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The API key that acts as them.
    pub key: Secret,
    /// Who they are to the gateway.
    pub principal: String,
    /// The model they talk to; none until they choose or write first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The conversation they are in, by model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conversations: BTreeMap<String, String>,
}

/// An answer that is being shown: after a restart it is shown to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The conversation that it belongs to.
    pub conversation: String,
    /// Its message id in that conversation.
    pub answer: String,
    /// The Telegram messages that show it so far.
    pub messages: Vec<i32>,
}

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    version: u32,
    /// The last update that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_update: Option<u32>,
    /// By Telegram id.
    #[serde(default)]
    pub people: BTreeMap<u64, Person>,
    /// By Telegram id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unfinished: BTreeMap<u64, Unfinished>,
}

impl State {
    /// Takes an update, once: false if it was taken before.
    fn take(&mut self, update: u32) -> bool {
        let repeated = self.last_update.is_some_and(|last| update <= last && last - update < REPEATED_WITHIN);
        if !repeated {
            self.last_update = Some(update);
        }
        !repeated
    }
}

/// The file and what is in it.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    state: Mutex<State>,
}

impl Memory {
    /// Reads the file; without one nobody is linked yet.
    ///
    /// # Errors
    /// A file that cannot be read, written again, or understood. It is never written over then.
    pub fn open(path: &Path) -> Result<Self, MemoryError> {
        let state = match fs::read(path) {
            Ok(bytes) => read(path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                State { version: VERSION, ..State::default() }
            }
            Err(error) => return Err(failed(path, error)),
        };
        // Now, rather than when the first person's key is in hand: a folder that is missing or not ours shows here.
        // It also takes the file from everybody else's eyes.
        write(path, &state).map_err(|error| failed(path, error))?;
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// A person, if linked.
    pub async fn person(&self, id: u64) -> Option<Person> {
        self.state.lock().await.people.get(&id).cloned()
    }

    /// The answers that were being shown when the process ended.
    pub async fn unfinished(&self) -> BTreeMap<u64, Unfinished> {
        self.state.lock().await.unfinished.clone()
    }

    /// Takes an update, before anything is done about it: what is told once cannot be done twice, even if the process
    /// dies in between. False if it was taken before.
    pub async fn take(&self, update: u32) -> bool {
        self.change(|state| state.take(update)).await
    }

    /// Changes what is remembered, and writes it. A disk that refuses is logged; the change holds until the end of the
    /// process then.
    pub async fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().await;
        let before = state.clone();
        let result = change(&mut state);
        if *state != before {
            let (path, now) = (self.path.clone(), state.clone());
            let written = tokio::task::spawn_blocking(move || write(&path, &now)).await;
            if let Ok(Err(error)) = written {
                tracing::error!(%error, path = %self.path.display(), "the bot's state cannot be written; it is lost at the next start");
            }
        }
        result
    }

    /// Changes what is remembered of a person; nothing where they are not linked (any more).
    pub async fn change_person(&self, id: u64, change: impl FnOnce(&mut Person)) {
        self.change(|state| state.people.get_mut(&id).map(change)).await;
    }
}

fn failed(path: &Path, error: io::Error) -> MemoryError {
    MemoryError::File { path: path.display().to_string(), error }
}

fn read(path: &Path, bytes: &[u8]) -> Result<State, MemoryError> {
    let wrong = |reason: String| MemoryError::Content { path: path.display().to_string(), reason };
    // serde's own words would quote what it found, which may be a key.
    let state: State = serde_json::from_slice(bytes)
        .map_err(|error| wrong(format!("line {}, column {}", error.line(), error.column())))?;
    if state.version != VERSION {
        return Err(wrong(format!("version {}, and this bot reads {VERSION}", state.version)));
    }
    Ok(state)
}

/// Puts the whole in the place of the file at once, on the disk before it counts.
fn write(path: &Path, state: &State) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
    // One that an earlier process left may have been made otherwise.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_remembered_is_there_after_a_restart_and_nobody_elses_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let memory = Memory::open(&path).unwrap();
        let person = Person { key: Secret::new("k"), principal: "p".to_owned(), ..Person::default() };
        memory.change(|state| state.people.insert(7, person.clone())).await;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let again = Memory::open(&path).unwrap();
        assert_eq!(again.person(7).await, Some(person));
        assert_eq!(again.person(8).await, None);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{again:?}").contains("\"k\""));
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        for text in ["{", "\"secret-key\"", r#"{"version":2,"people":{}}"#, r#"{"version":1,"extra":0}"#] {
            fs::write(&path, text).unwrap();
            let told = Memory::open(&path).unwrap_err().to_string();
            assert!(told.contains("is not what the bot wrote") && !told.contains("secret-key"), "{told}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(Memory::open(&folder.path().join("none/state.json")).is_err());
    }

    #[tokio::test]
    async fn an_update_is_taken_once_whatever_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let memory = Memory::open(&path).unwrap();
        assert!(memory.take(100_000).await);
        assert!(memory.take(100_001).await);
        let memory = Memory::open(&path).unwrap();
        assert!(!memory.take(100_001).await && !memory.take(100_000).await);
        assert!(memory.take(100_002).await);
        // A week has passed: the numbers begin anew, far below.
        assert!(memory.take(17).await);
        assert!(!memory.take(17).await && memory.take(18).await);
    }
}
