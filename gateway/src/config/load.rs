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
    fn a_fleet_that_could_not_find_its_nodes_is_told() {
        for address in ["node-1", "node-1:0", ":8443", "a@node-1:8443", "https://node-1:8443"] {
            let text = format!("[fleet]\naddress = \"{address}\"\n{ISSUER}");
            let mistakes = from_toml(&text).unwrap_err().mistakes;
            assert!(mistakes[0].starts_with("fleet.address: ") && mistakes.len() == 1, "{mistakes:?}");
        }
        for pause in ["0", "5.5"] {
            let text = format!("[fleet]\nreport_every_seconds = {pause}\n{ISSUER}");
            let mistakes = from_toml(&text).unwrap_err().mistakes;
            assert!(mistakes[0].starts_with("fleet.report_every_seconds: "), "{mistakes:?}");
        }
    }

    #[test]
    fn a_machine_that_could_not_tell_its_group_is_told() {
        let mistakes = |text: &str| match from_toml(&format!("{text}\n{ISSUER}")) {
            Ok(_) => Vec::new(),
            Err(error) => error.mistakes,
        };
        assert_eq!(mistakes("[instance]\n[metrics]\n"), [] as [String; 0]);
        let wrong = "[instance]\nkind = \"ec2\"\nlaunch_hook = \"\"\nboot_seconds = 0\nsick_seconds = 0\n\
                     [metrics]\non = true\nnamespace = \"AWS/EC2\"\n\
                     [ollama]\nfetch_command = [\"fetch-model\"]\n";
        let found = mistakes(wrong);
        for key in ["group", "launch_hook", "boot_seconds", "sick_seconds"] {
            assert!(found.iter().any(|m| m.starts_with(&format!("instance.{key}: "))), "{key} in {found:#?}");
        }
        for key in ["metrics.namespace", "ollama.fetch_command"] {
            assert!(found.iter().any(|m| m.starts_with(&format!("{key}: "))), "{key} in {found:#?}");
        }
        let without_aws = !cfg!(feature = "aws");
        for key in ["instance.kind", "metrics.on"] {
            let told = found.iter().any(|m| m.starts_with(&format!("{key}: this build has no AWS")));
            assert_eq!(told, without_aws, "{key} in {found:#?}");
        }
    }

    #[test]
    fn peers_are_told_where_we_listen_unless_the_configuration_says_it() {
        let address = |text: &str| from_toml(&format!("{text}\n{ISSUER}")).unwrap().peer_address();
        let listen = |at: &str| format!("[listen]\naddress = \"{at}\"\n");
        assert_eq!(address(""), None, "0.0.0.0 is nobody's address");
        assert_eq!(address(&listen("127.0.0.1:0")), None, "nor is port 0");
        assert_eq!(address(&listen("10.0.0.5:8443")).as_deref(), Some("10.0.0.5:8443"));
        for given in ["10.0.0.5:443", "[fd00::1]:8443", "node-1.internal:8443"] {
            let text = format!("{}[fleet]\naddress = \"{given}\"", listen("10.0.0.9:1"));
            assert_eq!(address(&text).as_deref(), Some(given));
        }
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
