//! The gateway's promises, over real sockets and TLS, against a simulated Ollama that is held to recordings of a
//! real one. One file, one promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows test functions, not their helpers; a test may fail where it stands"
)]

mod support;
mod smoke;
mod cancel;
mod speak;
mod framing;
mod tls;
mod early_refusal;
mod slow_clients;
mod routes;
mod lists;
mod origins;
mod networks;
mod credentials;
mod rate;
mod errors;
mod configuration;
