//! Ollama as an upstream: its names, where each of its APIs keeps its fields, what its streams look like, our
//! connections to it and what we know of its models.

pub mod names;
pub mod dialect;
pub mod frames;
pub(crate) mod spoken;
pub mod plain_words;
pub mod client;
pub mod framing;
pub mod pace;
pub mod show;
pub mod known;
pub mod models;
