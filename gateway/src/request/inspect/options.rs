//! `options` of the native APIs: checked, cleared of what would reload the model, and capped.

use super::object::{Object, same_key};
use super::{capped, shape};
use crate::error::Refusal;
use crate::ollama::dialect::{ModelOption, OPTIONS};

/// Writes `options` anew; its raw JSON and the cap now in it. `most`: the most tokens an answer may have, `None` for
/// APIs that generate nothing.
///
/// An option of the load that differs from the loaded model's makes Ollama load the model again and everybody on it
/// wait, so only operators may send those. Options unknown here are ignored by today's Ollama; a later one could
/// make them options of the load, so they too are for operators only.
///
/// # Errors
/// 400 for an ambiguous key or an option of the wrong type.
pub(super) fn rewrite(raw: Option<&str>, operate: bool, most: Option<u32>) -> Result<(String, u32), Refusal> {
    let mut options = raw.map_or_else(|| Ok(Object::empty()), |raw| Object::of_raw(raw, "`options`"))?;
    options.canonicalize(|key| known(key).map(|option| option.name));
    for (key, value) in options.iter() {
        if let Some(option) = known(key) {
            shape::check_option(option.name, option.kind, value)?;
        }
    }
    if !operate {
        options.retain(|key| known(key).is_some_and(|option| !option.runner));
    }
    let Some(most) = most else { return Ok((options.write(), 0)) };
    // Ollama cuts off the fraction, as this cast does; numbers beyond i64 stay at its ends.
    let asked = options.get("num_predict").and_then(shape::number).map(|n| n as i64);
    let cap = capped(asked, most);
    options.set("num_predict", cap.to_string());
    Ok((options.write(), cap))
}

fn known(key: &str) -> Option<&'static ModelOption> {
    OPTIONS.iter().find(|option| same_key(option.name, key))
}
