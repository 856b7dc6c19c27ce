//! Translation: a text or a file is cut into segments, each of which is an inference like any other.
//!
//! `languages`, `segments`, `protect` and `formats` know texts; `prompt` and `check` what a model is told and whether
//! its answer will do.

pub mod languages;
pub mod formats;
pub mod segments;
pub mod protect;
