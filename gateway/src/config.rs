//! The configuration: read whole, checked whole, before any socket opens.
//!
//! `settings` says every key, default and unit; `load` merges file and environment and collects every mistake;
//! `check` holds the rules between keys.

pub mod settings;
pub mod instance;
pub mod load;
mod check;

pub use load::{ConfigError, load};
pub use settings::Config;
