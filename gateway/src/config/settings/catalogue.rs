//! The keys of the catalogue of models.

use std::path::PathBuf;

use serde::Deserialize;

use crate::catalogue::library;

/// `[catalogue]`: models that are known to run well, offered to whoever may pull them.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Catalogue {
    /// A file in the place of the catalogue that comes with the program, read at the start. Default none.
    pub file: Option<PathBuf>,
    /// The nodes' type of instance, as in `g4dn.xlarge`: their GPU memory while none has told it. Default none.
    pub instance_type: Option<String>,
}

impl Catalogue {
    /// Every mistake in the file, if there is one.
    pub(in crate::config) fn mistakes(&self) -> Vec<String> {
        library::read(self.file.as_deref()).err().map(|error| error.mistakes).unwrap_or_default()
    }
}
