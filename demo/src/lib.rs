//! A whole fleet on one machine, and the stand-ins that tests share.
//!
//! - [`up`]: `demo up`: an issuer, an Ollama and a gateway, started, described, watched and stopped
//! - [`machine`]: one machine of a fleet: a gateway and its Ollama
//! - [`load`]: `demo load`: a trace's requests, sent to it
//! - [`evaluate`]: `demo translate-eval`: what its translations keep, and how good they are
//! - [`talks`]: `demo talks`: how long it takes to list and show many conversations
//! - [`node`]: the simulated Ollama as a process of its own
//! - [`keep`]: a keeper that ends one program with its parent
//! - [`ollama`]: a simulated Ollama, held to recordings of a real one
//! - [`issuer`]: a small OIDC issuer
//! - [`telegram`]: a fake of Telegram's Bot API
//! - [`aws`]: a fake Auto Scaling group behind a fake load balancer's rule
//! - [`cloud`]: `demo aws`: that fake as a process, whose instances are machines here
//! - `running`: how the commands find a demo that runs
//! - `tasks`: tasks that end with their owner

pub mod up;
pub mod machine;
pub mod load;
pub mod evaluate;
pub mod talks;
pub mod node;
pub mod keep;
pub mod ollama;
pub mod issuer;
pub mod telegram;
pub mod aws;
pub mod cloud;
mod running;
mod tasks;
