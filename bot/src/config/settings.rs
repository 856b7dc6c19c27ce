//! Every key of `bot.toml`: the doc comment of each field gives its default.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What nobody may read in a log: its text is written by nothing but [`Secret::reveal`] and the bot's own file.
#[derive(Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The whole of `bot.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The bot's token, as @BotFather gave it. No default: without it there is no bot.
    pub token: Secret,
    /// Where Telegram's Bot API is. Default `https://api.telegram.org`.
    pub telegram_url: String,
    /// The file in which it remembers who is linked, with their keys. Only its owner may read it; its folder must
    /// exist. Default `/var/lib/ollama-fleet-bot/state.json`.
    pub state: PathBuf,
    /// The model of people who have chosen none. Default: one that is in memory, else the first they may use; a fleet
    /// that has slept since it was made knows none, and needs this to be woken.
    pub model: Option<String>,
    /// `[gateway]`: whom it asks.
    pub gateway: Gateway,
    /// `[log]`: how much is said.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: Secret::default(),
            telegram_url: "https://api.telegram.org".to_owned(),
            state: PathBuf::from("/var/lib/ollama-fleet-bot/state.json"),
            model: None,
            gateway: Gateway::default(),
            log: Log::default(),
        }
    }
}

/// `[gateway]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Gateway {
    /// The gateway, or the load balancer before it: `https://host[:port]`. No default.
    pub url: String,
    /// A file with the certificates (PEM) that sign the gateway's. Default: the machine's own authorities.
    pub ca_file: Option<PathBuf>,
    /// The bot's own API key. It is used for nothing but to redeem the codes of people who link themselves. No default.
    pub key: Secret,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Log {
    /// What is logged, as `level` or `level,target=level`. Default `info`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned() }
    }
}
