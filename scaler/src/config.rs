//! `scaler.toml`: read whole, checked whole, before anything begins.
//!
//! `settings` says every key, default and unit; `schedule` reads days and times of day; `check` holds the rules between
//! keys; `policy` turns the whole into what `decide` wants.

pub mod settings;
pub mod schedule;
mod check;
mod policy;

use std::path::Path;

pub use fleet::config::ConfigError;
pub use settings::Config;

/// Reads `file` (none: defaults only), lays `SCALER__SECTION__KEY` over it, and checks the whole.
///
/// # Errors
/// Every mistake found, not only the first.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    fleet::config::load(file, "SCALER__", check::mistakes)
}

/// Turns a text into a checked configuration, without the environment.
///
/// # Errors
/// As [`load`].
pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
    fleet::config::from_toml(text, check::mistakes)
}

/// Who sits at this terminal, for the audit line of what an operator orders.
#[must_use]
pub fn person() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(std::env::var_os);
    named.map_or_else(|| "somebody".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
