//! Making a conversation, and changing what it is called, what its model is told and how, and whether it is open.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet::store::{Conversation, StoreError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::clock::unix_now;
use super::pen::Pen;
use super::shapes::new_id;
use super::store::{bounded, change, failed, find};
use super::transcript;
use crate::error::Refusal;
use crate::identity::{Caller, Rights};
use crate::ollama::names::{ModelName, NameError};
use crate::process::Shared;
use crate::request::inspect::options_for;

/// Longest title, in characters.
const TITLE_CHARACTERS: usize = 200;
/// Longest system prompt, in characters: with title and options it stays far below what one item of the table holds.
pub(super) const SYSTEM_CHARACTERS: usize = 20_000;
/// Longest options, in bytes of their JSON.
const OPTIONS_BYTES: usize = 8 << 10;
/// Ids are random; one that is there already is a fault of the random numbers.
const TRIES: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    model: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    options: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    options: Option<Box<RawValue>>,
    #[serde(default)]
    closed: Option<bool>,
}

/// A body that is one object with known fields.
///
/// # Errors
/// 400; the text names fields, never what was in them.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], takes: &str) -> Result<T, Refusal> {
    let object = body.trim_ascii_start().starts_with(b"{"); // a list would be taken for an object without names
    let read = serde_json::from_slice(body).ok().filter(|_| object);
    read.ok_or_else(|| {
        Refusal::Invalid(format!("the body must be a JSON object with {takes}, and nothing else"))
    })
}

/// The model of this name, if this caller may use it and it can talk.
///
/// # Errors
/// 400, 403 and 404 as for any inference.
pub(super) fn model(shared: &Shared, name: &str, rights: &Rights) -> Result<ModelName, Refusal> {
    let model = ModelName::parse(name).map_err(|error| match error {
        NameError::Invalid => Refusal::Invalid(error.to_string()),
        NameError::Cloud => Refusal::Forbidden(error.to_string()),
    })?;
    if !rights.may_use(&model) {
        return Err(Refusal::NoModel(model.to_string()));
    }
    if shared.known().embeds(&model) {
        return Err(Refusal::Invalid(format!("{model} makes embeddings only; choose a model that talks")));
    }
    Ok(model)
}

/// Makes a conversation with a model that was found.
///
/// # Errors
/// 400 for what cannot be kept; 503.
pub(super) async fn create(
    shared: &Shared,
    caller: &Caller,
    model: &ModelName,
    new: New,
) -> Result<Conversation, Refusal> {
    let now = unix_now();
    let title = new.title.as_deref().map(title).transpose()?;
    let mut conversation = Conversation {
        principal: caller.principal.as_str().to_owned(),
        titled: title.is_some(),
        title: title.unwrap_or_default(),
        model: model.to_string(),
        system: system(new.system.unwrap_or_default())?,
        options: options(new.options.as_deref(), &caller.rights)?,
        created: now,
        updated: now,
        ..Conversation::default()
    };
    for _ in 0..TRIES {
        conversation.id = new_id();
        if bounded(shared.store.begin_conversation(&conversation)).await.map_err(failed)? {
            conversation.version = 1;
            return Ok(conversation);
        }
    }
    Err(failed(StoreError::Unavailable("no new id was free".to_owned())))
}

impl New {
    /// The name of the model that is wanted.
    pub(super) fn model(&self) -> &str {
        &self.model
    }
}

/// Changes a conversation. Closing moves it to the archive, and so waits for no writer: it is refused while there is one.
///
/// # Errors
/// 400 for what cannot be kept; 404; 409 for closing what is being written to; 503.
pub(super) async fn apply(
    shared: &Arc<Shared>,
    caller: &Caller,
    id: &str,
    wanted: Change,
) -> Result<Conversation, Refusal> {
    let title = wanted.title.as_deref().map(title).transpose()?;
    let system = wanted.system.map(system).transpose()?;
    let given = wanted.options.is_some();
    let options = options(wanted.options.as_deref(), &caller.rights)?;
    let principal = caller.principal.as_str();
    let there = find(&*shared.store, principal, id).await?;
    let edit = |conversation: &mut Conversation| {
        if let Some(title) = &title {
            (conversation.title, conversation.titled) = (title.clone(), true);
        }
        if let Some(system) = &system {
            conversation.system.clone_from(system);
        }
        if given {
            conversation.options.clone_from(&options);
        }
        conversation.closed = wanted.closed.unwrap_or(conversation.closed);
    };
    if wanted.closed != Some(true) || there.closed {
        return change(&*shared.store, there, edit).await;
    }
    let pen = Pen::take(shared, principal, id).await?;
    let closed = async {
        let closed = change(&*shared.store, there.clone(), &edit).await?;
        // It is closed in any case; what could not be moved now, housekeeping moves.
        Ok(transcript::settle(shared, &closed).await.unwrap_or(closed))
    };
    let closed = closed.await;
    pen.lay_down().await;
    closed
}

fn title(text: &str) -> Result<String, Refusal> {
    let title = text.trim();
    let fits = (1..=TITLE_CHARACTERS).contains(&title.chars().count()) && !title.contains(char::is_control);
    fits.then(|| title.to_owned()).ok_or_else(|| {
        Refusal::Invalid(format!(
            "`title` must be 1 to {TITLE_CHARACTERS} characters, without control characters"
        ))
    })
}

fn system(text: String) -> Result<String, Refusal> {
    if text.chars().count() > SYSTEM_CHARACTERS {
        return Err(Refusal::Invalid(format!("`system` may have at most {SYSTEM_CHARACTERS} characters")));
    }
    Ok(if text.trim().is_empty() { String::new() } else { text })
}

fn options(raw: Option<&RawValue>, rights: &Rights) -> Result<BTreeMap<String, Value>, Refusal> {
    let Some(raw) = raw else { return Ok(BTreeMap::new()) };
    if raw.get().len() > OPTIONS_BYTES {
        return Err(Refusal::Invalid(format!("`options` may have at most {OPTIONS_BYTES} bytes")));
    }
    let kept = options_for(raw.get(), rights)?;
    serde_json::from_str(&kept).map_err(|_| Refusal::Invalid("`options` must be a JSON object".to_owned()))
}
