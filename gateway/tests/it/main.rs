//! The gateway's promises, over real sockets and TLS, against a simulated Ollama that is held to recordings of a
//! real one. One file, one promise.

mod support;
mod cancel;
mod early_refusal;
mod framing;
mod slow_clients;
mod smoke;
mod speak;
mod tls;
mod wycheproof;
