//! What befalls a real fleet: fronts, scalers and gateways as processes of this machine on one SQLite file, killed, stopped and
//! crowded, while real clients stream through them. Each test is one fault; it prints one line of the table that
//! `scripts/faults.sh` shows. The long ones are ignored in `cargo test`; that script runs them.
//!
//! The programs `gateway` and `scaler` are taken from beside `demo`: `cargo build -p gateway -p scaler` makes them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests have no tracker to wait for: their tasks end with their runtime"
)]

mod process;
mod machines;
mod fleet;
mod view;
mod ask;
mod table;
mod nodes;
mod fronts;
mod wakes;
mod boots;
mod leaders;
mod sleeps;
mod stores;
