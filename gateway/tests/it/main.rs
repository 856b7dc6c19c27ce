//! The gateway's promises, over real sockets and TLS, against a simulated Ollama that is held to recordings of a
//! real one. One file, one promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is tests, also what stands outside a test function"
)]

mod support;
mod apis;
mod smoke;
mod cancel;
mod streams;
mod keepalive;
mod whole_answers;
mod broken_streams;
mod stalled_readers;
mod queueing;
mod fairness;
mod loads;
mod outages;
mod readiness;
mod stuck;
mod administration;
mod draining;
mod accounts;
mod canary;
