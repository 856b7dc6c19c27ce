//! The load generator: prompts, lanes they go down, and what comes back counted.

pub mod tls;
pub mod prompt;
pub mod tally;
pub mod decode;
pub mod http1;
pub mod http2;
pub mod lane;
pub mod run;

/// What can go wrong with one request.
#[derive(Debug)]
pub enum Fault {
    /// No connection, another status than 200, or no HTTP: an error.
    Failed(String),
    /// A 200 whose answer was not whole.
    Short(String),
}

impl Fault {
    /// An error of this kind.
    pub fn failed(what: &str, why: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {why}"))
    }

    /// An answer that ended too soon.
    pub fn short(why: impl std::fmt::Display) -> Self {
        Self::Short(why.to_string())
    }
}
