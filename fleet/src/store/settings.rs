//! `[store]` of both programs' configuration, and the opening of the store it names.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::{SqliteStore, Store, StoreError};

/// `[store]`: where the fleet's table is.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct StoreSettings {
    /// `sqlite` or `dynamodb`. Default `sqlite`.
    pub kind: StoreKind,
    /// sqlite: the file, shared by the processes of one machine. Default `fleet.db`.
    pub path: PathBuf,
    /// dynamodb: the table. Default `ollama-fleet`. Region and credentials are the SDK's own to find.
    pub table: String,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { kind: StoreKind::Sqlite, path: "fleet.db".into(), table: "ollama-fleet".to_owned() }
    }
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// One file, shared by the processes of one machine.
    Sqlite,
    /// AWS's table.
    Dynamodb,
}

impl StoreKind {
    /// Can this build open it?
    pub fn is_built_in(self) -> bool {
        self == Self::Sqlite || cfg!(feature = "dynamodb")
    }
}

impl StoreSettings {
    /// Opens the store. A table of AWS is not asked yet: a fleet that starts while DynamoDB is out must start.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and [`StoreError::Unreadable`] for a file that cannot be opened, and the former for
    /// a kind that this build leaves out.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self.kind {
            StoreKind::Sqlite => Ok(Arc::new(SqliteStore::open(&self.path)?)),
            #[cfg(feature = "dynamodb")]
            StoreKind::Dynamodb => Ok(Arc::new(super::DynamoStore::connect(&self.table).await)),
            #[cfg(not(feature = "dynamodb"))]
            StoreKind::Dynamodb => Err(StoreError::Unavailable(
                "this build has no DynamoDB; build with `--features aws`".to_owned(),
            )),
        }
    }
}
