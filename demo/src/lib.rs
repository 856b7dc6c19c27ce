//! A whole fleet on one machine, and the stand-ins that tests share.
//!
//! - [`up`]: `demo up`: an issuer, an Ollama and a gateway, started, described, watched and stopped
//! - [`node`]: the simulated Ollama as a process of its own
//! - [`keep`]: a keeper that ends one program with its parent
//! - [`ollama`]: a simulated Ollama, held to recordings of a real one
//! - [`issuer`]: a small OIDC issuer
//! - `tasks`: tasks that end with their owner

pub mod up;
pub mod node;
pub mod keep;
pub mod ollama;
pub mod issuer;
mod tasks;
