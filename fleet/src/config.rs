//! How both programs read their configuration: file and environment into one struct, every mistake at once, each with
//! its key. What the keys are, and the rules between them, each program says itself.

use std::path::Path;
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{} in the configuration:\n{}", count(.mistakes), list(.mistakes))]
pub struct ConfigError {
    /// One sentence each, beginning with the key.
    pub mistakes: Vec<String>,
}

fn count(mistakes: &[String]) -> String {
    if mistakes.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) }
}

fn list(mistakes: &[String]) -> String {
    mistakes.iter().map(|m| format!("  {m}")).collect::<Vec<_>>().join("\n")
}

/// Reads `file` (none: defaults only), lays the environment's `<prefix>SECTION__KEY` over it, and has `check` hold the
/// whole to the rules between keys.
///
/// # Errors
/// Every mistake found, not only the first.
pub fn load<C: DeserializeOwned>(
    file: Option<&Path>,
    prefix: &str,
    check: impl Fn(&C) -> Vec<String>,
) -> Result<C, ConfigError> {
    let fail = |mistake: String| ConfigError { mistakes: vec![mistake] };
    let mut merged = Figment::new();
    if let Some(file) = file {
        if !file.is_file() {
            return Err(fail(format!("{}: there is no such file", file.display())));
        }
        merged = merged.merge(Toml::file_exact(file));
    }
    let tree: Value =
        merged.merge(Env::prefixed(prefix).split("__")).extract().map_err(|error| fail(error.to_string()))?;
    from_tree(tree, check)
}

/// Turns a text in TOML into a checked configuration, without the environment.
///
/// # Errors
/// As [`load`].
pub fn from_toml<C: DeserializeOwned>(
    text: &str,
    check: impl Fn(&C) -> Vec<String>,
) -> Result<C, ConfigError> {
    let tree = Figment::new().merge(Toml::string(text)).extract();
    from_tree(tree.map_err(|error| ConfigError { mistakes: vec![error.to_string()] })?, check)
}

/// Turns the merged tree into a checked configuration.
///
/// # Errors
/// As [`load`].
pub fn from_tree<C: DeserializeOwned>(
    mut tree: Value,
    check: impl Fn(&C) -> Vec<String>,
) -> Result<C, ConfigError> {
    let mut mistakes = Vec::new();
    let config = loop {
        match read(&tree) {
            Ok((config, unknown)) => {
                mistakes.extend(unknown.into_iter().map(|key| format!("{key}: there is no such key")));
                break config;
            }
            // serde stops at the first mistake: take that value out and look on, so that all are found in one go.
            Err((key, message)) => {
                mistakes.push(format!("{key}: {message}"));
                if !remove(&mut tree, &key) {
                    return Err(ConfigError { mistakes });
                }
            }
        }
    };
    mistakes.extend(check(&config));
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError { mistakes }) }
}

fn read<C: DeserializeOwned>(tree: &Value) -> Result<(C, Vec<String>), (String, String)> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(tree, &mut track);
    match serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string())) {
        Ok(config) => Ok((config, unknown)),
        Err(error) => Err((track.path().to_string(), error.to_string())),
    }
}

/// Takes the value at `key` (`a.b[0].c`) out of the tree; false where it is not there.
fn remove(tree: &mut Value, key: &str) -> bool {
    let path = key.replace('[', ".").replace(']', "");
    let mut steps: Vec<&str> = path.split('.').collect();
    let Some(last) = steps.pop() else { return false };
    let parent = steps.into_iter().try_fold(tree, |node, step| match node {
        Value::Object(map) => map.get_mut(step),
        Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    });
    match parent {
        Some(Value::Object(map)) => map.remove(last).is_some(),
        Some(Value::Array(list)) => match last.parse::<usize>() {
            Ok(at) if at < list.len() => {
                list.remove(at);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// Seconds, whole or with a fraction; never negative, at most a day. For `#[serde(deserialize_with)]`.
///
/// # Errors
/// What is no number, or not in that range.
pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(D::Error::custom(format!("{seconds} is not between 0 and 86400 seconds")))
    }
}
