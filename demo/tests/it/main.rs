//! What the stand-ins promise to the tests that lean on them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of tests fails its test by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests have no tracker to wait for: their tasks end with their runtime"
)]

mod raw;
mod shape;
mod recordings;
mod loads;
mod slots;
mod cancels;
mod faults;
mod sign_in;
mod tokens;
mod aws;
mod telegram;
mod up;
