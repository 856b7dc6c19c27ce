//! The gateway: terminates TLS, authenticates, authorizes, limits, queues fairly, forwards to the local
//! Ollama, streams back, accounts.
//!
//! The modules stand in the order a request meets them; `request::Journey::handle` is the whole story on one
//! screen. ARCHITECTURE.md draws the map.

pub mod config;
pub mod process;
pub mod connection;
pub mod stack;
pub mod request;
mod telling;
pub mod translate;
pub mod conversations;
pub mod moderation;
pub mod page;
pub mod ollama;
pub mod peers;
pub mod identity;
pub mod trust;
pub mod error;
pub mod body;
pub mod metrics;
pub mod usage;
pub mod admin;
pub mod drain;
pub mod instance;
pub mod substitute;
pub mod wake;
pub mod wishes;
pub mod report;
pub mod history;
#[cfg(test)]
mod fake_store;
