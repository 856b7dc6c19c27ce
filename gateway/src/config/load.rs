//! Reads file and environment into a [`Config`], and reports every mistake at once, each with its key.

use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde_json::Value;

use super::{Config, check};

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

/// Reads `file` (none: defaults only), lays `GATEWAY__SECTION__KEY` over it, and checks the whole.
///
/// # Errors
/// Every mistake found, not only the first.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    let fail = |mistake: String| ConfigError { mistakes: vec![mistake] };
    let mut merged = Figment::new();
    if let Some(file) = file {
        if !file.is_file() {
            return Err(fail(format!("{}: there is no such file", file.display())));
        }
        merged = merged.merge(Toml::file_exact(file));
    }
    let tree: Value = merged
        .merge(Env::prefixed("GATEWAY__").split("__"))
        .extract()
        .map_err(|error| fail(error.to_string()))?;
    from_tree(tree)
}

/// Turns the merged tree into a checked configuration.
///
/// # Errors
/// As [`load`].
pub fn from_tree(mut tree: Value) -> Result<Config, ConfigError> {
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
    mistakes.extend(check::mistakes(&config));
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError { mistakes }) }
}

fn read(tree: &Value) -> Result<(Config, Vec<String>), (String, String)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigError> {
        from_tree(Figment::new().merge(Toml::string(text)).extract().unwrap())
    }

    const ISSUER: &str =
        "[[issuers]]\nissuer = \"https://a.example/\"\nkind = \"oidc\"\naudiences = [\"api\"]\n";

    #[test]
    fn every_mistake_is_named_at_once() {
        let text = format!(
            "[limits]\nbody_bytes = \"much\"\nheader_seconds = -1\nh2_streams = 1000\nspeed = 9\n\
             [queue]\ncapacity = -3\n[roles.user]\npriority = \"urgent\"\n[listen]\naddress = \"here\"\n{ISSUER}"
        );
        let mistakes = from_toml(&text).unwrap_err().mistakes;
        for key in [
            "limits.body_bytes",
            "limits.header_seconds",
            "limits.h2_streams",
            "limits.speed",
            "queue.capacity",
            "roles.user.priority",
            "listen.address",
        ] {
            let named = mistakes.iter().filter(|m| m.starts_with(&format!("{key}:"))).count();
            assert_eq!(named, 1, "{key} in {mistakes:#?}");
        }
        assert_eq!(mistakes.len(), 7, "{mistakes:#?}");
    }

    #[test]
    fn fractions_of_a_second_are_read() {
        let config = from_toml(&format!("[drain]\naccept_for_seconds = 0.5\n{ISSUER}")).unwrap();
        assert_eq!(config.drain.accept_for_seconds.as_millis(), 500);
    }

    #[test]
    fn a_missing_required_key_is_named() {
        let mistakes = from_toml("[[issuers]]\nissuer = \"https://a.example\"\n").unwrap_err().mistakes;
        assert!(mistakes[0].contains("issuers[0]") && mistakes[0].contains("kind"), "{mistakes:?}");
    }
}
