//! `bot.toml`: read whole, checked whole, before anything is asked. `settings` says every key; `check` holds the rules.

pub mod settings;
mod check;

use std::path::Path;

pub use fleet::config::ConfigError;
pub use settings::{Config, Secret};

/// Reads `file` (none: defaults only), lays `BOT__SECTION__KEY` over it, and checks the whole.
///
/// # Errors
/// Every mistake found, not only the first.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    fleet::config::load(file, "BOT__", check::mistakes)
}

/// Turns a text into a checked configuration, without the environment.
///
/// # Errors
/// As [`load`].
pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
    fleet::config::from_toml(text, check::mistakes)
}

#[cfg(test)]
mod tests;
