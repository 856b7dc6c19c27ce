//! A whole fleet on one machine, and the stand-ins that tests share.
//!
//! - [`ollama`]: a simulated Ollama, held to recordings of a real one
//! - `tasks`: tasks that end with their owner

pub mod ollama;
mod tasks;
