//! Models that the fleet should have, and how far each node is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a node is with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressState {
    /// It knows of the wish.
    #[default]
    Waiting,
    /// Bytes are coming.
    Pulling,
    /// It is on the disk.
    Present,
    /// It did not work; the node tries again.
    Failed,
}

/// How far one node is with one model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Where it is.
    pub state: ProgressState,
    /// Bytes that are there.
    pub completed: u64,
    /// Bytes in all; 0 while unknown.
    pub total: u64,
    /// What went wrong, in a few words.
    pub error: Option<String>,
    /// The node did not have it before a wish: it goes when nobody wants it any more.
    pub brought: bool,
    /// When this was written, in seconds since 1970.
    pub at: i64,
}

/// A model that the fleet should have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WantedModel {
    /// Its full name, tag included.
    pub name: String,
    /// Where it comes from: a place in the model bucket, or the name to pull.
    pub source: String,
    /// When it was asked for, in seconds since 1970.
    pub requested_at: i64,
    /// By node. Not written by [`Store::want_model`](super::Store::want_model).
    pub progress: BTreeMap<String, Progress>,
}
