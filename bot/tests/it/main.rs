//! What the bot promises: to people on a fake Telegram that holds it to the limits, before a gateway.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of tests fails its test by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests have no tracker to wait for: their tasks end with their runtime"
)]

/// Runs the promises of a file side by side: each spends most of its time in waiting for Telegram's pace.
macro_rules! side_by_side {
    ($($promise:ident,)+) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn all_promises() {
            let running = [$((stringify!($promise), tokio::spawn($promise()))),+];
            let mut broken = Vec::new();
            for (promise, outcome) in running {
                if outcome.await.is_err() {
                    broken.push(promise);
                }
            }
            assert!(broken.is_empty(), "broken: {broken:#?}; each says why above");
        }
    };
}

mod scripted;
mod support;
mod links;
mod talks;
mod limits;
mod commands;
mod restarts;
mod program;
mod real;
