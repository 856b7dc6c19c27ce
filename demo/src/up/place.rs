//! The folder of a demo.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A folder that exists, by its absolute path.
pub(crate) struct Place(PathBuf);

impl Place {
    /// Makes the folder, and takes away what an earlier demo told programs.
    pub(crate) fn prepare(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let place = Self(folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?);
        // A program that waits for the file must not find the one of yesterday.
        let _ = fs::remove_file(place.file("demo.json"));
        Ok(place)
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only its owner may read: most of ours hold a key or a token. It appears whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let (path, partial) = (self.file(name), self.file(&format!("{name}.part")));
        let writing = || {
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&partial, &path)
        };
        writing().with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}
