//! A whole fleet on one machine, and the stand-ins that tests share.
//!
//! - [`ollama`]: a simulated Ollama, held to recordings of a real one
//! - [`issuer`]: a small OIDC issuer
//! - `tasks`: tasks that end with their owner

pub mod ollama;
pub mod issuer;
mod tasks;
