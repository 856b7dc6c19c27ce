//! Models that are known to run well, offered to whoever may pull them, each with whether it fits the nodes.
//!
//! `library` reads the catalogue, `measure` asks a node's machine what room it has, `room` remembers what nodes have said
//! of theirs, and `fits` decides.

pub mod library;
pub mod measure;
pub mod room;
pub mod fits;

use std::path::Path;
use std::time::Duration;

use fleet::config::ConfigError;
use fleet::store::Store;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::fits::fits;
use self::library::Model;
use self::measure::Measured;
use self::room::Room;
use crate::config::settings;
use crate::ollama::known::Known;

/// Longest call of the store; behind it the last known room stands.
const CALL_WITHIN: Duration = Duration::from_secs(3);

/// The catalogue, and the room that there is for it.
pub struct Offer {
    models: Vec<Model>,
    instance_type: Option<String>,
    /// Of this machine.
    pub measured: Measured,
    /// Of the fleet's nodes.
    pub room: Room,
}

impl Offer {
    /// Reads the catalogue.
    ///
    /// # Errors
    /// Every mistake in its file.
    pub fn new(settings: &settings::Catalogue) -> Result<Self, ConfigError> {
        let file: Option<&Path> = settings.file.as_deref();
        Ok(Self {
            models: library::read(file)?,
            instance_type: settings.instance_type.clone(),
            measured: Measured::default(),
            room: Room::default(),
        })
    }

    /// The catalogue as the page reads it. `known`: what models there are.
    pub async fn told(&self, store: &dyn Store, fleet: &str, known: &Known) -> Value {
        let now = Timestamp::now().as_second();
        if let Ok(Ok(records)) = timeout(CALL_WITHIN, store.reports(fleet, now)).await {
            self.room.note(records.iter().map(|record| &record.report), now);
        }
        let space = self.room.space(self.instance_type.as_deref());
        let line = |model: &Model| {
            let here = model.canonical().is_some_and(|name| known.has(&name));
            let mut line = json!(model);
            line["memory_bytes"] = json!(model.memory_bytes());
            line["instance_type"] = json!(fits::instance_type(model));
            line["here"] = json!(here);
            line["fits"] = json!(fits(model, &space, here));
            line
        };
        json!({
            "models": self.models.iter().map(line).collect::<Vec<_>>(),
            "node": {
                "instance_type": self.instance_type,
                "gpu_memory_bytes": space.gpu_memory,
                "disk_free_bytes": space.disk_free,
                "as_of": space.as_of,
            },
        })
    }
}
