//! The files of a local group: one note a node, its log, how many there should be, and the lock of whoever keeps them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What the next scaler must know of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Its name.
    pub(super) id: String,
    /// Its process; 0 while it is about to be started.
    pub(super) pid: u32,
    /// When that process began, in the kernel's ticks: another one may get the same number.
    pub(super) started: Option<u64>,
    /// When it was launched, in seconds since 1970.
    pub(super) launched_at: i64,
}

/// A directory of notes.
#[derive(Debug)]
pub(super) struct Notes {
    directory: PathBuf,
}

impl Notes {
    /// Makes the directory where there is none.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", directory.display()));
        fs::create_dir_all(directory).map_err(named)?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The lock, as long as the file is open; `None` while another process has it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.file("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Every node's note.
    pub(super) fn read(&self) -> Vec<Note> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let notes =
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|is| is == "json"));
        let mut notes: Vec<Note> =
            notes.filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect();
        notes.sort_by(|a, b| a.launched_at.cmp(&b.launched_at).then_with(|| a.id.cmp(&b.id)));
        notes
    }

    pub(super) fn write(&self, note: &Note) -> io::Result<()> {
        self.replace(&format!("{}.json", note.id), &serde_json::to_vec(note)?)
    }

    /// It is gone; its log stays.
    pub(super) fn remove(&self, id: &str) {
        let _ = fs::remove_file(self.file(&format!("{id}.json")));
    }

    /// How many there should be, if it was ever said.
    pub(super) fn desired(&self) -> Option<u32> {
        fs::read_to_string(self.file("desired")).ok()?.trim().parse().ok()
    }

    pub(super) fn write_desired(&self, desired: u32) -> io::Result<()> {
        self.replace("desired", desired.to_string().as_bytes())
    }

    /// All or nothing, also for one who dies in between.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.file(&format!("{name}.new"));
        fs::write(&new, bytes)?;
        fs::rename(new, self.file(name))
    }

    /// Where a node's output goes.
    pub(super) fn log(&self, id: &str) -> PathBuf {
        self.file(&format!("{id}.log"))
    }

    pub(super) fn create_log(&self, id: &str) -> io::Result<File> {
        File::create(self.log(id))
    }
}
