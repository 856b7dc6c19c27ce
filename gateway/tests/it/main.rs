//! The gateway's promises, over real sockets and TLS, against a simulated Ollama that is held to recordings of a
//! real one. One file, one promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows test functions, not their helpers; a test may fail where it stands"
)]

mod support;
mod speak;
mod smoke;
mod tls;
mod framing;
mod early_refusal;
mod slow_clients;
mod routes;
mod origins;
mod networks;
mod credentials;
mod wycheproof;
mod rate;
mod lists;
mod cancel;
mod errors;
mod configuration;
