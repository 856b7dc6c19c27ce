//! A simulated Ollama: a stand-in that behaves on the wire as a real one does (v0.33), with models that pretend.
//!
//! It is **not** Ollama and runs no model. It exists so that tests and the demo need no GPU, and it is held to
//! exchanges recorded with a real Ollama (`tests/it/recordings.rs`): routes, framing, shapes, error texts. How it
//! behaves over time (queueing, loads that belong to their first requester, cancels that are noticed late) follows
//! what was measured on the same build. [`Fault`]s make it fail in the ways a real one fails.
//!
//! In the order a request meets them:
//!
//! - `tap`: the socket, recorded, and cut on demand
//! - `serve`: one connection's requests: read, judged, routed, answered
//! - `route`, `origin`: the path table with its redirects; Host, Origin and preflights
//! - `json`, `fields`, `names`: bodies as Go's decoder takes them; checked fields; one name for many spellings
//! - `app`: what every route works with
//! - `native`, `embed`, `openai`, `responses`, `anthropic`: the inference routes
//! - `lists`, `manage`: what there is; what changes it
//! - `engine`, `generate`: loads, slots, keep-alive; one generation
//! - `answer`: framing, streams, errors by family
//! - `models`, `script`, `stats`: what a test sets, and what it may look at

mod tap;
mod serve;
mod route;
mod origin;
mod json;
mod fields;
mod names;
mod app;
mod native;
mod embed;
mod openai;
mod responses;
mod anthropic;
mod lists;
mod manage;
mod engine;
mod generate;
mod echo;
mod answer;
mod models;
mod script;
mod stats;
mod simulated;

pub use self::models::{Kind, Model};
pub use self::script::Fault;
pub use self::simulated::{Builder, SimulatedOllama};
pub use self::stats::{ModelStats, Seen, Stats, WaitedTooLong};
