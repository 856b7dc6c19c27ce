//! What the bot promises: to people on a fake Telegram that holds it to the limits, before a gateway.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of tests fails its test by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests have no tracker to wait for: their tasks end with their runtime"
)]

mod scripted;
mod support;
mod links;
mod talks;
mod limits;
mod commands;
mod restarts;
mod program;
