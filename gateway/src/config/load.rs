//! Reads file and environment into a [`Config`], and reports every mistake at once, each with its key.

use std::path::Path;

pub use fleet::config::ConfigError;
use serde_json::Value;

use super::{Config, check};

/// Reads `file` (none: defaults only), lays `GATEWAY__SECTION__KEY` over it, and checks the whole.
///
/// # Errors
/// Every mistake found, not only the first.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    fleet::config::load(file, "GATEWAY__", check::mistakes)
}

/// Turns the merged tree into a checked configuration.
///
/// # Errors
/// As [`load`].
pub fn from_tree(tree: Value) -> Result<Config, ConfigError> {
    fleet::config::from_tree(tree, check::mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigError> {
        fleet::config::from_toml(text, check::mistakes)
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
