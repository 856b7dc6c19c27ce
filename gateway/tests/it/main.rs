//! The gateway's promises, over real sockets and TLS, against a simulated Ollama that is held to recordings of a
//! real one. One file, one promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is tests, also what stands outside a test function"
)]

mod support;
mod accounts;
mod administration;
mod apis;
mod books;
mod broken_streams;
mod canary;
mod cancel;
mod configuration;
mod conversations;
mod conversations_answers;
mod conversations_archive;
mod conversations_writers;
mod corpora;
mod credentials;
mod deny;
mod draining;
mod early_refusal;
mod errors;
mod fairness;
mod faulty_store;
mod fleet_limits;
mod framing;
mod front;
mod held;
mod hops;
mod hostile;
#[cfg(feature = "aws")]
mod instance;
mod keepalive;
mod links;
mod lists;
mod loads;
mod looks;
mod models_fleet;
mod moderation;
mod networks;
mod orders;
mod origins;
mod outages;
mod peers;
mod queueing;
mod rate;
mod readiness;
mod reports;
mod routes;
mod slow_clients;
mod smoke;
mod speak;
mod stalled_readers;
mod streams;
mod stuck;
mod tls;
mod translate;
mod translate_files;
mod trust;
mod wake;
mod whole_answers;
mod wycheproof;
